"""The models by name: what a spec may say, and the model that it makes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from prequel.services.learner.models.base import Loadable, Model, ModelState
from prequel.services.learner.models.spec import (
    Option,
    Stage,
    UnknownModel,
    listing,
    number,
    one_of,
    parse,
    read_options,
    whole,
)

__all__ = ["MODELS", "RECIPES", "UnknownModel", "check", "compile", "create", "pickled", "restore"]


class Row(NamedTuple):
    """A model: ``build`` makes an empty one from its argument, dimension, seed and options.

    It imports what it needs itself, so that a process pays only for the models it uses.
    """

    build: Callable[..., Loadable]
    options: Mapping[str, Option]
    meaning: str


class Recipe(NamedTuple):
    """What is done to features first: ``build`` puts it before the model that the rest of the spec makes."""

    build: Callable[[Any, int, int, Callable[[int], Loadable]], Loadable]
    argument: Option | None
    meaning: str


def _logistic(dim: int, seed: int, rate: float | None = None, **rehearsal: Any) -> Loadable:
    from prequel.services.learner.models.linear import Linear

    return _rehearsed(Linear(dim, multinomial=False, rate=_rate(rate, rehearsal)), dim, seed, **rehearsal)


def _softmax(dim: int, seed: int, rate: float | None = None, **rehearsal: Any) -> Loadable:
    from prequel.services.learner.models.linear import Linear

    return _rehearsed(Linear(dim, multinomial=True, rate=_rate(rate, rehearsal)), dim, seed, **rehearsal)


def _rate(rate: float | None, rehearsal: Mapping[str, Any]) -> float:
    """River's rate; a third of it where each example brings several steps of rehearsal."""
    return rate or (RIVER_RATE if rehearsal.get("replay", "none") == "none" else REHEARSAL_RATE)


def _rehearsed(
    model: Loadable, dim: int, seed: int, replay: str = "none", memory: int = 1000, replays: int = 6
) -> Loadable:
    if replay == "none":
        return model
    from prequel.services.learner.models.rehearsal import memories
    from prequel.services.learner.models.rehearsal.rehearsal import Replay

    kinds: dict[str, Callable[[], memories.Memory]] = {
        "reservoir": lambda: memories.Reservoir(dim, memory),
        "balanced": lambda: memories.Balanced(dim, memory),
        "gaussian": lambda: memories.Gaussians(dim),
        "cgan": lambda: _generated(dim, seed),
    }
    return Replay(model, kinds[replay](), dim, seed, replays)


def _generated(dim: int, seed: int) -> Any:
    with _keras("'replay=cgan'"):
        from prequel.services.learner.models.rehearsal.cgan import Generated
    return Generated(dim, seed)


def _find(package: str) -> None:
    """Raise ImportError unless it is installed; importing Keras itself would take seconds."""
    if find_spec(package) is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)


@contextmanager
def _keras(what: str) -> Iterator[None]:
    """Say what to install where Keras, or a backend for it, is missing."""
    try:
        yield
    except ImportError as error:
        raise UnknownModel(
            f"{what} needs Keras and a backend for it ({error}): pip install keras tensorflow"
        ) from error


def _slda(dim: int, seed: int, **options: Any) -> Loadable:
    from prequel.services.learner.models.slda import slda

    return slda(dim, seed=seed, **options)


def _ridge(dim: int, seed: int, **options: Any) -> Loadable:
    from prequel.services.learner.models.ridge import ridge

    return ridge(dim, seed=seed, **options)


def _ncm(dim: int, seed: int) -> Loadable:
    from prequel.services.learner.models.ncm import NearestClassMean

    return NearestClassMean(dim)


def _naive_bayes(dim: int, seed: int) -> Loadable:
    from prequel.services.learner.models.naive_bayes import NaiveBayes

    return NaiveBayes(dim)


def _perceptron(dim: int, seed: int, rate: float = 1.0) -> Loadable:
    from prequel.services.learner.models.margin import Margin

    return Margin(dim, aggressive=False, limit=rate)


