"""Images that were sent and are not yet known to be predicted or rejected, oldest first."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from prequel.services.producer.client import Client, Refused, Stopped
from prequel.shared.runtime.deadlines import PRODUCER_POLL_S, PRODUCER_SILENCE_S

ASKED_AGAIN = 1_000

LABEL_REFUSED = "too-many-labels"
"""A dead letter for this reason refuses the label alone: its image is predicted, and the status tells of the label."""


class Said(NamedTuple):
    """What a source says of the picture that is known by an id: the name of its file, and its label."""

    id: str
    name: str
    label: str


class Outstanding:
    """Follows what became of each image that one producer sent into one stream.

    An image is *predicted*, *rejected* (with a reason), or, where nothing is heard of it any more though the services
    work and stand still, *silent*: it is in the log, but was seen before the gateway's memory began, or no extractor
    or learner runs. For one thread only.
    """

    def __init__(
        self,
        client: Client,
        stream: str,
        *,
        stop: threading.Event,
        clock: Callable[[], float],
        patience_s: float = PRODUCER_SILENCE_S,
    ) -> None:
        self._client, self._stream, self._stop, self._clock = client, stream, stop, clock
        self._patience_s = self._patience_now_s = patience_s
        self._names: OrderedDict[str, str] = OrderedDict()
        self.predicted = 0
        self.rejected: dict[str, tuple[str, str]] = {}
        """Id -> name and reason."""
        self._silent: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        self._unlike: list[Said] = []
        self.offset = -1
        """Where the features of the newest known prediction stand in the stream's partition of ``examples``."""

    def __len__(self) -> int:
        return len(self._names)

    def add(self, id: str, name: str, label: str | None = None) -> None:
        """Sent, perhaps with a label in the same event, and acknowledged by the gateway."""
        self._names[id] = name
        if label is not None:
            self._labels[id] = label

    def take_unlike(self) -> list[Said]:
        """What was sent with images that have another label, or none; those not taken before.

        They were known already, or the label was refused.
        """
        taken, self._unlike = self._unlike, []
        return taken

    def settle(self, most: int, tell: Callable[[str], None]) -> None:
        """Return once at most ``most`` are outstanding; blocks as long as the services make progress.

        ``tell`` hears at least every few seconds what is not ready meanwhile (empty: nothing is known to be wrong).
        Raises Stopped, and what the client raises.
        """
        since, before = self._clock(), None
        while len(self) > most:
            if self._stop.is_set():
                raise Stopped
            if self._advance(most):
                since = self._clock()
                tell("")
                continue
            reasons, now = self._client.ready(), self._mark()
            tell("; ".join(f"{name}: {reason}" for name, reason in reasons.items()))
            if reasons:
                self._client.check_alive()
            if reasons or now != before:
                since, before = self._clock(), now
            elif self._clock() - since >= self._patience_now_s:
                self._give_up()

    def ask_again(self) -> None:
        """Look once more for the newest of the silent ones: they may only have been slow."""
        for id in list(self._silent)[-ASKED_AGAIN:]:
            self._names[id] = self._silent[id]
            self._ask(id)
            if self._names.pop(id, None) is None:
                del self._silent[id]

    @property
    def silent(self) -> list[str]:
        return list(self._silent.values())

    def _advance(self, most: int) -> bool:
        """Wait a moment for the image whose answer would do, then look at all; whether any was answered."""
        ids = list(self._names)
        target = ids[len(ids) - most - 1]
        self._ask(target, min(PRODUCER_POLL_S, self._patience_now_s))
        recent = {answer["id"]: answer for answer in self._client.recent(self._stream, len(ids))}
        for id in ids:
            if id in self._names and id in recent:
                self._predicted(id, recent[id])
        if target not in self._names:
            for id in ids[: ids.index(target)]:
                if id in self._names:
                    self._ask(id)
        return len(self) < len(ids)

    def _ask(self, id: str, wait_s: float = 0) -> None:
        try:
            if answer := self._client.prediction(self._stream, id, wait_s):
                self._predicted(id, answer)
        except Refused as refused:
            if refused.reason == LABEL_REFUSED:
                return  # its prediction comes by another topic, a little later perhaps
            self.rejected[id] = self._names.pop(id), str(refused)

    def _predicted(self, id: str, answer: dict[str, Any]) -> None:
        name = self._names.pop(id)
        self.predicted += 1
        self.offset = max(self.offset, offset(answer["position"]))
        label = self._labels.pop(id, None)
        if label is not None and label != answer["truth"]:
            self._unlike.append(Said(id, name, label))
        self._patience_now_s = self._patience_s

    def _mark(self) -> object:
        """Changes when the learner gets on, also with the images of others."""
        status = self._client.stream(self._stream)
        return status and (status["position"], status["images"])

    def _give_up(self) -> None:
        """Go on without an answer to these, and sooner the next time, until one is answered again."""
        self._silent |= self._names
        self._names.clear()
        self._patience_now_s /= 4


def offset(position: str) -> int:
    """The second part of ``partition:offset``; all events of a stream are in one partition."""
    return int(position.rpartition(":")[2])
