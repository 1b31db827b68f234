"""The fold equals its plain reference under any interleaving, however it is cut, stored and read back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prequel.services.learner.fold.calibration.ranking import own_predictions
from prequel.services.learner.fold.drift.reactions import check_spec
from prequel.services.learner.fold.evaluation.intervals import accuracy_interval
from prequel.services.learner.fold.evaluation.prequential import Prequential, ScoredLabel
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.fold.partition_parts import unsigned_part
from prequel.services.learner.fold.restored_partition import restore_fold
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.models.spec import UnknownModel
from prequel.services.learner.publishing.stream_status import MAX_INTERVALS, stream_detail, stream_status
from prequel.services.learner.snapshots.envelope import Envelope, SnapshotId
from prequel.services.learner.snapshots.root import Root
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.types import Drift, Features, Label, Outcome, Prediction
from prequel.shared.log.base import Position, Record
from prequel.shared.status import MAX_LABELS, StreamDetail, StreamStatus
from prequel.shared.vectors import MAX_VALUE
from tests.learner.building import ExampleLog, Registry, new_fold
from tests.learner.reference import Reference

CAREFUL: dict[str, Any] = {"unknown_probability": 0.45, "unknown_distance": 3.0}
LIMITS: dict[str, Any] = {"window": 6, "duplicates": 1_000, "accuracy_window": 5, "max_labels": 3, "max_waiting": 2}

_ids = st.sampled_from([f"i{n}" for n in range(14)])
_labels = st.sampled_from(["a", "b", "c", "d"])
_vectors = st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=3, max_size=3)
_features = st.tuples(st.just("features"), _ids, _vectors, st.none() | _labels)
_label = st.tuples(st.just("label"), _ids, st.none() | _labels)
_histories = st.lists(_features | _label, max_size=60)


def written(history: Sequence[tuple[Any, ...]]) -> ExampleLog:
    log = ExampleLog()
    for kind, id, *rest in history:
        if kind == "features":
            log.features(id, rest[0], rest[1])
        else:
            log.label(id, rest[0])
    return log


def reference(records: Sequence[Record]) -> Reference:
    models = [Registry().create(spec, 3, seed=0) for spec in ("nearest", "logistic")]
    plain = Reference(models, window=6, max_labels=3, max_waiting=2)
    for record in records:
        event = decode_example(record)
        if isinstance(event, Features):
            plain.features(event)
        elif isinstance(event, Label):
            plain.label(event)
    return plain


def cut(records: Sequence[Record], sizes: Sequence[int]) -> list[Sequence[Record]]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(records[at : at + size])
        at += size
    return [*pieces, records[at:]]


@settings(max_examples=300, deadline=None)
@given(_histories, st.sampled_from(["on", "off"]))
def test_any_interleaving_gives_what_the_reference_gives(history: list[tuple[Any, ...]], calibrate: str) -> None:
    log = written(history)
    models = f"nearest;calibrate={calibrate},logistic;calibrate={calibrate}"
    fold, plain = new_fold(log, models=models, **LIMITS), reference(log.records)
    result = fold.apply(log.records)
    assert [(e.event.id, e.event.status) for e in result.outputs if isinstance(e.event, Outcome)] == plain.outcomes
    assert result.duplicates == plain.duplicates
    assert bool(fold.streams) == bool(plain.examples)
    if not plain.examples:
        return
    state = fold.streams["s"]
    assert (state.images, state.labelled) == (
        len(plain.examples),
        sum(example.label is not None for example in plain.examples.values()),
    )
    assert state.labels == plain.labels
    for number, model in enumerate(plain.models):
        check_metrics(state, plain, number)
        if calibrate == "off":
            check_log_loss(state, plain, number)
        if state.models:
            check_model(state.models[number].state().arrays, model.state().arrays)


def check_metrics(state: StreamState, plain: Reference, model: int) -> None:
    scores, name = state.scores, state.name_of
    cells = {(name(t), name(g)): n for (t, g), n in scores.tallies[model].confusion.items() if n}
    assert cells == plain.confusion(model)
    assert scores.accuracy(model) == plain.accuracy(model)
    assert scores.window_accuracy(model) == plain.accuracy(model, newest=5)
    points = scores.curve()
    assert not points or (points[-1].scored, points[-1].accuracy[model]) == (
        len(plain.counted()),
        plain.accuracy(model),
    )


def check_log_loss(state: StreamState, plain: Reference, model: int) -> None:
    expected = plain.log_loss(model)
    assert state.scores.log_loss(model) == (None if expected is None else pytest.approx(expected, rel=1e-5))


def check_model(actual: Any, expected: Any) -> None:
    assert actual.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(actual[name], expected[name])


@settings(max_examples=150, deadline=None)
@given(_histories, st.lists(st.integers(1, 9), max_size=12), st.integers(1, 4))
def test_batches_and_caches_do_not_change_the_state(
    history: list[tuple[Any, ...]], sizes: list[int], cached: int
) -> None:
    log = written(history)
    whole, pieces = new_fold(log, **LIMITS, **CAREFUL), new_fold(log, cached=cached, **LIMITS, **CAREFUL)
    expected = whole.apply(log.records).outputs
    actual = [output for piece in cut(log.records, sizes) for output in pieces.apply(piece).outputs]
    assert pieces.digest() == whole.digest()
    assert actual == expected


@settings(max_examples=150, deadline=None)
@given(_histories, st.integers(0, 60))
def test_a_restored_state_continues_exactly(history: list[tuple[Any, ...]], at: int) -> None:
    log = written(history)
    whole, first = new_fold(log, **LIMITS, **CAREFUL), new_fold(log, **LIMITS, **CAREFUL)
    expected = whole.apply(log.records).outputs
    actual = first.apply(log.records[:at]).outputs
    again = stored_and_read(first)
    assert again.digest() == first.digest()
    actual += again.apply(log.records[at:]).outputs
    assert again.digest() == whole.digest()
    assert actual == expected


def stored_and_read(fold: Fold) -> Fold:
    envelope = Envelope(b"key", SnapshotId(0, fold.position, 1))
    content = fold.snapshot_content(envelope.seal)
    bodies = {part.address: part.body for parts in content.streams.values() for part in parts.values()}
    root = Root(
        offset=content.offset,
        generation=1,
        owner="me",
        partitions=1,
        defaults=list(content.config_history),
        last=content.last_record,
        digest=fold.digest(),
        built_on={},
        streams={name: parts["head"].address for name, parts in content.streams.items()},
        refused=content.rejected_streams,
    )
    return restore_fold(root, bodies.__getitem__, envelope, registry=Registry(), cache=fold.cache)


def test_only_unchanged_streams_count_as_stored() -> None:
    log = ExampleLog()
    for number in range(6):
        log.features(f"i{number}", [float(number), 1.0], "ab"[number % 2], stream=f"s{number % 3}")
    fold = new_fold(log)
    fold.apply(log.records)
    again = stored_and_read(fold)
    assert sorted(again.stored) == ["s0", "s1", "s2"]
    heads = {name: parts["head"] for name, parts in fold.parts(unsigned_part).items()}
    assert {name: (one.head, one.digest) for name, one in again.stored.items()} == {
        name: (head.address, head.digest) for name, head in heads.items()
    }
    again.apply([log.label("i0", "b", stream="s0")])
    assert sorted(again.stored) == ["s1", "s2"]


def test_a_class_of_a_later_example_is_unknown_to_earlier_ones_of_the_batch() -> None:
    log = ExampleLog()
    log.features("i0", [0.0, 1.0, 0.0], "a")
    log.label("i1", "a")
    log.features("i1", [1.0, 1.0, 0.0], "b")  # Its label had waited: "b" is no class of the stream by this one.
    log.features("i2", [2.0, 1.0, 0.0], "b")
    whole, pieces = new_fold(log), new_fold(log)
    whole.apply(log.records)
    for record in log.records:
        pieces.apply([record])
    assert whole.digest() == pieces.digest()


def test_streams_of_one_partition_are_independent() -> None:
    log, alone = ExampleLog(), ExampleLog()
    for number in range(40):
        x = [number % 3, 1.0, -number]
        log.features(f"i{number}", x, "ab"[number % 2], stream="s")
        log.features(f"i{number}", x, None, stream="other")
        alone.features(f"i{number}", x, "ab"[number % 2], stream="s")
    both, one = new_fold(log), new_fold(alone)
    both.apply(log.records)
    one.apply(alone.records)
    assert both.streams["s"].scores.parts()[0] == one.streams["s"].scores.parts()[0]
    assert both.streams["other"].labelled == 0


def test_a_correction_leaves_an_exact_model_as_if_the_right_label_had_come_first() -> None:
    corrected, right = ExampleLog(), ExampleLog()
    for number in range(20):
        label = "ab"[number % 2]
        corrected.features(f"i{number}", [number, 0, 1], "b" if number == 8 else label)
        right.features(f"i{number}", [number, 0, 1], label)
    corrected.label("i8", "b")
    corrected.label("i8", "a")
    folds = [new_fold(log, models="nearest") for log in (corrected, right)]
    outcome = folds[0].apply(corrected.records).outputs[-1].event
    folds[1].apply(right.records)
    assert isinstance(outcome, Outcome)
    assert (outcome.status, outcome.previous, outcome.exact) == ("corrected", "b", True)
    arrays = [fold.streams["s"].models[0].state().arrays["sums"] for fold in folds]
    np.testing.assert_allclose(arrays[0], arrays[1], rtol=1e-12)


@pytest.mark.parametrize("spec", ["slda;decay=0.02", "l2|slda;decay=0.3", "mix"])
def test_a_correction_is_exact_where_the_past_fades_too(spec: str) -> None:
    """Labels come late, every fifth one wrong, and are corrected among others that come for the first time."""
    xs = np.random.default_rng(0).normal(size=(400, 3))
    truths, corrected, right = ["ab"[int(x[0] > 0)] for x in xs], ExampleLog(), ExampleLog()
    for number in range(460):
        for log in (corrected, right):
            if number < 400:
                log.features(f"i{number}", list(xs[number]))
            if 7 <= number < 407:
                is_wrong = log is corrected and number % 5 == 2
                log.label(f"i{number - 7}", "abc"[number % 3] if is_wrong else truths[number - 7])
        if number >= 60 and number % 5 == 0:
            corrected.label(f"i{number - 60}", truths[number - 60])
    for log in (corrected, right):
        log.label("i100", None)
    folds = [new_fold(log, models=spec) for log in (corrected, right)]
    events = [output.event for output in folds[0].apply(corrected.records).outputs]
    folds[1].apply(right.records)
    changes = [event for event in events if isinstance(event, Outcome) and event.status in ("corrected", "retracted")]
    assert len(changes) > 40
    assert all(outcome.exact for outcome in changes)
    models = [fold.streams["s"].models[0] for fold in folds]
    order = [models[0].labels.index(label) for label in models[1].labels]
    actual, expected = (model.state().arrays for model in models)
    for name in expected:
        if name.endswith(("counts", "totals")):
            np.testing.assert_allclose(actual[name][order], expected[name], rtol=1e-9, atol=1e-9)
        elif name.endswith("second"):
            np.testing.assert_allclose(actual[name], expected[name], rtol=1e-9, atol=1e-9)


def test_what_exceeds_limits_or_does_not_fit_is_rejected_and_the_rest_continues() -> None:
    log = ExampleLog()
    log.features("i1", [1, 2, 3], "a")
    log.features("i2", [1, 2, 3, 4], "a")
    log.features("i3", [1, 2, 3], stream="second")
    log.features("i4", [1, 2, 3], "b")
    log.label("i4", "c")
    log.label("i4", "b")
    fold = new_fold(log, max_streams=1, max_labels=2)
    result = fold.apply(log.records)
    assert [(record.offset, why.reason) for record, why in result.rejected] == [
        (1, "wrong-backbone"),
        (2, "too-many-streams"),
        (4, "too-many-labels"),
    ]
    statuses = [output.event.status for output in result.outputs if isinstance(output.event, Outcome)]
    assert statuses == ["rejected", "unchanged"]
    assert [output.event.id for output in result.outputs if isinstance(output.event, Prediction)] == ["i1", "i4"]


def test_features_that_retention_removed_expire_the_label() -> None:
    log = ExampleLog()
    log.features("i1", [1, 2, 3], "a")
    log.features("i2", [1, 2, 3], "a")
    log.label("i1", "b")
    fold = new_fold(log, cached=1)
    log.read = lambda *_: {}  # type: ignore[method-assign]  # as a log whose retention has passed
    assert fold.apply(log.records).outputs[-1].event.status == "expired"  # type: ignore[union-attr]


def test_more_than_ten_classes_keep_the_ten_most_probable_and_share_the_rest() -> None:
    log = ExampleLog()
    for number in range(30):
        log.features(f"i{number}", [number % 15, number % 4, 1], f"c{number % 15}")
    log.features("last", [3, 3, 1])
    results = new_fold(log).apply(log.records).outputs
    last = results[-1].event
    assert isinstance(last, Prediction)
    shares = list(last.probabilities.values())
    assert len(shares) == 10
    assert shares == sorted(shares, reverse=True)


def turning(count: int) -> ExampleLog:
    """A stream whose labels swap their meaning half way."""
    log, random = ExampleLog(), np.random.default_rng(1)
    for number in range(count):
        kind = int(random.integers(2))
        x = [kind * 4 + random.normal(), random.normal(), 1]
        log.features(f"i{number}", x, "ab"[kind if number < count // 2 else 1 - kind])
    return log


@pytest.mark.parametrize("sizes", [[1] * 600, [7] * 80, [255, 3, 200]])
def test_a_drift_is_published_marked_and_reacted_to_wherever_batches_end(sizes: list[int]) -> None:
    log = turning(600)
    models: dict[str, Any] = {"models": "nearest,nearest;drift=reset"}
    whole, pieces = new_fold(log, **models), new_fold(log, **models)
    expected = whole.apply(log.records).outputs
    actual = [output for piece in cut(log.records, sizes) for output in pieces.apply(piece).outputs]
    assert (pieces.digest(), actual) == (whole.digest(), expected)
    assert stored_and_read(whole).digest() == whole.digest()
    drifts = [output.event for output in actual if isinstance(output.event, Drift)]
    state = whole.streams["s"]
    assert {drift.model for drift in drifts if drift.reset} == {"nearest;drift=reset"}
    assert all(drift.scored > 300 for drift in drifts)
    assert state.marks == [(drift.scored, drift.model, drift.detector) for drift in drifts]
    kept, renewed = (state.scores.window_accuracy(number) for number in (0, 1))
    assert kept is not None
    assert renewed is not None
    assert renewed > kept + 0.1


@pytest.mark.parametrize("spec", ["nearest;drift=reset", "slda;drift=forget"])
@pytest.mark.parametrize("mixed", [True, False])
def test_no_model_forgets_because_the_next_class_comes(spec: str, mixed: bool) -> None:
    log, random = ExampleLog(), np.random.default_rng(2)
    for number in range(800):
        second = bool(random.integers(2)) if mixed else number >= 400
        told_apart = mixed and number < 400
        log.features(f"i{number}", [4.0 * (second and told_apart) + random.normal(), 0, 1], "ab"[second])
    fold = new_fold(log, models=spec)
    drifts = [output.event for output in fold.apply(log.records).outputs if isinstance(output.event, Drift)]
    assert any(drift.model == spec for drift in drifts)
    assert (fold.streams["s"].reset_at[0] > 0) == mixed


def test_a_model_of_sums_forgets_faster_after_a_drift() -> None:
    log = turning(600)
    fold = new_fold(log, models="slda,slda;drift=forget")
    fold.apply(log.records)
    state = fold.streams["s"]
    kept, faded = (state.scores.window_accuracy(number) for number in (0, 1))
    assert kept is not None
    assert faded is not None
    assert faded > kept + 0.05
    assert stored_and_read(fold).digest() == fold.digest()


@pytest.mark.parametrize(
    ("spec", "counts"),
    [
        ("l2|slda", "inner.counts"),
        ("project:2|slda", "inner.counts"),
        ("scale|slda", "inner.counts"),
        ("mix(logistic, slda)", "1.counts"),
    ],
)
def test_a_model_behind_a_transform_or_in_a_mixture_forgets_too(spec: str, counts: str) -> None:
    check_spec(f"{spec};drift=forget", signed=False)
    log, fold = drifted(f"{spec};drift=forget")
    plain = new_fold(log, models=spec)
    plain.apply(log.records)
    weight = [each.streams["s"].models[0].state().arrays[counts].sum() for each in (fold, plain)]
    assert weight[0] < weight[1]


@pytest.mark.parametrize(
    "spec", ["logistic;drift=forget", "mix(ncm, knn);drift=forget", "slda;drift=panic", "slda;drift=none;drift=reset"]
)
def test_an_impossible_reaction_is_named(spec: str) -> None:
    with pytest.raises(UnknownModel, match="drift="):
        check_spec(spec, signed=False)


def test_a_correction_after_a_reset_unlearns_nothing_from_the_new_model() -> None:
    log = turning(600)
    log.label("i3", "c")
    fold = new_fold(log, models="nearest;drift=reset")
    fold.apply(log.records)
    sums = fold.streams["s"].models[0].state().arrays["sums"]
    assert fold.streams["s"].reset_at[0] > 300
    assert (sums[:, -1] >= 0).all()
    assert sums[:, -1].sum() == 600 - fold.streams["s"].reset_at[0] - 1 + 1


def test_the_champion_abstains_on_novel_examples_and_that_is_counted_apart() -> None:
    log, random = ExampleLog(), np.random.default_rng(2)
    for number in range(60):
        log.features(f"i{number}", [number % 2 * 4 + 0.1 * random.normal(), 0.1 * random.normal(), 0], "ab"[number % 2])
    for number in range(5):
        log.features(f"far{number}", [50, 50 + number, 50], "c" if number == 4 else None)
    fold = new_fold(log, unknown_distance=9.0)
    results = fold.apply(log.records).outputs
    far = [e.event for e in results if isinstance(e.event, Prediction) and e.event.id.startswith("far")]
    assert [(prediction.label, prediction.unknown) for prediction in far] == [(None, True)] * 5
    assert far[0].models["nearest"] in ("a", "b")
    counts = fold.streams["s"].abstentions
    assert (counts.novel, counts.abstained + counts.answered) == (1, 60)
    assert counts.right > 0.9 * counts.answered


def drifted(spec: str) -> tuple[ExampleLog, Fold]:
    """A model that has reacted to a drift; images e0 to e4 came before any class was known, and have no label."""
    log = ExampleLog()
    for number in range(5):
        log.features(f"e{number}", [9, 9, 9])
    for number in range(900):
        log.features(f"i{number}", [number % 2, 1 - number % 2, 0], "pq"[(number + number // 400) % 2])
    fold = new_fold(log, models=spec)
    fold.apply(log.records)
    assert fold.streams["s"].reset_at[0] > 400
    return log, fold


def sums_and_outcomes(log: ExampleLog, fold: Fold, labels: list[tuple[str, str | None]]) -> tuple[Any, list[Any]]:
    """What labels change in the sums of the model, and what became of them with `exact`."""
    [name] = {"counts", "sums"} & fold.streams["s"].models[0].state().arrays.keys()
    before = fold.streams["s"].models[0].state().arrays[name].copy()
    records = [log.label(id, label) for id, label in labels]
    results = fold.apply(records).outputs
    outcomes = [(output.event.status, output.event.exact) for output in results if isinstance(output.event, Outcome)]
    return fold.streams["s"].models[0].state().arrays[name] - before, outcomes


def test_after_a_reset_the_new_model_can_unlearn_what_it_learned() -> None:
    log, fold = drifted("nearest;drift=reset")
    changed, outcomes = sums_and_outcomes(log, fold, [("e0", "q"), ("e0", None)])
    assert (changed.any(), outcomes) == (False, [("learned", True), ("retracted", True)])
    changed, outcomes = sums_and_outcomes(log, fold, [("i3", "p"), ("i3", "q"), ("i3", None)])
    assert (changed.any(), outcomes) == (False, [("corrected", True), ("corrected", True), ("retracted", True)])


def outcomes_of(fold: Fold, records: Sequence[Record]) -> list[tuple[str, bool]]:
    results = fold.apply(records).outputs
    return [(output.event.status, output.event.exact) for output in results if isinstance(output.event, Outcome)]


def test_a_residue_makes_the_outcomes_of_all_later_labels_inexact() -> None:
    log = ExampleLog()
    for number in range(20):
        log.features(f"i{number}", [number % 2, 1, 0], "ab"[number % 2])
    fold = new_fold(log, models="logistic")
    fold.apply(log.records)
    outcomes = outcomes_of(fold, [log.label("i3", label) for label in ("b", None, "b", "b", "a")])
    statuses = ["unchanged", "retracted", "learned", "unchanged", "corrected"]
    assert outcomes == list(zip(statuses, [True, False, False, False, False], strict=True))
    again = stored_and_read(fold)
    assert outcomes_of(again, [log.label("i3", "b"), log.label("i4", "a")]) == [
        ("corrected", False),
        ("unchanged", True),
    ]


def test_a_reset_model_has_no_residue() -> None:
    log, fold = drifted("logistic;drift=reset")
    outcomes = outcomes_of(fold, [log.label("i3", "p"), log.label("i3", "q")])
    assert outcomes == [("corrected", True), ("corrected", False)]


def test_a_half_forgotten_label_stays_and_the_outcome_is_inexact() -> None:
    log, fold = drifted("slda;drift=forget")
    changed, outcomes = sums_and_outcomes(log, fold, [("i3", "p"), ("i3", None), ("i899", "p"), ("i899", None)])
    known = fold.streams["s"].models[0].labels
    assert outcomes == [("corrected", False), ("retracted", False), ("corrected", True), ("retracted", True)]
    assert changed.tolist() == [-float(label == "q") for label in known]


def test_a_restored_window_knows_an_id_that_came_again() -> None:
    log = ExampleLog()
    settings: dict[str, Any] = {"window": 2, "duplicates": 0}
    for id in ("a", "b", "c", "a"):
        log.features(id, [1, 2, 3], "x")
    log.label("a", "y")
    for id in ("d", "e", "b"):
        log.features(id, [1, 2, 3], "x")
    whole, first = new_fold(log, **settings), new_fold(log, **settings)
    expected = whole.apply(log.records).outputs
    actual = first.apply(log.records[:4]).outputs
    again = stored_and_read(first)
    assert actual + again.apply(log.records[4:]).outputs == expected
    assert again.digest() == whole.digest()
    assert stored_and_read(again).streams["s"].window.find("b") is not None


def test_a_status_is_the_same_after_a_restart_where_corrections_emptied_a_cell() -> None:
    log = ExampleLog()
    log.features("z", [0, 0, 0], "b")
    log.features("a", [1, 2, 3], "cat")
    log.label("a", "b")
    fold = new_fold(log)
    fold.apply(log.records)
    states = [each.streams["s"] for each in (fold, stored_and_read(fold))]
    statuses = [stream_status(state, Position(0, 3), now=0, snapshot=None, address=None) for state in states]
    details = [stream_detail(state, Position(0, 3)) for state in states]
    assert statuses[0] == statuses[1]
    assert details[0] == details[1]
    assert details[0].confusion["nearest"].labels == ["b"]


def test_the_largest_values_that_are_taken_leave_a_status_that_can_be_read() -> None:
    log = ExampleLog()
    for number in range(40):
        log.features(
            f"i{number}", [MAX_VALUE, -MAX_VALUE, MAX_VALUE] if number % 3 == 0 else [1, 2, 3], "ab"[number % 2]
        )
    fold = new_fold(log, models="slda,logistic")
    fold.apply(log.records)
    actual = stream_status(fold.streams["s"], Position(0, 40), now=0, snapshot=None, address=None)
    assert np.isfinite(actual.feature_drift)
    assert StreamStatus.model_validate_json(orjson.dumps(actual.model_dump())) == actual


def test_the_fading_accuracy_stays_in_bounds_when_nearly_all_is_retracted() -> None:
    for many in (1_000, 20_000, 40_000):
        scores = Prequential(1, 10)
        label = ScoredLabel(truth=0, losses=[0])
        scores.score(label, [0])
        for _ in range(many):
            scores.score(label, [1])
        for index in range(1, many + 1):
            scores.restate(index, [1], label, None)
        assert scores.accuracy(0) == 1.0
        assert scores.fading_accuracy(0) in (None, pytest.approx(1.0, abs=1e-6))


def test_a_rejected_waiting_label_does_not_make_its_image_a_dead_letter() -> None:
    log = ExampleLog()
    log.features("i1", [1, 2, 3], "a")
    log.label("early", "b")
    log.features("early", [1, 2, 3])
    result = new_fold(log, max_labels=1).apply(log.records)
    assert result.rejected == []
    outcomes = [output.event for output in result.outputs if isinstance(output.event, Outcome)]
    assert [(outcome.status, outcome.label) for outcome in outcomes] == [("waiting", "b"), ("rejected", "b")]


def test_streams_whose_models_do_not_fit_are_rejected_wherever_a_batch_begins() -> None:
    log = ExampleLog()
    for number in range(6):
        log.features("i", [float(number)] * 60_000, "a", stream=f"s{number}")
        log.features("j", [float(number)] * 60_000, "b", stream=f"s{number}")
    settings: dict[str, Any] = {"models": "ncm", "max_model_bytes": 2**20}
    whole, first = new_fold(log, **settings), new_fold(log, **settings)
    refused = whole.apply(log.records).rejected
    assert {why.reason for _, why in refused} == {"too-many-streams"}
    assert [record.offset for record, _ in refused] == [4, 5, 6, 7, 8, 9, 10, 11]
    assert [record.offset for record, why in refused if not why.counted] == [4, 6, 8, 10], "its first image tells"
    assert "PREQUEL_MAX_MODEL_BYTES" in refused[0][1].detail
    first.apply(log.records[:3])
    again = stored_and_read(first)
    assert [record.offset for record, _ in again.apply(log.records[3:]).rejected] == [4, 5, 6, 7, 8, 9, 10, 11]
    assert again.digest() == whole.digest()
    assert sorted(whole.streams) == ["s0", "s1"], "a stream that was refused takes no place"
    assert new_fold(log, models="slda", max_model_bytes=2**20).apply(wide(900)).rejected == []


def wide(dim: int) -> list[Record]:
    log = ExampleLog()
    return [log.features("i", [0.0] * dim, "a")]


def test_drift_marks_stay_on_the_curve_after_many_retractions() -> None:
    log, fold = drifted("nearest;drift=reset")
    scored = fold.streams["s"].marks[-1].scored
    fold.apply([log.label(f"i{number}", None) for number in range(300)])
    actual = stream_status(fold.streams["s"], Position(0, 0), now=0, snapshot=None, address=None)
    assert abs(actual.drifts[-1].scored - (scored - 300)) <= fold.streams["s"].scores.metrics_of(0)[0].stride
    assert actual.drifts[-1].scored <= stream_detail(fold.streams["s"], Position(0, 0)).curve[-1].scored


def test_a_prediction_that_is_no_number_counts_as_zero() -> None:
    (prediction,) = own_predictions([np.array([np.nan, np.inf])], [0, 1])
    assert [np.isfinite(share) for share in prediction.probabilities] == [True, True]
    assert prediction.log_loss_units(0) == prediction.log_loss_units(1) > 0


SAME, OTHER_LABEL, OTHER_IMAGE = ({"content": content, "label": label} for content, label in ((0, 0), (0, 1), (1, 0)))


@pytest.mark.parametrize(
    ("first", "again", "expected"),
    [
        ((b"x", "a"), (b"x", "a"), SAME),
        ((b"x", "a"), (b"x", None), SAME),
        ((b"x", None), (b"x", None), SAME),
        ((b"x", "a"), (b"x", "b"), OTHER_LABEL),
        ((b"x", None), (b"x", "b"), OTHER_LABEL),
        ((b"x", "a"), (b"y", "a"), OTHER_IMAGE),
        ((b"x", "a"), (b"y", "b"), OTHER_IMAGE),
    ],
)
def test_a_duplicate_id_with_another_image_or_label_is_a_conflict(
    first: tuple[bytes, str | None], again: tuple[bytes, str | None], expected: dict[str, int]
) -> None:
    log = ExampleLog()
    log.features("c", [0.0, 1.0], "b")
    log.features("d", [0.0, 1.0], "a")
    for data, label in (first, again):
        log.features("i", [1.0, 2.0], label, data=data)
    fold = new_fold(log, **LIMITS)
    together = fold.apply(log.records)
    assert fold.streams["s"].conflicts.numbers() == expected
    assert {"content": 0, "label": 0, **together.conflicts} == expected
    assert together.duplicates == 1
    singly = new_fold(log, **LIMITS)
    for record in log.records:
        singly.apply([record])
    assert singly.digest() == fold.digest()


def test_a_duplicate_with_the_first_label_is_no_conflict_after_a_correction() -> None:
    log = ExampleLog()
    log.features("i", [1.0, 2.0], "a", data=b"x")
    log.label("i", "b")
    for label in ("a", "b", "c"):
        log.features("i", [1.0, 2.0], label, data=b"x")
    fold = new_fold(log, **LIMITS)
    assert fold.apply(log.records).conflicts == {"label": 1}


def test_duplicates_without_an_image_digest_are_no_conflict() -> None:
    log = ExampleLog()
    for _ in range(2):
        record = log.features("i", [1.0, 2.0], "a", data=b"x")
    headers = tuple(pair for pair in record.headers if pair[0] != "ce_digest")
    log.records[-1] = record._replace(headers=headers)
    log.records.append(record._replace(offset=2, headers=(*headers, ("ce_digest", b"none"))))
    fold = new_fold(log, **LIMITS)
    result = fold.apply(log.records)
    assert (result.conflicts, result.duplicates) == ({}, 2)


def test_the_status_of_many_classes_is_bounded_and_the_detail_has_all() -> None:
    log = ExampleLog()
    for number in range(400):
        log.features(f"i{number}", [number % 7, 1.0, number % 11], f"class {number % 130}")
    fold = new_fold(log)
    fold.apply(log.records)
    state = fold.streams["s"]
    status = stream_status(state, Position(0, 400), now=0, snapshot=None, address=None)
    everything = stream_detail(state, Position(0, 400))
    assert len(everything.classes["nearest"]) == 130
    shown = status.models["nearest"].classes
    assert len(shown) == MAX_LABELS
    every = everything.classes["nearest"]
    assert all(every[label] == each for label, each in shown.items())
    others = [each.support for label, each in every.items() if label not in shown]
    assert min(each.support for each in shown.values()) >= max(others)
    assert StreamDetail.model_validate_json(everything.model_dump_json()) == everything


@pytest.mark.parametrize("labelled", [3, 40, 300])
def test_points_of_the_curve_have_intervals_as_far_as_they_are_few(labelled: int) -> None:
    log = ExampleLog()
    for number in range(labelled):
        log.features(f"i{number}", [number % 7, 1.0, number % 11], f"class {number % 2}")
    fold = new_fold(log)
    fold.apply(log.records)
    state = fold.streams["s"]
    points = stream_detail(state, Position(0, 9)).curve
    known = [point for point in points if point.interval]
    assert len(known) == min(len(points), MAX_INTERVALS + 1) or len(points) > MAX_INTERVALS >= len(known) - 1
    assert (known[0], known[-1]) == (points[0], points[-1])
    for model, (low, high) in known[-1].interval.items():
        assert (low, high) == accuracy_interval(
            round(points[-1].accuracy[model] * points[-1].scored), points[-1].scored
        )


@settings(max_examples=30, deadline=None)
@given(_histories)
def test_running_sums_equal_the_sums_of_the_confusion_matrix(history: list[tuple[Any, ...]]) -> None:
    log = written(history)
    fold = new_fold(log, **LIMITS, **CAREFUL)
    fold.apply(log.records)
    for state in fold.streams.values():
        for scores, at in map(state.scores.metrics_of, range(len(state.config.models))):
            tally = scores.tallies[at]
            cells = tally.confusion
            classes = range(len(state.labels))
            true = [sum(n for (t, _), n in cells.items() if t == label) for label in classes]
            predicted = [sum(n for (_, p), n in cells.items() if p == label) for label in classes]
            assert scores.true.vector(len(classes)).tolist() == true
            assert tally.predicted.vector(len(classes)).tolist() == predicted
            assert scores.true.dot(tally.predicted) == sum(a * b for a, b in zip(true, predicted, strict=True))
