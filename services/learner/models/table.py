"""The models by name: what a spec may say, and the model that it makes."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from services.learner.models.model import Model, ModelState
from services.learner.models.spec import Option, Stage, UnknownModel, listing, number, parse, read_options, whole

__all__ = ["UnknownModel", "check", "compile", "create", "pickled", "restore"]


class Loadable(Model, Protocol):
    """A model that can become what a state was taken of."""

    def load(self, state: ModelState) -> None: ...


class Row(NamedTuple):
    """A model: ``build`` makes an empty one from its argument, dimension, seed and options.

    It imports what it needs itself, so that a process pays only for the models it uses.
    """

    build: Callable[[str, int, int, Mapping[str, Any]], Loadable]
    options: Mapping[str, Option]
    meaning: str


def _linear(argument: str, dim: int, seed: int, options: Mapping[str, Any], *, multinomial: bool) -> Loadable:
    from services.learner.models.linear import Linear

    return Linear(dim, multinomial=multinomial, **options)


def _logistic(argument: str, dim: int, seed: int, options: Mapping[str, Any]) -> Loadable:
    return _linear(argument, dim, seed, options, multinomial=False)


def _softmax(argument: str, dim: int, seed: int, options: Mapping[str, Any]) -> Loadable:
    return _linear(argument, dim, seed, options, multinomial=True)


def _slda(argument: str, dim: int, seed: int, options: Mapping[str, Any]) -> Loadable:
    from services.learner.models.slda import slda

    return slda(dim, seed=seed, **options)


def _river(argument: str, dim: int, seed: int, options: Mapping[str, Any]) -> Loadable:
    from services.learner.models.river_adapter import RiverModel

    return RiverModel(argument, dim=dim, seed=seed)


_RATE = {"rate": Option(number(1e-9, 1e3), "learning rate")}

_WIDTH = Option(whole(8, 8192), "features kept: wider vectors are projected")

MODELS: Mapping[str, Row] = {
    "logistic": Row(_logistic, _RATE, "one-vs-rest logistic regression by gradient descent, as River's"),
    "slda": Row(
        _slda,
        {
            "width": _WIDTH,
            "shrinkage": Option(number(1e-6, 1), "of the correlations towards none"),
            "decay": Option(number(0, 0.5), "share of all sums that fades with each example"),
        },
        "streaming linear discriminant analysis: never forgets, corrects exactly",
    ),
    "softmax": Row(_softmax, _RATE, "softmax regression by gradient descent, as River's"),
    "river": Row(_river, {}, "any classifier of River, by its dotted name: river:naive_bayes.GaussianNB"),
}


def check(spec: str) -> None:
    """Raise UnknownModel, naming the offending part and listing what exists, unless ``spec`` can be created."""
    _parts(spec)
    if pickled(spec):
        from services.learner.models.river_adapter import river_class

        river_class(parse(spec)[-1].argument)


def create(spec: str, dim: int, *, seed: int) -> Model:
    """A model that has learned nothing, over vectors of ``dim`` features. Raises UnknownModel."""
    return _build(spec, dim, seed)


def restore(spec: str, state: ModelState) -> Model:
    """The model that ``state`` was taken of, with identical continuation bit for bit.

    Raises UnknownModel, and UnpicklingError where ``state.pickled`` names what River's models never do.
    """
    model = _build(spec, state.meta["dim"], state.meta.get("seed", 0))
    model.load(state)
    return model


def compile(spec: str, dim: int) -> None:
    """Load the model's kernels from the disk cache, or compile them into it, so that no event has to wait."""
    model = _build(spec, dim, 0)
    model.learn(np.zeros(dim, np.float32), "a")
    model.fold(np.ones((2, dim), np.float32), ["b", None])
    model.predict(np.zeros(dim, np.float32))
    if model.exact:
        model.unlearn(np.zeros(dim, np.float32), "a")


def pickled(spec: str) -> bool:
    """Whether the model's state is a pickle, which needs a signing key."""
    return parse(spec)[-1].name == "river"


def _build(spec: str, dim: int, seed: int) -> Loadable:
    stage, row, options = _parts(spec)
    return row.build(stage.argument, dim, seed, options)


def _parts(spec: str) -> tuple[Stage, Row, dict[str, Any]]:
    *recipes, stage = parse(spec)
    if recipes:
        raise UnknownModel(f"there is no recipe {recipes[0].name!r}")
    if stage.name not in MODELS:
        raise UnknownModel(f"there is no model {stage.name!r} (in {spec!r}); there are {listing(MODELS)}")
    row = MODELS[stage.name]
    if stage.argument and stage.name != "river":
        raise UnknownModel(f"{stage.name!r} takes nothing after a colon (in {spec!r}); options are ;name=value")
    return stage, row, read_options(stage, row.options)
