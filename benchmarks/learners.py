"""What every model gives and costs: accuracy, forgetting, calibration, events/s, state, beside River's and others'."""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmarks.learner_tasks import SEED, Numbers, Task, camera, cifar, digits, dogs, mnist
from benchmarks.rivals import Answers, Learner, PrequelLearner, ceiling, rivals

BATCH = 100
EARLY = 100
"""The first events, whose log loss is looked at by itself: a model that is too sure while young shows it here."""
SETTLED = 500
"""From this event on confidence is held against accuracy."""
BINS = 15
"""Of equal width, for the expected calibration error, as in Guo et al., "On calibration of modern neural networks"."""
MODELS = (
    "mix",
    "slda",
    "slda;decay=0.005",
    "ridge",
    "scale|ridge",
    "ncm",
    "naive-bayes",
    "logistic",
    "softmax",
    "scale|perceptron",
    "scale|passive-aggressive",
    "knn",
    "mlp",
    "softmax;replay=balanced;memory=1000",
    "softmax;replay=gaussian",
    "softmax;replay=cgan",
    "mlp;replay=gaussian",
    "river:tree.HoeffdingAdaptiveTreeClassifier",
)


COSTS = """| model | log loss of the first 100 | calibration error | events/s | state, MB | snapshot, ms |
|---|---|---|---|---|---|"""


class Result(NamedTuple):
    """``forgotten`` is the mean over classes of the best recall on test examples so far minus the last one.

    ``changed`` is the prequential accuracy since the inputs changed, ``early`` the log loss of the first 100 events,
    ``error`` the calibration error from event 500 on; NaN where there is none.
    """

    events: int
    prequential: float
    changed: float
    held_out: float
    forgotten: float
    early: float
    error: float
    rate: float
    snapshot: float
    size: int


