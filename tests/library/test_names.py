"""The public names: imported at their first use, the same for editors and at run time, and told apart when missing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import prequel

SOURCE = ast.parse(Path(prequel.__file__).read_text(encoding="utf-8"))

MISSING = """
import sys
sys.modules[{package!r}] = None
import prequel
try:
    prequel.{name}
except ImportError as error:
    print(error)
"""


def imported_for_types() -> dict[str, str]:
    """The names that editors and mypy see, with their modules."""
    (block,) = (each for each in SOURCE.body if isinstance(each, ast.If))
    statements = [each for each in block.body if isinstance(each, ast.ImportFrom)]
    return {alias.name: str(each.module) for each in statements for alias in each.names}


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_what_editors_see_is_what_there_is() -> None:
    names = imported_for_types()
    assert {*names, "__version__"} == set(prequel.__all__)
    assert set(prequel.__all__) <= set(dir(prequel))
    for name, module in names.items():
        place = prequel._PLACES[name].module
        assert place in (module, f"{module}.{name}")
        assert getattr(prequel, name) is getattr(sys.modules[place], name, sys.modules[place])


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import prequel; print(*sorted(set(sys.modules) - before))"
    others = [name for name in run(code).split() if name.partition(".")[0] not in sys.stdlib_module_names]
    assert others == ["prequel"]


def test_the_client_needs_little() -> None:
    """A program that only sends images installs the extra `producer`."""
    code = "import sys; import prequel; prequel.Client; print(*sorted(sys.modules))"
    heavy = {"river", "numba", "scipy", "sklearn", "fastapi", "openvino", "keras", "pyarrow", "jinja2", "onnx", "kafka"}
    assert not heavy & set(run(code).split())


def test_a_name_that_does_not_exist_says_which_do() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'Cleint': it has .*Client"):
        prequel.Cleint  # noqa: B018  # what is asked for is the error


@pytest.mark.parametrize(("name", "package"), [("Client", "httpx"), ("Classifier", "river")])
def test_a_missing_package_names_the_extra_that_installs_it(name: str, package: str) -> None:
    message = run(MISSING.format(name=name, package=package))
    assert message == (
        f"prequel.{name} needs the package {package}, which is not installed: "
        f"pip install 'prequel-stream[{prequel._PLACES[name].extra}]'\n"
    )
