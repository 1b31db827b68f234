"""What only some models can do: take over a state, and tell their size without copying it."""

from typing import Protocol, runtime_checkable

from prequel.services.learner.models.base import Model, ModelState


class Loadable(Model, Protocol):
    """A model that can take over the state of another model of the same spec."""

    def load(self, state: ModelState) -> None: ...


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
