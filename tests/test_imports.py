"""Who may import whom, read from the syntax trees: the rules that keep the services apart."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMPOSITION_ROOT = "services/cli/composition.py"

ONE_PLACE: dict[str, str | tuple[str, ...]] = {
    "kafka": "shared/log/kafka/",
    "redis": "shared/store/redis/",
    "sqlite3": "shared/sqlite/",
    "pillow_heif": "shared/images/reading.py",
    "cryptography": "shared/images/encryption.py",
    "openvino": "services/extractor/engines/",
    "keras": ("services/extractor/engines/", "services/learner/models/networks/", "services/offline/export/"),
    "fastapi": "services/gateway/",
    "starlette": "services/gateway/",
    "pyarrow": ("shared/features/", "shared/tables/"),
    "pandas": "services/library/",
    "polars": "services/library/",
    "jinja2": "services/offline/",
    "onnx": "services/offline/",
}
"""A third-party package is imported only in the folder or the file that stands here."""

NEVER = ("tensorflow", "jax", "torch", "dill", "cloudpickle")
"""Keras chooses its backend; only Keras talks to it."""


class Import(NamedTuple):
    file: str
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def product() -> list[Path]:
    return sorted(path for folder in ("services", "shared") for path in (ROOT / folder).rglob("*.py"))


def imports(tree: ast.AST, file: str) -> Iterator[Import]:
    """Every import in a tree, wherever it stands: at the top, in functions, by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(file, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: write imports absolutely"
            yield from (Import(file, node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and (name := _dynamic(node)):
            yield Import(file, node.lineno, name)


def _dynamic(call: ast.Call) -> str:
    """The module that a call like ``importlib.import_module("kafka")`` imports, else nothing."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name not in ("import_module", "__import__") or not call.args or not isinstance(call.args[0], ast.Constant):
        return ""
    return str(call.args[0].value)


@cache
def tree_of(path: Path) -> ast.Module:
    """Parsed once: a dozen rules read the same trees."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def product_imports() -> tuple[Import, ...]:
    found: list[Import] = []
    for path in product():
        found += imports(tree_of(path), path.relative_to(ROOT).as_posix())
    return tuple(found)


def top(module: str) -> str:
    return module.partition(".")[0]


def service(module: str) -> str:
    """The service that a module of ours belongs to, else nothing."""
    words = module.split(".")
    return words[2] if words[:2] == ["prequel", "services"] and len(words) > 2 else ""


def complaints(wrong: list[Import], rule: str) -> str:
    return "\n".join([rule, *map(str, wrong)])


def test_the_product_imports_itself_under_its_own_name() -> None:
    """``services`` and ``shared`` are names of other distributions too: only ``prequel.services`` is ours for sure."""
    wrong = [each for each in product_imports() if top(each.module) in ("services", "shared")]
    assert not wrong, complaints(wrong, "import from prequel.services and prequel.shared:")


def test_shared_imports_no_service() -> None:
    wrong = [each for each in product_imports() if each.file.startswith("shared/") and service(each.module)]
    assert not wrong, complaints(wrong, "shared imports no service:")


COMPOSED = ("extractor", "gateway", "learner", "offline", "producer")

MORE = {"offline": ("extractor", "learner", "producer"), "library": (*COMPOSED, "cli")}
"""What a service may import besides: offline work is made of the parts of these, and reads what a producer can send.
The library is the composition root's other user: what the commands are for a terminal, it is for a program."""


def test_a_service_imports_only_shared_and_itself() -> None:
    wrong = [
        each
        for each in product_imports()
        if each.file.startswith("services/")
        and (own := each.file.split("/")[1]) not in ("cli", "__main__.py")
        and service(each.module) not in ("", own, *MORE.get(own, ()))
    ]
    assert not wrong, complaints(wrong, "only services/cli imports several services:")


COMPOSITION = "prequel." + COMPOSITION_ROOT.removesuffix(".py").replace("/", ".")


def test_only_the_command_line_and_the_library_import_the_composition_root() -> None:
    wrong = [
        each
        for each in product_imports()
        if each.module.startswith(COMPOSITION) and not each.file.startswith(("services/cli/", "services/library/"))
    ]
    assert not wrong, complaints(wrong, "only the command line and the library import the composition root:")


def test_the_library_imports_nothing_else_of_the_command_line() -> None:
    """``import composition`` of its folder is the folder's name too."""
    wrong = [
        each
        for each in product_imports()
        if each.file.startswith("services/library/")
        and service(each.module) == "cli"
        and not each.module.startswith(COMPOSITION)
    ]
    assert not wrong, complaints(wrong, "the library imports nothing of the command line but its composition root:")


@pytest.mark.parametrize("package", ONE_PLACE)
def test_a_client_is_imported_in_one_place(package: str) -> None:
    found = [each for each in product_imports() if top(each.module) == package]
    wrong = [each for each in found if not each.file.startswith(ONE_PLACE[package])]
    assert found, f"nothing imports {package}: this rule has lost its object"
    assert not wrong, complaints(wrong, f"{package} is imported only in {ONE_PLACE[package]}:")


def test_no_backend_of_keras_and_no_pickler_of_code_is_imported() -> None:
    wrong = [each for each in product_imports() if top(each.module) in NEVER]
    assert not wrong, complaints(wrong, f"never imported: {', '.join(NEVER)}:")


def test_the_environment_is_read_in_the_composition_root_only() -> None:
    wrong = []
    for path in product():
        file = path.relative_to(ROOT).as_posix()
        if file == COMPOSITION_ROOT:
            continue
        for node in ast.walk(tree_of(path)):
            name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
            if name in ("environ", "environb", "getenv", "putenv") and _names_os(node):
                wrong.append(f"{file}:{node.lineno} uses os.{name}")  # type: ignore[attr-defined]  # all names have one
    assert not wrong, "\n".join(["pass settings in from the composition root:", *wrong])


def _names_os(node: ast.AST) -> bool:
    """`os.environ`; a bare name counts only if it was imported, and a parameter called `environ` is fine."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"


def test_environ_is_not_imported_by_name() -> None:
    names = ("os.environ", "os.getenv", "os.environb", "os.putenv")
    wrong = [each for each in product_imports() if each.module in names and each.file != COMPOSITION_ROOT]
    assert not wrong, complaints(wrong, "pass settings in from the composition root:")


@pytest.mark.parametrize(
    ("code", "module"),
    [
        ("import kafka", "kafka"),
        ("import kafka.errors as e", "kafka.errors"),
        ("from kafka import KafkaConsumer", "kafka.KafkaConsumer"),
        ("def f():\n    from kafka.errors import KafkaError", "kafka.errors.KafkaError"),
        ("import importlib\nimportlib.import_module('kafka')", "kafka"),
        ("__import__('kafka')", "kafka"),
        ("if True:\n    import kafka", "kafka"),
    ],
)
def test_every_form_of_import_is_seen(code: str, module: str) -> None:
    assert module in [each.module for each in imports(ast.parse(code), "x.py")]
