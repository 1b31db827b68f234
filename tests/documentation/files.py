"""The map of files: each module with the first sentence of its docstring."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def modules() -> list[Path]:
    """Every module of the product."""
    return [path for folder in ("services", "shared") for path in sorted((ROOT / folder).rglob("*.py"))]


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def sentence(path: Path) -> str:
    """The first line of a docstring, which says what the module is."""
    return docstring(path).partition("\n")[0]


def tree() -> str:
    lines = []
    for path in modules():
        name = path.relative_to(ROOT).as_posix().removesuffix("__init__.py")
        lines.append(f"{name:<52} {sentence(path)}")
    return "```text\n" + "\n".join(lines) + "\n```"
