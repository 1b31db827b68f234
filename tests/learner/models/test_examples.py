"""The examples in the docstrings of the models' modules do what they show."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

from prequel.services.learner import models
from prequel.services.learner.models.catalogue import MODELS

FOLDER = Path(str(models.__file__)).parent
MODULES = sorted(".".join(path.relative_to(FOLDER).with_suffix("").parts) for path in FOLDER.rglob("[!_]*.py"))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # inside Keras itself
@pytest.mark.parametrize("module", MODULES)
def test_examples_do_what_they_show(module: str) -> None:
    assert doctest.testmod(import_module(f"{models.__name__}.{module}")).failed == 0


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_an_example(name: str) -> None:
    module = MODELS[name].factory.partition(":")[0]
    assert doctest.testmod(import_module(f"{models.__name__}.{module}")).attempted > 0
