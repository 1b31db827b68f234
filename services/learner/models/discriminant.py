"""Shared by `slda` and `ridge`: linear scores solved from sums on a schedule, with calibrated probabilities."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol, TypeGuard

import numpy as np
from threadpoolctl import threadpool_limits

from prequel.services.learner.kernels.compiled import LANES, frozen
from prequel.services.learner.kernels.scores import fold_scores, predict_rows
from prequel.services.learner.models.base import Arrays, Matrix, Model, ModelState, Probabilities, Targets, Vector
from prequel.services.learner.models.block_product import BlockProduct
from prequel.services.learner.models.calibration import Calibration
from prequel.services.learner.models.capabilities import predict_many
from prequel.services.learner.models.incremental import IncrementalModel
from prequel.services.learner.models.leave_one_out import HeldOutScores, LeaveOneOut
from prequel.services.learner.models.pending_examples import BLOCK
from prequel.services.learner.models.solve_schedule import ALONE, Pace, SolveSchedule, correction_price, max_lag
from prequel.services.learner.models.solver import NO_EXAMPLES, Solver
from prequel.services.learner.models.sums import Sums
from prequel.services.learner.portable.steps import Linear, Step


@cache
def _limit_threads() -> None:
    """Limit BLAS to one thread, once for the process.

    To look through all its libraries takes over a millisecond, as long as making 20 models.
    """
    threadpool_limits(1, user_api="blas")


class Transform(Protocol):
    """What features pass first: [n, dim] to [n, width], float32, each row by itself."""

    def __call__(self, xs: Matrix) -> Matrix: ...

    def portable(self) -> Step:
        """The same as a step of a model that leaves."""
        ...


class Discriminant(IncrementalModel):
    """Scores x · weights + offsets, solved from sums of x (or of ``transform(x)``, ``width`` wide), and a temperature.

    The sums are always up to date; the scores lag behind them as ``SolveSchedule`` says. A new class, and a correction,
    is solved with the example learned in it. While there are few examples they themselves are stored, and the scores
    made of their inner products: see ``Sums``.

    ``unlearn`` and ``correct`` restore the sums exactly, up to rounding, and the temperature too, as far
    as it is measured on held-out examples: see ``Calibration``. Making one limits this process's BLAS to one thread,
    because the number of threads changes the last bits of a product.

    ``slda`` and ``ridge`` make one, with a solver of their own: see there for examples.
    """

    exact = True

    def __init__(
        self,
        dim: int,
        solver: Solver,
        *,
        seed: int,
        width: int,
        transform: Transform | None = None,
        fading: float = 1.0,
        sharpness: float,
    ) -> None:
        super().__init__(dim, seed=seed)
        _limit_threads()
        self._solver, self._transform = solver, transform
        self._pace = ALONE
        self._sums, self._schedule, self._calibration = Sums(width, fading), SolveSchedule(), Calibration(sharpness)
        self._learned_classes = 0
        """How many classes have been learned: within ``_run``, ``labels`` has those of later rows already."""
        self._weights, self._offsets = np.zeros((0, width)), np.zeros(0)
        self._solved_counts = np.zeros(0)
        """How many examples each class had when the scores were solved; more where they fade."""
        self._lanes = np.zeros(LANES)

    def predict_many(self, xs: Matrix) -> Probabilities:
        """See ``capabilities.predict_many``: one product of matrices, in half the time of as many products of rows."""
        rows = self._transformed(self._checked(xs)).astype(np.float64)
        return self._of_product(rows @ self._weights.T)

    def _of_product(self, product: Probabilities) -> Probabilities:
        """The probabilities [n, classes] of x · weights [n, classes solved]."""
        scores, solved = product + self._offsets, len(self._weights)
        scores[:, self._sums.counts[:solved] <= 0.0] = NO_EXAMPLES
        return self._predicted(scores)

    def _predicted(self, scores: Probabilities) -> Probabilities:
        """The probabilities [n, classes] that ``scores`` [n, classes solved] mean now."""
        out: Probabilities = np.zeros((len(scores), len(self.labels)))
        if scores.shape[1]:
            predict_rows(scores, self._calibration.temperature, self._sums.counts, out)
        return out

    def portable(self) -> tuple[Step, ...]:
        """See ``capabilities.portable_steps``. Classes that are not solved yet have no score."""
        weights, offsets = np.zeros((len(self.labels), self._sums.dim)), np.full(len(self.labels), NO_EXAMPLES)
        solved = len(self._weights)
        known = self._sums.counts[:solved] > 0.0
        weights[:solved][known], offsets[:solved][known] = self._weights[known], self._offsets[known]
        before = (self._transform.portable(),) if self._transform else ()
        return (*before, Linear(weights, offsets), self._calibration.portable(self._sums.counts[:solved]))

    def leave_one_out(self) -> LeaveOneOut:
        """See ``leave_one_out.leave_one_out``; solved from the sums as they are now, whatever the schedule says."""
        return HeldOutScores(
            self._solver,
            self._sums.independent(),
            self._transformed,
            classes=self._learned_classes,
            labels=len(self.labels),
            temperature=self._calibration.temperature.copy(),
        )

    def unlearn(self, x: Vector, label: str) -> None:
        self.correct(x, label, None, age=0)

    def correct(self, x: Vector, old: str | None, new: str | None, *, age: int) -> bool:
        """See ``capabilities.CorrectableModel``: costs O(dim), and no more for an example that was learned long ago."""
        (row,) = self._transformed(self._checked(x.reshape(1, -1)))
        before = None if old is None else self._classes.find(old)
        after = None if new is None else self._classes.number(new)
        self._grow(len(self.labels))
        self._learned_classes = len(self.labels)
        self._sums.correct(row, before, after, self._sums.weight(age))
        if before is not None:
            self._calibration.relabel(row.reshape(1, -1), before, -1 if after is None else after)
        self._after_correction()
        return True

    def fade(self, keep: float) -> None:
        """Let all that was learned so far weigh ``keep`` (0 to 1) of what it did: what comes next counts for more.

        What it weighs does not follow from its age any more: a caller must not unlearn it.
        """
        self._sums.fade(keep)
        self._after_correction()

    @property
    def fades(self) -> bool:
        """Whether what it learned weighs less with time."""
        return self._sums.fading < 1.0

    def join(self, product: BlockProduct, pace: Pace) -> None:
        """Be one of several models that learn the same examples, in which the product of a block is found.

        ``pace`` is how often scores are solved where the past fades.
        """
        self._sums.shared_product = product
        self.keep_pace(pace)

    def keep_pace(self, pace: Pace) -> None:
        """Where the past fades, solve scores at this pace from now on, and at once if that is due by now."""
        if not self.fades:
            return
        self._pace = pace
        if self._schedule.since >= self._aligned(self._lag()):
            self.solve()

    def solve(self) -> None:
        """Bring the scores up to date with the sums. The schedule does this; calling it changes the schedule."""
        count, seen, lag = self._sums.count, self._sums.learned, self._lag()
        if lag <= BLOCK:  # Else blocks end where those of other models in a mixture do, and their product is shared.
            self._sums.settle()
        held_out = self._calibration.is_due(count, seen)
        solved = self._solver(self._sums, self._learned_classes, held_out=held_out)
        self._weights, self._offsets = solved.weights, solved.offsets
        if solved.held_out is not None:
            self._calibration.measure(solved.held_out, *self._sums.sample()[:2])
        price = correction_price(self._sums.dim, self._learned_classes)
        self._schedule.after_solving(self._aligned(lag), price, self._pace.patience)
        # Where the past fades in steps, counts double between them without any news.
        self._solved_counts = self._sums.counts[: self._learned_classes] / self._sums.keep

    def _lag(self) -> int:
        return max_lag(self._sums.count, self._sums.learned, self._sums.dim, self._learned_classes, self._pace)

    def _aligned(self, lag: int) -> int:
        """So that the next solve in turn comes when nothing is pending, if that is at most a block earlier."""
        return lag if lag <= BLOCK or self._sums.stores_examples else lag - (lag - self._sums.room) % BLOCK

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

    @property
    def full_size(self) -> int:
        """See ``capabilities.GrowingModel``."""
        return self._sums.full_size

    def _meta(self) -> dict[str, Any]:
        return {"seed": self._seed, "pace": list(self._pace)} | self._schedule.meta()

    def _arrays(self) -> Arrays:
        scores = {"weights": self._weights.copy(), "offsets": self._offsets.copy(), "base": self._solved_counts.copy()}
        return self._sums.arrays(len(self.labels)) | scores | self._calibration.arrays(len(self.labels))

    def _load(self, state: ModelState) -> None:
        arrays, self._learned_classes = state.arrays, len(self.labels)
        self._pace = Pace(*state.meta["pace"])
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
            self._weights,
            self._offsets,
            sums.counts,
            self._solved_counts,
            sums.totals,
            sums.learned,
            sums.period,
            sums.keep,
            sums.kept,
            sums.pending.rows,
            sums.pending.classes,
            sums.pending.weights,
            sums.pending.filled,
            *self._calibration.arguments,
            self._lanes,
            out,
        )

    def _after_learning(self, examples: int, last: int) -> None:
        """Count learned examples and do what is due; ``last`` is the class of the last row, or -1."""
        self._sums.advance(examples)
        self._calibration.count(examples)
        new_class = self._learned_classes > len(self._weights)
        doubled = not new_class and last >= 0 and self._sums.counts[last] >= 2.0 * self._solved_counts[last]
        self._schedule.after_learning(examples, new_class=new_class, doubled=bool(doubled))
        if self._schedule.is_due:
            self.solve()

    def _after_correction(self) -> None:
        self._schedule.after_correction(new_class=self._learned_classes > len(self._weights))
        self._calibration.count_correction()
        if self._schedule.is_due:
            self.solve()


def predict_each(models: Sequence[Model], xs: Matrix) -> list[Probabilities]:
    """``predict_many`` of each model. Those that take ``xs`` [n, dim] as they are share one product of matrices.

    That of three models of ten classes takes 0.6 times as long as three products.
    """
    plain = [model for model in models if _is_plain(model)]
    if len(plain) < 2:
        return [predict_many(model, xs) for model in models]
    weights = [model._weights for model in plain]
    product = plain[0]._checked(xs).astype(np.float64) @ np.concatenate(weights).T
    parts = iter(np.split(product, np.cumsum([len(each) for each in weights])[:-1], axis=1))
    return [model._of_product(next(parts)) if _is_plain(model) else predict_many(model, xs) for model in models]


def _is_plain(model: object) -> TypeGuard[Discriminant]:
    return isinstance(model, Discriminant) and model._transform is None
