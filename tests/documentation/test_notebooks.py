"""The notebooks of the documents run from the first cell to the last, and show what is committed with them."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.documentation.notebooks import NOTEBOOKS, executed, read

PRIVATE = re.compile(r"/(tmp|work|home|root|Users)/")
"""What tells on whose machine a notebook was executed."""
NUMBER = re.compile(r"\d+(\.\d+)?")


def shown(notebook: Any) -> list[list[str]]:
    """What the cells show: texts, but for their numbers, whose last digits are not the same on every processor."""
    return [[NUMBER.sub("0", _text(output)) for output in cell.get("outputs", [])] for cell in notebook.cells]


def _text(output: Any) -> str:
    if output.output_type == "stream":
        return f"{output.name}: {output.text}"
    kinds = " ".join(sorted(output.data))
    return kinds if "text/html" in output.data else f"{kinds}: {output.data.get('text/plain', '')}"


def test_there_are_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["tutorial", "week"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_is_committed(path: Path, tmp_path: Path) -> None:
    """A cell that fails, one of its own assertions too, fails the test."""
    assert shown(executed(path, tmp_path)) == shown(read(path)), (
        f"execute it and look at it: python -m tests.documentation.notebooks {path}"
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_as_it_was_executed(path: Path) -> None:
    notebook = read(path)
    assert not PRIVATE.search(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert any("image/svg+xml" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output.get("name") == "stderr" or output.output_type == "error"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_links_of_a_notebook_lead_somewhere(path: Path) -> None:
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text)
    assert links
    assert not [link for link in links if not link.startswith("https://") and not (path.parent / link).exists()]
