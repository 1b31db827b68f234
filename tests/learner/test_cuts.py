"""However a stream of many classes is cut and restored, its state is the same: fading models, drift and corrections."""

import numpy as np
import pytest

from tests.learner.building import ExampleLog, new_fold
from tests.learner.test_fold import cut, stored_and_read

MODELS = "ridge;width=16;drift=forget,slda;decay=0.02"


def history(random: np.random.Generator) -> ExampleLog:
    """Three classes and then 40, of which 35 fit; late labels, wrong ones, retractions; the inputs change half-way."""
    log, centres, truths = ExampleLog(), 2 * random.normal(size=(40, 4)), list[int]()
    for number in range(260):
        truths.append(int(random.integers(3 if number < 60 else 40)))
        x = centres[truths[-1]] * (1 if number < 130 else -1) + random.normal(size=4)
        log.features(f"i{number}", x.tolist(), f"c{truths[-1]}" if random.random() < 0.6 else None)
        while random.random() < 0.4:
            at, chance = int(random.integers(max(0, number - 200), number + 1)), random.random()
            label = truths[at] if chance < 0.8 else int(random.integers(40))
            log.label(f"i{at}", None if chance < 0.1 else f"c{label}")
    return log


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_cuts_and_restarts_change_no_bit(seed: int) -> None:
    random = np.random.default_rng(seed)
    log = history(random)
    whole, pieces = (new_fold(log, models=MODELS, window=250, max_labels=35) for _ in range(2))
    expected = [output.event for output in whole.apply(log.records).outputs]
    actual = []
    for records in cut(log.records, random.integers(1, 80, size=400).tolist()):
        actual += [output.event for output in pieces.apply(records).outputs]
        if random.random() < 0.1:
            pieces = stored_and_read(pieces)
    assert actual == expected
    assert pieces.digest() == whole.digest()
