"""Every change of a fold's configuration since its first event."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from prequel.services.learner.fold.config import FoldConfig, config_from


class ConfigChange(NamedTuple):
    """The configuration from ``offset`` on, from a process that started at ``started`` (seconds since the epoch)."""

    offset: int
    started: float
    config: FoldConfig


class ConfigHistory:
    """The changes in order: a replay of any part of the log has to use what was in force there."""

    def __init__(self, first: ConfigChange) -> None:
        self._changes = [first]

    @property
    def begin(self) -> int:
        """The offset at which the fold began."""
        return self._changes[0].offset

    @property
    def current(self) -> ConfigChange:
        """The newest change."""
        return self._changes[-1]

    def add(self, change: ConfigChange) -> None:
        """Add a change. An equal configuration of a later process is none: only the time of its start is noted."""
        if change.config != self.current.config:
            self._changes.append(change)
        else:
            self._changes[-1] = self.current._replace(started=max(self.current.started, change.started))

    def at(self, offset: int) -> FoldConfig:
        """What was in force when the record at ``offset`` was folded, or would have been."""
        return [change for change in self._changes if change.offset <= max(offset, self.begin)][-1].config

    def models_between(self, begin: int, end: float) -> list[str]:
        """The models that changes after ``begin`` and before ``end`` name."""
        changes = [change for change in self._changes if begin < change.offset < end]
        return [spec for change in changes for spec in change.config.models]

    def __len__(self) -> int:
        return len(self._changes)

    def rows(self) -> list[list[Any]]:
        """As the root of a snapshot stores it; ``from_rows`` is its inverse."""
        return [[offset, started, config.as_settings()] for offset, started, config in self._changes]

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[Any]]) -> "ConfigHistory":
        """The inverse of ``rows``. Raises ValueError."""
        changes = [ConfigChange(offset, started, config_from(settings)) for offset, started, settings in rows]
        self = cls(changes[0])
        self._changes = changes
        return self
