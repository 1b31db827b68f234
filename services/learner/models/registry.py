"""Makes models from their specs: checks a spec, creates, restores, and compiles ahead."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from prequel.services.learner.kernels import moments
from prequel.services.learner.models.base import Model, ModelState
from prequel.services.learner.models.capabilities import Loadable, predict_many
from prequel.services.learner.models.catalogue import MODELS, TRANSFORMS, ModelRow, Transform
from prequel.services.learner.models.options import listing, read_options, suggestion
from prequel.services.learner.models.spec import Stage, UnknownModel, parse

__all__ = ["UnknownModel", "check", "compile", "create", "finds_sharpness", "is_pickled", "restore"]

MAX_EXPERTS = 16
"""Models in one mixture. It costs the time and the state of all: 16 times `slda` at 1,280 features is 130 MB a stream,
and all but the first begin with 0.7 % of the weight. Twice as many could hardly be told apart by that; half as many
would forbid to try three values of two options."""


def check(spec: str) -> None:
    """Raise UnknownModel, naming the offending part and listing what exists, unless ``spec`` can be created."""
    *transforms, stage = parse(spec)
    for transform in transforms:
        _read_transform(transform)
    row, options = _read_model(stage)
    if _needs_keras(options) and not _is_installed("keras"):
        raise _without_keras(stage, "No module named 'keras'")
    if row.check:
        _import(row.check)(**options)
    experts = _experts(stage, row)
    for expert in experts:
        check(expert)
    models = sum(map(_models, experts))
    if models > MAX_EXPERTS:
        within = "counting those in parentheses within parentheses"
        raise UnknownModel(f"model {stage.text!r} is made of {models} models, {within}: name at most {MAX_EXPERTS}")
    if len(set(map(_meaning, experts))) < len(experts):
        problem = "two of the models in the parentheses are the same, written in two ways; name it once"
        raise UnknownModel(f"model {stage.text!r}: {problem}")


def create(spec: str, dim: int, *, seed: int) -> Model:
    """A model that has learned nothing, of vectors with ``dim`` features. Raises UnknownModel."""
    return _build(parse(spec), dim, seed=seed)


def restore(spec: str, state: ModelState) -> Model:
    """A model with this state, that goes on bit for bit as the one that returned it.

    Raises UnknownModel, and UnpicklingError if ``state.pickled`` names anything that River's models never do.
    """
    model = _build(parse(spec), state.meta["dim"], seed=state.meta.get("seed", 0))
    model.load(state)
    return model


def compile(spec: str, dim: int) -> None:
    """Load the model's kernels from the cache on disk, or compile them into it, so that no event has to wait.

    Each method is called with rows that are writeable and rows that are not, labelled and not: to Numba these are
    types of their own.
    """
    model = create(spec, dim, seed=0)
    model.learn(np.zeros(dim, np.float32), "a")
    model.fold(np.ones((2, dim), np.float32), ["b", None])
    model.predict(np.zeros(dim, np.float32))
    predict_many(model, np.ones((2, dim), np.float32))
    if model.exact:
        model.unlearn(np.zeros(dim, np.float32), "a")
    restore(spec, model.state())
    moments.compile()


def is_pickled(spec: str) -> bool:
    """Whether a pickle is in the model's state, which needs a signing key. Raises UnknownModel."""
    stage = parse(spec)[-1]
    if stage.name not in MODELS:
        return False
    row = MODELS[stage.name]
    return row.is_pickled or any(map(is_pickled, _experts(stage, row)))


def finds_sharpness(spec: str) -> bool:
    """Whether the model learns the sharpness of its probabilities by itself; a mixture, where all that are in it do.

    False for a name that is none. Raises UnknownModel for a malformed spec.
    """
    stage = parse(spec)[-1]
    if stage.name not in MODELS:
        return False
    row = MODELS[stage.name]
    return all(map(finds_sharpness, _experts(stage, row))) if row.experts else row.finds_sharpness


