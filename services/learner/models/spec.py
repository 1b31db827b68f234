"""How a model is written: `recipe|recipe|name;key=value;key=value`, parsed here and nowhere else."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple


class UnknownModel(ValueError):
    """A model, recipe or option that does not exist: the message names it and lists what does."""


class Option(NamedTuple):
    """An option of a model. ``read`` turns its text into its value and raises ValueError with what it wants instead."""

    read: Callable[[str], Any]
    meaning: str


class Stage(NamedTuple):
    """One part between bars: ``name``, or ``name:argument``, and the options behind it."""

    name: str
    argument: str
    options: Mapping[str, str]
    text: str


def parse(spec: str) -> list[Stage]:
    """The parts of a spec in order, the model last. Raises UnknownModel for an empty or malformed part."""
    return [_stage(text.strip(), spec) for text in spec.split("|")]


def _stage(text: str, spec: str) -> Stage:
    head, *rest = text.split(";")
    name, _, argument = head.strip().partition(":")
    if not name:
        raise UnknownModel(f"model {spec!r} has an empty part; write recipe|recipe|model;option=value")
    options: dict[str, str] = {}
    for pair in rest:
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (key and equals and value) or key in options:
            raise UnknownModel(f"{pair!r} in model {spec!r} is not option=value, or stands there twice")
        options[key] = value
    return Stage(name, argument.strip(), options, text)


def read_options(stage: Stage, known: Mapping[str, Option]) -> dict[str, Any]:
    """The values of a stage's options. Raises UnknownModel that names the option and lists those there are."""
    values = {}
    for key, text in stage.options.items():
        if key not in known:
            raise UnknownModel(f"{stage.name} has no option {key!r}; it has {listing(known)}")
        try:
            values[key] = known[key].read(text)
        except ValueError as error:
            raise UnknownModel(f"{stage.name};{key}={text}: {key} ({known[key].meaning}) {error}") from None
    return values


def listing(names: Iterable[str]) -> str:
    """Names for a message, in order."""
    return ", ".join(sorted(names)) or "none"


def number(least: float, most: float) -> Callable[[str], float]:
    """Reads a number from ``least`` to ``most``."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise ValueError(f"must be a number from {least:g} to {most:g}")
        return value

    return read


def whole(least: int, most: int) -> Callable[[str], int]:
    """Reads a whole number from ``least`` to ``most``."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


def one_of(*choices: str) -> Callable[[str], str]:
    """Reads one of the names."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return read
