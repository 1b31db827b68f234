"""The figures of a report as CSV: models, curve, classes and confusion matrices, for spreadsheets and scripts."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from prequel.services.offline.evaluation.result import Evaluation
from prequel.services.producer.sources.natural_order import natural_key
from prequel.shared.status import Confusion

Row = Sequence[str | int | float | None]
"""None is written as nothing."""
NO_CLASS = "no class named"
"""The head of the column of examples for which a model named none."""
MAX_NAME = 80
"""Characters of a model in a file's name: a path of many folders still fits the 260 of Windows."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._=+,()-]+")


def tables_of(evaluation: Evaluation) -> dict[str, str]:
    """The text of each file, by its name."""
    return {
        "models.csv": _csv(_models(evaluation)),
        "curve.csv": _csv(_curve(evaluation)),
        "classes.csv": _csv(_classes(evaluation)),
        **_confusions(evaluation),
    }


def file_names(models: Iterable[str]) -> dict[str, str]:
    """For each model a part of a file's name, no two alike even where case does not count.

    >>> file_names(["slda;decay=0.005", "slda:decay=0.005"])
    {'slda;decay=0.005': 'slda-decay=0.005', 'slda:decay=0.005': 'slda-decay=0.005-2'}
    """
    names: dict[str, str] = {}
    taken = set[str]()
    for model in models:
        name = plain = _UNSAFE.sub("-", model)[:MAX_NAME].strip("-") or "model"
        number = 1
        while name.lower() in taken:
            number += 1
            name = f"{plain}-{number}"
        taken.add(name.lower())
        names[model] = name
    return names


def _csv(rows: Iterable[Row]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _models(evaluation: Evaluation) -> Iterator[Row]:
    yield (
        "phase",
        "model",
        "scored",
        "accuracy",
        "low",
        "high",
        "recent_accuracy",
        "kappa",
        "log_loss",
        "calibration_error",
    )
    for name, model in evaluation.prequential.models.items():
        low, high = model.interval or (None, None)
        shares = (model.accuracy, low, high, model.window_accuracy)
        yield ("prequential", name, model.scored, *shares, model.kappa, model.log_loss, model.calibration_error)
    held_out = evaluation.held_out
    for name, end in held_out.models.items() if held_out else ():
        low, high = end.interval or (None, None)
        shares = (end.accuracy, low, high, None)
        yield (
            "held-out",
            name,
            held_out.scored if held_out else 0,
            *shares,
            end.kappa,
            end.log_loss,
            end.calibration_error,
        )


def _curve(evaluation: Evaluation) -> Iterator[Row]:
    yield ("scored", "model", "accuracy", "low", "high", "recent_accuracy")
    for point in evaluation.prequential.curve:
        for model, accuracy in point.accuracy.items():
            low, high = point.interval.get(model, (None, None))
            yield (point.scored, model, accuracy, low, high, point.window_accuracy.get(model))


def _classes(evaluation: Evaluation) -> Iterator[Row]:
    yield ("model", "class", "scored", "precision", "recall", "f1", "forgetting")
    for model, status in evaluation.prequential.models.items():
        for label, each in sorted(status.classes.items(), key=lambda item: natural_key(item[0])):
            yield (model, label, each.support, each.precision, each.recall, each.f1, each.forgetting)


def _confusions(evaluation: Evaluation) -> dict[str, str]:
    names = file_names(evaluation.prequential.models)
    files = {f"confusion-{names[model]}.csv": each for model, each in evaluation.prequential.confusion.items()}
    if evaluation.held_out is not None:
        held_out = evaluation.held_out.models.items()
        files |= {f"held-out-confusion-{names[model]}.csv": end.confusion for model, end in held_out}
    return {name: _csv(_confusion(confusion)) for name, confusion in files.items()}


def _confusion(confusion: Confusion) -> Iterator[Row]:
    yield ("truth", *confusion.labels, NO_CLASS)
    for label, row in zip(confusion.labels, confusion.rows, strict=True):
        yield (label, *row)
