"""How a model is written: `transform|transform|model;option=value;option=value`, parsed here and nowhere else."""

from collections.abc import Mapping
from typing import NamedTuple


class UnknownModel(ValueError):
    """A model, transform or option that does not exist: the message names it and lists what does."""


class Stage(NamedTuple):
    """One part between bars: ``name`` or ``name:argument``, the options behind it, and its whole ``text``."""

    name: str
    argument: str
    options: Mapping[str, str]
    text: str


def parse(spec: str) -> list[Stage]:
    """The parts of a spec in order, the model last. Raises UnknownModel for an empty or malformed part.

    >>> [stage.name for stage in parse("scale|softmax;rate=0.1")]
    ['scale', 'softmax']
    """
    return [_stage(text.strip(), spec) for text in spec.split("|")]


def _stage(text: str, spec: str) -> Stage:
    head, *rest = text.split(";")
    name, _, argument = head.strip().partition(":")
    if not name:
        raise UnknownModel(f"model {spec!r} has an empty part; write transform|transform|model;option=value")
    options: dict[str, str] = {}
    for pair in rest:
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (key and equals and value) or key in options:
            raise UnknownModel(f"model {spec!r}: {pair!r} is not option=value, or the option is given twice")
        options[key] = value
    return Stage(name, argument.strip(), options, text)
