"""Sends many labels, in batches that the learner takes a second for, and counts what became of them."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from prequel.services.producer.client import Client
from prequel.services.producer.errors import GatewayError, Stopped
from prequel.services.producer.label_table import LabelRow, RowProblem
from prequel.services.producer.positions import offset
from prequel.services.producer.progress import Progress
from prequel.shared.events.outcomes import too_many_labels
from prequel.shared.runtime.deadlines import PRODUCER_COMMAND_S, PRODUCER_SETTLE_BACKOFF, PRODUCER_SILENCE_S

FIRST_BATCH, MIN_BATCH, MAX_BATCH = 200, 16, 5_000
"""Labels in a request. The first one shows how fast the learner is; then a batch is what it takes a second for, so that
progress is shown every second and Ctrl-C waits no longer. Above the most, one request would be half a megabyte."""
BATCH_SECONDS = 1.0

NO_EFFECT = {
    "waiting": "the stream has no such image yet: its label waits for it",
    "expired": "the image is older than the stream's window (PREQUEL_WINDOW)",
    "rejected": too_many_labels().detail,
}
"""By the status of an outcome: why a label has had no effect."""


class LabelSender:
    """Sends labels into one stream. To be used once, from one thread; ``clock`` is in seconds."""

    def __init__(
        self,
        client: Client,
        stream: str,
        progress: Progress,
        *,
        stop: threading.Event,
        clock: Callable[[], float],
        silence_s: float = PRODUCER_SILENCE_S,
    ) -> None:
        self._client, self._stream, self._progress = client, stream, progress
        self._stop, self._clock, self._silence_s = stop, clock, silence_s
        self._newest = -1
        """Offset of the newest label sent, in the stream's partition of ``examples``."""
        self.statuses = Counter[str]()
        """How many labels have had which status."""
        self.problems: dict[str, list[RowProblem]] = {status: [] for status in NO_EFFECT}
        """Labels without an effect, by status."""
        self.seconds = 0.0

    def send(self, rows: Sequence[LabelRow]) -> None:
        """Send all labels, in their order. Blocks until each has an outcome.

        Raises Stopped, and what the client raises; what was sent until then is counted. A label that is sent again
        counts once.
        """
        begin, size, sent = self._clock(), FIRST_BATCH, 0
        while sent < len(rows):
            if self._stop.is_set():
                raise Stopped
            began, batch = self._clock(), rows[sent : sent + size]
            self._send_batch(batch)
            sent += len(batch)
            took = max(self._clock() - began, 1e-3)
            size = int(min(max(len(batch) / took * BATCH_SECONDS, MIN_BATCH), MAX_BATCH))
            self.seconds = self._clock() - begin
            self._progress.show(sent, self.seconds, self._client.stream(self._stream))

    def _send_batch(self, rows: Sequence[LabelRow]) -> None:
        """Send some labels; once more those that have no outcome in time, when the learner has processed them."""
        rows = self._post(rows)
        if rows:
            self._await_learner(len(rows))
            rows = self._post(rows)
        if rows:
            raise self._not_processed(len(rows))

    def _post(self, rows: Sequence[LabelRow]) -> list[LabelRow]:
        """Send labels in one request, and count their outcomes; those that have none yet."""
        answers = self._client.post_labels(self._stream, [_body(row) for row in rows], PRODUCER_COMMAND_S)
        self._newest = offset(answers[-1]["position"])
        for row, answer in zip(rows, answers, strict=True):
            if "status" in answer:
                self._count(row, answer)
        return [row for row, answer in zip(rows, answers, strict=True) if "status" not in answer]

    def _count(self, row: LabelRow, answer: dict[str, Any]) -> None:
        status = answer["status"]
        self.statuses[status] += 1
        if status in NO_EFFECT:
            text = row.label or "no label"
            reason = f"{answer['reason']}: {answer['detail']}" if answer.get("reason") else NO_EFFECT[status]
            self.problems[status].append(RowProblem(row.line, f"{row.id}, {text}: {reason}"))

    def _await_learner(self, labels: int) -> None:
        """Block until the learner has processed the newest label, as long as it makes progress.

        Raises GatewayError where it makes none, though nothing says that it is not ready.
        """
        since, last_position, tries = self._clock(), "", 0
        while True:
            status = self._client.stream(self._stream)
            if status and offset(status.position) > self._newest:
                return self._progress.show_waiting("")
            reasons = self._client.not_ready()
            self._progress.show_waiting("; ".join(f"{name}: {reason}" for name, reason in reasons.items()))
            if reasons:
                self._client.check_alive()
            if reasons or (status and status.position != last_position):
                since, last_position = self._clock(), status.position if status else ""
            elif self._clock() - since >= self._silence_s:
                raise self._not_processed(labels)
            tries += 1
            if self._stop.wait(PRODUCER_SETTLE_BACKOFF.pause(tries, random.random())):
                raise Stopped

    def _not_processed(self, labels: int) -> GatewayError:
        return GatewayError(
            f"the learner has not processed {labels:,} labels that are in the log: is one running? "
            "Give the same command again to see what became of them; the same label counts once"
        )


def _body(row: LabelRow) -> dict[str, str | None]:
    return {"id": row.id, "label": row.label, "by": row.by, "why": row.why}
