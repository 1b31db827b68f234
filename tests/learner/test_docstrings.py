"""The examples in the fold's docstrings: they run, and print what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

FOLD = Path(__file__).resolve().parents[2] / "services" / "learner" / "fold"
MODULES = sorted(
    ".".join(("prequel.services.learner.fold", *path.relative_to(FOLD).with_suffix("").parts))
    for path in FOLD.rglob("*.py")
    if path.name != "__init__.py"
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_every_metric_and_detector_has_an_example() -> None:
    folders = ("prequel.services.learner.fold.evaluation.", "prequel.services.learner.fold.drift.")
    without = []
    for name in (name for name in MODULES if name.startswith(folders)):
        tests = doctest.DocTestFinder().find(importlib.import_module(name))
        if not any(test.examples for test in tests):
            without.append(name.rpartition(".")[2])
    assert without == ["prequential_parts", "tally"], "what only stores needs none; whatever measures does"
