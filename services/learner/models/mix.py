"""`mix`: several models that learn from the same examples, weighted by how well they predict now."""

from collections.abc import Callable, Sequence
from copy import copy

import numpy as np

from prequel.services.learner.kernels.scores import mix
from prequel.services.learner.models.base import Matrix, ModelState, Probabilities, Targets, Vector
from prequel.services.learner.models.block_product import BlockProduct
from prequel.services.learner.models.capabilities import Loadable, correct, full_size_of, portable_steps, size_of
from prequel.services.learner.models.classes import grown
from prequel.services.learner.models.discriminant import Discriminant, predict_each
from prequel.services.learner.models.leave_one_out import Learned, LeaveOneOut, leave_one_out
from prequel.services.learner.models.pending_examples import BLOCK
from prequel.services.learner.models.solve_schedule import Pace
from prequel.services.learner.models.surprise import Surprise
from prequel.services.learner.models.wrapping import joined, parted
from prequel.services.learner.portable.steps import Mixture, Step

_MIN_PROBABILITY = 1e-3
"""The least probability that an expert's weight is updated by: one label that it was sure could not be costs it a
factor of a thousand at most. Ten times less, and one wrong label would silence it for twice as long; ten times more,
and an expert that is surely wrong would lose its weight no faster than one that is unsure."""
_HEARD = 0.1
"""The weight from which on an expert counts: one that has less, and is sure of the wrong class, changes what is most
likely only where the others are unsure. The default's short memories begin with half of it."""
_HEARD_PACE = Pace(growth=4, max_work=1.1e6)
"""How often experts are solved that fade and count: with a quarter more examples, and in the long run after 640 at
1,280 features, which is half the work of the mixture. With Pace(8, 4e6) instead of it, all took twice as long."""
_UNHEARD_PACE = Pace(growth=1, max_work=2.75e5, patience=4)
"""And those that do not count: when examples have doubled, then after 2,560; and for corrections a quarter as often.

At the pace of those that count the mixture would learn a tenth fewer examples a second, a third fewer with 368
features, correct half as many labels, and predict the same: as long as blocks that surprise are solved at once (without
that, predictions after a change of camera were 1 to 5 points worse for 500 examples), and then experts that count often
(else half a point)."""
_UNLABELLED = np.full(1, -1, np.int64)
_ARRAYS = "weights", "recent", "counts"


