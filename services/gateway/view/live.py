"""What the log says now: predictions, outcomes and drifts as they come, who waits for them, and who listens."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from prequel.services.gateway.view.arrivals import Arrivals
from prequel.services.gateway.view.ended_images import EndedImages
from prequel.services.gateway.view.follower import Follower
from prequel.services.gateway.view.predictions import Entry, View
from prequel.services.gateway.view.promises import Promises
from prequel.services.gateway.view.subscriptions import Happening, Subscriptions
from prequel.shared.config import Settings
from prequel.shared.events.attributes import canonical
from prequel.shared.events.decoding import decode_prediction_event
from prequel.shared.events.erased import is_erased
from prequel.shared.events.types import Applied, Outcome, Prediction, Rejected
from prequel.shared.log.base import DEAD_LETTERS, EXAMPLES, IMAGES, PREDICTIONS, Log, Position, Record
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics

DELETE = "stream.delete"
KEPT_OUTCOMES = 20_000
KEPT_REFUSALS = 2_000
KEPT_APPLIED = 1_000
REFUSALS_AT_START = 100
"""Few: a dead letter holds the whole image that was refused."""
STREAMS_IN_FULL = 4
"""Streams whose ``view_predictions`` fit into memory at once; with more, the largest gives way."""


class Refusal(NamedTuple):
    """Why an image or a label will never be processed: a dead letter.

    ``topic`` and ``origin`` are where that stands in the log: for features, where their image does.
    """

    topic: str
    origin: Position
    stream: str
    id: str
    reason: str
    detail: str
    time: float


class Live:
    """The present, for the event loop only; its two threads read ``predictions`` and ``dead-letters``."""

    def __init__(self, log: Log, settings: Settings, metrics: Metrics, health: Health) -> None:
        self._metrics, self._health = metrics, health
        self.view = View(settings.view_predictions, STREAMS_IN_FULL * settings.view_predictions)
        self.subscriptions = Subscriptions()
        self.promises = Promises()
        self.current = False
        self.when_ended: list[Callable[[str, Position], None]] = []
        """Who is told of a stream that was deleted, and where the command stands."""
        self._predictions: Arrivals[tuple[str, str], Entry | Refusal] = Arrivals(0)
        self._outcomes: Arrivals[Position, Outcome | Refusal] = Arrivals(KEPT_OUTCOMES)
        self._applied: Arrivals[Position, Applied | Refusal] = Arrivals(KEPT_APPLIED)
        self._refusals: Arrivals[tuple[str, str], Refusal] = Arrivals(KEPT_REFUSALS)
        self._followers = (
            Follower(log, PREDICTIONS, settings.view_predictions, health, self._decode, self),
            Follower(log, DEAD_LETTERS, REFUSALS_AT_START, health, refusals, RefusalsOf(self, log)),
        )

    def start(self) -> None:
        for follower in self._followers:
            follower.start()

    def end(self) -> None:
        """Let everybody go who waits or listens: the service is about to stop."""
        self._predictions.close()
        self._outcomes.close()
        self._applied.close()
        self.subscriptions.end("the gateway stops")

    async def close(self) -> None:
        self.end()
        await asyncio.gather(*(follower.close() for follower in self._followers))

    # What is asked.

    async def prediction(
        self, stream: str, id: str, wait: float = 0, image: Position | None = None
    ) -> Entry | Refusal | None:
        """The prediction with its present truth, or why there will be none; None if neither came in ``wait`` seconds.

        With ``image``, what became of an earlier image of the same id does not count as an answer. Whoever waited will
        find what was answered in the stream's status too.
        """
        found = await self._found(stream, id, wait, image)
        if wait > 0 and isinstance(found, Entry):
            self.promises.make(stream, found.position)
        return found

    async def _found(self, stream: str, id: str, wait: float, image: Position | None) -> Entry | Refusal | None:
        if predicted := self.view.get(stream, id):
            return predicted
        refusal = self._refusals.get((stream, id))
        if refusal and image in (None, refusal.origin):
            return refusal
        deadline = asyncio.get_running_loop().time() + wait
        while True:
            left = deadline - asyncio.get_running_loop().time()
            found = await self._predictions.wait((stream, id), left)
            if not isinstance(found, Refusal) or image in (None, found.origin):
                return found

    def refused_image(self, stream: str, id: str) -> Refusal | None:
        """Why the newest image of this id was refused, if it was, lately."""
        return self._refusals.get((stream, id))

    async def outcome(self, label: Position, wait: float) -> Outcome | Refusal | None:
        """What became of the label event at ``label``; None if that did not come in ``wait`` seconds.

        Whoever waited will find it in the stream's status too.
        """
        found = await self._outcomes.wait(label, wait)
        if wait > 0 and isinstance(found, Outcome):
            self.promises.make(found.stream, label)
        return found

    async def applied(self, command: Position, wait: float) -> Applied | Refusal | None:
        """What became of the command at ``command``; None if that did not come in ``wait`` seconds.

        Whoever waited will find the stream's status as of then, unless that was the end of it.
        """
        found = await self._applied.wait(command, wait)
        if wait > 0 and isinstance(found, Applied) and found.status != "refused" and found.do != DELETE:
            self.promises.make(found.stream, command)
        return found

    # What comes in.

    async def begin(self) -> None:
        self.current = False
        self.view.clear()
        self.subscriptions.end("the gateway reads the log anew")

    async def take(self, decoded: Sequence[Happening], current: bool) -> None:
        told = [happening for happening in decoded if self._apply(happening)]
        if self.current:
            for happening in told:
                self.subscriptions.publish(happening)
        self.current = self.current or current

    def _apply(self, happening: Happening) -> bool:
        """Whether it is news: what comes again of a stream that was deleted meanwhile is none."""
        event = happening.event
        ended = not isinstance(event, Applied) and self.view.ended(event.stream, event.position)
        if isinstance(event, Outcome):
            if not ended:
                self.view.decided(event)
            self._outcomes.arrive(event.position, event)
        elif ended:
            return False
        elif isinstance(event, Prediction):
            entry = self.view.predicted(event, happening.value)
            self._predictions.arrive((event.stream, event.id), entry)
        elif isinstance(event, Applied):
            if (event.do, event.status) == (DELETE, "applied"):
                self._end(event.stream, event.position)
            self._applied.arrive(event.position, event)
        if not ended:
            self.subscriptions.remember(happening)
        return not ended

    def _end(self, stream: str, position: Position) -> None:
        self.view.end(stream, position)
        self.promises.ended(stream, position)
        self.subscriptions.forget(stream)
        self._refusals.forget(lambda key: key[0] == stream)
        for tell in self.when_ended:
            tell(stream, position)

    def refused(self, refusal: Refusal, *, ended: bool = False) -> None:
        """``ended``: its image was one of a stream that is deleted; who waits is told, and nobody who asks later."""
        if refusal.topic == IMAGES:
            if not ended:
                self._refusals.arrive((refusal.stream, refusal.id), refusal)
            self._predictions.arrive((refusal.stream, refusal.id), refusal)
        elif refusal.topic == EXAMPLES:
            self._outcomes.arrive(refusal.origin, refusal)
            self._applied.arrive(refusal.origin, refusal)

    def _decode(self, records: Sequence[Record]) -> list[Happening]:
        """On the follower's thread. What others wrote that is no prediction is counted: here it has no effect."""
        happenings = []
        for record in records:
            if is_erased(record):
                continue
            try:
                position = Position(record.partition, record.offset)
                happenings.append(Happening(position, decode_prediction_event(record), record.value))
            except Rejected as rejected:
                self._metrics.rejected.labels("gateway", rejected.reason).inc()
        return happenings


