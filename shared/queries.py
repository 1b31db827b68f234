"""Questions that a running learner answers from its newest state: a prediction without an event, a stream's history."""

from typing import Protocol

from pydantic import BaseModel

from prequel.shared.backtests import Backtest, BacktestRequest
from prequel.shared.errors import PrequelError
from prequel.shared.opinions import ExampleQueue, OpinionQueries, QueueRequest, SimilarExamples
from prequel.shared.status import StreamDetail, StreamHistory
from prequel.shared.vectors import Vector


class Answer(BaseModel):
    """A prediction that is not an event: made from the state at ``position``, and learned by no model."""

    stream: str
    position: str
    model: str
    label: str | None
    probabilities: dict[str, float]
    models: dict[str, str | None]
    unknown: bool = False
    set: list[str] = []
    set_level: float = 0.0
    set_size: int = 0


class ModelCheck(BaseModel):
    """Why a learner cannot make a model; ``problem`` is empty where it can."""

    problem: str


class ModelCannotLeave(PrequelError, ValueError):
    """The stream has no such model, or none that can leave; the text says why, and what to do."""


class UnknownStream(PrequelError, LookupError):
    """No learner owns this stream."""


class Queries(OpinionQueries, Protocol):
    """Answers from the newest state. Safe from any thread; each blocks for the batch in progress at most."""

    def answer(self, stream: str, features: Vector) -> Answer:
        """Raises UnknownStream, and ValueError if ``features`` is no vector of the stream's size in bounds."""
        ...

    def detail(self, stream: str) -> StreamDetail:
        """Raises UnknownStream."""
        ...

    def history(self, stream: str) -> StreamHistory:
        """Raises UnknownStream."""
        ...

    def model_problem(self, stream: str, spec: str) -> str:
        """Why the stream's learner cannot make this model, and what it could; empty where it can.

        Raises UnknownStream.
        """
        ...

    def model_file(self, stream: str, spec: str) -> bytes:
        """One of the stream's models as a file (.npz) that `prequel predict` reads; ``spec`` empty: the champion.

        Raises UnknownStream, ModelCannotLeave.
        """
        ...

    def start_backtest(self, stream: str, request: BacktestRequest) -> Backtest:
        """Ask for a back-test; what is known of it where one with this id was asked for before.

        Blocks for the store too. Raises UnknownStream, BacktestRefused, StoreUnavailable.
        """
        ...

    def end_backtest(self, stream: str, id: str) -> Backtest | None:
        """Cancel a back-test that waits or runs, forget one that has ended; None where there is none.

        Blocks for the store too. Raises UnknownStream, StoreUnavailable.
        """
        ...


class DeferredQueries:
    """Queries of a learner that is set later, once it is made; until then every stream is unknown."""

    queries: Queries | None = None

    def answer(self, stream: str, features: Vector) -> Answer:
        return self._set(stream).answer(stream, features)

    def detail(self, stream: str) -> StreamDetail:
        return self._set(stream).detail(stream)

    def history(self, stream: str) -> StreamHistory:
        return self._set(stream).history(stream)

    def model_problem(self, stream: str, spec: str) -> str:
        return self._set(stream).model_problem(stream, spec)

    def model_file(self, stream: str, spec: str) -> bytes:
        return self._set(stream).model_file(stream, spec)

    def start_backtest(self, stream: str, request: BacktestRequest) -> Backtest:
        return self._set(stream).start_backtest(stream, request)

    def end_backtest(self, stream: str, id: str) -> Backtest | None:
        return self._set(stream).end_backtest(stream, id)

    def queue(self, stream: str, request: QueueRequest) -> ExampleQueue:
        return self._set(stream).queue(stream, request)

    def similar(self, stream: str, id: str, limit: int, position: str | None = None) -> SimilarExamples:
        return self._set(stream).similar(stream, id, limit, position)

    def _set(self, stream: str) -> Queries:
        if self.queries is None:
            raise UnknownStream(stream)
        return self.queries
