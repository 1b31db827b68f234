"""What every model gives and costs: accuracy, forgetting, events/s and state, beside River's and scikit-learn's."""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmarks.learner_tasks import SEED, Numbers, Task, cifar, digits, dogs
from benchmarks.rivals import Learner, PrequelLearner, ceiling, rivals

BATCH = 100
MODELS = (
    "slda",
    "ridge",
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
)


class Result(NamedTuple):
    """``forgotten`` is the mean over classes of the best recall on test examples so far minus the last one."""

    events: int
    prequential: float
    held_out: float
    forgotten: float
    rate: float
    snapshot: float
    size: int


def run(learner: Learner, task: Task, budget: float) -> Result:
    """Stream the task, until it ends or ``budget`` seconds of processor time are used up."""
    hits, spent, best = [], 0.0, np.zeros(task.classes)
    checks = _checkpoints(task)
    some_xs, some_ys = task.test_xs[::4], task.test_ys[::4]
    for start in range(0, len(task.xs), BATCH):
        batch = slice(start, start + BATCH)
        clock = time.process_time()
        hits.append(learner.fold(task.xs[batch], task.ys[batch]) == task.ys[batch])
        spent += time.process_time() - clock
        if start // BATCH in checks:
            best = np.maximum(best, _recalls(learner.predict(some_xs), some_ys, task.classes))
        if spent > budget:
            break
    done = sum(map(len, hits))
    answers = learner.predict(task.test_xs)
    forgotten = best - _recalls(answers[::4], some_ys, task.classes)
    clock = time.process_time()
    size = len(learner.snapshot())
    snapshot = time.process_time() - clock
    if task.late and done == len(task.xs):
        hits.append(learner.fold(task.test_xs, task.test_ys) == task.test_ys)
    accuracy = float(np.mean(np.concatenate(hits)))
    held_out = float((answers == task.test_ys).mean())
    return Result(done, accuracy, held_out, float(np.maximum(forgotten, 0).mean()), done / spent, snapshot, size)


def _checkpoints(task: Task) -> set[int]:
    """The batches after which recall is looked at: one for each class."""
    return set(np.linspace(0, len(task.xs) / BATCH - 1, task.classes + 1).astype(int).tolist()[1:])


def _recalls(answers: Numbers, truth: Numbers, classes: int) -> npt.NDArray[np.float64]:
    return np.array([np.mean(answers[truth == k] == k) for k in range(classes)])


def row(name: str, tasks: Sequence[Task], make: Callable[[Task], Learner], budget: float) -> str:
    """A line of the table; a figure with a star is of as many events as the budget allowed."""
    cells, last = [], None
    for task in tasks:
        result = run(make(task), task, budget)
        star = "" if result.events == len(task.xs) else f" ({result.events:,} events)"
        forgotten = f", forgets {result.forgotten:.3f}" if "after" in task.name else ""
        cells.append(f"{result.prequential:.4f} / {result.held_out:.4f}{forgotten}{star}")
        last = last or result
    assert last is not None
    costs = [f"{last.rate:,.0f}", f"{last.size / 1e6:.2f}", f"{last.snapshot * 1e3:.1f}"]
    return f"| {name} | {' | '.join([*cells, *costs])} |"


def _prequel(spec: str, task: Task) -> Learner:
    return PrequelLearner(spec, task.xs.shape[1])


def _rival(make: Callable[[int], Learner], task: Task) -> Learner:
    return make(task.classes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dogs", type=Path, help="npz with `features` and `labels` of 25,000 Dogs vs Cats photographs")
    parser.add_argument("--cifar", type=Path, help="npz with `features` and `labels` of CIFAR-10's 10,000 test images")
    parser.add_argument("--digits", action="store_true", help="scikit-learn's digits through the compact backbone")
    parser.add_argument("--models", default=",".join(MODELS), help="specs of Prequel's models, separated by commas")
    parser.add_argument("--rivals", action="store_true", help="River's and scikit-learn's too, and the offline ceiling")
    parser.add_argument("--budget", type=float, default=30.0, help="seconds of processor time for a model and a stream")
    arguments = parser.parse_args()
    threadpool_limits(1)
    tasks = [dogs(arguments.dogs)] if arguments.dogs else []
    tasks += cifar(arguments.cifar) if arguments.cifar else ()
    tasks += [digits()] if arguments.digits else []
    if not tasks:
        parser.error("give at least one of --dogs, --cifar, --digits")
    print(f"Prequential / held-out accuracy; events/s, MB and ms of {tasks[0].name}, on one core; seed {SEED}.\n")
    print(f"| model | {' | '.join(task.name for task in tasks)} | events/s | state, MB | snapshot, ms |")
    print("|---|" + "---|" * (len(tasks) + 3))
    for spec in filter(None, arguments.models.split(",")):
        print(row("`" + spec.replace("|", "\\|") + "`", tasks, partial(_prequel, spec), arguments.budget), flush=True)
    if arguments.rivals:
        for name, make in rivals().items():
            print(row(name, tasks, partial(_rival, make), arguments.budget), flush=True)
        print(f"| offline logistic regression | {' | '.join(f'{ceiling(task):.4f}' for task in tasks)} | | | |")


if __name__ == "__main__":
    main()
