"""How a model is written: `transform|transform|model(spec, spec);option=value`, parsed here and nowhere else."""

from collections.abc import Mapping
from typing import NamedTuple

from prequel.shared.errors import PrequelError
from prequel.shared.model_specs import split_outside


class UnknownModel(PrequelError, ValueError):
    """A model, transform or option that does not exist: the message names it and lists what does."""


class Stage(NamedTuple):
    """One part between bars: ``name``, ``name:argument`` or ``name(spec, spec)``, its options, and its whole ``text``.

    ``experts`` are the specs in parentheses; None without parentheses.
    """

    name: str
    argument: str
    experts: list[str] | None
    options: Mapping[str, str]
    text: str


def parse(spec: str) -> list[Stage]:
    """The parts of a spec in order, the model last. Raises UnknownModel for an empty or malformed part.

    >>> [stage.name for stage in parse("scale|softmax;rate=0.1")]
    ['scale', 'softmax']
    >>> parse("mix(slda, project:8|ncm);prior=0.5")[0].experts
    ['slda', 'project:8|ncm']
    """
    return [_stage(text, spec) for text in _split(spec, "|", spec)]


def _stage(text: str, spec: str) -> Stage:
    head, *rest = _split(text, ";", spec)
    head, experts = _experts(head, spec)
    name, _, argument = head.partition(":")
    if not name:
        raise UnknownModel(f"model {spec!r} has an empty part; write transform|transform|model;option=value")
    options: dict[str, str] = {}
    for pair in rest:
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (key and equals and value) or key in options:
            raise UnknownModel(f"model {spec!r}: {pair!r} is not option=value, or the option is given twice")
        options[key] = value
    return Stage(name.strip(), argument.strip(), experts, options, text)


def _experts(head: str, spec: str) -> tuple[str, list[str] | None]:
    """The text before the parentheses, and the specs in them."""
    name, opened, inside = head.partition("(")
    if not opened or ":" in name:  # Behind a colon they belong to the argument, which says what it may be.
        return head, None
    if not inside.endswith(")"):
        raise UnknownModel(f"model {spec!r}: after the parentheses of {head!r} come options, as in ;option=value")
    experts = _split(inside[:-1], ",", spec)
    if not all(experts):
        raise UnknownModel(f"model {spec!r}: name at least two models in the parentheses, separated by commas")
    return name.strip(), experts


def _split(text: str, separator: str, spec: str) -> list[str]:
    try:
        return split_outside(text, separator)
    except ValueError as error:
        raise UnknownModel(f"model {spec!r}: {error}") from None
