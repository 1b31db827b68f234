"""Evaluations for the tests of reports: a real fold over random features, scored and held out like any other."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import classification_report, cohen_kappa_score, log_loss

from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.publishing.stream_status import stream_status
from prequel.services.learner.replay.backtests.results import result_of
from prequel.services.offline.evaluation.result import Evaluation, HeldOut, HeldOutModel, Mistake
from prequel.shared.events.types import Prediction
from prequel.shared.log.base import Position
from prequel.shared.status import Confusion, ReliabilityPoint, VerdictStatus
from tests.learner.building import ExampleLog, new_fold

Vectors = npt.NDArray[np.float32]


class Examples(NamedTuple):
    """Features, float32 [n, dim], with a label each, or None, and a name."""

    vectors: Vectors
    labels: Sequence[str | None]
    names: Sequence[str]


def random_examples(classes: Sequence[str], count: int, *, seed: int = 0, unlabelled: bool = False) -> Examples:
    """Classes in random order, near enough to each other for mistakes."""
    random = np.random.default_rng(seed)
    numbers = random.integers(0, len(classes), count)
    vectors = random.normal(size=(len(classes), 8))[numbers] + random.normal(scale=0.7, size=(count, 8))
    labels = [None if unlabelled else classes[number] for number in numbers]
    return Examples(vectors.astype(np.float32), labels, [f"class/{row:04}.png" for row in range(count)])


def evaluate(examples: Examples, models: str, *, held_out: int = 0, **more: object) -> Evaluation:
    """Fold all but the last ``held_out`` examples, and predict these at the end. ``more`` are fields of the result."""
    log, end = ExampleLog(), len(examples.names) - held_out
    for row in range(end):
        log.features(f"id{row}", examples.vectors[row].tolist(), examples.labels[row])
    fold = new_fold(log, models=models)
    predictions = [each.event for each in fold.apply(log.records).outputs if isinstance(each.event, Prediction)]
    state = fold.streams["s"]
    result = result_of(state, _verdicts(state, end), Position(0, end)).model_copy(update={"begin": "0:0"})
    held = _held_out(state, examples, end) if held_out else None
    fields = {
        "source": "photos",
        "backbone": "test-8",
        "dim": examples.vectors.shape[1],
        "order": "shuffled",
        "seed": 0,
        "label_delay": 0,
        "mini_batch": 1,
        "models": list(result.models),
        "prequential": result,
        "reports": {result.champion: _report([(p.truth, p.label) for p in predictions])},
        "held_out": held,
        "mistakes": _mistakes(predictions, examples),
        "held_out_mistakes": _held_out_mistakes(state, examples, end) if held_out else [],
    }
    return Evaluation.model_validate(fields | more)


def _verdicts(state: StreamState, end: int) -> dict[str, VerdictStatus]:
    return stream_status(state, Position(0, end), now=0.0, snapshot=None, address=None).verdicts


def _mistakes(predictions: Sequence[Prediction], examples: Examples) -> list[Mistake]:
    wrong = [
        Mistake(
            model=each.model,
            row=row,
            id=each.id,
            name=examples.names[row],
            truth=each.truth or "",
            predicted=each.label or "",
            probability=each.probabilities[each.label or ""],
            truth_probability=each.probabilities.get(each.truth or "", 0.0),
        )
        for row, each in enumerate(predictions)
        if each.label and each.truth and each.label != each.truth
    ]
    return sorted(wrong, key=lambda mistake: (-mistake.probability, mistake.row))[:24]


def _predicted(state: StreamState, model: int, x: Vectors) -> tuple[str, dict[str, float]]:
    own = state.models[model]
    shares = dict(zip(own.labels, own.predict(x).tolist(), strict=True))
    return max(shares, key=lambda label: shares[label]), shares


def _held_out(state: StreamState, examples: Examples, begin: int) -> HeldOut:
    rows = [row for row in range(begin, len(examples.names)) if examples.labels[row] is not None]
    return HeldOut(
        split="0.2",
        images=len(examples.names) - begin,
        scored=len(rows),
        models={
            spec: _held_out_model(state, number, examples, rows) for number, spec in enumerate(state.config.models)
        },
        verdicts=_verdicts(state, begin),
    )


def _held_out_model(state: StreamState, model: int, examples: Examples, rows: Sequence[int]) -> HeldOutModel:
    truths = [examples.labels[row] or "" for row in rows]
    answers = [_predicted(state, model, examples.vectors[row]) for row in rows]
    named = [label for label, _ in answers]
    labels = sorted({*truths, *named})
    pairs = [[sum((t, p) == (a, b) for a, b in zip(truths, named, strict=True)) for p in labels] for t in labels]
    right = np.mean([t == p for t, p in zip(truths, named, strict=True)]) if rows else None
    sure = [max(shares.values()) for _, shares in answers]
    known = sorted(state.models[model].labels)
    return HeldOutModel(
        accuracy=None if right is None else float(right),
        interval=None if right is None else (max(0.0, float(right) - 0.03), min(1.0, float(right) + 0.02)),
        kappa=float(cohen_kappa_score(truths, named)) if len(labels) > 1 else None,
        log_loss=float(log_loss(truths, [[s[k] for k in known] for _, s in answers], labels=known))
        if len(known) > 1
        else None,
        calibration_error=abs(float(np.mean(sure)) - float(right)) if right is not None else None,
        confusion=Confusion(labels=labels, rows=[[*row, 0] for row in pairs]),
        reliability=[ReliabilityPoint(confidence=float(np.mean(sure)), accuracy=float(right), count=len(rows))]
        if right is not None
        else [],
        report=_report(list(zip(truths, named, strict=True))),
    )


def _held_out_mistakes(state: StreamState, examples: Examples, begin: int) -> list[Mistake]:
    found = []
    for number, spec in enumerate(state.config.models):
        for row in range(begin, len(examples.names)):
            truth = examples.labels[row]
            label, shares = _predicted(state, number, examples.vectors[row])
            if truth is not None and label != truth:
                sure, right = shares[label], shares.get(truth, 0.0)
                name = examples.names[row]
                found.append(
                    Mistake(
                        model=spec,
                        row=row,
                        id=f"id{row}",
                        name=name,
                        truth=truth,
                        predicted=label,
                        probability=sure,
                        truth_probability=right,
                    )
                )
    return sorted(found, key=lambda mistake: (-mistake.probability, mistake.row))


def _report(pairs: Sequence[tuple[str | None, str | None]]) -> str:
    known = [(truth, label) for truth, label in pairs if truth and label]
    if not known:
        return ""
    return str(classification_report([t for t, _ in known], [p for _, p in known], zero_division=0))
