"""What `slda` and `ridge` share: linear scores solved from sums on a schedule, with calibrated probabilities."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from prequel.services.learner.kernels.compiled import LANES, frozen
from prequel.services.learner.kernels.scores import fold_scores
from prequel.services.learner.models.base import Matrix, ModelState, Probabilities, Vector
from prequel.services.learner.models.calibration import Calibration
from prequel.services.learner.models.classes import Classes
from prequel.services.learner.models.sums import Sums

Array = npt.NDArray[np.float64]
Solver = Callable[[Sums, int], tuple[Array, Array]]
"""From the settled sums (or the few examples that they keep) and the number of classes to weights [classes, dim] and
offsets [classes] of the scores."""

_NOTHING = np.full(1, -1, np.int64)
_WORK = 2e6
"""Floating-point operations of solving that one example may cost on average."""
_URGENT, _DOUBLED, _SAVINGS = 8, 24, 128
"""What a solve out of turn costs for a new class or a correction, and for a class that has doubled; an example earns 1,
and no more than the last is saved up."""


@cache
def _limit_threads() -> None:
    """Once: to look through all libraries of the process takes over a millisecond, as long as making 20 models."""
    threadpool_limits(1, user_api="blas")


class Discriminant:
    """Scores x·weights + offsets, made from sums of x (or of ``transform(x)``, ``width`` wide), and a temperature.

    The sums are always up to date. The scores lag behind them by at most ``lag`` examples: an eighth of all, and
    never more than brings the cost of solving below 2 MFLOP an example (374 at 1,280 features, 10 at 368). A new
    class, and a correction, is solved with the example learned in it, out of savings that allow a burst of 16 and then
    one in 8 examples; so is a class that has twice the examples that its scores were made of, at three times the price.
    All of this counts examples and nothing else, so it is the same in every run.

    While there are few examples they themselves are kept, and the scores made of their inner products: see Sums.

    Unlearning restores the sums; the temperature, learned from the predictions made, stays. Making one limits this
    process's BLAS to one thread, for the number of threads changes the last bits of a product.
    """

    def __init__(
        self,
        dim: int,
        solver: Solver,
        *,
        seed: int,
        width: int,
        transform: Callable[[Matrix], Matrix] | None = None,
        fading: float = 1.0,
        sharpness: float = 0.2,
    ) -> None:
        _limit_threads()
        self.exact = fading == 1.0
        self._dim, self._seed, self._solver, self._transform = dim, seed, solver, transform
        self._classes, self._sums = Classes(), Sums(width, fading)
        self.labels, self._seen = self._classes.labels, 0
        self._weights, self._offsets = np.zeros((0, width)), np.zeros(0)
        self._calibration = Calibration(sharpness)
        self._since, self._due, self._savings, self._urgent, self._doubled = 0, 1, _SAVINGS, False, False
        self._base = np.zeros(0)
        self._lanes = np.zeros(LANES)

    def predict(self, x: Vector) -> Probabilities:
        out: Probabilities = self._run(self._rows(x), _NOTHING, predicting=True)[0]
        return out

    def learn(self, x: Vector, label: str) -> None:
        self._run(self._rows(x), np.array([self._classes.number(label)]), predicting=False)

    def unlearn(self, x: Vector, label: str) -> None:
        if not self.exact:
            raise NotImplementedError("faded sums cannot give an example back: learn the right label instead")
        self._sums.take_out(self._rows(x)[0], self._classes.find(label))
        self._since, self._urgent = self._since + 1, True
        self._settle()

    def fade(self, keep: float) -> None:
        """Let all that was learned so far weigh ``keep`` of what it did: what comes next counts for more.

        What was learned before weighs less than 1 from now on: whoever unlearns must know, and not take that out.
        """
        self._sums.fade(keep)
        self._since, self._urgent = self._since + 1, True
        self._settle()

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        targets, known = self._classes.numbers(labels)
        out = self._run(self._transformed(xs), targets, predicting=True)
        return [out[i, :size] for i, size in enumerate(known)]

    def solve(self) -> None:
        """Bring the scores up to date with the sums. The schedule does this; calling it changes the schedule."""
        self._sums.settle()
        self._weights, self._offsets = self._solver(self._sums, self._seen)
        self._since, self._due = 0, lag(self._sums.count, self._sums.dim, self._seen)
        self._urgent = self._doubled = False
        self._base = self._sums.counts[: self._seen].copy()

    def merge(self, other: "Discriminant") -> None:
        """Add what another model, of the same spec and seed, has learned of other examples."""
        numbers = np.array([self._classes.number(label) for label in other.labels], np.int64)
        self._seen = len(self.labels)
        self._sums.grow(self._seen)
        self._sums.merge(other._sums, numbers)
        self.solve()

    @property
    def size(self) -> int:
        """See models.model.Sized."""
        return self._sums.size + 2 * 8 * len(self.labels) * self._sums.dim

    def state(self) -> ModelState:
        meta = {"labels": list(self.labels), "dim": self._dim, "seed": self._seed, "since": self._since}
        meta |= {"due": self._due, "savings": self._savings, "urgent": self._urgent, "doubled": self._doubled}
        arrays = self._sums.arrays(len(self.labels))
        arrays |= {"weights": self._weights.copy(), "offsets": self._offsets.copy(), "base": self._base.copy()}
        return ModelState(meta, arrays | self._calibration.arrays(len(self.labels)))

    def load(self, state: ModelState) -> None:
        """Become what ``state`` was taken of."""
        meta: Any = state.meta
        self._classes = Classes(meta["labels"])
        self.labels, self._seen = self._classes.labels, len(self._classes.labels)
        self._since, self._due, self._savings = meta["since"], meta["due"], meta["savings"]
        self._urgent, self._doubled = meta["urgent"], meta["doubled"]
        self._sums.load(state.arrays)
        self._weights, self._offsets = state.arrays["weights"].copy(), state.arrays["offsets"].copy()
        self._base = state.arrays["base"].copy()
        self._calibration.load(state.arrays)

    def _rows(self, x: Vector) -> Matrix:
        return self._transformed(x.reshape(1, -1))

    def _transformed(self, xs: Matrix) -> Matrix:
        if xs.shape[1] != self._dim:
            raise ValueError(f"{xs.shape[1]} features, the model has {self._dim}")
        return self._transform(xs) if self._transform else xs

    def _run(self, xs: Matrix, targets: npt.NDArray[np.int64], *, predicting: bool) -> Probabilities:
        xs, size, start = frozen(xs), len(self.labels), 0
        self._sums.grow(size)
        self._sums.reserve(int(np.count_nonzero(targets >= 0)))
        self._calibration.grow(size)
        out = np.empty((len(xs) if predicting else 0, size))
        while start < len(xs):
            consumed, learned = self._stretch(xs[start:], targets[start:], predicting, out[start:])
            last = int(targets[start + consumed - 1])
            self._seen = max(self._seen, last + 1)
            start += consumed
            self._turn(learned, last)
        return out

    def _stretch(
        self, xs: Matrix, targets: npt.NDArray[np.int64], predicting: bool, out: Probabilities
    ) -> tuple[int, int]:
        sums, calibration = self._sums, self._calibration
        return fold_scores(
            xs,
            targets,
            predicting,
            max(1, min(sums.room, self._due - self._since, self._price() - self._savings)),
            len(self._weights),
            sums.fading,
            self._weights,
            self._offsets,
            calibration.heat,
            calibration.recent,
            sums.counts,
            self._base,
            sums.totals,
            sums.pending,
            sums.owners,
            sums.filled,
            calibration.scores,
            calibration.probabilities,
            self._lanes,
            out,
        )

    def _turn(self, learned: int, last: int) -> None:
        """Count learned examples, the ``last`` row's class among them or -1, and do what is due after them."""
        if not learned:
            return
        self._since, self._savings = self._since + learned, min(_SAVINGS, self._savings + learned)
        self._sums.filled += learned
        if self._seen > len(self._weights):
            self._urgent = True
        elif last >= 0 and self._sums.counts[last] >= 2.0 * self._base[last]:
            self._doubled = True
        if self._since < self._due and self._savings >= self._price():
            self._savings -= self._price()
            self._due = self._since
        self._settle()

    def _price(self) -> int:
        """What a solve out of turn would cost now; more than can be saved where nothing calls for one."""
        if self._urgent:
            return _URGENT
        return _DOUBLED if self._doubled else 2 * _SAVINGS

    def _settle(self) -> None:
        if self._since >= self._due:
            self.solve()
        elif not self._sums.room:
            self._sums.settle()


def lag(count: float, dim: int, classes: int) -> int:
    """The most examples that scores may lag behind sums of ``count`` examples."""
    work = dim**3 / 3 + 3.0 * dim**2 * classes
    return int(max(1.0, min(count // 8, work // _WORK)))
