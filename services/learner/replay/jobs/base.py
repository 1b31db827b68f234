"""What a job is, what runs one, and what a running one is asked (protocols, value types and the error)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.shared.config import Settings
from prequel.shared.log.base import Log
from prequel.shared.store.base import Store


class JobFailed(Exception):
    """A job has ended without a result: the message is a sentence for people."""


class Job(NamedTuple):
    """``kind`` names the function, a row of its table; ``arguments`` are what JSON can hold."""

    kind: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class JobContext:
    """What a job works with. In a process of its own, log and store are opened for it alone."""

    settings: Settings
    log: Log
    store: Store
    registry: ModelRegistry


Report = Callable[[int, int], None]
"""Called by a job as it goes on: units done, of so many."""

JobFunction = Callable[[Job, JobContext, Report], bytes]
"""Does all of the work and returns the result. Raises JobFailed, LogUnavailable, StoreUnavailable, ConfigError."""


def result(outcome: bytes | JobFailed | None) -> bytes:
    """What a job that has ended with ``outcome`` has made. Raises JobFailed where it has failed."""
    assert outcome is not None, "a job is asked for its result only once it has ended"
    if isinstance(outcome, JobFailed):
        raise outcome
    return outcome


class RunningJob(Protocol):
    """A job from its start to its end. Thread-safe; no call blocks, but an in-process job runs in ``poll``."""

    @property
    def progress(self) -> float:
        """The share that is done, 0 to 1, as far as the job has said."""
        ...

    def poll(self) -> bool:
        """Whether it has ended: with a result, an error, or because it was cancelled."""
        ...

    def outcome(self) -> bytes:
        """The result, once ``poll`` has returned True. Raises JobFailed where there is none."""
        ...

    def cancel(self) -> None:
        """End it now; nothing of it is left. One that has ended stays as it is. May be called again."""
        ...


class Workers(Protocol):
    """Where jobs run."""

    def start(self, job: Job) -> RunningJob:
        """Start it. Does not wait for it. Raises JobFailed where no process can be started now."""
        ...
