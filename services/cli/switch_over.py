"""The whole of `reextract --switch`: extracts, switches, and adds the images that came in between."""

import threading
from collections.abc import Callable
from typing import Any

from prequel.services.cli.reextract import ReextractedStream, progress_bar
from prequel.services.extractor.reextraction.reextraction import Interrupted
from prequel.services.producer.commands.switch import switch_backbone
from prequel.services.producer.errors import ProducerError
from prequel.services.producer.stream_changes import StreamChanges
from prequel.shared.log.base import Position
from prequel.shared.runtime.deadlines import REEXTRACT_POLL_S, REEXTRACT_QUIET_S, REEXTRACT_SETTLE_S
from prequel.shared.status import StreamStatus


class SwitchOver:
    """Extracts, switches, and extracts what came in between. Every call blocks, and raises what these steps raise."""

    def __init__(
        self,
        changes: StreamChanges,
        work: ReextractedStream,
        *,
        stop: threading.Event,
        clock: Callable[[], float],
        quiet_s: float = REEXTRACT_QUIET_S,
    ) -> None:
        self._changes, self._work, self._stop, self._clock, self._quiet_s = changes, work, stop, clock, quiet_s
        self._older = set[str]()
        """Ids of commands that were given before."""

    def run(self) -> int:
        """The exit code: 1 where the extractor goes on with the old backbone."""
        self._work.extract(self._clock)
        self._wait_for(self._has_counted)
        self._older = {command["id"] for command in self._commands()}
        switch_backbone(self._changes, self._work.backbone)
        self._wait_for_hand_over()
        return self._take_in_late_images()

    def _has_counted(self, status: StreamStatus) -> bool:
        """Whether the learner has seen every feature, so that it can say how many images would be left out."""
        return Position.parse(status.position).offset >= max(self._work.job.end, self._work.missing.own_end)

    def _wait_for_hand_over(self) -> None:
        with progress_bar(self._changes.console, f"replaying {self._changes.stream}") as bar:

            def switched(status: StreamStatus) -> bool:
                if status.catching_up:
                    bar.update(bar.task_ids[0], completed=round(100 * status.catching_up.progress), total=100)
                    if status.catching_up.problem:
                        raise ProducerError(f"the replay cannot go on: {status.catching_up.problem}")
                return status.backbone == self._work.backbone or self._is_refused()

            self._wait_for(switched)
        self._work.say(f"{self._changes.stream}: it learns from {self._work.backbone} now")

    def _is_refused(self) -> bool:
        """Raises ProducerError where the learner has refused the switch only after the command had been waited for."""
        for command in self._commands():
            if command["do"] == "stream.switch" and command["status"] == "refused" and command["id"] not in self._older:
                raise ProducerError(f"{self._changes.stream} is unchanged: {command['why']}")
        return False

    def _commands(self) -> list[dict[str, Any]]:
        history = self._changes.client.history(self._changes.stream)
        return list(history["commands"]) if history else []

    def _wait_for(self, condition: Callable[[StreamStatus], bool]) -> None:
        while (status := self._changes.client.stream(self._changes.stream)) is None or not condition(status):
            if self._stop.wait(REEXTRACT_POLL_S):
                raise Interrupted

    def _take_in_late_images(self) -> int:
        """Extract the images that were extracted with the old backbone after the switch, until none come any more."""
        quiet_since, deadline, before = self._clock(), self._clock() + REEXTRACT_SETTLE_S, self._work.job.total
        while self._clock() - quiet_since < self._quiet_s:
            if images := self._work.missing.read():
                self._work.job.extract(images)
                quiet_since = self._clock()
            if self._clock() > deadline:
                self._work.say(
                    "images still come with features of the old backbone: start the extractors again, with "
                    "PREQUEL_WEIGHTS for the new one if it needs them, then give this command again without --switch"
                )
                return 1
            if self._stop.wait(REEXTRACT_POLL_S):
                raise Interrupted
        late = self._work.job.total - before
        self._work.say(
            *([f"{self._changes.stream}: images that came in between, and were added: {late:,}"] if late else [])
        )
        return 0
