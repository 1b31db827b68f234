"""The documents: which files they are, their code fences, and the parts of them that are generated from the code."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.documentation import events, files, http, tables

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [
    README,
    *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]

BLOCKS: Mapping[str, Callable[[], str]] = {
    "settings": tables.settings,
    "metrics": tables.metrics,
    "models": tables.models,
    "calls": http.calls,
    "events": events.events,
    "files": files.tree,
}
"""A generated part stands between `<!-- NAME: written by `make docs` -->` and `<!-- end of NAME -->`."""


class Fence(NamedTuple):
    """A fenced block of code: what kind, what stands in it, and the comment right before it, which may be empty."""

    page: Path
    line: int
    kind: str
    text: str
    comment: str

    @property
    def name(self) -> str:
        """For the names of tests."""
        return f"{self.page.name}:{self.line}"


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def regenerated(text: str) -> str:
    """The text with every generated part as the code has it now."""
    for name, block in BLOCKS.items():
        if f"<!-- {name}:" in text:
            pattern = rf"(<!-- {name}: .*? -->\n).*?(<!-- end of {name} -->)"
            new = block()
            text = re.sub(pattern, lambda match, new=new: f"{match[1]}{new}\n{match[2]}", text, flags=re.DOTALL)  # type: ignore[misc]
    return text


def fences(page: Path) -> Iterator[Fence]:
    """Every fenced block of a page, in order."""
    for found in re.finditer(r"^(?:<!-- (.*?) -->\n)?```(\w*)\n(.*?)^```$", read(page), re.DOTALL | re.MULTILINE):
        line = read(page)[: found.start(3)].count("\n") + 1
        yield Fence(page, line, found[2], found[3], found[1] or "")
