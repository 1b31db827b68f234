"""The command `set`: show or change the settings that a stream has of its own."""

import json
from collections.abc import Mapping, Sequence
from math import isfinite, nan

from prequel.services.producer.errors import WrongUsage
from prequel.services.producer.report import print_lines
from prequel.services.producer.stream_changes import StreamChanges, nearest

SETTINGS: Mapping[str, type[str] | type[int] | type[float]] = {
    "title": str,
    "goal": float,
    "window": int,
    "accuracy_window": int,
    "unknown_probability": float,
    "unknown_distance": float,
    "set_level": float,
}
"""The settings that a stream can have of its own, and what each is."""
DEFAULT = "default"
"""The value that takes the learner's own setting again."""

Value = str | float | int | None


def change_settings(changes: StreamChanges, assignments: Sequence[str], *, as_json: bool) -> int:
    """Show the stream's own settings, or change those that are given as NAME=VALUE; the exit code.

    Raises ProducerError.
    """
    values = dict(map(_read, assignments))
    if len(values) < len(assignments):
        raise WrongUsage("a setting is given twice: give each once")
    status = changes.status()
    if values:
        text = ", ".join(f"{name} is {_text(value)}" for name, value in values.items())
        return changes.give("stream.set", text, **values)
    known = {"title": status.title or None, "goal": status.goal, **status.settings}
    own = {name: known[name] for name in SETTINGS if known.get(name) is not None}
    if as_json:
        print(json.dumps(own, indent=2), file=changes.console.file)
    elif own:
        print_lines(changes.console, *(f"{name}={value}" for name, value in own.items()))
    else:
        print_lines(changes.console, f"{changes.stream} has no settings of its own; there are {', '.join(SETTINGS)}")
    return 0


def _read(assignment: str) -> tuple[str, Value]:
    """The name and the value of NAME=VALUE. Raises WrongUsage; the gateway says whether the value is possible."""
    name, equals, text = (part.strip() for part in assignment.partition("="))
    if name not in SETTINGS:
        problem = f"there is no setting {name[:100]!r}{nearest(name, SETTINGS)}"
        raise WrongUsage(f"{problem}; there are {', '.join(SETTINGS)}")
    if not equals:
        raise WrongUsage(f"write {name}=VALUE, or {name}={DEFAULT} for the learner's own setting")
    if text in ("", DEFAULT):
        return name, None
    return name, _number(name, text) if SETTINGS[name] is not str else text


def _number(name: str, text: str) -> float:
    try:
        value = SETTINGS[name](text)
    except ValueError:
        value = nan
    if not isinstance(value, int | float) or not isfinite(value):
        kind = "a whole number" if SETTINGS[name] is int else "a number"
        raise WrongUsage(f"{name}={text[:100]}: must be {kind}, or {DEFAULT}")
    return value


def _text(value: Value) -> str:
    return "the learner's own again" if value is None else str(value)
