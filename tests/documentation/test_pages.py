"""The documents name every module, setting, metric, command and option that there is, and nothing that is not there."""

import argparse
import ast
import difflib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from prequel import __version__
from prequel.services.cli.parser import create_parser
from prequel.shared.config import PREFIX, REMOVED, Settings
from prequel.shared.environment import secret_settings, variable_name
from tests.documentation.files import docstring, first_comment, modules, scripts
from tests.documentation.http import description
from tests.documentation.pages import BLOCKS, PAGES, README, ROOT, fences, read, regenerated

TEXT = "\n".join(map(read, PAGES))

MAX_README_LINES = 150
"""README is what somebody reads before they know whether they want to read more."""

PRIVATE_WORDS = r"\b(?:bury|buried|lend|lent|patience|ill|Lane|Bell|anew|of ours)\b"
"""Words of the old code that no newcomer knows. The field has its own for each of them: see docs/glossary.md."""


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_says_in_one_sentence_what_it_is(path: Path) -> None:
    """It may say more after a blank line."""
    first, _, more = docstring(path).partition("\n")
    assert first, "it has no docstring"
    assert not more or more.startswith("\n"), f"the sentence takes more than one line: {first!r}"
    assert first.endswith("."), f"no full stop: {first!r}"
    assert not re.search(r"[.!?] [A-Z]", first), f"more than one sentence: {first!r}"


@pytest.mark.parametrize("path", scripts(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_script_begins_with_a_sentence_that_says_what_it_is(path: Path) -> None:
    assert re.fullmatch(r"[A-Z`].*\.", first_comment(path)), "its first line is not like `/** A sentence. */`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_generated_parts_are_as_the_code_has_them(page: Path) -> None:
    text = read(page)
    new = regenerated(text)
    changes = difflib.unified_diff(text.splitlines(), new.splitlines(), page.name, "the code", n=0, lineterm="")
    assert new == text, "\n".join(["run `make docs`:", *changes])


@pytest.mark.parametrize("name", BLOCKS)
def test_every_generated_part_is_on_one_page(name: str) -> None:
    assert len(re.findall(rf"<!-- {name}: .*? -->.*?<!-- end of {name} -->", TEXT, re.DOTALL)) == 1


def test_this_version_is_in_the_changelog() -> None:
    assert re.search(rf"^## \[{re.escape(__version__)}\]", read(ROOT / "CHANGELOG.md"), re.MULTILINE)


def test_readme_is_short() -> None:
    assert len(read(README).splitlines()) <= MAX_README_LINES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_uses_private_words(page: Path) -> None:
    written_by_hand = re.sub(r"<!-- (\w+): .*?<!-- end of \1 -->", "", read(page), flags=re.DOTALL)
    found = re.findall(rf"[^\n]*(?:{PRIVATE_WORDS})[^\n]*", written_by_hand)
    assert not found, "\n".join(map(str, found))


def test_only_settings_that_exist_are_documented() -> None:
    known = {variable_name(name) for name in [*Settings.model_fields, *REMOVED]}
    known |= {f"{variable_name(name)}_FILE" for name in secret_settings()}
    added = re.findall(r"^\+ *(\w+): .* = Field\(", read(ROOT / "docs" / "extending.md"), re.MULTILINE)
    known |= set(map(variable_name, added))
    unknown = set(re.findall(rf"\b{PREFIX}[A-Z][A-Z_]*[A-Z]\b", TEXT)) - known - {f"{PREFIX}RETENTION"}
    assert not unknown, f"unknown settings: {', '.join(sorted(unknown))}"


def commands() -> dict[str, argparse.ArgumentParser]:
    (subparsers,) = (each for each in create_parser()._actions if isinstance(each, argparse._SubParsersAction))
    return dict(subparsers.choices)


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_and_its_options_are_documented(name: str) -> None:
    assert re.search(rf"`prequel {name}[ `]", TEXT), f"the documents need `prequel {name} ...`"
    options = [option for action in commands()[name]._actions for option in action.option_strings]
    missing = [option for option in options if option not in ("-h", "--help") and option not in TEXT]
    assert not missing, f"the documents do not name {', '.join(missing)} of `prequel {name}`"


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([a-z]+)`", TEXT))))
def test_every_target_of_make_that_is_named_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:)([^)\s]*)\)", read(page))
    broken = [link for link in links if not leads_somewhere(page, link)]
    assert not broken, f"{page.name} links to what is not there: {', '.join(broken)}"


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    return target.exists() and (not anchor or anchor in anchors(target))


@cache
def anchors(page: Path) -> frozenset[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", read(page), re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings)


# What pages say of the code.

SEARCHED = ("services", "shared", "tests", "benchmarks", "deploy", "docs", "prequel")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = set(re.findall(rf"`((?:{'|'.join(SEARCHED)})/[\w./-]*)`", read(page)))
    missing = sorted(name for name in named if not (ROOT / name).exists() and name not in invented(page))
    assert not missing, f"{page.name} names files that are not there: {', '.join(missing)}"


def invented(page: Path) -> set[str]:
    """The files that a guide has its reader write."""
    return {found for each in fences(page) if (found := written_file(each.text))}


def written_file(text: str) -> str:
    found = re.match(r"# ([\w./-]+\.\w+)\n", text)
    return found[1] if found else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_that_is_said_to_be_in_a_file_is_there(page: Path) -> None:
    """`file.py` (`name`, `Class.method`): what stands in the brackets behind a file is defined in it."""
    for file, names in re.findall(r"`((?:services|shared|tests)/[\w./-]+\.py)` \(((?:`[\w.]+`(?:, )?)+)\)", read(page)):
        defined = set(definitions((ROOT / file).read_text(encoding="utf-8")))
        missing = [name for name in re.findall(r"`([\w.]+)`", names) if name not in defined]
        assert not missing, f"{page.name}: {file} does not define {', '.join(missing)}"


def definitions(source: str) -> Iterator[str]:
    """Names at the top of a module, and `Class.name` of what its classes have."""
    for node in ast.parse(source).body:
        yield from names_of(node)
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{name}" for each in node.body for name in names_of(each))
            # A method of a route stands inside a function: it is found by its own name too.
        if isinstance(node, ast.FunctionDef):
            yield from (name for each in node.body for name in names_of(each))


def names_of(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


def query_parameters() -> Iterator[tuple[str, str, str]]:
    """Method, path and name of every query parameter of the HTTP API."""
    for path, methods in description()["paths"].items():
        for method, described in methods.items():
            for each in described.get("parameters", []):
                if each["in"] == "query":
                    yield method.upper(), path, each["name"]


def test_the_reference_has_every_query_parameter_of_every_call() -> None:
    sections = {part.partition("\n")[0]: part for part in read(ROOT / "docs" / "http.md").split("\n### ")}
    missing = [
        (method, path, name)
        for method, path, name in query_parameters()
        if not any(f"\n`{method} {path}`\n" in part and f"| `{name}` (query) |" in part for part in sections.values())
    ]
    assert missing == []


def test_the_page_on_labelling_names_every_parameter_of_the_queue() -> None:
    page, names = (
        read(ROOT / "docs" / "labelling.md"),
        {n for _, path, n in query_parameters() if path.endswith("/queue")},
    )
    assert {"by", "sample", "after"} <= names
    assert [name for name in sorted(names) if not re.search(rf"`{name}(=|`)", page)] == []
