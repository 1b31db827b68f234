"""README says what there is: every module, setting, metric, command and option, and nothing that is not there."""

import argparse
import difflib
import re
from pathlib import Path

import pytest

from prequel.services.cli.parser import create_parser
from prequel.shared.config import PREFIX, RETIRED, Settings
from prequel.shared.environment import secrets, variable
from tests.documentation import BLOCKS, README, ROOT, docstring, written

PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
MODULES = [path for folder in ("services", "shared") for path in sorted((ROOT / folder).rglob("*.py"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_says_in_one_sentence_what_it_is(path: Path) -> None:
    said = docstring(path)
    assert said, "it has no docstring"
    assert "\n" not in said, f"more than one line: {said!r}"
    assert said.endswith("."), f"no full stop: {said!r}"
    assert not re.search(r"[.!?] [A-Z]", said), f"more than one sentence: {said!r}"


def test_what_readme_repeats_is_as_the_code_has_it() -> None:
    """The table of settings, the table of metrics, the tree with the modules' docstrings."""
    text = README.read_text(encoding="utf-8")
    changes = difflib.unified_diff(
        text.splitlines(), written(text).splitlines(), "README.md", "the code", n=0, lineterm=""
    )
    assert written(text) == text, "\n".join(["run `make docs`:", *changes])


@pytest.mark.parametrize("name", BLOCKS)
def test_readme_has_the_block(name: str) -> None:
    assert len(re.findall(rf"<!-- {name}: .*? -->.*?<!-- end of {name} -->", TEXT, re.DOTALL)) == 1


def test_no_setting_is_documented_that_is_none() -> None:
    known = {variable(name) for name in [*Settings.model_fields, *RETIRED]}
    known |= {f"{variable(name)}_FILE" for name in secrets()}
    unknown = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", TEXT)) - known
    assert not unknown, f"no such settings: {', '.join(sorted(unknown))}"


def commands() -> dict[str, argparse.ArgumentParser]:
    (subparsers,) = (each for each in create_parser()._actions if isinstance(each, argparse._SubParsersAction))
    return dict(subparsers.choices)


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_and_its_options_are_documented(name: str) -> None:
    assert re.search(rf"`prequel {name}[ `]", TEXT), f"README needs `prequel {name} ...`"
    options = [option for action in commands()[name]._actions for option in action.option_strings]
    missing = [option for option in options if option not in ("-h", "--help") and option not in TEXT]
    assert not missing, f"README does not name {', '.join(missing)} of `prequel {name}`"


@pytest.mark.parametrize("target", re.findall(r"`make ([a-z]+)`", TEXT))
def test_every_target_of_make_that_is_named_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    broken = [link for link in links if not (page.parent / link).exists()]
    assert not broken, f"{page.name} links to what is not there: {', '.join(broken)}"


@pytest.mark.parametrize("line", re.findall(r"^curl .*$", TEXT, re.MULTILINE))
def test_addresses_are_quoted_for_shells_that_match_files(line: str) -> None:
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", line)
    assert not set("?*[]{}&") & set(bare), "zsh: no matches found"
