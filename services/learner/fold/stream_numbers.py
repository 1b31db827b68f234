"""The part of a stream's state that is a few plain numbers and names: the head of its snapshot holds it."""

from typing import Any

from prequel.services.learner.fold.decisions.decisions import Decisions, decision_rows, decisions_from
from prequel.services.learner.fold.drift.error_drift import ErrorDrift
from prequel.services.learner.fold.evaluation.comparisons import Comparisons
from prequel.services.learner.fold.evaluation.label_reasons import LabelReasons
from prequel.services.learner.fold.evaluation.labellers import Labellers
from prequel.services.learner.fold.stream import CurveMark, FeatureMark, StreamState


def stream_numbers(state: StreamState) -> dict[str, Any]:
    """As JSON holds them. The keys are the snapshots' format: another one, and older snapshots cannot be read."""
    return {
        "name": state.name,
        "config": state.config.values(),
        "seed": state.seed,
        "begun": state.begun,
        "adopted": sorted(state.adopted),
        "backbone": state.backbone,
        "dim": state.dim,
        "labels": state.labels,
        "counts": [state.images, state.labelled, state.pending, state.learned],
        "conflicts": state.conflicts.numbers(),
        "statuses": state.statuses,
        "abstentions": [*state.abstentions.numbers(), state.abstentions_from],
        "reset_at": state.reset_at,
        "drifts": [drift.numbers() for drift in state.drifts],
        "drift_counts": state.drift_counts,
        "marks": [list(mark) for mark in state.marks],
        "feature_marks": [list(mark) for mark in state.feature_marks],
        "comparisons": state.comparisons.rows(),
        "label_reasons": state.label_reasons.rows(),
        "labellers": state.labellers.rows(),
        **({"other_features": state.other_features} if state.other_features else {}),
        # Only where there are any: a stream without is stored, and has the digest, as before there were decisions.
        **({"decisions": decision_rows(state.decisions)} if state.decisions.given or len(state.decisions) else {}),
    }


def load_stream_numbers(state: StreamState, numbers: dict[str, Any]) -> None:
    """The inverse of ``stream_numbers``, into an empty state."""
    state.seed, state.backbone, state.dim = numbers["seed"], numbers["backbone"], numbers["dim"]
    state.begun, state.adopted = numbers["begun"], set(numbers["adopted"])
    state.labels = numbers["labels"]
    state.decisions = decisions_from(numbers["decisions"]) if "decisions" in numbers else Decisions()
    state.classes = {label: number for number, label in enumerate(state.labels)}
    state.images, state.labelled, state.pending, state.learned = numbers["counts"]
    state.statuses, state.reset_at, state.drift_counts = (
        numbers["statuses"],
        numbers["reset_at"],
        numbers["drift_counts"],
    )
    *counts, state.abstentions_from = numbers["abstentions"]
    state.abstentions.load(counts)
    state.other_features = {name: (dim, count) for name, (dim, count) in numbers.get("other_features", {}).items()}
    state.conflicts.load(numbers["conflicts"])
    state.drifts = [ErrorDrift.from_numbers(drift) for drift in numbers["drifts"]]
    state.marks = [CurveMark(*mark) for mark in numbers["marks"]]
    state.feature_marks = [FeatureMark(*mark) for mark in numbers["feature_marks"]]
    state.comparisons = Comparisons.from_rows(numbers["comparisons"])
    state.label_reasons = LabelReasons.from_rows(numbers["label_reasons"])
    state.labellers = Labellers.from_rows(numbers.get("labellers", {}))
