"""What only some models can do: take over a state, correct a label their own way, tell their size without a copy."""

from typing import Protocol, runtime_checkable

from prequel.services.learner.models.base import Model, ModelState, Vector


class Loadable(Model, Protocol):
    """A model that can take over the state of another model of the same spec."""

    def load(self, state: ModelState) -> None: ...


@runtime_checkable
class CorrectableModel(Protocol):
    """A model that corrects a label in a way of its own: what it is made of may differ in what it can unlearn."""

    def correct(self, x: Vector, old: str, new: str | None) -> bool:
        """As ``correct`` below."""
        ...


def correct(model: Model, x: Vector, old: str, new: str | None) -> bool:
    """Put ``new`` (None: nothing) in the place of the label ``old`` that an example was learned with.

    Returns whether nothing of the old label is left. A model that cannot unlearn learns the new label beside the old.
    """
    if isinstance(model, CorrectableModel):
        return model.correct(x, old, new)
    if model.exact:
        model.unlearn(x, old)
    if new is not None:
        model.learn(x, new)
    return model.exact


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
