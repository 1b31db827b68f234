"""README and docs say what there is: every module, setting, metric, command and option."""

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from services.__main__ import _parser
from shared.config import PREFIX, Settings
from shared.metrics import Metrics

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
if not README.exists():
    pytest.skip("README.md is not written yet", allow_module_level=True)

PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
IN_TREE = ("services", "shared", "benchmarks")


def text() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def modules() -> Iterator[Path]:
    for folder in IN_TREE:
        yield from sorted((ROOT / folder).rglob("*.py"))


def sentence(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_says_in_one_sentence_what_it_is(path: Path) -> None:
    said = sentence(path)
    assert said, "it has no docstring"
    assert "\n" not in said, f"more than one line: {said!r}"
    assert said.endswith("."), f"no full stop: {said!r}"
    assert not re.search(r"[.!?] [A-Z]", said), f"more than one sentence: {said!r}"


def wanted_tree() -> dict[str, str]:
    """Path (a folder's ends with a slash) -> what its line says."""
    tree = {}
    for path in modules():
        name = path.relative_to(ROOT).as_posix()
        tree[name.removesuffix("__init__.py")] = sentence(path)
    return tree


def readme_tree() -> dict[str, str]:
    """What README's tree says: the code block with a line for `services/`, two spaces a level, name, two spaces, text."""
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    block = next((each for each in blocks if re.search(r"^services/", each, re.MULTILINE)), "")
    tree: dict[str, str] = {}
    parents: list[str] = []
    for indent, name, said in re.findall(r"^( *)(\S+)(?: {2,}(.*))?$", block, re.MULTILINE):
        parents[len(indent) // 2 :] = [name]
        tree["".join(parents)] = said.strip()
    return tree


def test_the_tree_has_a_line_for_every_module_which_says_what_the_module_says() -> None:
    there = readme_tree()
    wrong = [_line(path, said) for path, said in wanted_tree().items() if there.get(path) != said]
    assert not wrong, "README's tree needs these lines (two spaces a level):\n" + "\n".join(wrong)


def test_the_tree_has_no_line_for_what_is_not_there() -> None:
    wrong = [path for path in readme_tree() if not (ROOT / path).exists()]
    assert not wrong, "README's tree names what does not exist: " + ", ".join(wrong)


def _line(path: str, said: str) -> str:
    depth = path.rstrip("/").count("/")
    name = path.rstrip("/").rpartition("/")[2] + ("/" if path.endswith("/") else "")
    return f"{'  ' * depth}{name:<{max(1, 28 - 2 * depth)}}  {said}"


def test_every_setting_is_in_the_table() -> None:
    missing = [row for row in map(_row, Settings.model_fields) if row not in text()]
    assert not missing, "the table of settings needs these lines:\n" + "\n".join(missing)


def _row(name: str) -> str:
    field = Settings.model_fields[name]
    default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    shown = f"`{default}`" if default != "" else ""
    return f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |"


def test_no_setting_is_documented_that_is_none() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    unknown = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", text())) - known
    assert not unknown, f"no such settings: {', '.join(sorted(unknown))}"


def test_every_metric_is_documented() -> None:
    missing = [name for name in metrics() if f"`{name}`" not in text() and f"`{name}{{" not in text()]
    assert not missing, "not named in README or docs (as `name` or `name{labels}`):\n" + "\n".join(missing)


def metrics() -> list[str]:
    families = Metrics(CollectorRegistry()).registry.collect()
    return [f"{family.name}_total" if family.type == "counter" else family.name for family in families]


def commands() -> dict[str, argparse.ArgumentParser]:
    (subparsers,) = (each for each in _parser()._actions if isinstance(each, argparse._SubParsersAction))
    return dict(subparsers.choices)


@pytest.mark.parametrize("name", commands())
def test_every_command_and_its_options_are_documented(name: str) -> None:
    assert f"`prequel {name}" in text(), f"README needs `prequel {name} ...`"
    options = [option for action in commands()[name]._actions for option in action.option_strings]
    missing = [option for option in options if option not in ("-h", "--help") and option not in text()]
    assert not missing, f"README does not name {', '.join(missing)} of `prequel {name}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    broken = [link for link in links if not (page.parent / link).exists()]
    assert not broken, f"{page.name} links to what is not there: {', '.join(broken)}"