class Mix:
    """The mean of the experts' probabilities, weighted by what each has predicted of the labels so far.

    After Herbster and Warmuth, "Tracking the best expert" (Machine Learning 32, 1998): weights follow Bayes' rule, and
    with every label ``share`` of them is dealt out anew, so that an expert that was bad for long can come back. The
    first expert begins with the weight ``prior``, the others share the rest. Weights move only while labels come
    mixed: see ``kernels.scores.mix``.

    ``unlearn`` corrects every expert; the weights, learned from the predictions made, stay. It is exact if all are.

    >>> import numpy as np
    >>> from prequel.services.learner.models.registry import create
    >>> model = create("mix(ncm, naive-bayes)", 2, seed=0)
    >>> xs = np.array([[0, 9], [1, 7]] * 40, np.float32)
    >>> predictions = model.fold(xs, ["cat", "dog"] * 40)
    >>> model.labels, predictions[-1].argmax().item(), model.weights.round(1).tolist()
    (['cat', 'dog'], 1, [0.9, 0.1])
    """

    def __init__(
        self, dim: int, *, seed: int, experts: Sequence[Callable[[int], Loadable]], prior: float, share: float
    ) -> None:
        self.experts = [make(dim) for make in experts]
        self.labels = self.experts[0].labels
        self.exact = all(expert.exact for expert in self.experts)
        self._dim, self._seed, self._share = dim, seed, share
        self._product = BlockProduct()
        for expert in self.experts:
            if isinstance(expert, Discriminant):
                expert.join(self._product, _UNHEARD_PACE)
        rest = (1.0 - prior) / (len(experts) - 1)
        self._prior = np.array([prior, *[rest] * (len(experts) - 1)])
        self.weights = self._prior.copy()
        self._recent, self._counts = np.zeros(2), np.zeros(2)
        """Of each class, its share of the newest labels, and how many labels there were."""
        self._learned, self._surprise = 0, Surprise()

    @property
    def full_size(self) -> int:
        """See ``capabilities.GrowingModel``."""
        return sum(map(full_size_of, self.experts))

    def predict(self, x: Vector) -> Probabilities:
        return self._mixed([[expert.predict(x)] for expert in self.experts], _UNLABELLED, len(self.labels))[0]

    def predict_many(self, xs: Matrix) -> Probabilities:
        """See ``capabilities.predict_many``."""
        return self.mixed(predict_each(self.experts, xs))

    def mixed(self, predicted: Sequence[Probabilities]) -> Probabilities:
        """The mixture now of what each expert predicts of n rows: [n, classes] each, and of all."""
        stacked = np.array(predicted)
        classes, out = stacked.shape[2], np.empty(stacked.shape[1:])
        none, losses = np.full(len(out), -1, np.int64), np.zeros(3)
        evidence = self._prior, self.weights, self._recent, self._counts, losses
        mix(stacked, none, classes, _MIN_PROBABILITY, self._share, *evidence, out)
        return out

    def portable(self) -> tuple[Step, ...]:
        """See ``capabilities.portable_steps``."""
        experts = tuple(portable_steps("one of the mixture's models", expert) for expert in self.experts)
        return (Mixture(self.weights.copy(), experts),)

    def learn(self, x: Vector, label: str) -> None:
        self.fold(x.reshape(1, -1), [label])

    def unlearn(self, x: Vector, label: str) -> None:
        if not self.exact:
            raise NotImplementedError("not every model of the mixture can unlearn: learn the right label instead")
        for expert in self.experts:
            expert.unlearn(x, label)
        self._counts[self.labels.index(label)] -= 1.0

    def leave_one_out(self) -> LeaveOneOut:
        """See ``leave_one_out.leave_one_out``. The weights stay: they follow from predictions made before."""
        frozen = copy(self)
        frozen.weights = self.weights.copy()
        parts = [leave_one_out(expert) for expert in self.experts]
        return MixedLeaveOneOut(frozen, [part for part in parts if part is not None])

    def correct(self, x: Vector, old: str | None, new: str | None, *, age: int) -> bool:
        """See ``capabilities.CorrectableModel``: an expert that can unlearn does, the others only learn."""
        are_exact = [correct(expert, x, old, new, age=age) for expert in self.experts]
        self._grow()
        for label, change in ((old, -1.0), (new, 1.0)):
            if label is not None:
                self._counts[self.labels.index(label)] += change
        return all(are_exact)

    def fold(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        predictions, start = list[Probabilities](), 0
        while start < len(xs):
            end = start + self._rows_of_a_block(labels[start:])
            learned = self._learned
            predictions += self._fold_block(xs[start:end], labels[start:end])
            if self._learned // BLOCK > learned // BLOCK:
                self._solve_short_memories(surprised=self._surprise.end_block())
            start = end
        self._product.release()
        return predictions

    def _solve_short_memories(self, *, surprised: bool) -> None:
        """After a block, solve the discriminants that fade as often as their weights ask for.

        If it surprised, all at once: the world may have changed, and they know first.
        """
        for expert, weight in zip(self.experts, self.weights.tolist(), strict=True):
            if isinstance(expert, Discriminant) and expert.fades:
                if surprised:
                    expert.solve()
                expert.keep_pace(_HEARD_PACE if weight > _HEARD else _UNHEARD_PACE)

    def _rows_of_a_block(self, labels: Sequence[str | None]) -> int:
        """How many rows there are to the end of a block of examples, whose product the discriminants share."""
        room = BLOCK - self._learned % BLOCK
        for number, label in enumerate(labels, start=1):
            room -= label is not None
            if not room:
                return number
        return len(labels)

    def _fold_block(self, xs: Matrix, labels: Sequence[str | None]) -> list[Probabilities]:
        known = len(self.labels)
        predicted = [expert.fold(xs, labels) for expert in self.experts]
        self._learned += len(labels) - labels.count(None)
        self._grow()
        numbers = {label: number for number, label in enumerate(self.labels)}
        targets = np.array([-1 if label is None else numbers[label] for label in labels], np.int64)
        return self._mixed(predicted, targets, known)

    @property
    def size(self) -> int:
        """See ``capabilities.SizedModel``."""
        return sum(map(size_of, self.experts))

    def state(self) -> ModelState:
        classes = len(self.labels)
        own = {
            "surprise": self._surprise.array(),
            "weights": self.weights.copy(),
            "recent": self._recent[:classes],
            "counts": self._counts[:classes],
        }
        arrays = {name: array.copy() for name, array in own.items()}
        numbers = {"dim": self._dim, "seed": self._seed, "learned": self._learned}
        return joined([expert.state() for expert in self.experts], numbers, **arrays)

    def load(self, state: ModelState) -> None:
        """Become the model of the same spec that returned ``state``."""
        for expert, part in zip(self.experts, parted(state), strict=True):
            expert.load(part)
        self.weights, self._recent, self._counts = (state.arrays[name].copy() for name in _ARRAYS)
        self._learned = state.meta["learned"]
        self._surprise.load(state.arrays["surprise"])

    def _grow(self) -> None:
        self._recent, self._counts = (grown(array, len(self.labels)) for array in (self._recent, self._counts))

    def _mixed(self, predicted: Sequence[Sequence[Probabilities]], targets: Targets, known: int) -> list[Probabilities]:
        """The mixture of what each expert predicted, row by row; the weights follow the rows with a target."""
        shape = len(targets), len(self.labels)
        stacked, out = np.zeros((len(self.experts), *shape)), np.empty(shape)
        for rows, by_row in zip(stacked, predicted, strict=True):
            for row, probabilities in zip(rows, by_row, strict=True):
                row[: len(probabilities)] = probabilities
        evidence = self._prior, self.weights, self._recent, self._counts, self._surprise.losses
        mix(stacked, targets, known, _MIN_PROBABILITY, self._share, *evidence, out)
        return [row[: len(probabilities)] for row, probabilities in zip(out, predicted[0], strict=True)]


class MixedLeaveOneOut:
    """The mixture of what each expert would predict without each row."""

    def __init__(self, mix: Mix, parts: Sequence[LeaveOneOut]) -> None:
        self._mix, self._parts = mix, parts

    def predict(self, xs: Matrix, learned: Learned) -> Probabilities:
        return self._mix.mixed([part.predict(xs, learned) for part in self._parts])
