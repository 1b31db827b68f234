"""The whole of `reextract --switch`: extracts, switches, and adds the images that came in between."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from prequel.services.cli.extractor_progress import ExtractorProgress
from prequel.services.cli.reextract import ReextractedStream, progress_bar
from prequel.services.extractor.reextraction.reextraction import Interrupted
from prequel.services.producer.commands.switch import switch_backbone
from prequel.services.producer.errors import ProducerError
from prequel.services.producer.stream_changes import StreamChanges
from prequel.shared.log.base import Position
from prequel.shared.runtime.deadlines import REEXTRACT_POLL_S, REEXTRACT_SETTLE_S, STREAM_BACKBONES_AGE_S
from prequel.shared.status import StreamStatus


class SwitchOver:
    """Extracts, switches, and extracts what came in between. Every call blocks, and raises what these steps raise."""

    def __init__(
        self,
        changes: StreamChanges,
        work: ReextractedStream,
        extractors: ExtractorProgress,
        *,
        stop: threading.Event,
        clock: Callable[[], float],
        notice_s: float = STREAM_BACKBONES_AGE_S,
    ) -> None:
        """``notice_s``: seconds until every extractor has seen the switch."""
        self._changes, self._work, self._extractors = changes, work, extractors
        self._stop, self._clock, self._notice_s = stop, clock, notice_s
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
            self._pause(REEXTRACT_POLL_S)

    def _take_in_late_images(self) -> int:
        """Extract the images that extractors had begun with the old backbone before they saw the switch."""
        before = self._work.job.total
        self._pause(self._notice_s)
        ends = self._extractors.ends()
        finished = self._wait_for_extractors(ends)
        images = self._work.missing.read()
        self._work.job.extract(images)
        if late := self._work.job.total - before:
            self._work.say(f"{self._changes.stream}: images that came in between, and were added: {late:,}")
        if finished and all(image.offset < ends[image.partition] for image in images):
            return 0
        self._work.say(
            "the extractors have not changed to the new backbone: start them again, with PREQUEL_WEIGHTS for it if it "
            "needs them, then give this command again without --switch"
        )
        return 1

    def _wait_for_extractors(self, ends: Mapping[int, int]) -> bool:
        """Whether they have finished the images before ``ends``; not, where they get no further for some time."""
        left, moved = self._extractors.left(ends), self._clock()
        while left and self._clock() - moved < REEXTRACT_SETTLE_S:
            self._pause(REEXTRACT_POLL_S)
            if (now := self._extractors.left(ends)) < left:
                left, moved = now, self._clock()
        return not left

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Interrupted
