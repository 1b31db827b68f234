"""The window's columns: however runs of examples are cut, they are stored alike, and read back as they were served."""

from itertools import pairwise

import numpy as np
import pytest

from prequel.services.learner.fold.calibration.calibrator import Calibrator
from prequel.services.learner.fold.calibration.ranking import ServedRun, ranking
from prequel.services.learner.fold.join.new_example import NO_LABEL, FirstLabel, FirstSeen, NewExample
from prequel.services.learner.fold.join.window import Window
from prequel.shared.log.base import Position

COUNT = 2_100
"""Examples: they fill two chunks, and begin a third."""


def example(sequence: int) -> tuple[NewExample, FirstLabel]:
    first = FirstSeen(sequence % 5, 2**64 - 1 - sequence)
    new = NewExample(f"i{sequence}", sequence, Position(3, 7 * sequence), 1e9, first, sequence % 2 == 1, 0.25)
    label = FirstLabel(sequence % 5, sequence, sequence, sequence, 3, True, 7, 1.5e9)
    return new, label if sequence % 3 else NO_LABEL


def served_run(knowns: list[int], truths: list[int]) -> ServedRun:
    """What is served where the model knew so many classes before each example."""
    random = np.random.default_rng(len(knowns))
    predicted = [random.dirichlet(np.ones(known)) if known else np.zeros(0) for known in knowns]
    numbers = np.array(truths, np.int64)
    return Calibrator(active=True).calibrate_run(
        ranking(predicted, list(range(max(knowns)))), numbers, np.arange(len(knowns)), np.ones(len(knowns), np.int64)
    )


TRUTHS = [row % 5 for row in range(COUNT)]
RUNS = [
    served_run([min(row // 3, 2) for row in range(COUNT)], TRUTHS),
    served_run([min(max(2, row // 100 - 8), 14) for row in range(COUNT)], TRUTHS),
]
"""Of two models: the second one knows two classes all through the first chunk, and more and more after that."""


def window(ends: list[int], size: int = COUNT) -> Window:
    """The window after runs that end there."""
    filled = Window(size, len(RUNS))
    for begin, end in pairwise([0, *ends, COUNT]):
        filled.extend([example(sequence) for sequence in range(begin, end)], [run.rows(begin, end) for run in RUNS])
        list(filled.expire())
    return filled


@pytest.mark.parametrize("ends", [[], [1, 2, 64, 65, 300], [1_023, 1_024, 1_025], [1_000, 2_048, 2_049]])
def test_cuts_do_not_change_what_is_stored(ends: list[int]) -> None:
    one_by_one = window(list(range(1, COUNT)))
    assert {name: part.digest for name, part in window(ends).parts().items()} == {
        name: part.digest for name, part in one_by_one.parts().items()
    }


def test_an_example_is_read_back_as_it_came_and_was_served() -> None:
    filled, predictions = window([700]), [run.predictions() for run in RUNS]
    for sequence in (0, 1, 63, 64, 699, 700, 1_023, 1_024, COUNT - 1):
        new, label = example(sequence)
        found = filled.find(new.id)
        assert found is not None
        assert [each[:3] for each in found.predictions] == [of_model[sequence][:3] for of_model in predictions]
        assert (found.sequence, found.position, found.time, found.first, found.unknown, found.set_threshold) == new[1:]
        assert FirstLabel(*(getattr(found, name) for name in FirstLabel._fields)) == label


def test_a_run_longer_than_the_window_leaves_the_newest() -> None:
    filled = window([5], size=10)
    assert [id for id, _, _ in filled.rows()] == [f"i{sequence}" for sequence in range(COUNT - 10, COUNT)]
    assert filled.find("i5") is None


@pytest.mark.parametrize("truth", [-1, 0, 9, 11, 13, 40])
def test_the_losses_of_a_run_are_those_of_its_predictions(truth: int) -> None:
    """Bit for bit: a correction takes out what the prediction says."""
    for run in RUNS:
        expected = [0 if truth < 0 else prediction.log_loss_units(truth) for prediction in run.predictions()]
        assert run.losses([truth] * COUNT) == expected
        assert run.top_classes() == [prediction.top_class for prediction in run.predictions()]
