"""The options of models: how their texts are read, what they mean, and what holds without them."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from prequel.services.learner.models.spec import Stage, UnknownModel


class Option(NamedTuple):
    """An option of a model. ``read`` turns its text into its value; its ValueError says what the text must be instead.

    ``default`` None lets the model choose a value that depends on its other options or its dimension.
    """

    read: Callable[[str], Any]
    meaning: str
    default: Any = None


OPTIONS_OF_THE_FOLD = ("drift", "calibrate")
"""Options that say what the fold does with a model and its predictions: see ``fold.drift.reactions``."""


def read_options(stage: Stage, known: Mapping[str, Option]) -> dict[str, Any]:
    """A stage's options by name, with the defaults of those that it does not give.

    Raises UnknownModel that names the unknown or malformed option, and says what is possible.
    """
    values = {name: option.default for name, option in known.items()}
    for key, text in stage.options.items():
        if key in OPTIONS_OF_THE_FOLD:  # Taken off a whole model's spec before it comes here.
            raise UnknownModel(f"{key}={text} is not for a model inside parentheses: put it behind them")
        if key not in known:
            raise UnknownModel(
                f"{stage.name} has no option {key!r}{suggestion(key, known)}; its options are: {listing(known)}"
            )
        try:
            values[key] = known[key].read(text)
        except ValueError as error:
            raise UnknownModel(f"{stage.name};{key}={text}: {key} ({known[key].meaning}) {error}") from None
    return values


def suggestion(name: str, names: Iterable[str]) -> str:
    """For a message: the nearest of ``names`` to a mistyped one, as a question; empty where none is near."""
    nearest = get_close_matches(name, sorted(names), 1)
    return f" (did you mean {nearest[0]}?)" if nearest else ""


def listing(names: Iterable[str]) -> str:
    """Names for a message, in alphabetical order."""
    return ", ".join(sorted(names)) or "none"


def number(smallest: float, largest: float) -> Callable[[str], float]:
    """Reads a number from ``smallest`` to ``largest``."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not smallest <= value <= largest:
            raise ValueError(f"must be a number from {smallest:g} to {largest:g}")
        return value

    return read


def whole(smallest: int, largest: int) -> Callable[[str], int]:
    """Reads a whole number from ``smallest`` to ``largest``."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not smallest <= int(text) <= largest:
            raise ValueError(f"must be a whole number from {smallest} to {largest}")
        return int(text)

    return read


def layers(deepest: int, widest: int) -> Callable[[str], tuple[int, ...]]:
    """Reads the units of each of up to ``deepest`` layers, up to ``widest`` in one: "100", or "256-16"."""
    units = whole(1, widest)

    def read(text: str) -> tuple[int, ...]:
        parts = text.split("-")
        try:
            sizes = tuple(map(units, parts))
        except ValueError:
            sizes = ()
        if not 0 < len(sizes) <= deepest:
            raise ValueError(f"must be up to {deepest} whole numbers from 1 to {widest} with dashes between: 256-16")
        return sizes

    return read


def one_of(*choices: str) -> Callable[[str], str]:
    """Reads one of these names."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return read
