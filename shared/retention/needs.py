"""Who still needs which records of the embedded log: what retention may never remove, and the reason in words."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from prequel.shared.log.base import EXAMPLES, IMAGES, PREDICTIONS, Bounds
from prequel.shared.retention import floors
from prequel.shared.store.base import Store

CONSUMERS = {IMAGES: "extractor", EXAMPLES: "learner"}
"""Topics that a consumer group reads, with the service: what it has not read is needed."""


class Need(NamedTuple):
    """Records of a partition from ``offset`` on are needed, and by whom."""

    offset: int
    reason: str


class Positions(Protocol):
    """Of the log, what is asked for here. Both block; raise LogUnavailable."""

    def bounds(self, topic: str) -> dict[int, Bounds]: ...

    def committed(self, group: str, topic: str) -> dict[int, int]: ...


class Needs:
    """Asks log and store each time anew; blocks, raises LogUnavailable and StoreUnavailable.

    ``examples``: the oldest snapshot that is kept, with the window of each of its streams, and what the learner has
    not read. ``images``: what the extractor has not read. That is all: a picture is no part of any state, and how
    long the page shows it is what the setting says. ``predictions``: what a gateway reads when it starts. Dead
    letters are read by people. A gateway that follows and is overtaken begins anew by itself.
    """

    def __init__(self, log: Positions, store: Store, *, group: str, view_predictions: int) -> None:
        self._log, self._store, self._group, self._view_predictions = log, store, group, view_predictions

    def of(self, topic: str) -> dict[int, Need]:
        """By partition; of one that is missing here, every record is needed."""
        bounds = self._log.bounds(topic)
        found = {partition: Need(held.end, "") for partition, held in bounds.items()}
        if topic == PREDICTIONS:
            newest = self._view_predictions
            reason = f"the newest {newest:,} are what a gateway shows (PREQUEL_VIEW_PREDICTIONS)"
            found = {partition: Need(max(0, held.end - newest), reason) for partition, held in bounds.items()}
        if topic in CONSUMERS:
            found = self._read(topic, found)
        return self._kept(found) if topic == EXAMPLES else found

    def _read(self, topic: str, found: Mapping[int, Need]) -> dict[int, Need]:
        """No further than the group has read; nothing where it never committed."""
        committed = self._log.committed(f"{self._group}-{CONSUMERS[topic]}", topic)
        reason = f"the {CONSUMERS[topic]} has not read further"
        return {p: min(need, Need(committed.get(p, 0), reason), key=_offset) for p, need in found.items()}

    def _kept(self, found: Mapping[int, Need]) -> dict[int, Need]:
        return {p: min(need, _floor(floors.read(self._store, p), p), key=_offset) for p, need in found.items()}


def _floor(floor: floors.Floor | None, partition: int) -> Need:
    if floor is None:
        return Need(0, "no learner has said yet how far back its snapshots reach")
    whose = f"the window of stream {floor.stream} reaches" if floor.stream else "the oldest kept snapshot reaches"
    return Need(floor.offset, f"{whose} back to {EXAMPLES}:{partition}:{floor.offset}")


def _offset(need: Need) -> int:
    return need.offset
