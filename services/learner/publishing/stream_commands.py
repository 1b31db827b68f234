"""A stream's decisions as the gateway shows them."""

from typing import Any

from prequel.services.learner.fold.decisions.decisions import FORGET, Decision, Decisions
from prequel.services.learner.fold.decisions.undo_handler import undoable
from prequel.shared.status import CommandEntry


def stream_commands(decisions: Decisions) -> list[CommandEntry]:
    """The newest first."""
    waiting = {decision.id for decision in decisions.waiting}
    return [_entry(decision, catching_up=decision.id in waiting) for decision in reversed(decisions)]


def _entry(decision: Decision, *, catching_up: bool) -> CommandEntry:
    return CommandEntry(
        id=decision.id,
        do=decision.do,
        arguments=_arguments(decision),
        by=decision.by,
        at=decision.time,
        position=str(decision.position),
        status="refused" if decision.why else "undone" if decision.undone_by else "applied",
        why=decision.why,
        undone_by=decision.undone_by or None,
        undoable=undoable(decision),
        catching_up=catching_up and not decision.why,
    )


def _arguments(decision: Decision) -> dict[str, Any]:
    """As they were given; of forgotten images only how many: their ids are gone."""
    if decision.do != FORGET:
        return dict(decision.arguments)
    others = {name: value for name, value in decision.arguments.items() if name not in ("digests", "images")}
    return {"images": len(decision.arguments.get("digests", ())), **others}