def _passive_aggressive(dim: int, seed: int, limit: float = 1.0) -> Loadable:
    from prequel.services.learner.models.margin import Margin

    return Margin(dim, aggressive=True, limit=limit)


def _knn(dim: int, seed: int, **options: Any) -> Loadable:
    from prequel.services.learner.models.knn import Neighbours

    return Neighbours(dim, **options)


def _mlp(dim: int, seed: int, replay: str = "none", memory: int = 1000, replays: int = 6, **options: Any) -> Loadable:
    with _keras("model 'mlp'"):
        from prequel.services.learner.models.mlp import Mlp
    from prequel.services.learner.models.transforms import Scaled

    return _rehearsed(Scaled(Mlp(dim, seed, **options), dim, seed), dim, seed, replay, memory, replays)


def _river(dim: int, seed: int, argument: str, model: str = "") -> Loadable:
    from prequel.services.learner.models.river.adapter import RiverModel

    return RiverModel(argument, model, dim=dim, seed=seed)


def _scale(argument: Any, dim: int, seed: int, inner: Callable[[int], Loadable]) -> Loadable:
    from prequel.services.learner.models.transforms import Scaled

    return Scaled(inner(dim), dim, seed)


def _l2(argument: Any, dim: int, seed: int, inner: Callable[[int], Loadable]) -> Loadable:
    from prequel.services.learner.models.transforms import Mapped, UnitLength

    return Mapped(inner(dim), dim, seed, UnitLength())


def _project(argument: Any, dim: int, seed: int, inner: Callable[[int], Loadable]) -> Loadable:
    from prequel.services.learner.models.projection import Projection
    from prequel.services.learner.models.transforms import Mapped

    return Mapped(inner(argument), dim, seed, Projection(dim, argument, seed))


RIVER_RATE, REHEARSAL_RATE = 0.01, 0.003

_RATE = Option(number(1e-9, 1e3), "learning rate")
_WIDTH = Option(whole(8, 8192), "most features kept: wider vectors are projected")
_SHRINKAGE = Option(number(1e-9, 1), "of the correlations, towards none")
_DECAY = Option(number(0, 0.5), "share of all sums that fades with each example")

_REHEARSAL = {
    "replay": Option(
        one_of("none", "reservoir", "balanced", "gaussian", "cgan"), "what is rehearsed against forgetting"
    ),
    "memory": Option(whole(1, 1_000_000), "examples remembered by reservoir and balanced"),
    "replays": Option(whole(1, 100), "examples rehearsed with each new one"),
}

MODELS: Mapping[str, Row] = {
    "slda": Row(
        _slda,
        {"width": _WIDTH, "shrinkage": _SHRINKAGE, "decay": _DECAY},
        "streaming linear discriminant analysis: never forgets, corrects exactly",
    ),
    "ridge": Row(
        _ridge,
        {"width": Option(whole(8, 8192), "random features"), "shrinkage": Option(number(1e-9, 1e3), "penalty")},
        "ridge regression on random features: never forgets, corrects exactly",
    ),
    "ncm": Row(_ncm, {}, "nearest class mean: never forgets, corrects exactly, costs least"),
    "naive-bayes": Row(_naive_bayes, {}, "Gaussian naive Bayes, as River's: never forgets, corrects exactly"),
    "logistic": Row(
        _logistic, {"rate": _RATE} | _REHEARSAL, "one-vs-rest logistic regression by gradient descent, as River's"
    ),
    "softmax": Row(_softmax, {"rate": _RATE} | _REHEARSAL, "softmax regression by gradient descent, as River's"),
    "perceptron": Row(_perceptron, {"rate": _RATE}, "perceptron, one class against the rest, as scikit-learn's"),
    "passive-aggressive": Row(
        _passive_aggressive,
        {"limit": Option(number(1e-9, 1e9), "largest step, C")},
        "passive-aggressive I, one class against the rest, as scikit-learn's",
    ),
    "knn": Row(
        _knn,
        {"k": Option(whole(1, 1000), "votes"), "window": Option(whole(1, 1_000_000), "examples kept")},
        "nearest neighbours among the newest examples",
    ),
    "mlp": Row(
        _mlp,
        {
            "rate": _RATE,
            "decay": Option(number(0, 1), "of the learning rate with each step"),
            "batch": Option(whole(1, 4096), "examples in one step"),
        }
        | _REHEARSAL,
        "a neural head in Keras that grows with every new class",
    ),
    "river": Row(
        _river,
        {"model": Option(str, "the classifier that another is made of, by its dotted name")},
        "any classifier of River by its dotted name: river:naive_bayes.GaussianNB",
    ),
}

