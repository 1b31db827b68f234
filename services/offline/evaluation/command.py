"""The command `evaluate`: runs an evaluation, shows its progress, prints and saves what it found."""

import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from prequel.services.learner.publishing.stream_status import stream_status
from prequel.services.offline.evaluation.evaluator import Evaluator
from prequel.services.offline.evaluation.files import PREDICTIONS, as_json, make_folder, write_results
from prequel.services.offline.evaluation.lines import evaluation_lines
from prequel.services.offline.evaluation.predictions_file import HELD_OUT, PREQUENTIAL, PredictionsFile
from prequel.services.offline.evaluation.result import Evaluation, Resources
from prequel.services.offline.evaluation.results import model_costs
from prequel.services.offline.evaluation.schedule import Predicted
from prequel.services.producer.progress import Progress, progress_on
from prequel.services.producer.report import INTERRUPTED, print_lines
from prequel.shared.log.base import Position

SHOW_SECONDS = 0.25
"""Between two looks at the running accuracy, which take a millisecond: a bar that moves four times a second looks
alive."""

Report = Callable[[Evaluation, Path], Path]
"""Writes the report of an evaluation into a folder; the file to be looked at."""


class Output(NamedTuple):
    """Where results go: lines for people to ``console``, or JSON to standard output; into files in ``directory``, None:
    into none."""

    console: Console
    as_json: bool
    directory: Path | None
    report: Report


def run_evaluation(evaluator: Evaluator, name: str, output: Output, clock: Callable[[], float]) -> int:
    """Evaluate what is called ``name``; the exit code. Raises EvaluationError, FeatureFileError, Stopped."""
    began = clock()
    if output.directory:
        make_folder(output.directory)
    predictions = _predictions_file(evaluator, output.directory)
    print_lines(output.console, *evaluator.plan)
    try:
        with progress_on(output.console, name, evaluator.total, clock, unit="examples") as progress:
            evaluator.run(Watching(evaluator, predictions, progress, clock))
        resources = _resources(evaluator, clock() - began)
        evaluation = evaluator.evaluation()
        if predictions and not evaluator.stopped:
            predictions.finish()
    finally:
        if predictions:
            predictions.discard()
    if output.as_json:
        print(as_json(evaluation))
    else:
        print_lines(output.console, *evaluation_lines(evaluation, resources, said=len(evaluator.plan)))
    if evaluator.stopped:
        return INTERRUPTED
    if output.directory:
        write_results(output.directory, evaluation, resources)
        print_lines(output.console, f"report: {output.report(evaluation, output.directory)}")
    return 0


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
