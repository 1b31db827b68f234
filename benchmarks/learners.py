"""What every model gives and costs: accuracy, forgetting, events/s and state, beside River's and scikit-learn's."""

import argparse
import pickle
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from river import linear_model, multiclass, naive_bayes, preprocessing, tree
from sklearn.linear_model import LogisticRegression, Perceptron, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from prequel.services.learner.models import registry
from prequel.services.learner.models.base import Matrix

Numbers = npt.NDArray[np.int64]

SEED = 0
BATCH = 100
OURS = (
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


class Learner(Protocol):
    """What is compared: labels are the numbers 0, 1, ...; -1 is no answer."""

    def fold(self, xs: Matrix, ys: Numbers) -> Numbers:
        """For each row: predict, then learn. Returns the predictions."""
        ...

    def predict(self, xs: Matrix) -> Numbers: ...

    def snapshot(self) -> bytes: ...


class Ours:
    """A model of our table."""

    def __init__(self, spec: str, dim: int) -> None:
        registry.compile(spec, dim)
        self._model = registry.create(spec, dim, seed=SEED)

    def fold(self, xs: Matrix, ys: Numbers) -> Numbers:
        return self._numbers(self._model.fold(xs, [str(y) for y in ys]))

    def predict(self, xs: Matrix) -> Numbers:
        return self._numbers(self._model.fold(xs, [None] * len(xs)))

    def snapshot(self) -> bytes:
        state = self._model.state()
        return b"".join(array.tobytes() for array in state.arrays.values()) + state.pickled

    def _numbers(self, predictions: Sequence[npt.NDArray[np.float64]]) -> Numbers:
        return np.array([int(self._model.labels[int(p.argmax())]) if len(p) else -1 for p in predictions])


class Rivers:
    """A classifier of River, event by event, on dicts of floats."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def fold(self, xs: Matrix, ys: Numbers) -> Numbers:
        predictions = []
        for x, y in zip(xs, ys.tolist(), strict=True):
            features = dict(enumerate(x.tolist()))
            predictions.append(self._model.predict_one(features))
            self._model.learn_one(features, y)
        return np.array([-1 if p is None else int(p) for p in predictions])

    def predict(self, xs: Matrix) -> Numbers:
        return np.array([int(self._model.predict_one(dict(enumerate(x.tolist()))) or 0) for x in xs])

    def snapshot(self) -> bytes:
        return pickle.dumps(self._model)


class ScikitLearns:
    """A classifier of scikit-learn by ``partial_fit``, event by event, told all classes beforehand."""

    def __init__(self, model: Any, classes: int, *, scaled: bool) -> None:
        self._model, self._classes, self._known = model, np.arange(classes), False
        self._scaler = StandardScaler() if scaled else None

    def fold(self, xs: Matrix, ys: Numbers) -> Numbers:
        predictions = np.full(len(xs), -1)
        for i in range(len(xs)):
            x = xs[i : i + 1]
            if self._known:
                predictions[i] = self.predict(x)[0]
            if self._scaler:
                x = self._scaler.partial_fit(x).transform(x)
            self._model.partial_fit(x, ys[i : i + 1], classes=self._classes)
            self._known = True
        return predictions

    def predict(self, xs: Matrix) -> Numbers:
        return np.asarray(self._model.predict(self._scaler.transform(xs) if self._scaler else xs))

    def snapshot(self) -> bytes:
        return pickle.dumps((self._model, self._scaler))


class Task(NamedTuple):
    """A stream, and examples held out of it; ``late``: these are learned at the end, to make the stream whole."""

    name: str
    xs: Matrix
    ys: Numbers
    held: Matrix
    truth: Numbers
    late: bool

    @property
    def classes(self) -> int:
        return int(self.ys.max()) + 1


class Result(NamedTuple):
    """``forgotten`` is the mean over classes of the best recall on held-out examples so far minus the last one."""

    events: int
    prequential: float
    held_out: float
    forgotten: float
    rate: float
    snapshot: float
    size: int


def dogs(path: Path) -> Task:
    """The first 20,000 as a stream, the last 5,000 held out and then learned too."""
    data = np.load(path)
    xs, ys = data["features"].astype(np.float32), data["labels"].astype(np.int64)
    return Task("Dogs vs Cats", xs[:20_000], ys[:20_000], xs[20_000:], ys[20_000:], True)


def cifar(path: Path) -> tuple[Task, Task]:
    """8,000 for the stream and 2,000 held out, by a permutation from SEED: in that order, and class after class."""
    data = np.load(path)
    order = np.random.default_rng(SEED).permutation(len(data["labels"]))
    xs, ys = data["features"].astype(np.float32)[order], data["labels"].astype(np.int64)[order]
    mixed = Task("CIFAR-10, mixed", xs[:8000], ys[:8000], xs[8000:], ys[8000:], False)
    by_class = np.argsort(mixed.ys, kind="stable")
    return mixed, mixed._replace(name="CIFAR-10, class after class", xs=mixed.xs[by_class], ys=mixed.ys[by_class])


def digits() -> Task:
    """The first 1,497 scanned digits through the compact backbone, the last 300 held out and then learned too."""
    from benchmarks.compact_quality import digits as images
    from benchmarks.compact_quality import features_of, shipped

    pixels, labels = images(inverted=False)
    xs, ys = np.ascontiguousarray(features_of(shipped(), pixels), np.float32), labels.astype(np.int64)
    return Task("digits", xs[:1497], ys[:1497], xs[1497:], ys[1497:], True)


def run(learner: Learner, task: Task, budget: float) -> Result:
    """Stream the task, until it ends or ``budget`` seconds of processor time are used up."""
    hits, spent, best = [], 0.0, np.zeros(task.classes)
    checks = _checkpoints(task)
    held, truth = task.held[::4], task.truth[::4]
    for start in range(0, len(task.xs), BATCH):
        batch = slice(start, start + BATCH)
        clock = time.process_time()
        hits.append(learner.fold(task.xs[batch], task.ys[batch]) == task.ys[batch])
        spent += time.process_time() - clock
        if start // BATCH in checks:
            best = np.maximum(best, _recalls(learner.predict(held), truth, task.classes))
        if spent > budget:
            break
    done = sum(map(len, hits))
    answers = learner.predict(task.held)
    forgotten = best - _recalls(answers[::4], truth, task.classes)
    clock = time.process_time()
    size = len(learner.snapshot())
    snapshot = time.process_time() - clock
    if task.late and done == len(task.xs):
        hits.append(learner.fold(task.held, task.truth) == task.truth)
    accuracy = float(np.mean(np.concatenate(hits)))
    held_out = float((answers == task.truth).mean())
    return Result(done, accuracy, held_out, float(np.maximum(forgotten, 0).mean()), done / spent, snapshot, size)


def _checkpoints(task: Task) -> set[int]:
    """The batches after which recall is looked at: one for each class."""
    return set(np.linspace(0, len(task.xs) / BATCH - 1, task.classes + 1).astype(int).tolist()[1:])


def _recalls(answers: Numbers, truth: Numbers, classes: int) -> npt.NDArray[np.float64]:
    return np.array([np.mean(answers[truth == k] == k) for k in range(classes)])


def rivals() -> dict[str, Callable[[int], Learner]]:
    """By name, how to make one for a number of classes."""

    def linear(loss: Any, classes: int) -> Learner:
        return ScikitLearns(loss, classes, scaled=True)

    ovr = multiclass.OneVsRestClassifier
    bayes: Any = naive_bayes.GaussianNB
    hoeffding: Any = tree.HoeffdingTreeClassifier
    return {
        "River one-vs-rest logistic": lambda k: Rivers(
            preprocessing.StandardScaler() | ovr(linear_model.LogisticRegression())
        ),
        "River softmax": lambda k: Rivers(preprocessing.StandardScaler() | linear_model.SoftmaxRegression()),
        "River naive Bayes": lambda k: Rivers(bayes()),
        "River Hoeffding tree": lambda k: Rivers(hoeffding()),
        "scikit-learn SGD logistic": lambda k: linear(SGDClassifier(loss="log_loss"), k),
        "scikit-learn perceptron": lambda k: linear(Perceptron(), k),
        "scikit-learn passive-aggressive": lambda k: linear(
            SGDClassifier(loss="hinge", penalty=None, learning_rate="pa1", eta0=1.0), k
        ),
        "scikit-learn naive Bayes": lambda k: ScikitLearns(GaussianNB(), k, scaled=False),
        "scikit-learn MLP 256-16": lambda k: linear(MLPClassifier((256, 16), random_state=SEED), k),
    }


def ceiling(task: Task) -> float:
    """Accuracy on the held-out examples of logistic regression fitted to the whole stream at once."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=300))
    return float(model.fit(task.xs, task.ys).score(task.held, task.truth))


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


def _ours(spec: str, task: Task) -> Learner:
    return Ours(spec, task.xs.shape[1])


def _rival(make: Callable[[int], Learner], task: Task) -> Learner:
    return make(task.classes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dogs", type=Path, help="npz with `features` and `labels` of 25,000 Dogs vs Cats photographs")
    parser.add_argument("--cifar", type=Path, help="npz with `features` and `labels` of CIFAR-10's 10,000 test images")
    parser.add_argument("--digits", action="store_true", help="scikit-learn's digits through the compact backbone")
    parser.add_argument("--models", default=",".join(OURS), help="of our table, separated by commas")
    parser.add_argument("--rivals", action="store_true", help="River's and scikit-learn's too, and the offline ceiling")
    parser.add_argument("--budget", type=float, default=30.0, help="seconds of processor time for a model and a stream")
    given = parser.parse_args()
    threadpool_limits(1)
    tasks = [dogs(given.dogs)] if given.dogs else []
    tasks += cifar(given.cifar) if given.cifar else ()
    tasks += [digits()] if given.digits else []
    if not tasks:
        parser.error("give at least one of --dogs, --cifar, --digits")
    print(f"Prequential / held-out accuracy; events/s, MB and ms of {tasks[0].name}, on one core; seed {SEED}.\n")
    print(f"| model | {' | '.join(task.name for task in tasks)} | events/s | state, MB | snapshot, ms |")
    print("|---|" + "---|" * (len(tasks) + 3))
    for spec in filter(None, given.models.split(",")):
        print(row("`" + spec.replace("|", "\\|") + "`", tasks, partial(_ours, spec), given.budget), flush=True)
    if given.rivals:
        for name, make in rivals().items():
            print(row(name, tasks, partial(_rival, make), given.budget), flush=True)
        print(f"| offline logistic regression | {' | '.join(f'{ceiling(task):.4f}' for task in tasks)} | | | |")


if __name__ == "__main__":
    main()
