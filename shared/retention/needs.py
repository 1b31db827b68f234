"""Who still needs which records of the embedded log: retention never removes these, and says why."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from prequel.shared.log.base import EXAMPLES, IMAGES, PREDICTIONS, Bounds
from prequel.shared.retention import floors
from prequel.shared.store.base import Store

CONSUMERS = {IMAGES: "extractor", EXAMPLES: "learner"}
"""Topics that a consumer group reads, with the service: what it has not read yet is needed."""


class Need(NamedTuple):
    """The records of a partition from ``offset`` on are needed; ``reason`` says by whom."""

    offset: int
    reason: str


class Positions(Protocol):
    """The part of a log that is read here. Both methods block; they raise LogUnavailable."""

    def bounds(self, topic: str) -> dict[int, Bounds]: ...

    def committed(self, group: str, topic: str) -> dict[int, int]: ...


class Needs:
    """Reads log and store at each call: blocks, raises LogUnavailable and StoreUnavailable.

    Needed of each topic:
        examples      what the oldest kept snapshot and the windows of its streams refer to; what the learner has not
                      read
        images        what the extractor has not read. No more: a picture is part of no state, and how long the page
                      can show it is what the setting decides
        predictions   what a gateway reads when it starts
        dead-letters  nothing: people read them

    A gateway that follows a topic needs nothing either: one that is overtaken by retention starts over.
    """

    def __init__(self, log: Positions, store: Store, *, group: str, view_predictions: int) -> None:
        self._log, self._store, self._group, self._view_predictions = log, store, group, view_predictions

    def of(self, topic: str) -> dict[int, Need]:
        """By partition; of a partition that is missing here, every record is needed."""
        bounds = self._log.bounds(topic)
        needs = {partition: Need(bound.end, "") for partition, bound in bounds.items()}
        if topic == PREDICTIONS:
            newest = self._view_predictions
            reason = f"the newest {newest:,} are what a gateway shows (PREQUEL_VIEW_PREDICTIONS)"
            needs = {partition: Need(max(0, bound.end - newest), reason) for partition, bound in bounds.items()}
        if topic in CONSUMERS:
            needs = self._with_unread(topic, needs)
        return self._with_snapshots(needs) if topic == EXAMPLES else needs

    def _with_unread(self, topic: str, needs: Mapping[int, Need]) -> dict[int, Need]:
        """Everything is unread in a partition of which the group never committed a position."""
        committed = self._log.committed(f"{self._group}-{CONSUMERS[topic]}", topic)
        reason = f"the {CONSUMERS[topic]} has not read further"
        return {p: min(need, Need(committed.get(p, 0), reason), key=_offset) for p, need in needs.items()}

    def _with_snapshots(self, needs: Mapping[int, Need]) -> dict[int, Need]:
        return {p: min(need, _of_floor(floors.read(self._store, p), p), key=_offset) for p, need in needs.items()}


def _of_floor(floor: floors.Floor | None, partition: int) -> Need:
    if floor is None:
        return Need(0, "no learner has published yet how far back its snapshots reach")
    whose = f"the window of stream {floor.stream} reaches" if floor.stream else "the oldest kept snapshot reaches"
    return Need(floor.offset, f"{whose} back to {EXAMPLES}:{partition}:{floor.offset}")


def _offset(need: Need) -> int:
    return need.offset