class RefusalsOf:
    """Takes dead letters in for a Live."""

    def __init__(self, live: Live, log: Log) -> None:
        self._live, self._images = live, EndedImages(log)

    async def begin(self) -> None: ...

    async def take(self, decoded: Sequence[Refusal], current: bool) -> None:
        for refusal in decoded:
            end = self._live.view.end_of(refusal.stream) if refusal.topic == IMAGES else None
            ended = end is not None and await self._images.hold(end, refusal.origin)
            self._live.refused(refusal, ended=ended)


def refusals(records: Sequence[Record]) -> list[Refusal]:
    """The dead letters that say where they come from; any others have nobody here who waits for them."""
    return [refusal for refusal in map(_refusal, records) if refusal]


def _refusal(record: Record) -> Refusal | None:
    headers = {canonical(name): value.decode("utf-8", "replace") for name, value in record.headers}
    topic, _, origin = headers.get("ce_origin", "").partition(":")
    if "ce_image" in headers:
        topic, origin = IMAGES, headers["ce_image"]
    try:
        position = Position.parse(origin)
    except ValueError:
        return None
    stream = headers.get("ce_subject") or (record.key or b"").decode("utf-8", "replace")
    id = headers.get("ce_id") or f"{topic}:{origin}"
    reason, detail = headers.get("ce_reason", ""), headers.get("ce_detail", "")
    return Refusal(topic, position, stream, id, reason, detail, record.appended_at)