def _build(stages: list[Stage], dim: int, *, seed: int) -> Loadable:
    """The model of the last stage behind the transforms of the others."""
    first, *rest = stages
    if rest:
        transform, arguments = _read_transform(first)
        inner = partial(_build, rest, seed=seed)
        transformed: Loadable = _import(transform.factory)(dim, seed=seed, inner=inner, **arguments)
        return transformed
    row, options = _read_model(first)
    if row.experts:
        options["experts"] = [partial(_build, parse(expert), seed=seed) for expert in _experts(first, row)]
    try:
        model: Loadable = _import(row.factory)(dim, seed=seed, **options)
    except ImportError as error:
        if not _needs_keras(options):
            raise
        raise _without_keras(first, str(error)) from error
    return model


def _read_model(stage: Stage) -> tuple[ModelRow, dict[str, Any]]:
    """The row of a model, and the keyword arguments of its factory."""
    if stage.name not in MODELS:
        raise UnknownModel(
            f"there is no model {stage.name!r}{suggestion(stage.name, MODELS)}; there are: {listing(MODELS)}"
        )
    row = MODELS[stage.name]
    if row.argument is None and stage.argument:
        raise UnknownModel(f"model {stage.text!r} takes nothing after a colon; options are written ;name=value")
    argument = {} if row.argument is None else {"argument": row.argument.read(stage.argument)}
    return row, argument | read_options(stage, row.options)


def _experts(stage: Stage, row: ModelRow) -> Sequence[str]:
    """The specs of the models that a model is made of."""
    if stage.experts is None:
        return row.experts
    if not row.experts:
        raise UnknownModel(f"{stage.name} is made of no other models, but {stage.text!r} has some in parentheses")
    if len(stage.experts) < 2 or len(set(stage.experts)) < len(stage.experts):
        raise UnknownModel(f"model {stage.text!r}: name at least two models in the parentheses, each once")
    if len(stage.experts) > MAX_EXPERTS:
        raise UnknownModel(f"model {stage.text!r}: name at most {MAX_EXPERTS} models in the parentheses")
    return stage.experts


def _models(spec: str) -> int:
    """How many models a spec makes that are no mixtures."""
    stage = parse(spec)[-1]
    row, _ = _read_model(stage)
    return sum(map(_models, _experts(stage, row))) or 1


def _meaning(spec: str) -> tuple[object, ...]:
    """The same for two specs of the same model: with ``slda;decay=0`` as with ``slda``."""
    *transforms, stage = parse(spec)
    row, options = _read_model(stage)
    before = [(each.name, *_read_transform(each)[1].values()) for each in transforms]
    return (*before, stage.name, *sorted(options.items()), *map(_meaning, _experts(stage, row)))


def _read_transform(stage: Stage) -> tuple[Transform, dict[str, Any]]:
    """The row of a transform, and the keyword arguments of its factory."""
    if stage.name not in TRANSFORMS:
        nearest = suggestion(stage.name, TRANSFORMS)
        raise UnknownModel(
            f"there is no transform {stage.name!r}{nearest}; these can stand before a bar: {listing(TRANSFORMS)}"
        )
    transform = TRANSFORMS[stage.name]
    read_options(stage, {})
    if stage.experts is not None:
        raise UnknownModel(f"transform {stage.text!r} takes no models in parentheses: write {stage.name}|model")
    if transform.argument is None:
        if stage.argument:
            raise UnknownModel(f"transform {stage.name!r} takes nothing after a colon, but has {stage.argument!r}")
        return transform, {}
    try:
        return transform, {"argument": transform.argument.read(stage.argument)}
    except ValueError as error:
        meaning = transform.argument.meaning
        raise UnknownModel(f"transform {stage.text!r}: {meaning} {error}, as in {stage.name}:512") from None


def _import(path: str) -> Callable[..., Any]:
    """The callable at ``module:name`` below this package."""
    module, _, name = path.partition(":")
    factory: Callable[..., Any] = getattr(import_module(f"{__package__}.{module}"), name)
    return factory


def _needs_keras(options: Mapping[str, Any]) -> bool:
    return options.get("replay") == "cgan"


def _is_installed(package: str) -> bool:
    """Whether a package is installed. It is not imported: Keras would take seconds."""
    try:
        return find_spec(package) is not None
    except ImportError:  # an import hook that refuses the package
        return False


def _without_keras(stage: Stage, problem: str) -> UnknownModel:
    return UnknownModel(
        f"model {stage.text!r} needs Keras and a backend for it ({problem}): pip install keras tensorflow"
    )
