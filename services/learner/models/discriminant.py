"""Shared by `slda` and `ridge`: linear scores solved from sums on a schedule, with calibrated probabilities."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from prequel.services.learner.kernels.compiled import LANES, frozen
from prequel.services.learner.kernels.scores import fold_scores
from prequel.services.learner.models.base import Arrays, Matrix, ModelState, Probabilities, Targets, Vector
from prequel.services.learner.models.calibration import Calibration
from prequel.services.learner.models.incremental import IncrementalModel
from prequel.services.learner.models.solve_schedule import SolveSchedule, max_lag
from prequel.services.learner.models.solver import Solver
from prequel.services.learner.models.sums import Sums


@cache
def _limit_threads() -> None:
    """Limit BLAS to one thread, once for the process.

    To look through all its libraries takes over a millisecond, as long as making 20 models.
    """
    threadpool_limits(1, user_api="blas")


class Discriminant(IncrementalModel):
    """Scores x · weights + offsets, solved from sums of x (or of ``transform(x)``, ``width`` wide), and a temperature.

    The sums are always up to date; the scores lag behind them as ``SolveSchedule`` says. A new class, and a correction,
    is solved with the example learned in it. While there are few examples they themselves are stored, and the scores
    made of their inner products: see ``Sums``.

    ``unlearn`` restores the sums exactly, up to rounding, unless ``fading`` is below 1, and the temperature too, as far
    as it is measured on held-out examples: see ``Calibration``. Making one limits this process's BLAS to one thread,
    because the number of threads changes the last bits of a product.

    ``slda`` and ``ridge`` make one, with a solver of their own: see there for examples.
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
        sharpness: float,
    ) -> None:
        super().__init__(dim, seed=seed)
        _limit_threads()
        self.exact = fading == 1.0
        self._solver, self._transform = solver, transform
        self._sums, self._schedule, self._calibration = Sums(width, fading), SolveSchedule(), Calibration(sharpness)
        self._learned_classes = 0
        """How many classes have been learned: within ``_run``, ``labels`` has those of later rows already."""
        self._weights, self._offsets = np.zeros((0, width)), np.zeros(0)
        self._solved_counts = np.zeros(0)
        """Examples of each class when the scores were solved."""
        self._lanes = np.zeros(LANES)

    def unlearn(self, x: Vector, label: str) -> None:
        if not self.exact:
            raise NotImplementedError("with decay, sums cannot give an example back: learn the right label instead")
        (row,) = self._transformed(self._checked(x.reshape(1, -1)))
        self._sums.remove(row, self._classes.find(label))
        self._calibration.relabel(row.reshape(1, -1), -1)
        self._after_correction()

    def correct(self, x: Vector, old: str | None, new: str | None, *, age: int) -> bool:
        """See ``capabilities.CorrectableModel``: a correction says nothing of how sure the model may be of others."""
        if old is not None and self.exact:
            self.unlearn(x, old)
        if new is not None:
            self._calibration.is_paused = old is not None
            self.learn(x, new)
            self._calibration.is_paused = False
            if old is not None:
                row = self._transformed(self._checked(x.reshape(1, -1)))
                self._calibration.relabel(row, self._classes.find(new))
        return old is None or self.exact

    def fade(self, keep: float) -> None:
        """Let all that was learned so far weigh ``keep`` (0 to 1) of what it did: what comes next counts for more.

        What was learned before weighs less than 1 from now on: a caller must not unlearn it.
        """
        self._sums.fade(keep)
        self._after_correction()

    def solve(self) -> None:
        """Bring the scores up to date with the sums. The schedule does this; calling it changes the schedule."""
        self._sums.settle()
        count, held_out = self._sums.count, self._calibration.is_due(self._sums.count, self._schedule.seen)
        solved = self._solver(self._sums, self._learned_classes, held_out=held_out)
        self._weights, self._offsets = solved.weights, solved.offsets
        if solved.held_out is not None:
            self._calibration.measure(solved.held_out, *self._sums.sample())
        self._schedule.after_solving(max_lag(count, self._schedule.seen, self._sums.dim, self._learned_classes))
        self._solved_counts = self._sums.counts[: self._learned_classes].copy()

    def merge(self, other: "Discriminant") -> None:
        """Add what another model, of the same spec and seed, learned of other examples. ``other`` does not change."""
        numbers = np.array([self._classes.number(label) for label in other.labels], np.int64)
        self._learned_classes = len(self.labels)
        self._sums.grow(self._learned_classes)
        self._sums.merge(other._sums, numbers)
        self.solve()

    @property
    def size(self) -> int:
        """See ``capabilities.SizedModel``."""
        return self._sums.size + 2 * 8 * len(self.labels) * self._sums.dim

    def _meta(self) -> dict[str, Any]:
        return {"seed": self._seed} | self._schedule.meta()

    def _arrays(self) -> Arrays:
        scores = {"weights": self._weights.copy(), "offsets": self._offsets.copy(), "base": self._solved_counts.copy()}
        return self._sums.arrays(len(self.labels)) | scores | self._calibration.arrays(len(self.labels))

    def _load(self, state: ModelState) -> None:
        arrays, self._learned_classes = state.arrays, len(self.labels)
        self._schedule.load(state.meta)
        self._sums.load(arrays)
        self._weights, self._offsets = arrays["weights"].copy(), arrays["offsets"].copy()
        self._solved_counts = arrays["base"].copy()
        self._calibration.load(arrays)

    def _grow(self, classes: int) -> None:
        self._sums.grow(classes)
        self._calibration.grow(classes)

    def _run(self, xs: Matrix, targets: Targets, known: int, *, predicting: bool, out: Probabilities) -> None:
        xs, start = self._transformed(xs), 0
        self._sums.reserve(int(np.count_nonzero(targets >= 0)))
        while start < len(xs):
            consumed, learned = self._run_until_due(xs[start:], targets[start:], predicting, out=out[start:])
            last = int(targets[start + consumed - 1])
            self._learned_classes = max(self._learned_classes, last + 1)
            start += consumed
            if learned:
                self._after_learning(learned, last)

    def _transformed(self, xs: Matrix) -> Matrix:
        return frozen(self._transform(xs)) if self._transform else xs

    def _run_until_due(self, xs: Matrix, targets: Targets, predicting: bool, *, out: Probabilities) -> tuple[int, int]:
        sums = self._sums
        return fold_scores(
            xs,
            targets,
            predicting,
            max(1, min(sums.room, self._schedule.examples_left)),
            len(self._weights),
            sums.fading,
            self._weights,
            self._offsets,
            sums.counts,
            self._solved_counts,
            sums.totals,
            sums.pending.rows,
            sums.pending.classes,
            sums.pending.filled,
            *self._calibration.arguments,
            self._lanes,
            out,
        )

    def _after_learning(self, examples: int, last: int) -> None:
        """Count learned examples and do what is due; ``last`` is the class of the last row, or -1."""
        self._sums.pending.filled += examples
        self._calibration.count(examples)
        new_class = self._learned_classes > len(self._weights)
        doubled = not new_class and last >= 0 and self._sums.counts[last] >= 2.0 * self._solved_counts[last]
        self._schedule.after_learning(examples, new_class=new_class, doubled=bool(doubled))
        self._solve_or_settle()

    def _after_correction(self) -> None:
        self._schedule.after_correction()
        self._calibration.count_correction()
        self._solve_or_settle()

    def _solve_or_settle(self) -> None:
        if self._schedule.is_due:
            self.solve()
        elif not self._sums.room:
            self._sums.settle()
