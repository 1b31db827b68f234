"""What commands about classes do: another name for one, one that becomes part of another, one that is deleted."""

from collections.abc import Mapping
from typing import Any

from prequel.services.learner.fold.decisions.class_names import Merging, Renaming
from prequel.services.learner.fold.decisions.decisions import MERGE, Decision, decision_of
from prequel.services.learner.fold.decisions.refusal import Refused
from prequel.services.learner.fold.stream import StreamState
from prequel.shared.events.fields import parse_label
from prequel.shared.events.types import Command, Rejected


def rename_class(stream: StreamState, command: Command) -> Decision:
    """Call a class something else, at once and exactly; where there is a class of that name, it is a merge.

    A label that waits for its image is enough to make one.
    """
    label, name = _class(stream, command, "from"), _name(command.arguments, "to")
    if stream.names.name(label) == name:
        raise Refused(f"the class is called {name} already")
    into = stream.class_named(name) or _waiting_class(stream, name)
    if into is not None:
        return _merge(command, label, into)
    if name in stream.class_names:
        raise Refused(f"class {name} becomes part of another one: its name is free once that is done")
    return decision_of(command, change=Renaming(label, name))


def merge_classes(stream: StreamState, command: Command) -> Decision:
    """Make a class part of another one, as if its examples had been of that class from the beginning."""
    label, into = _class(stream, command, "from"), _class(stream, command, "to")
    if label == into:
        raise Refused("a class cannot become part of itself")
    return _merge(command, label, into)


def delete_class(stream: StreamState, command: Command) -> Decision:
    """Retract every label of a class, as if none had been given."""
    return decision_of(command, label=_class(stream, command, "label"), replays=True)


def _merge(command: Command, label: str, into: str) -> Decision:
    return decision_of(command._replace(do=MERGE), change=Merging(label, into), replays=True)


def _class(stream: StreamState, command: Command, field: str) -> str:
    """The label of the class that an argument names. Raises Refused."""
    name = _name(command.arguments, field)
    label = stream.class_named(name)
    if label is None:
        raise Refused(f"there is no class {name} (field {field})")
    return label


def _waiting_class(stream: StreamState, name: str) -> str | None:
    """The label of a class of which there is no example, but a label that waits for its image."""
    label = stream.names.label(name)
    return label if stream.names.name(label) == name and stream.waiting.has_label(label) else None


def _name(arguments: Mapping[str, Any], field: str) -> str:
    name = arguments.get(field)
    if not isinstance(name, str):
        raise Refused(f"field {field} must be the name of a class")
    try:
        return parse_label(name) or ""
    except Rejected as error:
        raise Refused(f"field {field}: {error.detail}") from None
