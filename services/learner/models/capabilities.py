"""What only some models can do: take over a state, correct in their own way, predict many rows, tell a size, leave."""

from typing import Protocol, cast, runtime_checkable

import numpy as np

from prequel.services.learner.models.base import Matrix, Model, ModelState, Probabilities, Vector
from prequel.services.learner.portable.steps import Step
from prequel.shared.queries import ModelCannotLeave


class Loadable(Model, Protocol):
    """A model that can take over the state of another model of the same spec."""

    def load(self, state: ModelState) -> None: ...


class CorrectableModel(Protocol):
    """A model that corrects a label in a way of its own: its past fades, or its parts differ in what they unlearn."""

    def correct(self, x: Vector, old: str | None, new: str | None, *, age: int) -> bool:
        """As ``correct`` below."""
        ...


def correct(model: Model, x: Vector, old: str | None, new: str | None, *, age: int) -> bool:
    """Put ``new`` (None: nothing) in the place of the label ``old`` (None: none) that an example was learned with.

    ``age`` is how many examples were learned in their turn after it; a correction is out of turn, and so adds nothing
    to the age of others. Returns whether nothing of the old label is left: a model that cannot unlearn learns the new
    label beside it.
    """
    if hasattr(model, "correct"):  # not isinstance, which takes as long here as the rest of a correction
        return cast(CorrectableModel, model).correct(x, old, new, age=age)
    if old is not None and model.exact:
        model.unlearn(x, old)
    if new is not None:
        model.learn(x, new)
    return old is None or model.exact


class BatchModel(Protocol):
    """A model that predicts many rows faster than one after the other."""

    def predict_many(self, xs: Matrix) -> Probabilities:
        """As ``predict_many`` below."""
        ...


def predict_many(model: Model, xs: Matrix) -> Probabilities:
    """``model.predict`` of each row of ``xs`` [n, dim], up to rounding: [n, classes]. Changes nothing."""
    if hasattr(model, "predict_many"):
        return cast(BatchModel, model).predict_many(xs)
    return np.array(model.fold(xs, [None] * len(xs))).reshape(len(xs), len(model.labels))


@runtime_checkable
class SizedModel(Protocol):
    """A model that tells how large it is without a copy of its state."""

    @property
    def size(self) -> int:
        """Bytes of the state's large arrays: a function of the state alone, the same before and after a restart."""
        ...


def size_of(model: Model) -> int:
    """Bytes of a model's arrays. Copies the state of a model that is no ``SizedModel``."""
    return model.size if isinstance(model, SizedModel) else sum(array.nbytes for array in model.state().arrays.values())


@runtime_checkable
class GrowingModel(Protocol):
    """A model that gets much larger with what it learns, and tells how large it can get."""

    @property
    def full_size(self) -> int:
        """What ``size_of`` will be once it has learned enough, but for what grows with the number of classes."""
        ...


def full_size_of(model: Model) -> int:
    """Bytes of a model's arrays once it has learned enough: at least what they are now."""
    return max(size_of(model), model.full_size if isinstance(model, GrowingModel) else 0)


class PortableModel(Protocol):
    """A model whose predictions are a few steps on arrays."""

    def portable(self) -> tuple[Step, ...]:
        """As ``portable_steps`` below. Asked only of a model that has learned a label."""
        ...


def portable_steps(name: str, model: Model) -> tuple[Step, ...]:
    """The steps from features to the probabilities that ``predict`` gives now, up to rounding; arrays are copies.

    Raises ModelCannotLeave, with ``name``, where there are none.
    """
    if hasattr(model, "portable"):
        return cast(PortableModel, model).portable()
    raise ModelCannotLeave(
        f"{name} cannot leave Prequel: its state is a pickle of River's own objects, which nothing but River can run; "
        "use one of Prequel's own models, such as mix or logistic, or ask this stream over HTTP"
    )
