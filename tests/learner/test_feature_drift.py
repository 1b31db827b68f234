"""Feature drift: it finds a change of the inputs soon, rings for no shuffled stream, and is exact however it is cut."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from prequel.services.learner.fold.drift.feature_drift import THRESHOLD, FeatureChange, FeatureDrift
from prequel.services.learner.output_messages import count_outputs
from prequel.services.learner.publishing.stream_status import stream_status
from prequel.shared.events.types import FEATURES_DETECTOR, Drift
from prequel.shared.log.base import Position
from prequel.shared.runtime.metrics import Metrics
from tests.learner.building import ExampleLog, new_fold
from tests.learner.test_fold import cut, stored_and_read

Matrix = npt.NDArray[np.float32]
DIM = 200


def images(seed: int, many: int, classes: int = 5, dim: int = DIM) -> tuple[Matrix, npt.NDArray[np.int64]]:
    """Vectors as backbones give them: of classes, not negative, mostly small, hanging together; and their classes."""
    world, random = np.random.default_rng(0), np.random.default_rng(seed)
    centres, mixing = world.normal(size=(classes, dim)), world.normal(size=(dim, dim)) / np.sqrt(dim)
    labels = random.integers(classes, size=many)
    hidden = centres[labels] + random.normal(size=(many, dim)) @ mixing
    return np.maximum(hidden - 0.5, 0).astype(np.float32), labels


def found(drift: FeatureDrift, xs: Matrix, sizes: Sequence[int] = ()) -> list[int]:
    """Where changes were found: the number of examples until then."""
    at, changes = 0, []
    for piece in np.split(xs, np.minimum(np.cumsum(sizes, dtype=int), len(xs))):
        changes += [at + change.row + 1 for change in drift.update(np.ascontiguousarray(piece))]
        at += len(piece)
    return changes


def camera(xs: Matrix, share: float = 1.0) -> Matrix:
    """What another camera makes of them: every feature scaled and moved by an amount of its own."""
    random = np.random.default_rng(9)
    scale, move = random.uniform(0.7, 1.3, DIM), 0.3 * random.normal(size=DIM)
    return (xs + share * (xs * (scale - 1) + move)).astype(np.float32)


@pytest.mark.parametrize(
    "change",
    [
        camera,
        lambda xs: camera(xs, 0.5),
        lambda xs: np.where((np.arange(len(xs)) % 2 == 0)[:, None], camera(xs), xs),
        lambda xs: (xs + 0.3 * xs.std(axis=0)).astype(np.float32),
        lambda xs: (xs.mean(axis=0) + 1.3 * (xs - xs.mean(axis=0))).astype(np.float32),
        lambda xs: np.zeros_like(xs),
    ],
    ids=["camera", "half as much of it", "half the images", "everything moves", "everything spreads", "black"],
)
@pytest.mark.parametrize("classes", [2, 5])
def test_a_change_of_the_inputs_is_found_within_300_examples(change: Callable[[Matrix], Matrix], classes: int) -> None:
    xs, _ = images(1, 6_000, classes)
    actual = found(FeatureDrift(DIM, 0), np.concatenate([xs[:5_000], change(xs[5_000:])]))
    assert actual
    assert 5_000 < actual[0] <= 5_300
    assert actual[1:] == []


@pytest.mark.parametrize("at", [1_000, 1_500])
def test_a_change_early_in_a_stream_is_found(at: int) -> None:
    xs, _ = images(2, 3_000)
    actual = found(FeatureDrift(DIM, 0), np.concatenate([xs[:at], camera(xs[at:])]))
    assert actual
    assert at < actual[0] <= at + 100


def test_a_camera_that_comes_and_goes_is_found_each_time() -> None:
    xs, _ = images(3, 6_000)
    pieces = [camera(part) if number % 2 else part for number, part in enumerate(np.split(xs, 6))]
    actual = found(FeatureDrift(DIM, 0), np.concatenate(pieces))
    assert [round(at, -3) for at in actual] == [1_000, 2_000, 3_000, 4_000, 5_000]


@pytest.mark.parametrize("seed", range(4))
def test_20_000_shuffled_examples_do_not_ring(seed: int) -> None:
    drift = FeatureDrift(DIM, seed)
    for part in range(4):
        assert found(drift, images(10 * seed + part + 1, 5_000)[0]) == []


@pytest.mark.parametrize("dim", [1, 2, 3, 63, 64, 65])
@pytest.mark.parametrize("draw", ["normal", "standard_t", "rare", "constant"])
def test_features_of_any_kind_and_number_do_not_ring(dim: int, draw: str) -> None:
    random = np.random.default_rng(5)
    drawn: dict[str, Callable[[tuple[int, int]], Any]] = {
        "normal": lambda shape: random.normal(size=shape),
        "standard_t": lambda shape: random.standard_t(2, size=shape),
        "rare": lambda shape: random.random(shape) < 0.005,
        "constant": lambda shape: np.full(shape, 0.1),
    }
    assert found(FeatureDrift(dim, 0), drawn[draw]((20_000, dim)).astype(np.float32)) == []


def test_images_that_come_in_runs_do_not_ring() -> None:
    xs, labels = images(6, 10_000)
    runs = [run for label in range(5) for run in np.array_split(np.flatnonzero(labels == label), 100)]
    order = np.concatenate([runs[at] for at in np.random.default_rng(0).permutation(len(runs))])
    assert found(FeatureDrift(DIM, 0), xs[order]) == []


def test_classes_that_come_one_after_the_other_are_changes_of_the_inputs() -> None:
    xs, labels = images(7, 5_000)
    actual = found(FeatureDrift(DIM, 0), xs[np.argsort(labels, kind="stable")])
    assert [round(at, -3) for at in actual] == [1_000, 2_000, 3_000, 4_000]


@pytest.mark.parametrize("wild", [0.0, 1e6, 3.4e38])
def test_a_few_broken_images_do_not_ring(wild: float) -> None:
    xs, _ = images(8, 6_000)
    xs[3_000::500] = wild
    assert found(FeatureDrift(DIM, 0), xs) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 130), st.lists(st.integers(0, 300), max_size=12), st.integers(0, 2_200))
def test_cuts_and_snapshots_change_no_bit(dim: int, sizes: list[int], stored_at: int) -> None:
    random = np.random.default_rng(dim)
    xs = random.normal(size=(2_200, dim)).astype(np.float32)
    xs[1_500:] += 3
    whole, stored = FeatureDrift(dim, 1), FeatureDrift(dim, 1)
    expected = found(whole, xs)
    actual = found(stored, xs[:stored_at], sizes)
    again = FeatureDrift(dim, 1)
    again.load(stored.arrays())
    actual += [stored_at + at for at in found(again, xs[stored_at:], sizes)]
    assert actual == expected == [1_550]
    assert {name: array.tobytes() for name, array in again.arrays().items()} == {
        name: array.tobytes() for name, array in whole.arrays().items()
    }


def test_a_stream_without_features_has_none_to_drift() -> None:
    drift = FeatureDrift(0, 0)
    assert drift.update(np.zeros((3, 0), np.float32)) == []
    again = FeatureDrift(0, 0)
    again.load(drift.arrays())
    assert again.score == 0.0


def test_the_row_of_a_change_is_the_one_that_fills_its_block() -> None:
    xs = np.random.default_rng(0).normal(size=(2_000, 3)).astype(np.float32)
    xs[1_900:] += 9
    drift = FeatureDrift(3, 0)
    drift.update(xs[:1_880])
    (change,) = drift.update(xs[1_880:])
    assert change == FeatureChange(69, drift.score)
    assert drift.score > THRESHOLD


@pytest.mark.parametrize("sizes", [[], [1_249, 1], [49] * 28])
def test_a_drift_of_the_features_is_published_marked_and_counted_wherever_batches_end(sizes: list[int]) -> None:
    log = ExampleLog()
    random = np.random.default_rng(0)
    for number in range(1_400):
        log.features(f"i{number}", (random.normal(size=3) + 5 * (number >= 1_200)).tolist(), "ab"[number % 2])
    fold, metrics = new_fold(log, models="nearest,nearest;drift=reset"), Metrics(CollectorRegistry())
    drifts = []
    for records in cut(log.records, sizes):
        result = fold.apply(records)
        count_outputs(result, fold.streams, metrics, topic="examples")
        drifts += [(output.at.offset, output.event) for output in result.outputs if isinstance(output.event, Drift)]
    stream = fold.streams["s"]
    marks = [(at, drift) for at, drift in drifts if drift.detector == FEATURES_DETECTOR]
    assert marks == [(1_249, Drift("s", Position(0, 1_249), "", "features", 1_249, False, 2_249.0))]
    assert [mark[:2] for mark in stream.feature_marks] == [(1_249, 1_250)]
    assert metrics.feature_drifts.labels("s")._value.get() == 1
    status = stream_status(stored_and_read(fold).streams["s"], Position(0, 0), now=0, snapshot=None, address=None)
    (mark,) = status.feature_drifts
    assert mark.images == 1_250
    assert abs(mark.scored - 1_249) <= 4, "on the curve, whose points are 4 apart"
    assert mark.score > status.feature_drift_threshold == THRESHOLD
    whole = new_fold(log, models="nearest,nearest;drift=reset")
    whole.apply(log.records)
    assert whole.digest() == fold.digest()
