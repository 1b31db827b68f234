"""Settings that change in the log: what was learned stays, and a model that is added is as if it had been there."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prequel.services.learner.fold.evaluation.prequential import Prequential
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.fold.predictions import ModelPrediction
from prequel.services.learner.publishing.stream_status import stream_status
from prequel.shared.config import ConfigError
from prequel.shared.events.types import Outcome
from prequel.shared.log.base import Bounds, Position
from tests.learner.building import ExampleLog, new_fold
from tests.learner.test_fold import LIMITS, _features, _label, cut, stored_and_read, turning, written

_parts = st.lists(_features | _label, max_size=30)


def joined(*parts: Sequence[tuple[Any, ...]] | dict[str, Any]) -> ExampleLog:
    """Histories, and the settings that change between them."""
    log = ExampleLog()
    for part in parts:
        if isinstance(part, dict):
            log.defaults(**part)
            continue
        for record in written(part).records:
            log.append_record(record)
    return log


def same_model(changed: Fold, at: int, reference: Fold, there: int) -> None:
    """State, metrics, drift, and what the window keeps of it."""
    for name, stream in changed.streams.items():
        other = reference.streams[name]
        if stream.models:
            arrays, others = stream.models[at].state().arrays, other.models[there].state().arrays
            assert all(np.array_equal(arrays[key], others[key]) for key in arrays.keys() | others.keys())
        (metrics, model), (other_metrics, other_model) = stream.scores.metrics_of(at), other.scores.metrics_of(there)
        assert counted(metrics, model) == counted(other_metrics, other_model)
        assert (metrics.scored, metrics.accuracy(model)) == (other_metrics.scored, other_metrics.accuracy(other_model))
        assert (stream.drifts[at].numbers(), stream.reset_at[at]) == (
            other.drifts[there].numbers(),
            other.reset_at[there],
        )
        calibrators = stream.calibrators[at].arrays(), other.calibrators[there].arrays()
        assert all(np.array_equal(calibrators[0][name], calibrators[1][name]) for name in calibrators[0])
        window, other_window = window_predictions(changed), window_predictions(reference)
        assert [each[at] for each in window] == [each[there] for each in other_window]


def counted(scores: Prequential, at: int) -> dict[str, Any]:
    """All that is counted of one model, with what is added up of it."""
    tally = scores.tallies[at]
    plain = {name: value for name, value in vars(tally).items() if name not in ("right_slices", "predicted")}
    added = [scores.true, tally.predicted]
    return plain | {
        "slices": tally.right_slices.cells().tolist(),
        "added up": [[number for number in each.vector(len(each)) if number] for each in added],
    }


def window_predictions(fold: Fold) -> list[Any]:
    examples = (state.window.find(f"i{number}") for state in fold.streams.values() for number in range(14))
    return [[comparable(prediction) for prediction in example.predictions] for example in examples if example]


def comparable(prediction: ModelPrediction) -> tuple[Any, ...]:
    return (*prediction[:3], prediction.own.tobytes(), prediction.calibration.tobytes())


@settings(max_examples=150, deadline=None)
@given(_parts, _parts, st.lists(st.integers(1, 9), max_size=8))
def test_an_added_model_is_as_if_it_had_been_there_since_the_beginning(
    before: list[Any], after: list[Any], sizes: list[int]
) -> None:
    log = joined(before, {"models": "nearest,logistic,ncm"}, after)
    changed, reference = new_fold(log, **LIMITS), new_fold(log, models="nearest,logistic,ncm", **LIMITS)
    changed_outputs = [output for piece in cut(log.records, sizes) for output in changed.apply(piece).outputs]
    expected = reference.apply(log.records).outputs
    for model in range(3 if changed.streams else 0):
        same_model(changed, model, reference, model)
    outcomes = [[e.event for e in each if isinstance(e.event, Outcome)] for each in (changed_outputs, expected)]
    assert outcomes[0] == outcomes[1]
    again = new_fold(log, cached=1, **LIMITS)
    again.apply(log.records)
    assert again.digest() == changed.digest() == stored_and_read(changed).digest()


@settings(max_examples=100, deadline=None)
@given(_parts, _parts)
def test_removing_a_model_leaves_the_others_unchanged(before: list[Any], after: list[Any]) -> None:
    log = joined(before, {"models": "ncm,logistic"}, after)
    changed, reference = (
        new_fold(log, models="nearest,logistic,ncm", **LIMITS),
        new_fold(log, models="ncm,logistic", **LIMITS),
    )
    for fold in (changed, reference):
        fold.apply(log.records)
    for model in range(2 if changed.streams else 0):
        same_model(changed, model, reference, model)
    assert stored_and_read(changed).digest() == changed.digest()


@settings(max_examples=100, deadline=None)
@given(_parts, _parts, st.integers(0, 20))
def test_a_model_added_after_retention_is_scored_on_the_rest_of_the_log(
    before: list[Any], after: list[Any], begin: int
) -> None:
    log = joined(before, {"models": "ncm,nearest", "window": 9}, after)
    log.begin = min(begin, len(before))
    folds = [new_fold(log, cached=cached, **LIMITS) for cached in (1, 1_000)]
    for fold in folds:
        fold.apply(log.records)
        for stream in fold.streams.values():
            for number in range(2):
                scores, at = stream.scores.metrics_of(number)
                tally = scores.tallies[at]
                assert sum(tally.confusion.values()) == scores.scored <= stream.scores.metrics_of(1)[0].scored
                assert all(
                    count > 0 for count in [*tally.confusion.values(), *tally.right_slices.cells()[:, 2].tolist()]
                )
                assert tally.right == sum(tally.curve) >= tally.recent_right >= 0
            stream_status(stream, Position(0, 0), now=0, snapshot=None, address=None)
    assert folds[0].digest() == folds[1].digest() == stored_and_read(folds[0]).digest()


@settings(max_examples=100, deadline=None)
@given(_parts, _parts, st.integers(1, 12), st.integers(1, 12), st.integers(0, 5))
def test_limits_apply_from_their_record_on(
    before: list[Any], after: list[Any], window: int, accuracy_window: int, duplicates: int
) -> None:
    change = {"window": window, "accuracy_window": accuracy_window, "duplicates": duplicates, "max_labels": 4}
    log = joined(before, change, after)
    changed = new_fold(log, **LIMITS)
    changed.apply(log.records)
    assert (changed.config.window, changed.config.max_labels) == (window, 4)
    for stream in changed.streams.values():
        assert len(stream.window) <= window
        assert stream.pending == stream.images - stream.labelled or stream.pending >= 0
        scores, _ = stream.scores.metrics_of(0)
        assert scores.recent_scored <= accuracy_window
        assert sum(mark != 0 for mark in scores.tallies[0].recent) == scores.recent_scored
        assert sum(mark == 2 for mark in scores.tallies[0].recent) == scores.tallies[0].recent_right
    assert stored_and_read(changed).digest() == changed.digest()


def test_a_new_champion_answers_and_the_old_ones_abstentions_are_not_restated() -> None:
    log = ExampleLog()
    for number in range(20):
        log.features(f"i{number}", [number % 2, 1, 0], "ab"[number % 2])
    log.defaults(models="logistic,nearest", unknown_probability=0.9)
    log.label("i3", "a")
    log.features("last", [0, 1, 0], "a")
    fold = new_fold(log)
    changed_outputs = fold.apply(log.records).outputs
    stream = fold.streams["s"]
    assert stream.config.models == ("logistic", "nearest")
    assert changed_outputs[-1].event.model == "logistic"  # type: ignore[union-attr]
    assert stream.abstentions.abstained + stream.abstentions.answered == 1


def test_a_model_that_reacts_to_drift_is_caught_up_with_its_resets() -> None:
    log, late = turning(600), turning(600)
    late.defaults(models="nearest,nearest;drift=reset")
    whole, added = new_fold(log, models="nearest,nearest;drift=reset"), new_fold(late, models="nearest")
    whole.apply(log.records)
    added.apply(late.records)
    assert added.streams["s"].reset_at == whole.streams["s"].reset_at
    assert added.streams["s"].marks == whole.streams["s"].marks
    same_model(added, 0, whole, 0)


def test_another_seed_applies_only_to_later_streams() -> None:
    log = ExampleLog()
    log.features("i0", [1, 2, 3], "a")
    log.defaults(seed=7)
    log.features("i0", [1, 2, 3], "a", stream="later")
    fold = new_fold(log)
    fold.apply(log.records)
    assert [stream.seed for stream in fold.streams.values()] == [0, 7]
    assert stored_and_read(fold).digest() == fold.digest()


@pytest.mark.parametrize("wrong", [{"window": 0}, {"models": ""}, {"seed": "x"}, {"models": ["slda"]}])
def test_invalid_settings_become_a_dead_letter(wrong: dict[str, Any]) -> None:
    log = ExampleLog()
    log.defaults(**wrong)
    fold = new_fold(log)
    assert [why.reason for _, why in fold.apply(log.records).rejected] == ["bad-defaults"]
    assert fold.config.window == 50_000


def test_a_model_that_this_prequel_does_not_know_stops_it() -> None:
    log = ExampleLog()
    log.defaults(models="nearest,newest")
    with pytest.raises(ConfigError, match="name model 'newest', which this Prequel cannot make"):
        new_fold(log).apply(log.records)


@pytest.mark.parametrize("cached", [1, 1_000])
def test_a_label_whose_features_retention_removed_expires_whatever_is_cached(cached: int) -> None:
    log = ExampleLog()
    log.features("i0", [1, 2, 3], "a")
    log.features("i1", [1, 2, 3], "a")
    fold = new_fold(log, cached=cached)
    fold.apply(log.records)
    log.begin = 1
    outputs = fold.apply([log.label("i0", "b"), log.label("i1", "b")]).outputs
    statuses = [output.event.status for output in outputs if isinstance(output.event, Outcome)]
    assert statuses == ["expired", "corrected"]


def test_the_log_is_asked_once_a_batch_where_it_begins() -> None:
    log = ExampleLog()
    asked: list[str] = []
    bounds = log.bounds

    def counted(topic: str) -> dict[int, Bounds]:
        asked.append(topic)
        return bounds(topic)

    log.bounds = counted  # type: ignore[method-assign]
    fold = new_fold(log)
    fold.apply([log.features(f"i{number}", [number, 2, 3]) for number in range(9)])
    assert asked == []
    fold.apply([log.label(f"i{number}", "a") for number in range(9)])
    assert len(asked) == 1
