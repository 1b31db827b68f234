"""The colours of reports and figures by name, in light and in dark: those of the report's style sheet."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

STYLE = Path(__file__).parent / "templates" / "report.css"
MODELS = 6
"""Models that have a colour of their own, as many as people can tell apart; further ones share them, dashed."""
_COLOUR = re.compile(r"--([\w-]+): (#\w{6});")


class Colours(NamedTuple):
    """By name, as ``#rrggbb``."""

    light: dict[str, str]
    dark: dict[str, str]


@cache
def colours() -> Colours:
    """Both looks: the style sheet's first block of them, and the one for those who prefer dark."""
    light, _, rest = STYLE.read_text(encoding="utf-8").partition("prefers-color-scheme: dark")
    dark, _, _ = rest.partition("*, ")
    return Colours(dict(_COLOUR.findall(light)), dict(_COLOUR.findall(dark)))


def series(models: Sequence[str]) -> dict[str, str]:
    """The name of each model's colour, the same wherever it is drawn."""
    return {model: f"series-{number % MODELS + 1}" for number, model in enumerate(models)}


def dashed(models: Sequence[str]) -> Sequence[str]:
    """Those that share a colour with an earlier one."""
    return models[MODELS:]
