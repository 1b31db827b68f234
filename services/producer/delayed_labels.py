"""Labels that are sent as events of their own, a number of images after the images they belong to."""

from collections import deque
from collections.abc import Container

from prequel.services.producer.client import Client
from prequel.services.producer.outstanding import offset

AT_ONCE = 32
BY = "prequel stream"
"""Who says what labels these events hold."""


class DelayedLabels:
    """The labels of one run that are still to be sent into one stream, in the order of the images.

    A ``delay`` of 0: as soon as there are enough for one request.
    """

    def __init__(self, client: Client, stream: str, delay: int) -> None:
        self._client, self._stream, self._delay = client, stream, delay
        self._waiting: deque[tuple[str, str | None]] = deque()
        self.first = self.offset = -1
        """Where the first and the newest label that were sent stand in the stream's partition of ``examples``."""

    def follow(self, id: str, label: str | None, rejected: Container[str]) -> None:
        """An image was sent; send what is due now, a few at once where the delay is long enough not to care.

        Ids in ``rejected`` get none: their labels would wait for ever. Raises what the client raises.
        """
        self._waiting.append((id, label))
        due = len(self._waiting) - self._delay
        if due >= (max(1, min(AT_ONCE, self._delay // 4)) if self._delay else AT_ONCE):
            self._send(due, rejected)

    def flush(self, rejected: Container[str]) -> None:
        """Send all that is left."""
        while self._waiting:
            self._send(min(AT_ONCE, len(self._waiting)), rejected)

    def _send(self, count: int, rejected: Container[str]) -> None:
        due = [self._waiting.popleft() for _ in range(count)]
        labels = [{"id": id, "label": label, "by": BY} for id, label in due if label is not None and id not in rejected]
        if labels:
            sent = [offset(each["position"]) for each in self._client.post_labels(self._stream, labels)]
            self.first, self.offset = sent[0] if self.first < 0 else self.first, sent[-1]
