"""Runs an evaluation: shows how far it is, notes every prediction, and measures what it took."""

import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from prequel.services.learner.publishing.stream_status import stream_status
from prequel.services.offline.evaluation.evaluator import Evaluator
from prequel.services.offline.evaluation.files import PREDICTIONS, make_folder
from prequel.services.offline.evaluation.predictions_file import HELD_OUT, PREQUENTIAL, PredictionsFile
from prequel.services.offline.evaluation.result import Evaluation, Resources
from prequel.services.offline.evaluation.results import model_costs
from prequel.services.offline.evaluation.schedule import Predicted
from prequel.services.producer.progress import Progress, progress_on
from prequel.shared.log.base import Position

SHOW_SECONDS = 0.25
"""Between two looks at the running accuracy, which take a millisecond: a bar that moves four times a second looks
alive."""


def run_evaluator(
    evaluator: Evaluator, name: str, directory: Path | None, console: Console, clock: Callable[[], float]
) -> Evaluation:
    """Evaluate what is called ``name``, and note the predictions in ``directory``, None: nowhere. Where it is stopped,
    what it has found until then; no predictions are kept then. Blocks.

    Raises EvaluationError, FeatureFileError, and Stopped where it was stopped before the first prediction.
    """
    began = clock()
    if directory:
        make_folder(directory)
    predictions = _predictions_file(evaluator, directory)
    try:
        with progress_on(console, name, evaluator.total, clock, unit="examples") as progress:
            evaluator.run(Watching(evaluator, predictions, progress, clock))
        resources = _resources(evaluator, clock() - began)
        evaluation = evaluator.evaluation()
        if predictions and not evaluator.stopped:
            predictions.finish()
    finally:
        if predictions:
            predictions.discard()
    return evaluation.model_copy(update={"resources": resources})


class Watching:
    """Writes predictions down, and shows how far the evaluation is."""

    def __init__(
        self,
        evaluator: Evaluator,
        predictions: PredictionsFile | None,
        progress: Progress,
        clock: Callable[[], float],
    ) -> None:
        self._evaluator, self._predictions, self._progress, self._clock = evaluator, predictions, progress, clock
        self._began = clock()
        self._shown_at = -SHOW_SECONDS

    def predicted(self, predicted: Predicted, names: Sequence[str], *, held_out: bool) -> None:
        if self._predictions:
            self._predictions.write(predicted, HELD_OUT if held_out else PREQUENTIAL, names)
        seconds, evaluator = self._clock() - self._began, self._evaluator
        if seconds - self._shown_at >= SHOW_SECONDS or evaluator.done == evaluator.total:
            self._shown_at = seconds
            at = Position(0, evaluator.fold.offset)
            status = stream_status(evaluator.fold.state, at, now=0.0, snapshot=None, address=None)
            self._progress.show(evaluator.done, seconds, status)


def _predictions_file(evaluator: Evaluator, directory: Path | None) -> PredictionsFile | None:
    return PredictionsFile(directory / PREDICTIONS, evaluator.fold.state.config.models) if directory else None


def _resources(evaluator: Evaluator, seconds: float) -> Resources:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Resources(
        seconds=seconds,
        read_seconds=evaluator.reading.seconds,
        peak_memory_bytes=peak if sys.platform == "darwin" else 1024 * peak,
        models=model_costs(evaluator.fold),
    )
