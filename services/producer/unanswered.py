"""Images that were sent and are not yet known to be predicted or rejected, oldest first."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from prequel.services.producer.client import Client
from prequel.services.producer.errors import RequestRefused, Stopped
from prequel.services.producer.positions import offset
from prequel.services.producer.summary import ImageProblem
from prequel.shared.runtime.deadlines import PRODUCER_POLL_S, PRODUCER_SILENCE_S

MAX_CHECKED_AGAIN = 1_000
"""Images without an answer that are looked up once more at the end: one request each, some seconds for all."""


class LabelledImage(NamedTuple):
    """The id of an image, its name and its label in the source."""

    id: str
    name: str
    label: str


class UnansweredImages:
    """Tracks the images that one producer sent into one stream until each is answered.

    An image is *predicted*, *rejected* (with a reason), or, where the services report no problem and yet nothing comes
    for ``timeout_s`` seconds, given up: it is in the log, but was predicted before the gateway's memory begins, or no
    extractor or learner runs. For one thread only.
    """

    def __init__(
        self,
        client: Client,
        stream: str,
        *,
        stop: threading.Event,
        clock: Callable[[], float],
        timeout_s: float = PRODUCER_SILENCE_S,
    ) -> None:
        self._client, self._stream, self._stop, self._clock = client, stream, stop, clock
        self._timeout_s = self._current_timeout_s = timeout_s
        self._names: OrderedDict[str, str] = OrderedDict()
        self._given_up: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        self._other_labels: list[LabelledImage] = []
        self.predicted = 0
        self.rejected: dict[str, ImageProblem] = {}
        """By id."""
        self.offset = -1
        """Offset of the features of the newest known prediction, in the stream's partition of ``examples``."""

    def __len__(self) -> int:
        return len(self._names)

    @property
    def given_up(self) -> list[str]:
        """Names of images that were given up."""
        return list(self._given_up.values())

    def add(self, id: str, name: str, label: str | None = None) -> None:
        """An image was sent, perhaps with a label in the same event, and acknowledged by the gateway."""
        self._names[id] = name
        if label is not None:
            self._labels[id] = label

    def take_other_labels(self) -> list[LabelledImage]:
        """Images whose label in the stream is not the one they were sent with; those not taken before.

        The stream had them already, or refused the label.
        """
        other_labels, self._other_labels = self._other_labels, []
        return other_labels

    def wait(self, max_unanswered: int, on_waiting: Callable[[str], None]) -> None:
        """Block until at most so many are unanswered, for as long as the services make progress.

        ``on_waiting`` is called every few seconds with what is not ready meanwhile, empty where no problem is known.
        Raises Stopped, and what the client raises.
        """
        since, last_progress = self._clock(), None
        while len(self) > max_unanswered:
            if self._stop.is_set():
                raise Stopped
            if self._check_answers(max_unanswered):
                since = self._clock()
                on_waiting("")
                continue
            reasons, progress = self._client.not_ready(), self._learner_progress()
            on_waiting("; ".join(f"{name}: {reason}" for name, reason in reasons.items()))
            if reasons:
                self._client.check_alive()
            if reasons or progress != last_progress:
                since, last_progress = self._clock(), progress
            elif self._clock() - since >= self._current_timeout_s:
                self._give_up()

    def check_given_up(self) -> None:
        """Look once more for the newest of those that were given up: they may only have been slow."""
        for id in list(self._given_up)[-MAX_CHECKED_AGAIN:]:
            self._names[id] = self._given_up[id]
            self._check_one(id)
            if self._names.pop(id, None) is None:
                del self._given_up[id]

    def _check_answers(self, max_unanswered: int) -> bool:
        """Wait a moment for the image whose answer would be enough, then check all; whether any was answered."""
        ids = list(self._names)
        target = ids[len(ids) - max_unanswered - 1]
        self._check_one(target, min(PRODUCER_POLL_S, self._current_timeout_s))
        recent = {answer["id"]: answer for answer in self._client.recent(self._stream, len(ids))}
        for id in ids:
            if id in self._names and id in recent:
                self._set_predicted(id, recent[id])
        if target not in self._names:
            # Answers come nearly in order, so those before it are answered too, by dead letters perhaps.
            for id in ids[: ids.index(target)]:
                if id in self._names:
                    self._check_one(id)
        return len(self) < len(ids)

    def _check_one(self, id: str, wait_s: float = 0) -> None:
        try:
            if answer := self._client.prediction(self._stream, id, wait_s):
                self._set_predicted(id, answer)
        except RequestRefused as refused:
            self.rejected[id] = ImageProblem(self._names.pop(id), str(refused))

    def _set_predicted(self, id: str, answer: dict[str, Any]) -> None:
        name = self._names.pop(id)
        self.predicted += 1
        self.offset = max(self.offset, offset(answer["position"]))
        label = self._labels.pop(id, None)
        if label is not None and label != answer["truth"]:
            self._other_labels.append(LabelledImage(id, name, label))
        self._current_timeout_s = self._timeout_s

    def _learner_progress(self) -> object:
        """A value that changes whenever the learner makes progress, even with the images of other producers."""
        status = self._client.stream(self._stream)
        return status and (status.position, status.images)

    def _give_up(self) -> None:
        """Go on without answers to these images. Until an image is answered again, the next wait is shorter."""
        self._given_up |= self._names
        self._names.clear()
        self._current_timeout_s /= 4