def run(learner: Learner, task: Task, budget: float) -> Result:
    """Stream the task, until it ends or ``budget`` seconds of processor time are used up."""
    parts, spent, best = [], 0.0, np.zeros(task.classes)
    checks = _checkpoints(task)
    some_xs, some_ys = task.test_xs[::4], task.test_ys[::4]
    for start in range(0, len(task.xs), BATCH):
        batch = slice(start, start + BATCH)
        clock = time.process_time()
        predictions = learner.fold(task.xs[batch], task.ys[batch])
        spent += time.process_time() - clock
        parts.append(learner.answers(predictions, task.ys[batch]))
        if start // BATCH in checks:
            best = np.maximum(best, _recalls(learner.predict(some_xs), some_ys, task.classes))
        if spent > budget:
            break
    done = sum(len(part.classes) for part in parts)
    tested = learner.predict(task.test_xs)
    forgotten = best - _recalls(tested[::4], some_ys, task.classes)
    clock = time.process_time()
    size = len(learner.snapshot())
    snapshot = time.process_time() - clock
    ys = task.ys[:done]
    if task.late and done == len(task.xs):
        parts.append(learner.answers(learner.fold(task.test_xs, task.test_ys), task.test_ys))
        ys = np.concatenate([ys, task.test_ys])
    answers = Answers(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    hits = answers.classes == ys
    return Result(
        done,
        prequential=float(hits.mean()),
        changed=_mean(hits[task.changed :]) if task.changed else np.nan,
        held_out=float((tested == task.test_ys).mean()),
        forgotten=float(np.maximum(forgotten, 0).mean()),
        early=_mean(-np.log(np.clip(answers.truth[:EARLY], 1e-15, 1.0))),
        error=_calibration_error(answers.confidence[SETTLED:], hits[SETTLED:]),
        rate=done / spent,
        snapshot=snapshot,
        size=size,
    )


def _mean(values: npt.NDArray[Any]) -> float:
    """Of those that are numbers; NaN if none is."""
    numbers = values[~np.isnan(values)]
    return float(numbers.mean()) if len(numbers) else np.nan


def _calibration_error(confidence: npt.NDArray[np.float64], hits: npt.NDArray[np.bool_]) -> float:
    """The mean distance of confidence from accuracy over BINS bins; NaN without probabilities."""
    if np.isnan(confidence).any() or not len(confidence):
        return np.nan
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return float(np.abs(np.bincount(bins, confidence - hits)).sum() / len(hits))


def _checkpoints(task: Task) -> set[int]:
    """The batches after which recall is looked at: one for each class."""
    return set(np.linspace(0, len(task.xs) / BATCH - 1, task.classes + 1).astype(int).tolist()[1:])


def _recalls(answers: Numbers, truth: Numbers, classes: int) -> npt.NDArray[np.float64]:
    return np.array([np.mean(answers[truth == k] == k) for k in range(classes)])


class Rows(NamedTuple):
    """A model's line in the table of accuracies, and in that of certainty and costs."""

    accuracy: str
    costs: str


def rows(name: str, tasks: Sequence[Task], make: Callable[[Task], Learner], budget: float) -> Rows:
    results = [run(make(task), task, budget) for task in tasks]
    cells = [_cell(task, result) for task, result in zip(tasks, results, strict=True)]
    judged = [result for task, result in zip(tasks, results, strict=True) if task.judged]
    first = results[0]
    costs = [
        _worst([result.early for result in judged], 2),
        _worst([result.error for result in judged], 3),
        f"{first.rate:,.0f}",
        f"{first.size / 1e6:.2f}",
        f"{first.snapshot * 1e3:.1f}",
    ]
    return Rows(_line([name, *cells]), _line([name, *costs]))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(task: Task, result: Result) -> str:
    """Prequential and held-out accuracy; how many events, if the budget did not allow all."""
    accuracies = [result.prequential, result.held_out]
    if task.changed:
        accuracies.insert(1, result.changed)
    forgotten = f", forgets {result.forgotten:.3f}" if "after" in task.name else ""
    star = "" if result.events == len(task.xs) else f" ({result.events:,} events)"
    return " / ".join("-" if np.isnan(each) else f"{each:.4f}" for each in accuracies) + forgotten + star


def _worst(values: Sequence[float], digits: int) -> str:
    """The largest, or a dash where there is none."""
    return f"{max(values):.{digits}f}" if values and not np.isnan(values).any() else "-"


def _prequel(spec: str, task: Task) -> Learner:
    return PrequelLearner(spec, task.xs.shape[1])


def _rival(make: Callable[[int], Learner], task: Task) -> Learner:
    return make(task.classes)


def _tasks(arguments: argparse.Namespace) -> list[Task]:
    tasks = [dogs(arguments.dogs)] if arguments.dogs else []
    tasks += cifar(arguments.cifar) if arguments.cifar else ()
    tasks += [camera(arguments.camera)] if arguments.camera else []
    tasks += [mnist(arguments.mnist)] if arguments.mnist else []
    return tasks + ([digits()] if arguments.digits else [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dogs", type=Path, help="npz with `features` and `labels` of 25,000 Dogs vs Cats photographs")
    parser.add_argument("--cifar", type=Path, help="npz with `features` and `labels` of CIFAR-10's 10,000 test images")
    parser.add_argument("--camera", type=Path, help="npz that benchmarks.make_camera_stream wrote")
    parser.add_argument("--mnist", type=Path, help="npz with `features` and `labels` of handwritten digits, shuffled")
    parser.add_argument("--digits", action="store_true", help="scikit-learn's digits through the compact backbone")
    parser.add_argument("--models", default="default", help="specs of Prequel's models, separated by blanks")
    parser.add_argument("--rivals", action="store_true", help="River's and scikit-learn's too, and the offline ceiling")
    parser.add_argument("--budget", type=float, default=30.0, help="seconds of processor time for a model and a stream")
    arguments = parser.parse_args()
    threadpool_limits(1)
    tasks = _tasks(arguments)
    if not tasks:
        parser.error("give at least one of --dogs, --cifar, --camera, --mnist, --digits")
    print(_line(["model", *(task.name for task in tasks)]) + "\n" + "|---" * (len(tasks) + 1) + "|")
    specs = MODELS if arguments.models == "default" else arguments.models.split()
    learners = {"`" + spec.replace("|", "\\|") + "`": partial(_prequel, spec) for spec in specs}
    if arguments.rivals:
        learners |= {name: partial(_rival, make) for name, make in rivals().items()}
    costs = []
    for name, make in learners.items():
        line = rows(name, tasks, make, arguments.budget)
        print(line.accuracy, flush=True)
        costs.append(line.costs)
    if arguments.rivals:
        print(_line(["offline logistic regression", *(f"{ceiling(task):.4f}" for task in tasks)]))
    print(f"\nEvents/s, MB and ms of {tasks[0].name}, on one core; seed {SEED}.\n\n{COSTS}\n" + "\n".join(costs))


if __name__ == "__main__":
    main()
