"""The models and the transforms by name, one row each: all that a new one takes besides its own file."""

from collections.abc import Mapping
from typing import NamedTuple

from prequel.services.learner.models.options import Option, layers, number, one_of, whole
from prequel.shared.model_files import MODEL_FORMATS, ModelFormat


class ModelRow(NamedTuple):
    """A model. What a spec may say, the table in docs/learners.md and the checks in its tests follow from its row.

    ``factory`` is ``module:callable`` below this package, called as ``factory(dim, seed=..., option=...)`` with every
    option. It is a text, so that a process imports only the models that it uses: Keras alone takes seconds.
    """

    factory: str
    meaning: str
    options: Mapping[str, Option] = {}
    argument: Option | None = None
    """What stands behind the colon, passed as ``argument``; None if nothing may."""
    experts: tuple[str, ...] = ()
    """The models that it is made of, unless a spec names others in parentheses; they are passed as ``experts``, each a
    callable that makes one for a number of features. Empty for a model that is made of no others."""
    finds_sharpness: bool = False
    """Whether it learns how sharp its probabilities may be by itself, as temperature scaling does. The fold then leaves
    the sharpness alone: measured, a second one costs `slda` and `ncm` up to 3 % of log loss."""
    check: str = ""
    """``module:callable`` that raises UnknownModel for an argument and options that cannot work together."""
    is_pickled: bool = False
    """Whether the state is a pickle, which needs a signing key."""
    leaves_as: tuple[ModelFormat, ...] = MODEL_FORMATS
    """The files that it can leave as; a mixture as those that all of its models can."""


class Transform(NamedTuple):
    """A transform of the features: ``factory(dim, seed=..., inner=...)``, and ``argument`` if it takes one.

    ``inner(width)`` makes the model that the rest of the spec describes, for features of that width.
    """

    factory: str
    meaning: str
    argument: Option | None = None


_RATE = Option(number(1e-9, 1e3), "learning rate")
_REHEARSAL = {
    "replay": Option(
        one_of("none", "reservoir", "balanced", "gaussian", "cgan"), "what is rehearsed against forgetting", "none"
    ),
    "memory": Option(whole(1, 1_000_000), "examples remembered by reservoir and balanced", 1000),
    "replays": Option(whole(1, 100), "examples rehearsed with each new one", 6),
}

MODELS: Mapping[str, ModelRow] = {
    "slda": ModelRow(
        "slda:slda",
        "streaming linear discriminant analysis: never forgets, corrects exactly",
        {
            "width": Option(whole(8, 8192), "maximum number of features: wider vectors are projected", 2048),
            "shrinkage": Option(number(1e-9, 1), "of the correlations, towards none"),
            "decay": Option(number(0, 0.5), "share of all sums that fades with each example", 0.0),
        },
        finds_sharpness=True,
    ),
    "ridge": ModelRow(
        "ridge:ridge",
        "ridge regression on random features: never forgets, corrects exactly",
        {
            "width": Option(whole(8, 8192), "random features", 2048),
            "shrinkage": Option(number(1e-9, 1e3), "penalty, instead of the one that predicts best"),
        },
        finds_sharpness=True,
    ),
    "ncm": ModelRow(
        "ncm:NearestClassMean", "nearest class mean: never forgets, corrects exactly, costs least", finds_sharpness=True
    ),
    "naive-bayes": ModelRow(
        "naive_bayes:NaiveBayes", "Gaussian naive Bayes, as River's: never forgets, corrects exactly"
    ),
    "logistic": ModelRow(
        "linear:logistic",
        "one-vs-rest logistic regression by gradient descent, as River's",
        {"rate": _RATE} | _REHEARSAL,
    ),
    "softmax": ModelRow(
        "linear:softmax", "softmax regression by gradient descent, as River's", {"rate": _RATE} | _REHEARSAL
    ),
    "perceptron": ModelRow(
        "margin:perceptron",
        "perceptron, one class against the rest, as scikit-learn's",
        {"rate": _RATE._replace(default=1.0)},
        finds_sharpness=True,
    ),
    "passive-aggressive": ModelRow(
        "margin:passive_aggressive",
        "passive-aggressive I, one class against the rest, as scikit-learn's",
        {"limit": Option(number(1e-9, 1e9), "largest step, C", 1.0)},
        finds_sharpness=True,
    ),
    "knn": ModelRow(
        "knn:NearestNeighbours",
        "nearest neighbours among the newest examples",
        {
            "k": Option(whole(1, 1000), "votes", 5),
            "window": Option(whole(1, 1_000_000), "newest examples that vote", 1000),
        },
        leaves_as=("npz",),
    ),
    "mlp": ModelRow(
        "mlp:mlp",
        "a neural head that grows with every new class",
        {
            "hidden": Option(layers(4, 4096), "units of its hidden layers, as in 256-16", (100,)),
            "rate": _RATE,
            "decay": Option(number(0, 1), "of the learning rate with each step", 1e-3),
            "batch": Option(whole(1, 4096), "examples in one step", 1),
        }
        | _REHEARSAL,
    ),
    "mix": ModelRow(
        "mix:Mix",
        "several models, weighted by how well they predict now: mix(slda, ncm)",
        {
            "prior": Option(number(1e-6, 1 - 1e-6), "the weight that the first model begins with", 0.9),
            "share": Option(number(0, 0.5), "of the weights that each label deals out anew", 0.001),
        },
        experts=("slda", "slda;decay=0.001", "slda;decay=0.005"),
    ),
    "river": ModelRow(
        "river.adapter:RiverModel",
        "any classifier of River by its dotted name: river:naive_bayes.GaussianNB",
        {"model": Option(str, "the classifier that another is made of, by its dotted name", "")},
        argument=Option(str, "the dotted name of a classifier"),
        check="river.construction:try_out",
        is_pickled=True,
        leaves_as=(),
    ),
}

TRANSFORMS: Mapping[str, Transform] = {
    "scale": Transform(
        "scaling:scale", "every feature to mean 0 and deviation 1 of what was learned so far, as River's"
    ),
    "l2": Transform("transforms:l2", "every vector to length 1"),
    "project": Transform(
        "transforms:project", "a fixed random projection: project:512", Option(whole(1, 8192), "features")
    ),
}
