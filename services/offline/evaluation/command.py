"""The command `evaluate`: runs an evaluation, prints and saves what it found."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from prequel.services.offline.evaluation.evaluator import Evaluator
from prequel.services.offline.evaluation.files import as_json, write_results
from prequel.services.offline.evaluation.lines import evaluation_lines
from prequel.services.offline.evaluation.result import Evaluation
from prequel.services.offline.evaluation.running import run_evaluator
from prequel.services.producer.report import INTERRUPTED, print_lines

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
    print_lines(output.console, *evaluator.plan)
    evaluation = run_evaluator(evaluator, name, output.directory, output.console, clock)
    if output.as_json:
        print(as_json(evaluation))
    else:
        lines = evaluation_lines(evaluation, evaluation.resources, said=len(evaluator.plan))
        print_lines(output.console, *lines)
    if evaluator.stopped:
        return INTERRUPTED
    if output.directory:
        print_lines(output.console, f"report: {save_evaluation(evaluation, output.directory, output.report)}")
    return 0


def save_evaluation(evaluation: Evaluation, directory: Path, report: Report) -> Path:
    """Write its files, and the report, whose page is returned. Blocks; raises EvaluationError."""
    write_results(directory, evaluation)
    return report(evaluation, directory)
