"""A partition's state as parts of a snapshot, and back."""

from collections.abc import Callable, Iterator, Mapping

from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.fold.stream_parts import stream_parts
from prequel.services.learner.models.base import ModelState
from prequel.services.learner.snapshots.blobs import Part
from prequel.services.learner.snapshots.envelope import Envelope, SnapshotId

PARTITION_KEY = ""
"""Beside the streams' names in a snapshot: the part of the state that is no stream's. No stream has an empty name."""


class PartitionParts(Mapping[str, Mapping[str, Part]]):
    """The parts of each stream, made whenever they are asked for: all together would double the memory.

    ``own`` is the partition's only part, None where it has none.
    """

    def __init__(self, states: Mapping[str, StreamState], seal: Callable[[ModelState], Part], own: Part | None) -> None:
        self._states, self._seal, self._own = states, seal, own

    def __getitem__(self, name: str) -> dict[str, Part]:
        if name == PARTITION_KEY and self._own:
            return {"head": self._own}
        return stream_parts(self._states[name], self._seal)

    def __iter__(self) -> Iterator[str]:
        yield from self._states
        if self._own:
            yield PARTITION_KEY

    def __len__(self) -> int:
        return len(self._states) + bool(self._own)


def unsigned_part(state: ModelState) -> Part:
    """A model's part for its digest alone: nothing is signed for storing."""
    return Envelope(b"-", SnapshotId(0, 0, 0)).seal(state)
