"""Forgotten images whose streams have not caught up yet: a replay without them is still to come, or not committed."""

from collections.abc import Iterator, Mapping

from prequel.services.learner.fold.commands import Forgotten, Removal
from prequel.services.learner.fold.decisions.forgetting import forgettings
from prequel.services.learner.fold.stream import StreamState


class WaitingImages:
    """What was forgotten and may not be erased yet; what may, it hands out once."""

    def __init__(self) -> None:
        self._waiting: list[Forgotten] = []
        self._handed_out: set[tuple[str, int]] = set()
        """By stream and offset of the command."""

    def __iter__(self) -> Iterator[Forgotten]:
        return iter(self._waiting)

    def has(self, removal: Removal) -> bool:
        """Whether it waits: it is handed out later."""
        return removal in self._waiting

    def caught_up(self, streams: Mapping[str, StreamState], *, done: int) -> list[Forgotten]:
        """What the streams of a committed snapshot have caught up with, each once; the others wait from here on.

        What was forgotten before the offset ``done`` is erased already.
        """
        known = [each for stream in streams.values() for each in forgettings(stream)]
        new = [each for each in known if _key(each.forgotten) not in self._handed_out]
        due = [each.forgotten for each in new if each.caught_up and each.forgotten.position.offset >= done]
        self._waiting = [each.forgotten for each in new if not each.caught_up]
        self._handed_out |= {_key(each.forgotten) for each in new if each.caught_up}
        return due


def _key(forgotten: Forgotten) -> tuple[str, int]:
    return forgotten.stream, forgotten.position.offset
