"""Stands in for a learner's back-tests: each is done as soon as it is asked for, or, of so many examples, never."""

from prequel.shared import backtests
from prequel.shared.backtests import CANCELLED, DONE, FORGOTTEN, RUNNING, Backtest, BacktestRefused, BacktestRequest
from prequel.shared.backtests import BacktestResult as Result
from prequel.shared.status import Confusion, CurvePoint, LabelOrderStatus, ModelStatus, VerdictStatus
from prequel.shared.store.base import Store

ENDLESS, FULL = 2, 1
"""Asked for the newest two examples it never ends; for the newest one there is no room."""


class EchoBacktests:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._asked: dict[tuple[str, str], Backtest] = {}

    def start(self, stream: str, request: BacktestRequest) -> Backtest:
        if request.last == FULL:
            raise BacktestRefused("10 jobs wait already: cancel one, or ask again when one is done")
        if known := self._asked.get((stream, request.id)):
            return known
        at = 1_000.0 + len(self._asked)
        backtest = Backtest(
            id=request.id,
            stream=stream,
            status=RUNNING if request.last == ENDLESS else DONE,
            progress=0.25 if request.last == ENDLESS else 1.0,
            champion="echo",
            models=request.models or ["echo"],
            backbone=request.backbone,
            since=request.since,
            last=request.last,
            asked_at=at,
            ended_at=None if request.last == ENDLESS else at + 0.5,
        )
        self._asked[stream, request.id] = backtest
        if backtest.status == DONE:
            result = result_of(backtest.models, request.backbone).model_dump_json().encode()
            self._store.put(backtests.result_key(stream, request.id), result)
        self._store.put(backtests.key(stream, request.id), backtest.model_dump_json().encode())
        return backtest

    def end(self, stream: str, id: str) -> Backtest | None:
        backtest = self._asked.pop((stream, id), None)
        if backtest is None:
            return None
        self._store.delete([backtests.key(stream, id), backtests.result_key(stream, id)])
        return backtest.model_copy(update={"status": CANCELLED if backtest.status == RUNNING else FORGOTTEN})


def result_of(specs: list[str], backbone: str = "") -> Result:
    """The champion was right in 80 of 100 cases, every other model in 90."""
    models = [f"{spec} on {backbone}" if backbone else spec for spec in specs]
    return Result(
        begin="0:0",
        end="0:200",
        images=120,
        labelled=101,
        champion="echo",
        backbone=backbone,
        models={"echo": _metrics(80)} | {model: _metrics(90) for model in models},
        verdicts={model: _verdict(model) for model in models},
        label_order=LabelOrderStatus(mixed=True, text="The newest 101 labels come mixed."),
        curve=[CurvePoint(scored=100, accuracy={"echo": 0.8}, window_accuracy={"echo": 0.8})],
        confusion={"echo": Confusion(labels=["cat"], rows=[[80, 20]])},
    )


def _metrics(right: int) -> ModelStatus:
    accuracy = right / 100
    interval = (accuracy - 0.1, accuracy + 0.1)
    return ModelStatus(
        scored=100,
        accuracy=accuracy,
        window_accuracy=accuracy,
        kappa=0.5,
        log_loss=0.25,
        interval=interval,
        classes={},
    )


def _verdict(model: str) -> VerdictStatus:
    text = f"{model} would have been better than echo on 100 labels: 90.0 % against 80.0 %."
    return VerdictStatus(
        verdict="better",
        scored=100,
        wins=12,
        losses=2,
        difference=0.1,
        interval=(0.02, 0.18),
        since=0,
        text=text,
    )
