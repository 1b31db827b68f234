"""One run: streams a source through the gateway, in order, with its labels, and no further ahead than needed."""

import random
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

from prequel.services.producer.client import Client
from prequel.services.producer.delayed_labels import DelayedLabels
from prequel.services.producer.duplicates import DuplicateFilter
from prequel.services.producer.errors import SourceError, Stopped
from prequel.services.producer.label_comparison import LabelComparison
from prequel.services.producer.positions import offset
from prequel.services.producer.progress import Progress
from prequel.services.producer.sending import ImageSender, Post
from prequel.services.producer.sources.base import LoadedImage, Source, SourceImage
from prequel.services.producer.summary import ImageProblem, Summary
from prequel.services.producer.unanswered import LabelledImage, UnansweredImages
from prequel.shared.backbone_specs import NOT_EXTRACTABLE
from prequel.shared.runtime.deadlines import PRODUCER_SETTLE_BACKOFF, PRODUCER_SILENCE_S
from prequel.shared.status import StreamStatus

MAX_UNANSWERED = 256
"""Images that were sent and have no prediction yet: eight batches of an extractor. With one, the extractor would wait
while the producer reads and sends; with many more, Ctrl-C would leave a long queue behind."""

MAX_BATCH_IMAGES = 32
MAX_BATCH_BYTES = 8 * 2**20
"""Images, and bytes, in one request. One image each would pay the time of a request for every image; a larger request
takes longer to repeat when it fails, and proxies before the gateway limit its size."""

STATUS_SECONDS = 0.5
"""Between two requests for the status that progress shows: as often as one can read it."""

CONFLICT = 409
"""The gateway's status code for an id that the stream knows by another label, or another image."""


