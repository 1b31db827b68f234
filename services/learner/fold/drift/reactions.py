"""The options of a spec that are the fold's: what a model does when its error drifts, and `calibrate=`."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from prequel.services.learner.models import registry
from prequel.services.learner.models.base import Model
from prequel.services.learner.models.mix import Mix
from prequel.services.learner.models.scaling import ScaledModel
from prequel.services.learner.models.spec import UnknownModel
from prequel.services.learner.models.transforms import TransformedModel
from prequel.shared.model_specs import split_outside

REACTIONS = ("none", "reset", "forget")
FADE_FACTOR = 0.1
"""The weight of the past after a drift, in a model that forgets. After a change of camera in the middle of 5,000 images
(CIFAR-10), `slda` was right in 0.492 of cases without a reaction, 0.525 with 0.25, 0.533 with 0.1, 0.535 with 0.03 and
with 0; `ridge` in 0.460, 0.495, 0.503, 0.500 and 0.481. A false alarm cost `slda` over the next 2,500 images 0.1 points
with 0.25, 0.4 with 0.1, 0.8 with 0.03 and 2.0 with 0."""


@runtime_checkable
class Fading(Protocol):
    """A model whose past can be made to weigh less."""

    def fade(self, keep: float) -> None:
        """Let everything learned so far weigh ``keep`` (0 to 1) of what it did."""
        ...


class Reaction(NamedTuple):
    """``spec`` is the model's without these options, as the registry knows it; ``kind`` is one of REACTIONS."""

    spec: str
    kind: str
    calibrated: bool = True
    """Whether the fold calibrates the model's probabilities: not with `calibrate=off`."""
    sharpened: bool = True
    """Whether the fold finds their sharpness: not where the model does so itself."""


def fade(model: Model) -> None:
    """Let the model's past weigh FADE_FACTOR of what it did, where it can."""
    for part in _fading_parts(model):
        part.fade(FADE_FACTOR)


def _fading_parts(model: Model) -> list[Fading]:
    """What can fade behind all transforms, which are fixed, or learn from the features only, and in a mixture."""
    if isinstance(model, TransformedModel | ScaledModel):
        return _fading_parts(model.inner)
    if isinstance(model, Mix):
        return [part for expert in model.experts for part in _fading_parts(expert)]
    return [model] if isinstance(model, Fading) else []


def reaction(spec: str) -> Reaction:
    """Split `;drift=...` and `;calibrate=...` off a model's spec. Raises UnknownModel for an unknown value of them.

    >>> reaction("slda;drift=forget"), reaction("logistic;calibrate=off").calibrated
    (Reaction(spec='slda', kind='forget', calibrated=True, sharpened=False), False)
    """
    rest, kind = _split_off(spec, "drift", REACTIONS, "unknown reaction")
    rest, calibrate = _split_off(rest, "calibrate", ("on", "off"), "unknown calibration")
    return Reaction(rest, kind, calibrate == "on", not registry.finds_sharpness(rest))


def _split_off(spec: str, name: str, choices: Sequence[str], problem: str) -> tuple[str, str]:
    """The spec without one of the fold's options, and the option's value: the first of ``choices`` by default."""
    try:
        parts = split_outside(spec, ";")
    except ValueError as error:
        raise UnknownModel(f"model {spec!r}: {error}") from None
    chosen = [part.partition("=")[2].strip() for part in parts if part.partition("=")[0].strip() == name]
    if len(chosen) > 1 or not set(chosen) <= set(choices):
        raise UnknownModel(f"model {spec!r}: {problem} {name}={','.join(chosen)}; use one of {', '.join(choices)}")
    rest = ";".join(part for part in parts if part.partition("=")[0].strip() != name)
    return rest, chosen[0] if chosen else choices[0]


def check_spec(spec: str, *, signed: bool) -> str:
    """The spec without the fold's options. Raises UnknownModel where this Prequel cannot use it.

    ``signed`` is whether there is a key that pickled models can be signed with.
    """
    model, kind, *_ = reaction(spec)
    registry.check(model)
    if kind == "forget" and not _fading_parts(registry.create(model, 8, seed=0)):
        raise UnknownModel(
            f"model {spec!r}: drift=forget is for slda and ridge, behind any transform and in mix; use drift=reset"
        )
    if registry.is_pickled(model) and not signed:
        raise UnknownModel(f"{model} is stored as a pickle: set PREQUEL_SNAPSHOT_KEY to a long random text to sign it")
    return model
