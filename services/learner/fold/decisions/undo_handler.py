"""What ``undo`` does: it takes back what an earlier command has done, as if that had not been given."""

from prequel.services.learner.fold.decisions.class_names import ClassNames, Renaming
from prequel.services.learner.fold.decisions.decisions import (
    DELETE,
    MERGE,
    PROMOTE,
    RENAME,
    SET,
    SWITCH,
    Decision,
    Decisions,
    decision_of,
)
from prequel.services.learner.fold.decisions.own_settings import FOLDED
from prequel.services.learner.fold.decisions.refusal import Refused
from prequel.services.learner.fold.stream import StreamState
from prequel.shared.events.types import Command

UNDOABLE = (RENAME, MERGE, DELETE, PROMOTE, SET, SWITCH)
_INSTEAD = {
    "stream.create": "delete the stream instead",
    "models.add": "remove the model instead",
    "models.remove": "add the model again instead",
    "example.forget": "what is forgotten cannot come back",
    "undo": "give the command that it took back once more instead",
}


def undoable(decision: Decision) -> bool:
    """Whether ``undo`` can take it back now."""
    return decision.stands and decision.do in UNDOABLE


def find_undone(stream: StreamState, command: Command) -> Decision:
    """The decision that the command takes back. Raises Refused."""
    id = command.arguments.get("command")
    target = stream.decisions.find(id) if isinstance(id, str) else None
    if target is None:
        raise Refused(f"the stream's history has no command {str(id)[:150]!r}")
    if target.why:
        raise Refused("that command was refused: there is nothing to undo")
    if target.undone_by:
        raise Refused("that command was undone already")
    if target.do not in UNDOABLE:
        raise Refused(f"{target.do} cannot be undone: {_INSTEAD.get(target.do, 'it leaves nothing to take back')}")
    if isinstance(target.change, Renaming) and (name := _taken(stream.decisions, target, target.change)):
        raise Refused(f"another class has been called {name} since: rename the class instead")
    return target


def undo(target: Decision, command: Command) -> Decision:
    """The decision to take ``target`` back: where the past has to be rewritten for that, a replay does it."""
    return decision_of(command, replays=not _only_shown(target))


def undo_advice(stream: StreamState, target: Decision) -> str:
    """What to do besides, once ``target`` is undone: features to make for images that came after a switch."""
    backbone = stream.decisions.backbone or stream.decisions.backbone_before_switches
    if target.do != SWITCH or not backbone or backbone == stream.backbone:
        return ""
    _, known = stream.other_features.get(backbone, (0, 0))
    count = f"at least {stream.images - known:,} images" if stream.images > known else "images, if any,"
    return (
        f"{count} that came while it learned from {stream.backbone} have no features of {backbone} and are left out: "
        f"prequel reextract {stream.name} --backbone {backbone} makes them"
    )


def _taken(decisions: Decisions, undone: Decision, renaming: Renaming) -> str:
    """The name that the class would have again, where it stands for another one; else empty."""
    names = ClassNames(d.change for d in decisions.standing if d.change and d is not undone)
    name = names.name(renaming.label)
    return "" if names.label(name) == renaming.label else name


def _only_shown(target: Decision) -> bool:
    """Whether it changed settings that the fold does not depend on.

    A name is more than shown: labels that were given by it are of another class, had it not been.
    """
    return target.do == SET and not any(name in FOLDED for name in target.arguments)
