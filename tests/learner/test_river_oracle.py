"""River's own progressive validation is the oracle: same predictions, same metrics, with and without label delay."""

from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np
import pytest
from river import evaluate, linear_model, metrics, multiclass, preprocessing

from prequel.services.learner.fold.stream import StreamState
from tests.learner.building import ExampleLog, new_fold

COUNT, DIM, CLASSES = 400, 12, "abcd"


def examples() -> Iterator[tuple[dict[Hashable, Any], str]]:
    """Four overlapping clouds, the fourth class only after a while."""
    random = np.random.default_rng(7)
    centres = random.normal(size=(4, DIM))
    for number in range(COUNT):
        label = int(random.integers(4 if number > 150 else 3))
        x = (centres[label] + random.normal(size=DIM)).astype(np.float32)
        yield dict(enumerate(x.tolist())), CLASSES[label]


def logistic() -> object:
    return preprocessing.StandardScaler() | multiclass.OneVsRestClassifier(linear_model.LogisticRegression())


def softmax() -> object:
    return preprocessing.StandardScaler() | linear_model.SoftmaxRegression()


def folded(delay: int, models: str) -> StreamState:
    """The same through the fold: a label event comes before the ``delay``-th further example, the rest at the end."""
    log, due = ExampleLog(), list[tuple[str, str]]()
    for number, (x, label) in enumerate(examples()):
        if delay and len(due) == delay:
            log.label(*due.pop(0))
        log.features(f"i{number}", list(x.values()), None if delay else label)
        due += [(f"i{number}", label)] if delay else []
    for id, label in due:
        log.label(id, label)
    fold = new_fold(log, models=models)
    fold.apply(log.records)
    return fold.streams["s"]


@pytest.mark.parametrize("delay", [0, 1, 30])
@pytest.mark.parametrize(("number", "make"), [(0, logistic), (1, softmax)])
def test_metrics_are_those_of_rivers_progressive_validation(number: int, make: Callable[[], Any], delay: int) -> None:
    wanted: dict[str, float] = {}
    kinds: list[Any] = [metrics.Accuracy, metrics.CohenKappa, metrics.CrossEntropy]
    for metric in [kind() for kind in kinds]:
        evaluate.progressive_val_score(examples(), make(), metric, delay=delay or None)
        wanted[type(metric).__name__] = metric.get()
    scores = folded(delay, "logistic;calibrate=off,softmax;calibrate=off").scores
    assert scores.log_loss(number) == pytest.approx(wanted["CrossEntropy"], rel=1e-4)
    for calibrated in (scores, folded(delay, "logistic,softmax").scores):
        assert calibrated.accuracy(number) == wanted["Accuracy"]
        assert calibrated.kappa(number) == pytest.approx(wanted["CohenKappa"], rel=1e-12)
