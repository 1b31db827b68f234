"""Questions that a running learner answers from its newest state: a prediction that is no event, a stream's detail."""

from typing import Protocol

from pydantic import BaseModel

from prequel.shared.status import StreamDetail
from prequel.shared.vectors import Vector


class Answer(BaseModel):
    """A prediction that is no event: from the state at ``position``."""

    stream: str
    position: str
    model: str
    label: str | None
    probabilities: dict[str, float]
    models: dict[str, str | None]
    unknown: bool = False


class UnknownStream(LookupError):
    """No learner holds this stream."""


class Queries(Protocol):
    """Answers from the newest state. Safe from any thread; waits at most for the batch in progress."""

    def answer(self, stream: str, features: Vector) -> Answer:
        """Raises UnknownStream; ValueError where the vector has another dimension or is not finite."""
        ...

    def detail(self, stream: str) -> StreamDetail:
        """Raises UnknownStream."""
        ...