class Run:
    """One run of one source into one stream. To be used once, from one thread.

    With ``label_delay`` N, the label of an image is sent as an event of its own after N further images; ``rate`` is
    in images per second, 0 for as fast as the services take them. ``correct``: see LabelComparison. ``post`` sends a
    batch where the source has no images.
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
        post: Post | None = None,
        progress: Progress,
        stop: threading.Event,
        clock: Callable[[], float],
    ) -> None:
        self._source, self._stream, self._client = source, stream, client
        self._label_delay, self._rate = label_delay, rate
        self._progress, self._stop, self._clock = progress, stop, clock
        self._sender = ImageSender(post or (lambda images: client.post_images(stream, images)))
        self._unanswered = UnansweredImages(client, stream, stop=stop, clock=clock)
        self._labels = DelayedLabels(client, stream, label_delay)
        self._comparison = LabelComparison(client, stream, self._labels, correct=correct)
        self._duplicates = DuplicateFilter()
        self._max_unanswered = max_unanswered(label_delay)
        self._max_batch_images = max(1, min(MAX_BATCH_IMAGES, self._max_unanswered // 4))
        self._batch: list[LoadedImage] = []
        self._sent = self._labelled = 0
        self._unreadable: list[ImageProblem] = []
        self._refused: list[ImageProblem] = []
        self._begun = self._shown_at = clock()

    def run(self, images: Iterable[SourceImage]) -> Summary:
        """Send every image; return when the learner has processed all that was sent, or soon after ``stop`` is set.

        Raises GatewayError where the gateway is away for too long: what was sent stays, and running again continues.
        """
        before = self._status()
        interrupted = False
        self._begun = self._shown_at = self._clock()
        with self._sender:
            try:
                # The status of a new stream may come later than its first predictions do.
                self._comparison.stream_exists = before is not None or bool(self._client.recent(self._stream, 1))
                for image in images:
                    self._load(image)
                self._finish()
            except Stopped:
                interrupted = True
                # What is being sent may be in the log already: it is counted. What is only loaded is left to the next
                # run, which sends it.
                with suppress(Stopped):
                    self._take_answer()
        return self._summary(before, interrupted=interrupted)

    def _load(self, image: SourceImage) -> None:
        """Read one image into the batch; send the batch when it is full, or when nothing else is being sent."""
        if self._stop.wait(self._seconds_until_due()):
            raise Stopped
        try:
            loaded = self._source.load(image)
        except OSError as error:
            self._unreadable.append(ImageProblem(image.name, error.strerror or str(error)))
            return
        if not self._duplicates.is_new(loaded):
            self._comparison.add_copy(loaded)
            return
        self._batch.append(loaded)
        size = sum(len(image.data) for image in self._batch)
        full = len(self._batch) >= self._max_batch_images or size >= MAX_BATCH_BYTES
        # A stream that may have the images is asked for a full batch at once, unless the rate makes that a long wait.
        if full or (self._sender.idle and (self._rate or not self._comparison.stream_exists)):
            self._send_batch()
        self._show_progress()

    def _seconds_until_due(self) -> float:
        """Seconds until the rate allows the next image."""
        begun = self._sent + len(self._refused) + len(self._sender) + len(self._batch)
        return max(0.0, self._begun + begun / self._rate - self._clock()) if self._rate else 0.0

    def _send_batch(self) -> None:
        """Send what of the batch is new, once the batch before it is acknowledged and there is room for it."""
        images, self._batch = self._comparison.select_new(self._batch), []
        if not images:
            return
        self._take_answer()
        if len(self._unanswered) + len(images) > self._max_unanswered:
            self._unanswered.wait(self._max_unanswered // 2, self._show_waiting)
            self._comparison.compare_again(self._unanswered.take_other_labels())
        self._sender.send(images, with_labels=not self._label_delay)

    def _take_answer(self) -> None:
        """Wait for the answer to the batch that is being sent, and send the delayed labels that are due then."""
        for image, refused in self._sender.take_answer():
            if refused is None:
                self._sent += 1
                self._labelled += image.label is not None
                self._track(image)
            elif refused.reason == NOT_EXTRACTABLE:
                raise SourceError(str(refused))
            elif refused.status_code == CONFLICT:
                # It came a moment ago by another producer, with another label or none: its prediction shows which.
                self._track(image)
            else:
                self._refused.append(ImageProblem(image.name, str(refused)))

    def _track(self, image: LoadedImage) -> None:
        self._unanswered.add(image.id, image.name, None if self._label_delay else image.label)
        if self._label_delay and image.label is not None:
            self._comparison.expect(LabelledImage(image.id, image.name, image.label))
        if self._label_delay:
            self._labels.add(image.id, image.label, self._unanswered.rejected)

    def _finish(self) -> None:
        """Send the rest, and wait until everything that was sent has its outcome."""
        # 1. All images are in the log, and answered: only then it is known which labels differ.
        if self._batch:
            self._send_batch()
        self._take_answer()
        self._unanswered.wait(0, self._show_waiting)
        self._labels.flush(self._unanswered.rejected)
        self._unanswered.check_given_up()
        # 2. Labels that differ are compared, and corrections sent after the labels of this run.
        self._comparison.compare_again(self._unanswered.take_other_labels())
        self._comparison.send_corrections()
        self._labels.flush(self._unanswered.rejected)
        # 3. The learner has processed all of it: the summary's accuracy and labels are those after this run.
        self._await_status()
        self._comparison.await_labels(self._stop, self._clock)

    def _await_status(self) -> None:
        """Wait until the stream's status includes everything that is known to be in the log."""
        newest = max(self._labels.offset, self._unanswered.offset)
        deadline, tries = self._clock() + PRODUCER_SILENCE_S, 0
        while self._clock() < deadline:
            tries += 1
            status = self._client.stream(self._stream)
            if newest < 0 or (status and offset(status.position) > newest):
                return
            if self._stop.wait(PRODUCER_SETTLE_BACKOFF.pause(tries, random.random())):
                raise Stopped

    def _show_progress(self) -> None:
        if self._clock() - self._shown_at >= STATUS_SECONDS:
            status = self._client.stream(self._stream)
            self._shown_at = self._clock()
            self._progress.show(self._answered(), self._shown_at - self._begun, status)

    def _show_waiting(self, reason: str) -> None:
        self._show_progress()
        self._progress.show_waiting(reason)

    def _answered(self) -> int:
        return self._comparison.already_known + self._sent - len(self._unanswered)

    def _status(self) -> StreamStatus | None:
        try:
            return self._client.stream(self._stream)
        except Stopped:
            return None

    def _summary(self, before: StreamStatus | None, *, interrupted: bool) -> Summary:
        seconds = self._clock() - self._begun
        status = self._status()
        self._progress.show(self._answered(), seconds, status)
        added = (status.images if status else 0) - (before.images if before else 0)
        return Summary(
            stream=self._stream,
            sent=self._sent,
            predicted=self._unanswered.predicted + self._comparison.already_known,
            labelled=self._labelled,
            new=min(max(added, 0), self._sent),  # other producers may add images, and a deletion remove them
            rejected=[*self._refused, *self._unanswered.rejected.values()],
            unreadable=self._unreadable,
            unanswered=self._unanswered.given_up,
            seconds=seconds,
            status=status,
            interrupted=interrupted,
            already_known=self._comparison.already_known,
            copies=self._duplicates.copies,
            contradictions=self._duplicates.contradictions,
            refused_labels=self._comparison.refused,
            changed_labels=self._comparison.changed,
            corrected=self._comparison.corrected,
            newly_labelled=self._comparison.newly_labelled,
            labels_by_others=self._comparison.by_others,
        )


def max_unanswered(label_delay: int) -> int:
    """How many images may be unanswered: few enough that a delayed label comes after its image was predicted."""
    return max(1, min(MAX_UNANSWERED, label_delay // 2)) if label_delay else MAX_UNANSWERED