RECIPES: Mapping[str, Recipe] = {
    "scale": Recipe(_scale, None, "every feature to mean 0 and deviation 1 of what was learned so far, as River's"),
    "l2": Recipe(_l2, None, "every vector to length 1"),
    "project": Recipe(_project, Option(whole(1, 8192), "features"), "a fixed random projection: project:512"),
}


def check(spec: str) -> None:
    """Raise UnknownModel, naming the offending part and listing what exists, unless ``spec`` can be created."""
    *recipes, stage = parse(spec)
    for recipe in recipes:
        _recipe(recipe)
    _, options = _model(stage)
    if stage.name == "mlp" or options.get("replay") == "cgan":
        with _keras(f"model {stage.text!r}"):
            _find("keras")
    if stage.name == "river":
        from prequel.services.learner.models.river.adapter import try_out

        try_out(stage.argument, stage.options.get("model", ""))


def create(spec: str, dim: int, *, seed: int) -> Model:
    """A model that has learned nothing, over vectors of ``dim`` features. Raises UnknownModel."""
    return _build(parse(spec), dim, seed)


def restore(spec: str, state: ModelState) -> Model:
    """The model that ``state`` was taken of, with identical continuation bit for bit.

    Raises UnknownModel, and UnpicklingError where ``state.pickled`` names what River's models never do.
    """
    model = _build(parse(spec), state.meta["dim"], state.meta.get("seed", 0))
    model.load(state)
    return model


def compile(spec: str, dim: int) -> None:
    """Load the model's kernels from the disk cache, or compile them into it, so that no event has to wait."""
    model = create(spec, dim, seed=0)
    model.learn(np.zeros(dim, np.float32), "a")
    model.fold(np.ones((2, dim), np.float32), ["b", None])
    model.predict(np.zeros(dim, np.float32))
    if model.exact:
        model.unlearn(np.zeros(dim, np.float32), "a")
    restore(spec, model.state())


def pickled(spec: str) -> bool:
    """Whether the model's state is a pickle, which needs a signing key."""
    return parse(spec)[-1].name == "river"


def _build(stages: list[Stage], dim: int, seed: int) -> Loadable:
    first, *rest = stages
    if rest:
        recipe, argument = _recipe(first)
        return recipe.build(argument, dim, seed, lambda width: _build(rest, width, seed))
    row, options = _model(first)
    return row.build(dim, seed, **options)


def _recipe(stage: Stage) -> tuple[Recipe, Any]:
    if stage.name not in RECIPES:
        raise UnknownModel(f"there is no recipe {stage.name!r}; before a bar can stand {listing(RECIPES)}")
    recipe = RECIPES[stage.name]
    read_options(stage, {})
    if recipe.argument is None and not stage.argument:
        return recipe, None
    if recipe.argument is None:
        raise UnknownModel(f"recipe {stage.name!r} takes nothing after a colon, but has {stage.argument!r}")
    try:
        return recipe, recipe.argument.read(stage.argument)
    except ValueError as error:
        raise UnknownModel(f"recipe {stage.text!r}: {recipe.argument.meaning} {error}, as in project:512") from None


def _model(stage: Stage) -> tuple[Row, dict[str, Any]]:
    if stage.name not in MODELS:
        raise UnknownModel(f"there is no model {stage.name!r}; there are {listing(MODELS)}")
    row, options = MODELS[stage.name], {}
    if stage.name == "river":
        options["argument"] = stage.argument
    elif stage.argument:
        raise UnknownModel(f"model {stage.text!r} takes nothing after a colon; options are written ;name=value")
    return row, options | read_options(stage, row.options)
