"""Writes the parts of README that repeat what the code says: `python -m tests.documentation`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from prequel.services.cli.parser import COMMANDS
from prequel.services.learner.models import registry
from prequel.shared.config import PREFIX, Settings
from prequel.shared.runtime.metrics import Metrics

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"


def settings_table() -> str:
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        rows.append(f"| `{PREFIX}{name.upper()}` | {f'`{default}`' if default != '' else ''} | {field.description} |")
    return "\n".join(rows)


def metrics_table() -> str:
    metrics = Metrics(CollectorRegistry())
    rows = ["| metric | labels | meaning |", "| --- | --- | --- |"]
    for metric in (value for value in vars(metrics).values() if hasattr(value, "_labelnames")):
        name = metric._name + ("_total" if metric._type == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        rows.append(f"| `{name}` | {labels} | {metric._documentation} |")
    return "\n".join(rows)


def models_table() -> str:
    rows = ["| model | what it is | options |", "| --- | --- | --- |"]
    for name, row in registry.MODELS.items():
        options = ", ".join(f"`{option}`" for option in row.options)
        rows.append(f"| `{name}` | {row.meaning} | {options} |")
    for name, recipe in registry.RECIPES.items():
        shown = f"{name}:N" if recipe.argument else name
        rows.append(f"| `{shown}\\|...` | {recipe.meaning} | |")
    return "\n".join(rows)


def tree() -> str:
    lines = []
    for folder in ("services", "shared"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix().removesuffix("__init__.py")
            lines.append(f"{name:<44} {docstring(path)}")
    return "```text\n" + "\n".join(lines) + "\n```"


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""


BLOCKS = {"models": models_table, "settings": settings_table, "metrics": metrics_table, "tree": tree}


def written(text: str) -> str:
    """README with every block as the code has it."""
    for name, block in BLOCKS.items():
        text = re.sub(
            rf"(<!-- {name}: .*? -->\n).*?(<!-- end of {name} -->)",
            lambda match, block=block: f"{match[1]}{block()}\n{match[2]}",  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
    return text


def commands() -> Iterator[str]:
    """Every command of the command line."""
    yield from (command.name for command in COMMANDS)


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
