"""What only some models can do: take over a state, correct a label their own way, tell their size without a copy."""

from typing import Protocol, cast, runtime_checkable

from prequel.services.learner.models.base import Model, ModelState, Vector


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
