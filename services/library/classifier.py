"""`prequel.Classifier`: any model of Prequel as a classifier of River, for its pipelines, ensembles and evaluation."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from river import base

from prequel.services.learner.fold.drift.reactions import reaction
from prequel.services.learner.models.registry import UnknownModel, check
from prequel.services.library.columns import Columns, Features, names_of
from prequel.services.library.frames import frame_like, read_frame, read_labels, series_like
from prequel.services.library.labelled_model import CannotUnlearn, InvalidLabel, LabelledModel, require_label
from prequel.shared.vectors import MAX_FEATURES


class Classifier(base.MiniBatchClassifier):
    """A model of Prequel that learns dicts of numbers, or rows of arrays, one at a time.

    It is the model itself: what it predicts is, bit for bit, what the model of the same spec, seed and features
    predicts in a stream before the stream calibrates it. What else a stream does is the stream's: calibration, limits,
    reactions to drift, metrics. River has its own (``drift.DriftRetrainingClassifier``, ``metrics``).

    Labels may be of any type that can be a key of a dict, and come back as they were first learned. Before the first
    label ``predict_proba_one`` gives ``{}`` and ``predict_one`` None. What cannot be learned raises a PrequelError that
    names the feature, and is a ValueError too; the model stays as it was.

    Parameters
    ----------
    model
        The model, as in ``PREQUEL_MODELS``: ``mix``, ``slda``, ``scale|mlp;hidden=64``, ``mix(slda, ncm)``, ...
    seed
        Of all its random numbers, 0 or larger; a stream's is ``PREQUEL_SEED``, which is 0 too.
    features
        The names of the features in the order of their columns; or how many columns to leave room for, of which each
        name gets one when it is first learned. None: the names of the first example that is learned, in the order in
        which people sort them. A name without a column raises ValueError. A feature that is absent counts as 0.

    Examples
    --------
    >>> import prequel
    >>> from river import datasets, evaluate, metrics
    >>> model = prequel.Classifier("slda")
    >>> evaluate.progressive_val_score(datasets.Phishing(), model, metrics.Accuracy())
    Accuracy: 89.03%

    A label that was wrong is taken out of a model that can do so:

    >>> model = prequel.Classifier("ncm")
    >>> for x, y in [(1.0, "cat"), (2.0, "cat"), (8.0, "dog"), (9.0, "cat")]:
    ...     model.learn_one({"size": x}, y)
    >>> model.correct_one({"size": 9.0}, "cat", "dog")
    True
    >>> model.predict_one({"size": 6.0})
    'dog'

    """

    def __init__(self, model: str = "mix", *, seed: int = 0, features: int | Sequence[Hashable] | None = None) -> None:
        self.model, self.seed, self.features = model, seed, features
        self._spec = _spec(model)
        if not isinstance(seed, int) or seed < 0:
            raise ValueError(f"seed={seed!r} is not a whole number from 0 on: equal seeds make equal models")
        self._columns = _columns(features)
        self._learned: LabelledModel | None = None

    @property
    def labels(self) -> list[Any]:
        """The classes in the order in which they were first learned."""
        return list(self._learned.labels) if self._learned else []

    @property
    def feature_names(self) -> list[Any]:
        """The features that have a column, in the order of the columns."""
        return list(self._columns.names) if self._columns else []

    def learn_one(self, x: Features, y: Hashable) -> None:
        """Learn one example. Raises ValueError for features that are no finite numbers, and for a missing label."""
        require_label(y)
        columns = self._columns_for(names_of(x))
        vector = columns.vector(x)
        self._model_of(columns).learn(vector, y)

    def predict_proba_one(self, x: Features, **kwargs: Any) -> dict[Any, float]:
        """The probability of each class learned, ``{}`` before the first. ``kwargs`` are River's, and unused."""
        if self._learned is None or self._columns is None:
            return {}
        return dict(zip(self._learned.labels, self._learned.predict(self._columns.vector(x)), strict=True))

    def predict_one(self, x: Features, **kwargs: Any) -> Any:
        """The most probable class, None before the first label; of equal ones, that learned first."""
        found = self.predict_proba_one(x)
        return max(found, key=found.__getitem__) if found else None

    def unlearn_one(self, x: Features, y: Hashable, *, age: int = 0) -> None:
        """Forget one example that was learned with label ``y``; see ``correct_one``.

        Raises NotImplementedError where the model cannot forget it exactly: correct_one teaches it the right label.
        """
        if self._learned is not None and not self._learned.model.exact:
            raise CannotUnlearn(f"{self.model} cannot unlearn an example; correct_one teaches it the right label")
        self.correct_one(x, y, None, age=age)

    def correct_one(self, x: Features, old: Hashable, new: Hashable | None, *, age: int = 0) -> bool:
        """Put label ``new`` (None: nothing) in the place of ``old``, as a correction in a stream does.

        ``age`` is how many examples were learned after this one: it matters to models whose past fades. Returns whether
        nothing of ``old`` is left; a model that cannot unlearn learns the new label beside it. Raises ValueError for a
        label ``old`` that was never learned, and for a ``new`` that is none.
        """
        if new is not None:
            require_label(new)
        if age < 0:
            raise ValueError(f"age={age}: no fewer than 0 examples were learned after this one")
        if self._learned is None or self._columns is None:
            raise InvalidLabel(f"label {old!r} was never learned, nor was any other")
        return self._learned.correct(self._columns.vector(x), old, new, age=age)

    def learn_many(self, X: Any, y: Any) -> None:
        """Learn a data frame (pandas, polars, ...) or an array [n, dim], and n labels: as one by one, and faster."""
        (names, values), labels = read_frame(X), read_labels(y)
        if len(labels) != len(values):
            raise ValueError(f"there are {len(values)} examples, but {len(labels)} labels")
        for label in labels:
            require_label(label)
        if labels:
            columns = self._columns_for(names)
            matrix = columns.matrix(names, values)
            self._model_of(columns).learn_many(matrix, labels)

    def predict_proba_many(self, X: Any) -> Any:
        """``predict_proba_one`` of each row: a data frame of the same kind as ``X``, one column a class.

        Of an array [n, dim] an array float64 [n, classes], in the order of ``labels``.
        """
        return frame_like(X, self._predicted(X), self.labels)

    def predict_many(self, X: Any) -> Any:
        """``predict_one`` of each row: a series of the same kind as ``X``; of an array a list."""
        found, labels = self._predicted(X), self.labels
        return series_like(X, [labels[number] for number in found.argmax(axis=1)] if labels else [None] * len(found))

    def _predicted(self, X: Any) -> npt.NDArray[np.float64]:
        names, values = read_frame(X)
        if self._learned is None or self._columns is None:
            return np.empty((len(values), 0))
        return self._learned.predict_many(self._columns.matrix(names, values))

    def _columns_for(self, names: Iterable[Hashable]) -> Columns:
        return Columns.of(names) if self._columns is None else self._columns.extended(names)

    def _model_of(self, columns: Columns) -> LabelledModel:
        """The model for these columns; the columns are kept."""
        if self._learned is None:
            self._learned = LabelledModel.new(self._spec, columns.dim, seed=self.seed)
        self._columns = columns
        return self._learned

    @property
    def _multiclass(self) -> bool:
        return True

    def _unit_test_skips(self) -> set[str]:
        """Checks of River that bring new names after the first example: there is room for them with features=N."""
        if isinstance(self.features, int):
            return set()
        return {"check_emerging_features", "check_learn_many_matches_learn_one"}


