"""The page's files: small modules that build nothing from text, and libraries as their authors published them."""

import hashlib
import re
from itertools import pairwise
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "services" / "gateway" / "web"
OURS = sorted(
    path for path in WEB.rglob("*") if path.suffix in (".js", ".css", ".html") and WEB / "vendor" not in path.parents
)
MODULES = [path for path in OURS if path.suffix == ".js"]
SINKS = (
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc"
    r"|createContextualFragment"
)


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.relative_to(WEB).as_posix())
def test_a_file_is_small_and_turns_no_text_into_code(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) <= 350
    assert re.findall(SINKS, text) == []
    assert re.findall(r"\bstyle=|\bon\w+=|javascript:", text) == []
    assert re.findall(r"(?<!xmlns=\")https?://(?!www\.w3\.org)", text) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.relative_to(WEB).as_posix())
def test_a_module_says_in_a_sentence_what_it_is(module: Path) -> None:
    assert re.match(r"/\*\* [A-Z].*\. \*/\n", module.read_text())


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.relative_to(WEB).as_posix())
def test_what_a_module_exports_says_what_it_is(module: Path) -> None:
    lines = module.read_text().splitlines()
    bare = [line for before, line in pairwise(lines) if re.match(r"export (?!\{)", line) and not before.endswith("*/")]
    assert not bare


@pytest.mark.parametrize("library", list((WEB / "vendor").iterdir()), ids=lambda library: library.name)
def test_a_library_is_unchanged_and_has_its_licence(library: Path) -> None:
    readme = (library / "README.md").read_text()
    listed = {name: digest for digest, name in re.findall(r"^([0-9a-f]{64})  (.*)$", readme, re.MULTILINE)}
    there = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in library.iterdir()
        if path.name != "README.md"
    }
    assert there == listed
    assert "LICENSE" in there
