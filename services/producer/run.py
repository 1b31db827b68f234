"""Streams a source through the gateway: images in order, labels with them or later, no further ahead than needed."""

import random
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from prequel.services.producer.client import Client, Refused, Stopped
from prequel.services.producer.delayed_labels import DelayedLabels
from prequel.services.producer.known import Known
from prequel.services.producer.outstanding import Outstanding, Said, offset
from prequel.services.producer.seen import Seen
from prequel.services.producer.sources.base import Entry, Item, Source
from prequel.shared.runtime.deadlines import PRODUCER_SETTLE_BACKOFF, PRODUCER_SILENCE_S

MOST_OUTSTANDING = 256
MOST_IMAGES = 32
MOST_BYTES = 8 * 2**20
"""Images, and bytes, in one request."""
STATUS_SECONDS = 0.5
CONFLICT = 409
"""The gateway's answer where an id is known by another label, or another image."""

Complaints = list[tuple[str, str]]
"""Names of images, and what is wrong with each."""


class Summary(NamedTuple):
    """What became of one run. Accuracies are the champion's over the whole stream, None without labels.

    ``predicted`` counts the images that have a prediction now; ``known`` of them had one, and were not sent again.
    """

    stream: str
    sent: int
    predicted: int
    labelled: int
    new: int
    rejected: Complaints
    unreadable: Complaints
    silent: list[str]
    seconds: float
    model: str | None
    accuracy: float | None
    window_accuracy: float | None
    interrupted: bool
    known: int = 0
    copies: int = 0
    """Pictures that are in the source more than once."""
    contradictions: Sequence[tuple[str, str]] = ()
    """Pictures that are in the source under two labels; the first one counts."""
    refused: Sequence[tuple[str, str]] = ()
    """Labels that the stream did not take."""
    moved: Sequence[tuple[str, str]] = ()
    """Pictures that an earlier run gave another label than they have now: ``correct`` corrects them."""
    corrected: int = 0
    given: int = 0
    """Pictures that the stream knew without a label, and that have one now."""
    kept: Sequence[tuple[str, str]] = ()
    """Pictures that somebody gave another label than the source, which stays."""

    @property
    def rate(self) -> float:
        """Images per second, from the first one sent to the last one learned."""
        return self.sent / self.seconds if self.seconds else 0.0


class Progress(Protocol):
    """Shows how far a run is. Neither call blocks."""

    def show(self, answered: int, seconds: float, status: dict[str, Any] | None) -> None:
        """``answered`` images are predicted or rejected; ``status`` is the stream's newest, None before the first."""
        ...

    def tell(self, text: str) -> None:
        """Say what is being waited for; empty: nothing."""
        ...


