"""The streams and comparisons that every model's checks share."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from prequel.services.learner.models.base import Matrix, Model, ModelState, Probabilities
from prequel.services.learner.models.catalogue import MODELS
from prequel.services.learner.models.discriminant import Discriminant
from prequel.services.learner.models.mix import Mix
from prequel.services.learner.models.ncm import NearestClassMean

RIVER = [
    "river:dummy.NoChangeClassifier",
    "river:forest.ARFClassifier",
    "river:linear_model.PAClassifier",
    "river:linear_model.SoftmaxRegression",
    "river:naive_bayes.GaussianNB",
    "river:neighbors.KNNClassifier",
    "river:tree.HoeffdingTreeClassifier",
]
NAMES = ["ridge;width=48" if name == "ridge" else name for name in MODELS if name != "river"]
BUILT_IN = [
    *NAMES,
    "slda;width=16",
    "slda;decay=0.01",
    "knn;window=20;k=3",
    "l2|ncm",
    "scale|passive-aggressive",
    "project:24|slda",
    "scale|l2|softmax",
    "softmax;replay=reservoir;memory=20",
    "logistic;replay=balanced;memory=20;replays=2",
    "softmax;replay=gaussian",
    "l2|softmax;replay=balanced;memory=10",
    "mlp;hidden=24-8;batch=4",
    "mlp;replay=balanced;memory=20;replays=2",
    "softmax;replay=cgan;replays=2",
    "mix(ncm, naive-bayes);prior=0.5;share=0.01",
    "l2|mix(knn, project:4|slda)",
    "scale|mix(logistic, mix(ncm, slda))",
]
SPECS = [
    *BUILT_IN,
    *RIVER,
    "mix(slda, river:naive_bayes.GaussianNB, river:dummy.NoChangeClassifier)",
    "scale|river:linear_model.Perceptron",
    "project:8|river:naive_bayes.GaussianNB",
]


def stream(n: int, dim: int, classes: int, seed: int = 0) -> tuple[Matrix, list[str]]:
    """Overlapping Gaussian classes in float32, in random order."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, dim))
    numbers = rng.integers(classes, size=n)
    xs = (centres[numbers] + rng.normal(size=(n, dim))).astype(np.float32)
    return xs, [f"class {number}" for number in numbers]


def with_gaps(labels: Sequence[str]) -> list[str | None]:
    """Every fifth label missing."""
    return [None if i % 5 == 3 else label for i, label in enumerate(labels)]


def run(model: Model, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
    """What ``fold`` promises, row by row."""
    predictions = []
    for x, label in zip(xs, labels, strict=True):
        predictions.append(model.predict(x))
        if label is not None:
            model.learn(x, label)
    return predictions


def contents(state: ModelState) -> tuple[object, ...]:
    """All of a state, comparable bit by bit."""
    arrays = {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in state.arrays.items()}
    return dict(state.meta), arrays, state.pickled


def same(a: Sequence[npt.NDArray[np.float64]], b: Sequence[npt.NDArray[np.float64]]) -> bool:
    """Bit-equal predictions."""
    return [p.tobytes() for p in a] == [p.tobytes() for p in b]


def proper(probabilities: Probabilities, classes: int) -> bool:
    """One finite probability for each class, and all of them together 1."""
    return (
        probabilities.shape == (classes,)
        and probabilities.dtype == np.float64
        and bool(np.isfinite(probabilities).all())
        and bool((probabilities >= 0).all())
        and (classes == 0 or abs(probabilities.sum() - 1) < 1e-9)
    )


def settle(model: Model) -> None:
    """Let a model that solves now and then do so now, behind its transforms too."""
    inner = getattr(model, "inner", model)
    if isinstance(inner, Discriminant):
        inner.solve()


def parts(model: Model) -> Sequence[Model]:
    """The models that a mixture is made of, or the model itself: how much each counts is learned and stays."""
    return model.experts if isinstance(model, Mix) else [model]


def temper_alike(model: Model, other: Model) -> None:
    """Give a model that calibrates itself the temperature of another, which has made other predictions."""
    inner, others = getattr(model, "inner", model), getattr(other, "inner", other)
    if isinstance(inner, Discriminant | NearestClassMean) and isinstance(others, Discriminant | NearestClassMean):
        inner._calibration.temperature[:] = others._calibration.temperature


def shape(probabilities: Probabilities) -> Probabilities:
    """Probabilities whatever their temperature."""
    logs = np.log(np.maximum(probabilities, 1e-300))
    logs -= logs.mean()
    return np.asarray(logs / max(float(np.abs(logs).max()), 1e-9))
