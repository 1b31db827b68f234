"""Labels that are sent as events of their own, a number of images after the images they belong to."""

from collections import deque
from collections.abc import Container

from prequel.services.producer.client import Client
from prequel.services.producer.positions import offset

MAX_BATCH_LABELS = 32
"""Labels in one request: one request each would cost most of its time; with more, labels come in bursts."""

AUTHOR = "prequel stream"
"""The ``by`` of the label events that a run sends."""
WHY = "producer"
"""Their ``why``: the images were not chosen to be labelled, but came with their labels."""


class DelayedLabels:
    """The labels of one run that are still to be sent into one stream, in the order of the images.

    A ``delay`` of N sends a label after N more images; 0, as soon as there are enough for one request.
    """

    def __init__(self, client: Client, stream: str, delay: int) -> None:
        self._client, self._stream, self._delay = client, stream, delay
        self._waiting: deque[tuple[str, str | None]] = deque()
        self.first_offset = self.offset = -1
        """Offsets of the first and the newest label that was sent, in the stream's partition of ``examples``."""

    def add(self, id: str, label: str | None, rejected: Container[str]) -> None:
        """An image was sent; send the labels that are due, in batches that are small against the delay.

        Ids in ``rejected`` get none: their labels would wait for their images for ever. Raises what the client raises.
        """
        self._waiting.append((id, label))
        due = len(self._waiting) - self._delay
        batch = max(1, min(MAX_BATCH_LABELS, self._delay // 4)) if self._delay else MAX_BATCH_LABELS
        if due >= batch:
            self._send(due, rejected)

    def flush(self, rejected: Container[str]) -> None:
        """Send all that are left."""
        while self._waiting:
            self._send(min(MAX_BATCH_LABELS, len(self._waiting)), rejected)

    def _send(self, count: int, rejected: Container[str]) -> None:
        due = [self._waiting.popleft() for _ in range(count)]
        labels = [
            {"id": id, "label": label, "by": AUTHOR, "why": WHY}
            for id, label in due
            if label is not None and id not in rejected
        ]
        if labels:
            offsets = [offset(accepted["position"]) for accepted in self._client.post_labels(self._stream, labels)]
            self.first_offset = offsets[0] if self.first_offset < 0 else self.first_offset
            self.offset = offsets[-1]