class Run:
    """One run of one source into one stream. To be used once, from one thread.

    With ``label_delay`` N, the label of an image is sent as an event of its own after N further images; ``rate`` is
    in images per second, 0 for as fast as the services take them. ``correct``: see Known.
    """

    def __init__(
        self,
        source: Source,
        stream: str,
        client: Client,
        *,
        label_delay: int = 0,
        rate: float = 0.0,
        correct: bool = False,
        progress: Progress,
        stop: threading.Event,
        clock: Callable[[], float],
    ) -> None:
        self._source, self._stream, self._client = source, stream, client
        self._label_delay, self._rate = label_delay, rate
        self._progress, self._stop, self._clock = progress, stop, clock
        self._outstanding = Outstanding(client, stream, stop=stop, clock=clock)
        self._labels = DelayedLabels(client, stream, label_delay)
        self._known, self._seen = Known(client, stream, self._labels, correct=correct), Seen()
        self._most = most_outstanding(label_delay)
        self._most_images = max(1, min(MOST_IMAGES, self._most // 4))
        self._loaded: list[Item] = []
        self._sending: tuple[list[Item], Future[list[tuple[Item, Refused]]]] | None = None
        self._sent = self._labelled = 0
        self._unreadable: Complaints = []
        self._refused: Complaints = []
        self._begun = self._shown = clock()

    def run(self, entries: Iterable[Entry]) -> Summary:
        """Send every entry; return when the learner has taken in all that was sent, or soon after ``stop`` is set.

        Raises GatewayError where the gateway is away for too long: what was sent stays, and running again continues.
        """
        before = self._newest()
        interrupted = False
        self._begun = self._shown = self._clock()
        with ThreadPoolExecutor(1, "prequel-send") as sender:
            try:
                # A status may come later than the first predictions do.
                self._known.begun = before is not None or bool(self._client.recent(self._stream, 1))
                for entry in entries:
                    self._take(entry, sender)
                self._finish(sender)
            except Stopped:
                interrupted = True
                self._abandon()
        return self._summary(before, interrupted)

    def _take(self, entry: Entry, sender: ThreadPoolExecutor) -> None:
        """Load one image; send what is loaded when that is enough, or when nothing is on its way."""
        if self._stop.wait(self._early()):
            raise Stopped
        try:
            item = self._source.load(entry)
        except OSError as error:
            self._unreadable.append((entry.name, error.strerror or str(error)))
            return
        if not self._seen.is_new(item):
            self._known.also(item)
            return
        self._loaded.append(item)
        enough = len(self._loaded) >= self._most_images or sum(len(item.data) for item in self._loaded) >= MOST_BYTES
        idle = self._sending is None or self._sending[1].done()
        # A stream that may know the images is asked for many at once, unless the rate makes that a long wait.
        if enough or (idle and (self._rate or not self._known.begun)):
            self._send(sender)
        self._show()

    def _early(self) -> float:
        """Seconds until the rate allows the next image."""
        gone = self._sent + len(self._refused) + len(self._sending[0] if self._sending else ()) + len(self._loaded)
        return max(0.0, self._begun + gone / self._rate - self._clock()) if self._rate else 0.0

    def _send(self, sender: ThreadPoolExecutor) -> None:
        """Let what is loaded follow what is on its way, once that is acknowledged and there is room for it."""
        items, self._loaded = self._known.new(self._loaded), []
        if not items:
            return
        self._acknowledge()
        if len(self._outstanding) + len(items) > self._most:
            self._outstanding.settle(self._most // 2, self._wait)
            self._known.look_again(self._outstanding.take_unlike())
        outgoing = [item._replace(label=None) for item in items] if self._label_delay else items
        self._sending = items, sender.submit(self._client.post_images, self._stream, outgoing)

    def _acknowledge(self) -> None:
        """Wait for the answer to what is on its way, and take it in; then send the labels that are due."""
        if self._sending is None:
            return
        (items, answer), self._sending = self._sending, None
        refused = {item.id: reason for item, reason in answer.result()}
        for item in items:
            if item.id not in refused:
                self._sent += 1
                self._labelled += item.label is not None
                self._follow(item)
            elif refused[item.id].code == CONFLICT:
                # It came lately, by another label, or by none: that shows once it is predicted.
                self._follow(item)
            else:
                self._refused.append((item.name, str(refused[item.id])))

    def _follow(self, item: Item) -> None:
        self._outstanding.add(item.id, item.name, None if self._label_delay else item.label)
        if self._label_delay and item.label is not None:
            self._known.expect(Said(item.id, item.name, item.label))
        if self._label_delay:
            self._labels.follow(item.id, item.label, self._outstanding.rejected)

    def _finish(self, sender: ThreadPoolExecutor) -> None:
        if self._loaded:
            self._send(sender)
        self._acknowledge()
        self._outstanding.settle(0, self._wait)
        self._labels.flush(self._outstanding.rejected)
        self._outstanding.ask_again()
        self._known.look_again(self._outstanding.take_unlike())
        self._known.correct_moved()
        self._labels.flush(self._outstanding.rejected)
        self._await_status()
        self._known.check(self._stop, self._clock)

    def _await_status(self) -> None:
        """Wait until the stream's status has everything in it that is known to be in the log."""
        wanted = max(self._labels.offset, self._outstanding.offset)
        deadline, tries = self._clock() + PRODUCER_SILENCE_S, 0
        while self._clock() < deadline:
            tries += 1
            status = self._client.stream(self._stream)
            if wanted < 0 or (status and offset(status["position"]) > wanted):
                return
            if self._stop.wait(PRODUCER_SETTLE_BACKOFF.pause(tries, random.random())):
                raise Stopped

    def _abandon(self) -> None:
        """Take in what was on its way, if it got there; what is loaded is forgotten. The next run sends it again."""
        with suppress(Stopped):
            self._acknowledge()

    def _show(self) -> None:
        if self._clock() - self._shown >= STATUS_SECONDS:
            status = self._client.stream(self._stream)
            self._shown = self._clock()
            self._progress.show(self._answered(), self._shown - self._begun, status)

    def _answered(self) -> int:
        return self._known.known + self._sent - len(self._outstanding)

    def _wait(self, reason: str) -> None:
        self._show()
        self._progress.tell(reason)

    def _newest(self) -> dict[str, Any] | None:
        try:
            return self._client.stream(self._stream)
        except Stopped:
            return None

    def _summary(self, before: dict[str, Any] | None, interrupted: bool) -> Summary:
        seconds = self._clock() - self._begun
        status = self._newest()
        self._progress.show(self._answered(), seconds, status)
        champion = status["models"][status["champion"]] if status else {}
        grown = (status["images"] if status else 0) - (before["images"] if before else 0)
        return Summary(
            self._stream,
            self._sent,
            self._outstanding.predicted + self._known.known,
            self._labelled,
            min(max(grown, 0), self._sent),
            [*self._refused, *self._outstanding.rejected.values()],
            self._unreadable,
            self._outstanding.silent,
            seconds,
            status["champion"] if status else None,
            champion.get("accuracy"),
            champion.get("window_accuracy"),
            interrupted,
            known=self._known.known,
            copies=self._seen.copies,
            contradictions=self._seen.contradictions,
            refused=self._known.refused,
            moved=self._known.moved,
            corrected=self._known.corrected,
            given=self._known.given,
            kept=self._known.kept,
        )


def most_outstanding(label_delay: int) -> int:
    """How many images may be unanswered: few enough that a delayed label comes after its image was predicted."""
    return max(1, min(MOST_OUTSTANDING, label_delay // 2)) if label_delay else MOST_OUTSTANDING
