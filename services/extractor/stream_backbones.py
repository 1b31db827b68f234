"""Which backbone each stream has, as its learner publishes it, or as it was chosen a moment ago."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import orjson

from prequel.shared import status
from prequel.shared.backbone_specs import chosen_key
from prequel.shared.runtime.deadlines import STREAM_BACKBONES_AGE_S, STREAM_BACKBONES_BACKOFF, STREAM_BACKBONES_S
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.retry import Attempts
from prequel.shared.store.base import Store, StoreUnavailable

MAX_KNOWN = 10_000
"""Streams whose backbone is remembered, the most recently used: some megabytes. The images of any other read the store
once more."""

READ_SHARE = 0.05
"""The part of the time, at most, that goes into looking: with a thousand busy streams looks are seconds apart. Half as
much would make a change show later, and nothing else faster."""

READ_STREAMS = 100
"""Streams of one read: statuses are some kilobytes, with fifty classes twenty."""

_LEARNER_KEY = status.partition_key(0)


class StreamSpecs(Protocol):
    """Says which backbones streams have."""

    def of(self, streams: Iterable[str]) -> Mapping[str, str]:
        """By stream its backbone's id, or the spec that was chosen; empty for the default. Raises StoreUnavailable."""
        ...


class _Known(NamedTuple):
    """A stream's spec, as the store had it at a time of the clock."""

    spec: str
    at: float


class StreamBackbones:
    """StreamSpecs by the store: read when an image of a stream comes that is not known, and again while more come.

    While the store is away, what is known stays, and images of unknown streams wait: extracted with a guess they would
    become dead letters at the learner. ``of`` may be called from any thread.
    """

    def __init__(self, store: Store, health: Health, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        """The least recently used first."""
        self._used = set[str]()
        self._attempts = Attempts("extractor: backbones of streams", health, STREAM_BACKBONES_BACKOFF, clock=clock)

    def of(self, streams: Iterable[str]) -> Mapping[str, str]:
        """As StreamSpecs has it. Blocks where the store has to be asked."""
        wanted, oldest = set(streams), self._clock() - STREAM_BACKBONES_AGE_S
        with self._lock:
            self._used |= wanted
            known = {stream: self._known[stream] for stream in wanted if stream in self._known}
        asked = sorted(stream for stream in wanted if stream not in known or known[stream].at < oldest)
        if asked and not self._attempts.reason:
            self._attempts.run(lambda: known.update(self._read(asked)), StoreUnavailable)
        if missing := wanted - known.keys():
            reason = self._attempts.reason
            raise StoreUnavailable(f"which backbone stream {min(missing)} has is not known, and {reason}")
        return {stream: spec for stream, (spec, _) in known.items()}

    def run(self, stop: threading.Event) -> None:
        """Look again at the streams that were used, until ``stop``."""
        pause = STREAM_BACKBONES_S
        while not stop.wait(pause):
            began = self._clock()
            self._attempts.run(self.refresh, StoreUnavailable)
            pause = max(STREAM_BACKBONES_S, (self._clock() - began) / READ_SHARE)

    def refresh(self) -> None:
        """Read again what the streams have that were used since the last look. Raises StoreUnavailable."""
        with self._lock:
            used, self._used = self._used, set()
        self._read(sorted(used))

    def _read(self, streams: Sequence[str]) -> dict[str, _Known]:
        """Remember what the store says now. Raises StoreUnavailable."""
        read: dict[str, _Known] = {}
        for begin in range(0, max(1, len(streams)), READ_STREAMS):
            part, now = streams[begin : begin + READ_STREAMS], self._clock()
            keys = [key for stream in part for key in (status.key(stream), chosen_key(stream))]
            values = self._store.get_all([*keys, _LEARNER_KEY])
            with self._lock:
                read |= {stream: _Known(self._spec(stream, values), now) for stream in part}
        with self._lock:
            self._remember(read)
        return read

    def _spec(self, stream: str, values: Mapping[str, bytes]) -> str:
        if published := values.get(status.key(stream)):
            return str(orjson.loads(published).get("backbone", ""))
        if chosen := values.get(chosen_key(stream)):
            return chosen.decode()
        # Where no learner has published anything, the store was emptied: then the stream was not deleted.
        return self._known[stream].spec if stream in self._known and _LEARNER_KEY not in values else ""

    def _remember(self, read: Mapping[str, _Known]) -> None:
        for stream, known in read.items():
            self._known[stream] = known
            self._known.move_to_end(stream)
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
