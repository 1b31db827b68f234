"""The templates of reports and figures, and what all of them may use."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from prequel.services.offline.report import wording
from prequel.services.offline.report.colours import colours

TEMPLATES = Path(__file__).parent / "templates"
FIGURES = Path(__file__).parent.parent / "figures" / "templates"


def render_template(name: str, **parts: Any) -> str:
    """The text of the template ``name``; texts that it is given are escaped, without what cannot be shown."""
    return str(_environment().get_template(name).render(**parts))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader([TEMPLATES, FIGURES]),
        autoescape=True,
        finalize=_clean,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(wording, name)
        for name in ("count", "percent", "decimal", "interval", "points", "points_interval", "quantity", "unbroken")
    }
    environment.globals["light"] = colours().light
    return environment


def _clean(value: Any) -> Any:
    """Every text that is put into the page, whatever characters a label or a name has; not what is HTML already."""
    return wording.readable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
