"""What the fold uses of the settings, as the log says it, and the history of that in a state."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from prequel.services.learner.fold.stream import Limits
from prequel.shared.config import Settings
from prequel.shared.events.types import Defaults, Rejected


def limits(settings: Settings) -> Limits:
    """What of the settings the state depends on."""
    return Limits(
        tuple(settings.model_names),
        settings.seed,
        settings.window,
        settings.duplicates,
        settings.accuracy_window,
        settings.max_streams,
        settings.max_labels,
        settings.max_waiting,
        settings.max_model_bytes,
        settings.unknown_probability,
        settings.unknown_distance,
    )


BUILT_IN = limits(Settings.model_validate({}))
"""What a first record in the log changes: it names every setting that its writer knew."""


def as_settings(found: Limits) -> dict[str, Any]:
    """The inverse of ``limits``, by the settings' names."""
    return found._asdict() | {"models": ",".join(found.models)}


def changed(current: Limits, event: Defaults) -> Limits:
    """The limits from a record on: what it does not name stays. Raises Rejected for a value that no setting allows.

    What this Prequel knows no setting for is left out: a newer one wrote it, and knows what an older one makes of it.
    """
    named = {name: value for name, value in event.settings.items() if name in Limits._fields}
    try:
        return limits(Settings.model_validate(as_settings(current) | named))
    except ValidationError as error:
        raise Rejected("bad-defaults", str(error)) from None


class Since(NamedTuple):
    """The limits from ``offset`` on, of a process that began at ``started``."""

    offset: int
    started: float
    limits: Limits


class History:
    """Every change of the defaults since the fold's first event: what a replay of any part of the log has to use."""

    def __init__(self, first: Since) -> None:
        self._changes = [first]

    @property
    def begin(self) -> int:
        """Where the fold began."""
        return self._changes[0].offset

    @property
    def now(self) -> Since:
        return self._changes[-1]

    def add(self, change: Since) -> None:
        """Equal limits of a later start are no change: only the start counts from here on."""
        if change.limits != self.now.limits:
            self._changes.append(change)
        else:
            self._changes[-1] = self.now._replace(started=max(self.now.started, change.started))

    def at(self, offset: int) -> Limits:
        """What was in force when the record at ``offset`` was folded, or would have been."""
        return [each for each in self._changes if each.offset <= max(offset, self.begin)][-1].limits

    def rows(self) -> list[list[Any]]:
        return [[offset, started, as_settings(found)] for offset, started, found in self._changes]

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[Any]]) -> "History":
        """The inverse of ``rows``. Raises ValueError."""
        found = [Since(offset, started, _limits(settings)) for offset, started, settings in rows]
        self = cls(found[0])
        self._changes = found
        return self


def _limits(settings: dict[str, Any]) -> Limits:
    return limits(Settings.model_validate(settings))