def _spec(model: str) -> str:
    """The model's own spec. Raises UnknownModel, a ValueError that lists what there is."""
    if not isinstance(model, str):
        raise UnknownModel(f"model {model!r} is no text: name one, as in Classifier('slda')")
    spec, kind, calibrated, _ = reaction(model)
    if kind != "none" or (calibrated and "".join(spec.split()) != "".join(model.split())):
        raise UnknownModel(
            f"model {model!r}: drift= and calibrate= are what a stream does with its models, and a Classifier is the "
            "model alone: leave them out; River has drift.DriftRetrainingClassifier"
        )
    check(spec)
    return spec


def _columns(features: int | Sequence[Hashable] | None) -> Columns | None:
    """The columns that there are before the first example; None where that is to name them."""
    if features is None:
        return None
    if isinstance(features, int) and features > 0 and features is not True:
        if features > MAX_FEATURES:
            raise ValueError(
                f"features={features}: {MAX_FEATURES} are the most, since a model keeps numbers for each, used or not; "
                "where there are more names, preprocessing.FeatureHasher() of River makes fewer of them"
            )
        return Columns((), features)
    if not isinstance(features, Sequence) or isinstance(features, str) or not 0 < len(set(features)) == len(features):
        raise ValueError(
            f"features={features!r} is neither a list of names, each once, nor how many columns to leave room for"
        )
    return Columns(features, len(features))
