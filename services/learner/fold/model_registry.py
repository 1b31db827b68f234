"""The interface through which the fold makes models: services/learner/models/registry.py, or a test's own."""

from typing import Protocol

from prequel.services.learner.models.base import Model, ModelState


class ModelRegistry(Protocol):
    """Makes models by their specs. Raises UnknownModel for a spec that it does not know."""

    def create(self, spec: str, dim: int, *, seed: int) -> Model:
        """A model that has learned nothing, for float32 vectors of shape [dim]."""
        ...

    def restore(self, spec: str, state: ModelState) -> Model:
        """The model that ``state`` was taken from."""
        ...
