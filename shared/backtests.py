"""Back-tests: models tried on the past of a stream, as they are asked for, stored and answered."""

from typing import Any

from pydantic import BaseModel

from prequel.shared.status import (
    Confusion,
    CurvePoint,
    DriftMark,
    LabelOrderStatus,
    ModelStatus,
    ReliabilityPoint,
    VerdictStatus,
)

PREFIX, RESULT_PREFIX = "backtest/", "backtest-result/"
WAITING, RUNNING, DONE, FAILED, CANCELLED, FORGOTTEN = "waiting", "running", "done", "failed", "cancelled", "forgotten"
ENDED = (DONE, FAILED, CANCELLED)

MAX_MODELS = 8
"""Models in one back-test beside the champion. Each takes its part of the time: with twice as many, a back-test of a
long stream would keep all others waiting for hours; with half as many, nobody could try five values of an option."""


class BacktestRequest(BaseModel):
    """What is to be tried: ``models`` are specs.

    ``backbone`` is the beginning of the id of another backbone whose features they are tried on, beside the champion on
    the stream's own (empty: all on the stream's own); then they may be left out, for the champion's spec.

    ``since`` is where the range begins, ``partition:offset`` or an offset (None: where the stream begins), ``last`` how
    many of the newest examples are in it (None: all).
    """

    id: str
    models: list[str]
    backbone: str = ""
    since: str | None = None
    last: int | None = None


class BacktestResult(BaseModel):
    """Every model on identical events, each example scored before it was learned, beginning with nothing learned.

    ``begin`` and ``end`` are positions, the first record that was read and the one after the last; ``notes`` are
    sentences on what is missing. ``verdicts`` are over the whole range, by model, each against the champion. Where
    ``backbone`` is not empty, all models but the champion learned from its features, and are called ``SPEC on ID``.
    """

    begin: str
    end: str
    notes: list[str] = []
    images: int
    labelled: int
    champion: str
    backbone: str = ""
    models: dict[str, ModelStatus]
    verdicts: dict[str, VerdictStatus]
    label_order: LabelOrderStatus
    curve: list[CurvePoint]
    confusion: dict[str, Confusion]
    reliability: dict[str, list[ReliabilityPoint]] = {}
    drifts: list[DriftMark] = []


class Backtest(BaseModel):
    """A back-test, from being asked for to its result, which is kept apart.

    ``progress`` is the share that is done, 0 to 1; ``why`` the reason where it failed; ``asked_at`` and ``ended_at``
    are in seconds since the epoch. ``job`` is what its process is given, ``tries`` how often one was started: for the
    learner that goes on with it after a restart.
    """

    id: str
    stream: str
    status: str
    progress: float = 0.0
    champion: str
    models: list[str]
    backbone: str = ""
    since: str | None = None
    last: int | None = None
    asked_at: float
    ended_at: float | None = None
    why: str = ""
    tries: int = 0
    job: dict[str, Any] = {}


class BacktestRefused(Exception):
    """It is not run: ``field`` of the request is wrong; empty: stream or learner cannot now. ``why`` is a sentence."""

    def __init__(self, why: str, field: str = "") -> None:
        super().__init__(why)
        self.why, self.field = why, field


def prefix(stream: str) -> str:
    """What the store's keys of a stream's back-tests begin with."""
    return f"{PREFIX}{stream}/"


def key(stream: str, id: str) -> str:
    """The store's key of a back-test."""
    return prefix(stream) + id


def result_key(stream: str, id: str) -> str:
    """The store's key of its result."""
    return f"{RESULT_PREFIX}{stream}/{id}"
