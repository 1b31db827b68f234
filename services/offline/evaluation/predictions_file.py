"""The file `predictions.csv`: what every model predicted of each example, before it knew the label."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from prequel.services.learner.fold.calibration.ranking import ServedRun
from prequel.services.offline.evaluation.errors import EvaluationError
from prequel.services.offline.evaluation.schedule import Predicted

PREQUENTIAL, HELD_OUT = "prequential", "held-out"


class PredictionsFile:
    """A CSV file that is written example by example, under another name until it is whole.

    Raises EvaluationError where it cannot be written.
    """

    def __init__(self, path: Path, models: Sequence[str]) -> None:
        self._path, self._partial = path, path.with_name(f"{path.name}.partial")
        try:
            self._file: IO[str] = self._partial.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise cannot_write(path, error) from error
        self._writer = csv.writer(self._file, lineterminator="\n")
        columns = [column for model in models for column in (model, f"{model} probability")]
        self._writer.writerow(["row", "id", "name", "phase", "truth", *columns])

    def write(self, predicted: Predicted, phase: str, names: Sequence[str]) -> None:
        """``names`` are those of the classes, by number."""
        columns = [column for run in predicted.runs for column in _columns(run, names)]
        rows = zip(predicted.infos, *columns, strict=True)
        try:
            self._writer.writerows(
                (number, info.id, info.name, phase, info.label or "", *cells)
                for number, (info, *cells) in enumerate(rows, predicted.first)
            )
        except OSError as error:
            raise cannot_write(self._path, error) from error

    def finish(self) -> None:
        """Give it its name."""
        try:
            self._file.close()
            self._partial.replace(self._path)
        except OSError as error:
            raise cannot_write(self._path, error) from error

    def discard(self) -> None:
        """Remove what there is, unless it is finished."""
        try:
            self._file.close()
        finally:
            self._partial.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> EvaluationError:
    """What is wrong, and what to do."""
    return EvaluationError(f"{path} cannot be written: {error.strerror or error}; free some space, or give another DIR")


def _columns(run: ServedRun, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The label, and its probability, of each example; empty where the model knew no class."""
    top = run.top_classes()
    sure = run.served[:, 0].tolist() if run.served.shape[1] else [0.0] * len(top)
    labels = [names[label] if label >= 0 else "" for label in top]
    return labels, [f"{share:.6f}" if label >= 0 else "" for label, share in zip(top, sure, strict=True)]
