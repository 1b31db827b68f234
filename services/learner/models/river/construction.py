"""Makes a classifier of River from its dotted name, with its defaults and a seed."""

import importlib
import inspect
import random
from typing import Any

from river import base, multiclass

from prequel.services.learner.models.spec import UnknownModel

_EXAMPLE = "write for example river:naive_bayes.GaussianNB, as in River's API reference"


def make_classifier(path: str, inner: str, seed: int) -> Any:
    """The classifier at ``river.<path>``, with its defaults, around that at ``inner`` where it needs another.

    It learns any labels and draws every random number from ``seed``. Raises UnknownModel where that cannot be.
    """
    model = _instance(path, inner, seed)
    return model if model._multiclass else multiclass.OneVsRestClassifier(model)


def try_out(argument: str, model: str) -> None:
    """Raise UnknownModel if the classifier cannot learn from vectors of numbers.

    Some of River's want texts or other input, or packages that are not installed: better refused at the start than when
    the first image comes.
    """
    classifier = make_classifier(argument, model, 0)
    try:
        for number in range(2):
            classifier.learn_one({0: 1.0, 1: 0.0}, number)
            classifier.predict_one({0: 0.0, 1: 1.0})
    except Exception as error:
        raise UnknownModel(f"river:{argument} cannot learn from feature vectors ({error}); {_EXAMPLE}") from error


def _instance(path: str, inner: str, seed: int) -> Any:
    cls = _class(path)
    parameters = inspect.signature(cls).parameters.values()
    needs = [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    arguments: dict[str, Any] = {"seed": seed} if any(p.name == "seed" for p in parameters) else {}
    if needs and not inner:
        raise UnknownModel(
            f"river:{path} needs {', '.join(needs)}: add for example ;model=tree.HoeffdingTreeClassifier"
        )
    if len(needs) > 1 or (inner and not needs):
        raise UnknownModel(f"river:{path} cannot be made of ;model={inner}: it needs {', '.join(needs) or 'none'}")
    arguments |= {name: _instance(inner, "", seed) for name in needs}
    try:
        model = cls(**arguments)
    except Exception as error:
        raise UnknownModel(f"river:{path} cannot be made here ({error}); {_EXAMPLE}") from error
    _reseed(model, seed)
    return model


def _class(path: str) -> type[base.Classifier]:
    module, _, name = path.rpartition(".")
    if not module or not path.replace(".", "").replace("_", "").isalnum():
        raise UnknownModel(f"river:{path} is not a dotted name; {_EXAMPLE}")
    try:
        cls = getattr(importlib.import_module(f"river.{module}"), name, None)
    except ImportError as error:
        raise UnknownModel(f"river:{path}: {error}; {_EXAMPLE}") from None
    if not (inspect.isclass(cls) and issubclass(cls, base.Classifier)) or inspect.isabstract(cls):
        raise UnknownModel(f"river:{path} is not a classifier of River; {_EXAMPLE}")
    return cls


def _reseed(part: Any, seed: int) -> None:
    """Seed the random generators of a classifier's parts: some classifiers make parts to which they pass no seed."""
    for value in vars(part).values():
        if isinstance(value, random.Random):
            value.seed(seed)
        elif isinstance(value, base.Base):
            _reseed(value, seed)
