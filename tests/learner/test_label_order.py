"""Labels in any random order are found mixed, runs of one class after the other are not; two classes to a thousand."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import numpy as np
import numpy.typing as npt
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from prequel.services.learner.fold.label_order import MIN_RUN, RESUME_AFTER, WINDOW, LabelOrder
from prequel.services.learner.models import registry
from prequel.services.learner.models.mix import Mix
from prequel.services.learner.publishing.stream_status import stream_status
from prequel.shared.log.base import Position
from tests.learner.building import ExampleLog, new_fold


def flags(labels: Sequence[int], order: LabelOrder | None = None) -> list[bool]:
    """Whether the order was found mixed after each label."""
    order, actual = order or LabelOrder(), []
    for label in labels:
        order.update(label)
        actual.append(order.mixed)
    return actual


def runs(classes: int, length: int, labels: int) -> list[int]:
    """Runs of one class, then another, at random."""
    random, actual = np.random.default_rng(classes * length), [0]
    while len(actual) < labels:
        label = (actual[-1] + 1 + int(random.integers(classes - 1))) % classes
        actual += [label] * length
    return actual[1:]


def shuffled(shares: Sequence[float], labels: int = 10_000) -> list[int]:
    return list(np.random.default_rng(0).choice(len(shares), labels, p=shares))


@pytest.mark.parametrize("classes", [2, 3, 10, 100, 1_000])
def test_a_random_order_is_always_mixed(classes: int) -> None:
    assert all(flags(shuffled([1 / classes] * classes)))


@pytest.mark.parametrize("share", [0.8, 0.95, 0.99])
def test_so_it_is_where_most_labels_are_of_one_class(share: float) -> None:
    actual = flags(shuffled([share, 1 - share]))
    changes = [before and not after for before, after in pairwise(actual)]
    # Where a stream begins with one class, nobody can know yet that there is another.
    assert sum(changes[WINDOW:]) == 0
    assert all(actual[5 * WINDOW :])


@pytest.mark.parametrize("classes", [2, 10, 100])
@pytest.mark.parametrize("length", [2, 3, 5])
def test_short_runs_are_mixed(classes: int, length: int) -> None:
    assert all(flags(runs(classes, length, 5_000)))


@pytest.mark.parametrize("classes", [2, 10, 100])
@pytest.mark.parametrize("length", [10, 20, 50, 500])
def test_a_videos_runs_and_one_class_after_the_other_are_not(classes: int, length: int) -> None:
    assert not any(flags(runs(classes, length, 5_000))[3 * MIN_RUN :])


@pytest.mark.parametrize(("classes", "each"), [(2, 5_000), (10, 500), (100, 50), (1_000, 20)])
def test_a_sorted_folder_is_not(classes: int, each: int) -> None:
    assert not any(flags(np.repeat(np.arange(classes), each).tolist())[MIN_RUN:])


def test_a_rare_class_at_the_end_of_a_sorted_folder_is_not_either() -> None:
    assert not any(flags([0] * 950 + [1] * 50)[MIN_RUN:])


def test_a_new_class_is_no_run_as_long_as_others_come_in_between() -> None:
    labels = shuffled([0.5, 0.5], 500) + shuffled([0.25, 0.25, 0.5], 500)
    assert all(flags(labels))


def test_shares_that_change_for_good_are_no_run() -> None:
    actual = flags(shuffled([0.9, 0.1], 3_000) + shuffled([0.1, 0.9], 3_000))
    assert np.mean(actual) > 0.95


def test_a_run_is_found_within_twenty_labels_and_mixed_labels_after_fifty() -> None:
    before = shuffled([0.1] * 10, 1_000)
    actual = flags(before + [0] * 300 + before)
    assert all(actual[:1_000])
    assert actual.index(False) <= 1_000 + MIN_RUN
    assert not any(actual[1_000 + MIN_RUN : 1_300])
    assert all(actual[1_300 + RESUME_AFTER + 1 :])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 60)), max_size=30), st.integers(0, 600))
def test_it_goes_on_from_what_a_snapshot_holds(blocks: list[tuple[int, int]], cut: int) -> None:
    labels = [label for label, length in blocks for _ in range(length)]
    whole = flags(labels)
    first = LabelOrder()
    assert flags(labels[:cut], first) == whole[:cut]
    meta, arrays = first.parts()
    restored = LabelOrder.from_parts(orjson.loads(orjson.dumps(meta)), arrays)
    assert flags(labels[cut:], restored) == whole[cut:]
    assert flags(labels[cut:], first) == whole[cut:]
    assert str(restored.parts()) == str(first.parts())


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ([0] * 5, "There are few labels so far."),
        (shuffled([0.5, 0.5], 300), "The newest 200 labels come mixed."),
        ([0] * 20, "Labels come class after class: the newest 20 are all of one class."),
        (runs(10, 10, 400), "Labels come class after class, about 10 of one class at a time."),
    ],
)
def test_it_says_so_in_words(labels: list[int], text: str) -> None:
    order = LabelOrder()
    flags(labels, order)
    assert order.text == text


def test_the_status_of_a_stream_says_in_which_order_its_labels_were_learned() -> None:
    """Labels that come later, and not in the order of the images."""
    examples = ExampleLog()
    for number in range(60):
        examples.features(f"i{number}", [number % 3, 1, 0])
    fold = new_fold(examples, models="nearest")
    fold.apply(examples.records)
    fold.apply([examples.label(f"i{number}", "abc"[number % 3]) for number in range(30)])

    def mixed() -> bool:
        actual = stream_status(fold.streams["s"], Position(0, 0), now=0, snapshot=None, address=None)
        assert actual.label_order is not None
        return actual.label_order.mixed

    assert mixed()
    fold.apply([examples.label(f"i{number}", "a") for number in range(30, 55)])
    assert not mixed()


def test_a_change_in_runs_moves_a_mixture_though_no_comparison_believes_such_labels() -> None:
    """Why models do not ask LabelOrder: see ``kernels.scores``."""
    pixels, classes = cast(tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]], load_digits(return_X_y=True))
    random, xs = np.random.default_rng(0), pixels.astype(np.float32)
    runs_of_ten = [random.choice(np.flatnonzero(classes == label), 10) for label in random.integers(10, size=200)]
    rows = np.concatenate(runs_of_ten)
    upright, turned = rows[:1_000], rows[1_000:]
    model = registry.create("mix(slda, slda;decay=0.02)", 64, seed=0)
    assert isinstance(model, Mix)
    model.fold(xs[upright], [str(label) for label in classes[upright]])
    before = model.weights[1]
    model.fold(xs[turned, ::-1], [str(label) for label in classes[turned]])
    assert before < 0.5 < 0.9 < model.weights[1]
    order = LabelOrder()
    assert not any([order.update(label) for label in classes[rows].tolist()][100:])
