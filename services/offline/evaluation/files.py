"""The files of an evaluation: `evaluation.json`, which does not depend on the machine, and `resources.json`."""

import json
from pathlib import Path

from pydantic import BaseModel

from prequel.services.offline.evaluation.errors import EvaluationError
from prequel.services.offline.evaluation.predictions_file import cannot_write
from prequel.services.offline.evaluation.result import Evaluation

EVALUATION, RESOURCES, PREDICTIONS = "evaluation.json", "resources.json", "predictions.csv"


def make_folder(directory: Path) -> None:
    """Make sure that it can be written into, before hours of work. Raises EvaluationError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise EvaluationError(f"--report {directory} is a file: name a folder") from None
    except OSError as error:
        raise cannot_write(directory, error) from error


def write_results(directory: Path, evaluation: Evaluation) -> None:
    """Blocks; raises EvaluationError where they cannot be written."""
    files: dict[str, BaseModel | None] = {EVALUATION: evaluation, RESOURCES: evaluation.resources}
    for name, value in files.items():
        if value is None:
            continue
        path = directory / name
        partial = path.with_name(f"{name}.partial")
        try:
            partial.write_text(as_json(value) + "\n", encoding="utf-8")
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise cannot_write(path, error) from error


def as_json(value: BaseModel) -> str:
    """The same text for the same value, whatever the order in which its parts were found."""
    return json.dumps(value.model_dump(mode="json"), indent=2, sort_keys=True)
