"""Streams a source through the gateway: images in order, labels with them or later, no further ahead than needed."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

from services.producer.client import Client, Refused, Stopped
from services.producer.delayed import DelayedLabels
from services.producer.outstanding import PATIENCE_SECONDS, Outstanding
from services.producer.sources import Entry, Item, Source

MOST_OUTSTANDING = 256
MOST_CONNECTIONS = 16
STATUS_SECONDS = 0.5

Complaints = list[tuple[str, str]]
"""Names of images, and what is wrong with each."""


class Summary(NamedTuple):
    """What became of one run. Accuracies are the champion's over the whole stream, None without labels."""

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

    @property
    def rate(self) -> float:
        """Images per second, from the first one sent to the last one learned."""
        return self.sent / self.seconds if self.seconds else 0.0


class Progress(Protocol):
    """Shows how far a run is. Neither call blocks."""

    def show(self, sent: int, seconds: float, status: dict[str, Any] | None) -> None:
        """``status`` is the stream's newest, None before its first example."""
        ...

    def tell(self, text: str) -> None:
        """Say what is being waited for; empty: nothing."""
        ...


class Run:
    """One run of one source into one stream. To be used once, from one thread.

    With ``label_delay`` N, the label of an image is sent as an event of its own after N further images; ``rate`` is
    in images per second, 0 for as fast as the services take them.
    """

    def __init__(
        self,
        source: Source,
        stream: str,
        client: Client,
        *,
        label_delay: int = 0,
        rate: float = 0.0,
        progress: Progress,
        stop: threading.Event,
        clock: Callable[[], float],
    ) -> None:
        self._source, self._stream, self._client = source, stream, client
        self._label_delay, self._rate = label_delay, rate
        self._progress, self._stop, self._clock = progress, stop, clock
        self._outstanding = Outstanding(client, stream, stop=stop, clock=clock)
        self._labels = DelayedLabels(client, stream, label_delay)
        self._most = most_outstanding(label_delay)
        self._connections = max(1, min(MOST_CONNECTIONS, self._most // 4))
        self._sending: deque[tuple[Item, Future[str]]] = deque()
        self._sent = self._labelled = 0
        self._unreadable: Complaints = []
        self._refused: Complaints = []
        self._begun = self._shown = clock()

    def run(self, entries: Iterable[Entry]) -> Summary:
        """Send every entry; return when the learner has taken in all that was sent, or soon after ``stop`` is set.

        Raises GatewayError where the gateway is away for too long: what was sent stays, and running again continues.
        """
        before = self._client.stream(self._stream)
        interrupted = False
        self._begun = self._shown = self._clock()
        with ThreadPoolExecutor(self._connections, "prequel-send") as senders:
            try:
                for entry in entries:
                    self._submit(entry, senders)
                self._finish()
            except Stopped:
                interrupted = True
                self._abandon()
        return self._summary(before, interrupted)

    def _submit(self, entry: Entry, senders: ThreadPoolExecutor) -> None:
        if self._stop.wait(self._early()):
            raise Stopped
        try:
            item = self._source.load(entry)
        except OSError as error:
            self._unreadable.append((entry.name, error.strerror or str(error)))
            return
        outgoing = item._replace(label=None) if self._label_delay else item
        self._sending.append((item, senders.submit(self._client.post_image, self._stream, outgoing)))
        self._acknowledge(self._connections - 1)
        if len(self._outstanding) + len(self._sending) >= self._most:
            self._outstanding.settle(self._most // 2, self._progress.tell)
        self._show()

    def _early(self) -> float:
        """Seconds until the rate allows the next image."""
        gone = self._sent + len(self._sending)
        return max(0.0, self._begun + gone / self._rate - self._clock()) if self._rate else 0.0

    def _acknowledge(self, most: int) -> None:
        """Take in the gateway's answers, in the order of sending, until at most ``most`` are awaited."""
        while len(self._sending) > most:
            item, answer = self._sending.popleft()
            try:
                answer.result()
            except Refused as refused:
                self._refused.append((item.name, str(refused)))
            else:
                self._count(item)
                if self._label_delay:
                    self._labels.follow(item.id, item.label, self._outstanding.rejected)

    def _count(self, item: Item) -> None:
        self._sent += 1
        self._labelled += item.label is not None
        self._outstanding.add(item.id, item.name)

    def _finish(self) -> None:
        self._acknowledge(0)
        self._outstanding.settle(0, self._progress.tell)
        self._labels.flush(self._outstanding.rejected)
        self._outstanding.ask_again()
        self._await_status()

    def _await_status(self) -> None:
        """Wait until the stream's status has everything in it that is known to be in the log."""
        wanted = max(map(_offset, filter(None, (self._labels.position, self._outstanding.position))), default=-1)
        deadline = self._clock() + PATIENCE_SECONDS
        while self._clock() < deadline:
            status = self._client.stream(self._stream)
            if wanted < 0 or (status and _offset(status["position"]) > wanted):
                return
            if self._stop.wait(0.1):
                raise Stopped

    def _abandon(self) -> None:
        """Take back what has not begun; what has is counted."""
        for item, answer in self._sending:
            if not answer.cancel() and answer.exception() is None:
                self._count(item)

    def _show(self) -> None:
        if self._clock() - self._shown >= STATUS_SECONDS:
            status = self._client.stream(self._stream)
            self._shown = self._clock()
            self._progress.show(self._sent, self._shown - self._begun, status)

    def _last_status(self) -> dict[str, Any] | None:
        try:
            return self._client.stream(self._stream)
        except Stopped:
            return None

    def _summary(self, before: dict[str, Any] | None, interrupted: bool) -> Summary:
        seconds = self._clock() - self._begun
        status = self._last_status()
        self._progress.show(self._sent, seconds, status)
        champion = status["models"][status["champion"]] if status else {}
        grown = (status["images"] if status else 0) - (before["images"] if before else 0)
        return Summary(
            self._stream,
            self._sent,
            self._outstanding.predicted,
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
        )


def most_outstanding(label_delay: int) -> int:
    """How many images may be unanswered: few enough that a delayed label comes after its image was predicted."""
    return max(1, min(MOST_OUTSTANDING, label_delay // 2)) if label_delay else MOST_OUTSTANDING


def _offset(position: str) -> int:
    return int(position.rpartition(":")[2])
