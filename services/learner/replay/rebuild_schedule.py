"""The daily command to rebuild models: for the streams with corrections that some model could not make exactly."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from prequel.services.learner.context import SOURCE, LearnerContext
from prequel.services.learner.fold.decisions.decisions import REBUILD
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.owned_partition import OwnedPartition
from prequel.shared.events.commands import encode_command
from prequel.shared.log.base import Message


class RebuildSchedule:
    """Appends ``models.rebuild`` to the log once a day, at the time that the settings say.

    The command's id holds the day: where two learners give it, or one that has restarted, it counts once.
    """

    def __init__(self, context: LearnerContext, partitions: Mapping[int, OwnedPartition]) -> None:
        self._context, self._partitions = context, partitions
        self._done = self._day(context.started)
        """The newest day whose time has passed: a learner that starts later waits for the next one."""

    def work(self) -> None:
        """Give the commands that are due. Blocks for their append; raises LogUnavailable."""
        day = self._day(self._context.clock())
        if day != self._done:
            if messages := list(self._commands(day)):
                self._context.log.append(messages)
            self._done = day

    def _day(self, now: float) -> str:
        """The newest day on which the time of day has passed at ``now``; empty without a schedule."""
        at = self._context.settings.rebuild_at
        if not at:
            return ""
        hours, minutes = at.split(":")
        return datetime.fromtimestamp(now - 3_600 * int(hours) - 60 * int(minutes), UTC).date().isoformat()

    def _commands(self, day: str) -> Iterator[Message]:
        for partition in self._partitions.values():
            for name, stream in partition.fold.streams.items():
                if has_inexact_corrections(stream):
                    now = self._context.clock()
                    yield encode_command(
                        name, f"rebuild:{day}", REBUILD, arguments={}, by="schedule", time=now, source=SOURCE
                    )


def has_inexact_corrections(stream: StreamState) -> bool:
    """Whether some model may still hold labels that were corrected since its past was made, or rebuilt, last."""
    corrected = stream.statuses.get("corrected", 0) + stream.statuses.get("retracted", 0)
    return corrected > 0 and any(not model.exact for model in stream.models)
