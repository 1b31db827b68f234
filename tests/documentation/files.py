"""The map of files: each module of Python and JavaScript with the sentence that it begins with."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def modules() -> list[Path]:
    """Every module of the product."""
    return [path for folder in ("services", "shared") for path in sorted((ROOT / folder).rglob("*.py"))]


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def first_comment(path: Path) -> str:
    """The sentence that a JavaScript module begins with, as `/** ... */`."""
    found = re.match(r"/\*\* (.*?) \*/\n", path.read_text(encoding="utf-8"))
    return found[1] if found else ""


def sentence(path: Path) -> str:
    """The first line of a docstring, which says what the module is."""
    return docstring(path).partition("\n")[0]


def scripts() -> list[Path]:
    """Every module of the page, but those of others."""
    web = ROOT / "services" / "gateway" / "web"
    return [path for path in sorted(web.rglob("*.js")) if "vendor" not in path.parts]


def tree() -> str:
    """Sorted by path: a folder's own sentence is that of its ``__init__.py``."""
    sentences = {path.as_posix().removesuffix("__init__.py"): sentence(path) for path in modules()}
    sentences |= {path.as_posix(): first_comment(path) for path in scripts()}
    lines = [f"{path.removeprefix(f'{ROOT}/'):<56} {text}" for path, text in sorted(sentences.items())]
    return "```text\n" + "\n".join(lines) + "\n```"
