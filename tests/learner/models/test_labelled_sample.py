"""The sample of labelled examples: random, the same in any order, and as if no label had ever been wrong."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prequel.services.learner.models.base import Matrix
from prequel.services.learner.models.labelled_sample import SIZE, LabelledRows, LabelledSample

Classes = npt.NDArray[np.int64]
ROWS = np.random.default_rng(0).normal(size=(2_000, 3)).astype(np.float32)


def contents(sample: LabelledSample) -> tuple[bytes, list[int]]:
    rows, classes, _ = sample.in_order()
    return rows.tobytes(), classes.tolist()


def labelled(rows: Matrix, classes: Classes) -> LabelledRows:
    return LabelledRows(rows, classes, np.ones(len(rows)))


def sample_of(rows: Matrix, classes: Classes, *, fading: float = 1.0) -> LabelledSample:
    sample = LabelledSample(rows.shape[1])
    sample.update(labelled(rows, classes), keep=1.0, fading=fading)
    return sample


@given(st.permutations(range(400)), st.integers(1, 399))
@settings(max_examples=20)
def test_neither_order_nor_batches_matter(order: list[int], cut: int) -> None:
    classes = np.arange(400) % 7
    expected, cut_up = sample_of(ROWS[:400], classes), LabelledSample(3)
    for part in (order[:cut], order[cut:]):
        cut_up.update(labelled(ROWS[part], classes[part]), keep=1.0, fading=1.0)
    assert contents(cut_up) == contents(expected)


@given(st.data())
@settings(max_examples=30)
def test_a_corrected_sample_is_as_if_no_label_had_ever_been_wrong(data: st.DataObject) -> None:
    """Rows learned with a wrong class, corrected at any time later, between other rows."""
    size = data.draw(st.integers(1, 700))
    wrong = data.draw(st.sets(st.integers(0, size - 1), max_size=60))
    classes = np.arange(size) % 5
    erred, waiting = LabelledSample(3), list[int]()

    def correct(row: int) -> None:
        erred.relabel(ROWS[row], int(classes[row]) + 1, int(classes[row]))

    for row in range(size):
        label = np.array([classes[row] + (row in wrong)])
        erred.update(labelled(ROWS[row : row + 1], label), keep=1.0, fading=1.0)
        waiting += [row] * (row in wrong)
        if waiting and row % 3 == 0:
            correct(waiting.pop())
    for row in waiting:
        correct(row)
    assert contents(erred) == contents(sample_of(ROWS[:size], classes))


def test_it_is_a_fair_sample() -> None:
    rows, classes, _ = sample_of(ROWS, np.arange(2_000)).in_order()
    assert len(rows) == SIZE
    assert abs(float(np.mean(classes)) - 1_000) < 3 * 2_000 / np.sqrt(12 * SIZE)


def test_where_the_past_fades_it_holds_the_newest() -> None:
    newest = sample_of(ROWS, np.arange(2_000), fading=0.99).in_order().classes
    assert float(np.mean(2_000 - newest)) < 200


def test_a_removed_row_is_gone() -> None:
    sample = sample_of(ROWS[:50], np.zeros(50, np.int64))
    for row in ROWS[:50]:
        sample.relabel(row, 0, None)
    assert [len(column) for column in sample.in_order()] == [0, 0, 0]


def test_weights_fade_as_they_are_told() -> None:
    sample = sample_of(ROWS[:3], np.arange(3))
    sample.update(LabelledRows(ROWS[3:5], np.arange(3, 5), np.array([1.0, 0.5])), keep=0.25, fading=0.5)
    rows, classes, weights = sample.in_order()
    assert dict(zip(classes.tolist(), weights.tolist(), strict=True)) == {0: 0.25, 1: 0.25, 2: 0.25, 3: 1.0, 4: 0.5}
    assert {row.tobytes() for row in rows} == {row.tobytes() for row in ROWS[:5]}


def test_equal_rows_count_once_with_their_newest_label() -> None:
    sample = sample_of(np.zeros((300, 3), np.float32), np.arange(300))
    assert sample.in_order().classes.tolist() == [299]


def test_the_merged_sample_is_that_of_all() -> None:
    classes = np.arange(1_000) % 4
    one, other = sample_of(ROWS[:300], classes[:300]), sample_of(ROWS[300:1_000], 3 - classes[300:])
    before = contents(other)
    one.merge(other, np.array([3, 2, 1, 0]))
    assert contents(one) == contents(sample_of(ROWS[:1_000], classes))
    assert contents(other) == before


@pytest.mark.parametrize("size", [0, 3, 500])
def test_it_continues_from_its_arrays(size: int) -> None:
    sample, twin = sample_of(ROWS[:size], np.arange(size), fading=0.99), LabelledSample(3)
    twin.load(sample.arrays())
    for each in (sample, twin):
        each.update(labelled(ROWS[size : size + 400], np.arange(400)), keep=0.5, fading=0.99)
    assert contents(sample) == contents(twin)
