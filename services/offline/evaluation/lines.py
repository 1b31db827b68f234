"""What an evaluation prints at its end."""

from collections.abc import Mapping, Sequence

from prequel.services.offline.evaluation.result import Evaluation, HeldOut, Resources
from prequel.services.producer.tables import aligned, score
from prequel.shared.status import ClassStatus, Interval
from prequel.shared.units import format_bytes


def evaluation_lines(evaluation: Evaluation, resources: Resources | None = None, *, said: int = 0) -> list[str]:
    """Everything, for a terminal: tables, verdicts in words, the champion's classification report, what it took, and
    the notes without the first ``said``, which were printed before."""
    held_out, champion = evaluation.held_out, evaluation.models[0]
    found = evaluation.prequential
    report = held_out.models[champion].report if held_out else evaluation.reports[champion]
    title = f"classification report of {champion}{', held out' if held_out else ''}:"
    return [
        *evaluation.notes[said:],
        "",
        f"{found.labelled:,} of {found.images:,} examples learned, each predicted before (test, then train):",
        *prequential_table(evaluation, resources),
        *_sentences([verdict.text for verdict in found.verdicts.values()]),
        *([] if found.label_order.mixed else _sentences([found.label_order.text])),
        *(_held_out_lines(held_out) if held_out else []),
        *(["", title, *report.splitlines()] if report else []),
        *(["", resources_line(evaluation, resources)] if resources else []),
    ]


def prequential_table(evaluation: Evaluation, resources: Resources | None) -> list[str]:
    """Lines: how good each model was, and what it took, where that is known."""
    rows = [["model", "accuracy", "95 % interval", "recent", "kappa", "log loss", "calibration", "forgetting"]]
    for name, model in evaluation.prequential.models.items():
        scores = (model.window_accuracy, model.kappa, model.log_loss, model.calibration_error)
        shares = map(score, (*scores, _forgetting(model.classes)))
        rows.append([name, score(model.accuracy), _interval(model.interval), *shares])
    if resources:
        costs = [_cost(evaluation, resources, name) for name in evaluation.prequential.models]
        rows = [[*row, *cost] for row, cost in zip(rows, [["us/example", "state"], *costs], strict=True)]
    return aligned(rows, right=(1, *range(3, 10)))


def resources_line(evaluation: Evaluation, resources: Resources) -> str:
    """Time and memory."""
    held_out = evaluation.held_out.images if evaluation.held_out else 0
    examples = evaluation.prequential.images + held_out
    rate = examples / resources.seconds if resources.seconds else 0.0
    return (
        f"{examples:,} examples in {resources.seconds:.1f} s ({rate:,.0f}/s), beside {resources.read_seconds:.1f} s of "
        f"reading; at most {format_bytes(resources.peak_memory_bytes)} of memory"
    )


def _held_out_lines(held_out: HeldOut) -> list[str]:
    rows = [["model", "accuracy", "95 % interval", "kappa", "log loss", "calibration"]]
    for name, model in held_out.models.items():
        scores = map(score, (model.kappa, model.log_loss, model.calibration_error))
        rows.append([name, score(model.accuracy), _interval(model.interval), *scores])
    return [
        "",
        f"held out ({held_out.split}): {held_out.scored:,} of {held_out.images:,} examples with a label, not learned:",
        *aligned(rows, right=(1, 3, 4, 5)),
        *_sentences([verdict.text for verdict in held_out.verdicts.values()]),
    ]


def _cost(evaluation: Evaluation, resources: Resources, model: str) -> list[str]:
    """Microseconds an example, and bytes."""
    if (cost := resources.models.get(model)) is None:
        return ["-", "-"]
    return [f"{1e6 * cost.seconds / max(1, evaluation.prequential.images):,.0f}", format_bytes(cost.state_bytes)]


def _sentences(sentences: Sequence[str]) -> list[str]:
    return ["", *sentences] if sentences else []


def _interval(interval: Interval | None) -> str:
    return f"{interval[0]:.4f} to {interval[1]:.4f}" if interval else "-"


def _forgetting(classes: Mapping[str, ClassStatus]) -> float | None:
    """The mean over the classes of which it is known."""
    known = [each.forgetting for each in classes.values() if each.forgetting is not None]
    return sum(known) / len(known) if known else None
