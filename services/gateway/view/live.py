"""What the log says now: predictions, outcomes and drifts as they come, for requests that wait and for listeners."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Final

from prequel.services.gateway.view.dead_letters import DeadLetter, DeadLetterHandler, decode_dead_letters
from prequel.services.gateway.view.follower import TopicFollower
from prequel.services.gateway.view.gallery import Gallery, GalleryRow
from prequel.services.gateway.view.pending_results import PendingResults
from prequel.services.gateway.view.read_your_writes import ReadYourWrites
from prequel.services.gateway.view.subscriptions import Event, LiveEvent, Subscriptions
from prequel.shared.config import Settings
from prequel.shared.events.decoding import decode_prediction_event
from prequel.shared.events.erased import is_erased
from prequel.shared.events.names import id_digest
from prequel.shared.events.outcomes import TOO_MANY_LABELS
from prequel.shared.events.types import Applied, Outcome, Prediction, Rejected
from prequel.shared.log.base import DEAD_LETTERS, EXAMPLES, PREDICTIONS, Log, Position, Record
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics

Origin = tuple[str, Position]
"""A topic and a position in it."""
DELETE: Final = "stream.delete"
FORGET: Final = "example.forget"
MAX_OUTCOMES = 20_000
"""Outcomes remembered for requests that begin to wait after them: 20 s at a thousand labels a second."""
MAX_DEAD_LETTERS = 2_000
"""Images' dead letters remembered, for requests that ask later why there is no prediction."""
MAX_APPLIED = 1_000
"""Effects of commands remembered; commands are rare."""
DEAD_LETTERS_AT_START = 100
"""Few, because a dead letter holds the whole image that was rejected."""
STREAMS_IN_FULL = 4
"""Streams whose ``view_predictions`` fit into memory at once; with more, the largest loses its oldest."""


