"""The command `predict`: a model file's answers for images or features, as lines for people or as JSON."""

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from prequel.services.offline.prediction.answers import NamedAnswer, answers
from prequel.services.offline.prediction.inputs import Inputs, OpenBackbone, read_model
from prequel.services.producer.errors import SourceError
from prequel.services.producer.report import INTERRUPTED
from prequel.services.producer.summary import ImageProblem

SHOWN = 3
"""Classes in a line: what it is, and what else it may be. `--json` has ten."""


def predict(
    path: Path,
    names: Sequence[str],
    *,
    open_backbone: OpenBackbone,
    as_json: bool,
    console: Console,
    warn: Callable[[str], None],
    stop: threading.Event,
) -> int:
    """Print an answer for each image or row as soon as there is one; the exit code: 1 where an image has none.

    Raises ProducerError, FeatureFileError, ConfigError, OutOfMemory.
    """
    model = read_model(path)
    inputs = Inputs(model, list(names), open_backbone, stop)
    right = labelled = predicted = 0
    for rows in inputs.rows():
        try:
            found = answers(model, rows.vectors)
        except ValueError as error:
            raise SourceError(str(error)) from None
        for info, answer in zip(rows.infos, found, strict=True):
            named = NamedAnswer(info.name or info.id, info.label, answer)
            print(json.dumps(named.json(), ensure_ascii=False) if as_json else line(named), file=console.file)
            predicted += 1
            labelled += info.label is not None
            right += info.label is not None and answer.label == info.label
    for problem in inputs.problems:
        warn(_problem(problem))
    if inputs.copies:
        warn(f"{inputs.copies:,} images are copies of others, and answered with them")
    if labelled and not as_json:
        print(f"right: {right:,} of {labelled:,} with a label, {right / labelled:.4f}", file=console.file)
    if stop.is_set():
        warn("interrupted")
        return INTERRUPTED
    return 1 if inputs.problems or not predicted else 0


def line(named: NamedAnswer) -> str:
    """One answer for people.

    >>> from prequel.shared.queries import Answer
    >>> shares = {"cat": 0.9, "dog": 0.1}
    >>> line(NamedAnswer("1.jpg", None, Answer(stream="pets", position="0:9", model="mix", label="cat", models={},
    ...     probabilities=shares)))
    '1.jpg  cat 0.900  (dog 0.100)'
    """
    answer = named.answer
    shares = [f"{label} {share:.3f}" for label, share in list(answer.probabilities.items())[:SHOWN]]
    if answer.unknown:
        return f"{named.name}  unknown  ({', '.join(shares)})"
    others = f"  ({', '.join(shares[1:])})" if shares[1:] else ""
    wrong = "" if named.truth in (None, answer.label) else f"  [is {named.truth}]"
    return f"{named.name}  {shares[0]}{others}{wrong}"


def _problem(problem: ImageProblem) -> str:
    return f"{problem.name}: no prediction: {problem.reason}"
