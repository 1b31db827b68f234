"""What a model does when its error drifts: the option `drift=` of its spec."""

from typing import NamedTuple, Protocol, runtime_checkable

from prequel.services.learner.models import registry
from prequel.services.learner.models.base import Model
from prequel.services.learner.models.spec import UnknownModel
from prequel.services.learner.models.transforms import Mapped, Scaled

REACTIONS = ("none", "reset", "forget")
KEPT = 0.25
"""What the past still weighs after a drift in a model that is to forget."""


@runtime_checkable
class Fading(Protocol):
    """A model whose past can be made to weigh less."""

    def fade(self, keep: float) -> None: ...


class Reaction(NamedTuple):
    """``spec`` is what the table of models knows, ``kind`` one of REACTIONS."""

    spec: str
    kind: str


def fade(model: Model) -> None:
    """Let the model's past weigh KEPT of what it did, where it can."""
    made = _innermost(model)
    if isinstance(made, Fading):
        made.fade(KEPT)


def _innermost(model: Model) -> Model:
    """The model behind all recipes: these are fixed, or learn of the features only."""
    while isinstance(model, Mapped | Scaled):
        model = model.inner
    return model


def reaction(spec: str) -> Reaction:
    """Take `;drift=...` out of a model's spec. Raises UnknownModel for another reaction than there are."""
    parts = spec.split(";")
    chosen = [part.partition("=")[2].strip() for part in parts if part.partition("=")[0].strip() == "drift"]
    rest = ";".join(part for part in parts if part.partition("=")[0].strip() != "drift")
    if len(chosen) > 1 or not set(chosen) <= set(REACTIONS):
        raise UnknownModel(f"model {spec!r}: drift={','.join(chosen)} is no reaction; there are {', '.join(REACTIONS)}")
    return Reaction(rest, chosen[0] if chosen else "none")


def checked(spec: str, *, signed: bool) -> str:
    """A spec without its reaction, once the table knows it. Raises UnknownModel, for an unsigned pickle too."""
    model, kind = reaction(spec)
    registry.check(model)
    if kind == "forget" and not isinstance(_innermost(registry.create(model, 8, seed=0)), Fading):
        raise UnknownModel(f"model {spec!r}: drift=forget is for slda and ridge, behind any recipe; use drift=reset")
    if registry.pickled(model) and not signed:
        raise UnknownModel(f"{model} is stored as a pickle: set PREQUEL_SNAPSHOT_KEY to a long random text to sign it")
    return model