class LiveView:
    """Call it on the event loop only, so that it needs no lock.

    Two threads of its own read ``predictions`` and ``dead-letters`` and decode them; what they read is applied on the
    event loop.
    """

    def __init__(self, log: Log, settings: Settings, metrics: Metrics, health: Health) -> None:
        self._metrics = metrics
        self.gallery = Gallery(settings.view_predictions, STREAMS_IN_FULL * settings.view_predictions)
        self.subscriptions = Subscriptions()
        self.read_your_writes = ReadYourWrites()
        self.current = False
        """Whether everything has been read that the log had when the gateway started."""
        self.on_stream_deleted: list[Callable[[str, Position], None]] = []
        """Called with the stream and the position of the command that deleted it."""
        self.on_images_forgotten: list[Callable[[str, Collection[str], Sequence[Position]], None]] = []
        """Called with the stream, the digests of the ids, and where images that were shown stand in the log."""
        # 0: the gallery and ``_dead_letters`` below remember these results already.
        self._predictions: PendingResults[tuple[str, str], GalleryRow | DeadLetter] = PendingResults(0)
        self._outcomes: PendingResults[Position, Outcome | DeadLetter] = PendingResults(MAX_OUTCOMES)
        self._applied: PendingResults[Position, Applied | DeadLetter] = PendingResults(MAX_APPLIED)
        self._dead_letters: PendingResults[tuple[str, str], DeadLetter] = PendingResults(MAX_DEAD_LETTERS)
        self._followers = (
            TopicFollower(
                log, PREDICTIONS, depth=settings.view_predictions, health=health, decode=self._decode, handler=self
            ),
            TopicFollower(
                log,
                DEAD_LETTERS,
                depth=DEAD_LETTERS_AT_START,
                health=health,
                decode=decode_dead_letters,
                handler=DeadLetterHandler(log, self.gallery, self._dead_letter),
            ),
        )

    def start(self) -> None:
        for follower in self._followers:
            follower.start()

    def end(self) -> None:
        """Wake every request that waits and end every subscription: the service is about to stop."""
        self._predictions.close()
        self._outcomes.close()
        self._applied.close()
        self.subscriptions.end("the gateway stops")

    async def close(self) -> None:
        self.end()
        await asyncio.gather(*(follower.close() for follower in self._followers))

    async def prediction(
        self, stream: str, id: str, *, wait: float = 0, origin: Origin | None = None
    ) -> GalleryRow | DeadLetter | None:
        """The prediction with its present truth, or its dead letter; None if neither came within ``wait`` seconds.

        With ``origin``, where the image or the features stand, dead letters of earlier ones with the same id do not
        count. After a call with ``wait`` that returns a prediction, the stream's status includes it.
        """
        result = await self._prediction(stream, id, wait, origin)
        if wait > 0 and isinstance(result, GalleryRow):
            self.read_your_writes.require(stream, result.position)
        return result

    async def _prediction(
        self, stream: str, id: str, wait: float, origin: Origin | None
    ) -> GalleryRow | DeadLetter | None:
        if row := self.gallery.get(stream, id):
            return row

        def is_meant(result: GalleryRow | DeadLetter) -> bool:
            return not isinstance(result, DeadLetter) or origin in (None, (result.topic, result.origin))

        dead_letter = self._dead_letters.get((stream, id))
        if dead_letter and is_meant(dead_letter):
            return dead_letter
        return await self._predictions.wait((stream, id), wait, is_meant)

    def rejected_image(self, stream: str, id: str) -> DeadLetter | None:
        """The dead letter of the newest image with this id, if it became one and is remembered."""
        return self._dead_letters.get((stream, id))

    async def outcome(self, label: Position, wait: float) -> Outcome | DeadLetter | None:
        """The effect of the label event at ``label``; None if it did not come within ``wait`` seconds.

        After a call with ``wait`` that returns an outcome, the stream's status includes it.
        """
        result = await self._outcomes.wait(label, wait)
        if wait > 0 and isinstance(result, Outcome):
            self.read_your_writes.require(result.stream, label)
        return result

    async def outcomes(self, labels: Sequence[Position], wait: float) -> list[Outcome | DeadLetter | None]:
        """As ``outcome`` for labels that were appended together: one waits for the last, the others are there by then.

        One by one, ten thousand labels would be as many timers and wake-ups.
        """
        deadline = asyncio.get_running_loop().time() + wait
        found: list[Outcome | DeadLetter | None] = []
        for label in reversed(labels):
            left = max(0.0, deadline - asyncio.get_running_loop().time())
            found.append(await self._outcomes.wait(label, left))
        for label, result in zip(reversed(labels), found, strict=True):
            if isinstance(result, Outcome):
                self.read_your_writes.require(result.stream, label)
        return found[::-1]

    async def applied(self, command: Position, wait: float) -> Applied | DeadLetter | None:
        """The effect of the command at ``command``; None if it did not come within ``wait`` seconds.

        After a call with ``wait`` the stream's status includes it, unless it was refused or ended the stream.
        """
        result = await self._applied.wait(command, wait)
        if wait > 0 and isinstance(result, Applied) and result.status != "refused" and result.do != DELETE:
            self.read_your_writes.require(result.stream, command)
        return result

    async def restart(self) -> None:
        """With ``handle``, a RecordHandler of ``predictions``."""
        self.current = False
        self.gallery.clear()
        self.subscriptions.end("the gateway reads the log again")

    async def handle(self, decoded: Sequence[LiveEvent], current: bool) -> None:
        news = [event for event in decoded if self._apply(event)]
        if self.current:  # before that they are history, which listeners read through the lists
            for event in news:
                self.subscriptions.publish(event)
        self.current = self.current or current

    def _apply(self, live: LiveEvent) -> bool:
        """Apply the event; whether it is new. An event of a deleted stream that a restarted learner repeats is not."""
        event = live.event
        outdated = self._is_outdated(event)
        if isinstance(event, Outcome):  # even if outdated: a request may wait for it
            if not outdated:
                self.gallery.apply_outcome(event)
            self._outcomes.resolve(event.position, event)
        elif outdated:
            return False
        elif isinstance(event, Prediction):
            row = self.gallery.add(event, live.value)
            self._predictions.resolve((event.stream, event.id), row)
        elif isinstance(event, Applied):
            if (event.do, event.status) == (DELETE, "applied"):
                self._delete_stream(event.stream, event.position)
            if event.do == FORGET:
                self._forget_images(event)
            self._applied.resolve(event.position, event)
        if not outdated:
            self.subscriptions.remember(live)
        return not outdated

    def _is_outdated(self, event: Event) -> bool:
        """Whether it is of a stream that was deleted since, or of an image that was forgotten since."""
        if isinstance(event, Applied):
            return False
        if isinstance(event, Prediction | Outcome) and self.gallery.forgotten.hides(
            event.stream, event.id, event.position
        ):
            return True
        return self.gallery.is_before_deletion(event.stream, event.position)

    def hide_images(self, stream: str, ids: Collection[str], command: Position) -> None:
        """Show these images no more: the command to forget them is in the log, and its effect will come."""
        if self._applied.get(command) is None:
            self.gallery.forgotten.add(stream, [id_digest(id) for id in ids], command)

    def _forget_images(self, applied: Applied) -> None:
        if applied.status == "refused":
            self.gallery.forgotten.withdraw(applied.position)
            return
        stream, forgotten = applied.stream, self.gallery.forgotten
        digests = frozenset(applied.forgotten)  # Every id that is in memory is looked for among them.
        images = self.gallery.forget_images(stream, digests, applied.position)
        self._outcomes.forget(
            lambda at, result: isinstance(result, Outcome) and forgotten.hides(result.stream, result.id, at)
        )
        self._dead_letters.forget(lambda key, _: key[0] == stream and id_digest(key[1]) in digests)
        self.subscriptions.forget_events(self._is_outdated)
        for callback in self.on_images_forgotten:
            callback(stream, digests, images)

    def _delete_stream(self, stream: str, command: Position) -> None:
        self.gallery.delete_stream(stream, command)
        self.read_your_writes.stream_deleted(stream, command)
        self.subscriptions.forget(stream)
        self._dead_letters.forget(lambda key, _: key[0] == stream)
        for callback in self.on_stream_deleted:
            callback(stream, command)

    def _dead_letter(self, dead_letter: DeadLetter, of_deleted_stream: bool) -> None:
        """A dead letter of a deleted stream is not remembered, since a new stream's image may have the same id: only
        requests that wait now get it. One of a label too many is no answer: the label's outcome is, and its image gets
        a prediction; which of them comes first is luck."""
        if dead_letter.reason == TOO_MANY_LABELS:
            return
        if dead_letter.of_example:
            if not of_deleted_stream:
                self._dead_letters.resolve((dead_letter.stream, dead_letter.id), dead_letter)
            self._predictions.resolve((dead_letter.stream, dead_letter.id), dead_letter)
        elif dead_letter.topic == EXAMPLES:
            self._outcomes.resolve(dead_letter.origin, dead_letter)
            self._applied.resolve(dead_letter.origin, dead_letter)

    def _decode(self, records: Sequence[Record]) -> list[LiveEvent]:
        """On the follower's thread. Invalid records are counted; they have no other effect here."""
        events = []
        for record in records:
            if is_erased(record):
                continue
            try:
                position = Position(record.partition, record.offset)
                events.append(LiveEvent(position, decode_prediction_event(record), record.value))
            except Rejected as rejected:
                self._metrics.rejected.labels("gateway", rejected.reason).inc()
        return events
