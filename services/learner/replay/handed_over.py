"""Replays that are made beside the live fold, and wait to be handed over to it (protocol)."""

from typing import Protocol

from prequel.services.learner.replay.stream_replay import StreamReplay


class HandedOver(Protocol):
    """What a fold asks when it meets the record at which a stream takes its replay over."""

    def take(self, stream: str, *, begun: int, given: int, begin: int, end: int) -> StreamReplay | None:
        """The replay, from ``begin`` on, of the stream that began at ``begun``, by its first ``given`` decisions.

        It is the caller's then. None where there is none, or only one that has folded what comes after ``end``. Never
        blocks; raises nothing.
        """
        ...


class _NoReplays:
    """For a fold beside which nobody replays: it replays itself, from the log."""

    def take(self, stream: str, *, begun: int, given: int, begin: int, end: int) -> StreamReplay | None:
        return None


NO_REPLAYS = _NoReplays()
