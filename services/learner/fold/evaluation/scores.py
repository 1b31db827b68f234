"""The metrics of all models of a stream: those that began together share counts, one that was added has its own."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

from prequel.services.learner.fold.evaluation.accuracy_curve import accuracy_curve, curve_positions
from prequel.services.learner.fold.evaluation.class_metrics import ClassMetrics, class_metrics, frequent_classes
from prequel.services.learner.fold.evaluation.prequential import Prequential, ScoredLabel
from prequel.services.learner.fold.evaluation.prequential_parts import prequential_from_parts, prequential_parts
from prequel.services.learner.fold.evaluation.tally import Arrays, Tally
from prequel.services.learner.fold.predictions import NOT_SCORED


class ModelGroup(NamedTuple):
    """Models that were scored on the same examples.

    ``members`` are the stream's numbers of the models in ``metrics``, in its order; index i of the stream is index
    ``i - shift`` there.
    """

    metrics: Prequential
    members: tuple[int, ...]
    shift: int


class ChampionCurvePoint(NamedTuple):
    """Scored examples; by model the accuracy since the start, and over about the last window (None before any).

    ``counts`` are each model's right predictions and scored examples until there, which its accuracy is made of.
    """

    scored: int
    accuracy: list[float | None]
    recent: list[float | None]
    counts: list[tuple[int, int]]


class Scores:
    """Prequential metrics by model number; an example's index is the stream's.

    A model that was added later is scored on the examples of its replay: its metrics are of those alone.

    >>> scores = Scores(models=2, window=100)
    >>> index = scores.score(ScoredLabel(truth=0, losses=[0, 0]), predicted=[0, 1])
    >>> scores.accuracy(0), scores.accuracy(1)
    (1.0, 0.0)
    """

    def __init__(self, models: int, window: int) -> None:
        self.groups = [ModelGroup(Prequential(models, window), tuple(range(models)), 0)]

    @property
    def total(self) -> int:
        """Indices given so far."""
        first = self.groups[0]
        return first.metrics.total + first.shift

    @property
    def scored(self) -> int:
        """How many of them still count for the champion."""
        return self.metrics_of(0)[0].scored

    @property
    def tallies(self) -> list[Tally]:
        """Each model's counts, by its number."""
        models = sum(len(group.members) for group in self.groups)
        return [metrics.tallies[at] for metrics, at in map(self.metrics_of, range(models))]

    def metrics_of(self, model: int) -> tuple[Prequential, int]:
        """The metrics of the group that a model is in, and the model's number there."""
        for group in self.groups:
            if model in group.members:
                return group.metrics, group.members.index(model)
        raise IndexError(f"there is no model {model}")

    def score(self, label: ScoredLabel, predicted: Sequence[int]) -> int:
        """Score every model's prediction (class, -1, or NOT_SCORED); return the example's index. See Prequential."""
        index = self.total
        for group in self.groups:
            if predicted[group.members[0]] == NOT_SCORED:
                group.metrics.skip()
            elif len(group.members) == len(predicted):  # The usual group has every model: nothing is copied.
                group.metrics.score(label, predicted)
            else:
                group.metrics.score(_members(label, group), _selected(predicted, group))
        return index

    def restate(self, index: int, predicted: Sequence[int], old: ScoredLabel, new: ScoredLabel | None) -> None:
        """Count as if ``index`` had been scored with ``new`` instead of ``old``; None: as if never labelled."""
        for group in self.groups:
            if predicted[group.members[0]] != NOT_SCORED:
                after = None if new is None else _members(new, group)
                group.metrics.restate(index - group.shift, _selected(predicted, group), _members(old, group), after)

    # Changes of settings.

    def resize(self, window: int) -> None:
        """Make the windowed accuracies be over ``window`` indices."""
        for group in self.groups:
            if group.metrics.window != window:
                group.metrics.resize(window)

    def change_models(self, old_models: Sequence[int | None], replayed: "Scores | None") -> None:
        """Model n becomes the old model ``old_models[n]``, or, where that is None, the next of ``replayed``.

        The newest index of ``replayed`` is the newest one here.
        """
        total, groups = self.total, []
        for group in self.groups:
            members = [number for number, old in enumerate(old_models) if old in group.members]
            if members:
                group.metrics.select([group.members.index(old_models[number] or 0) for number in members])
                groups.append(group._replace(members=tuple(members)))
        added = [number for number, old in enumerate(old_models) if old is None]
        for group in replayed.groups if replayed and added else ():
            members = [added[member] for member in group.members]
            groups.append(ModelGroup(group.metrics, tuple(members), total - group.metrics.total))
        self.groups = sorted(groups, key=lambda group: group.members)

    # The metrics: see Prequential.

    def accuracy(self, model: int) -> float | None:
        metrics, at = self.metrics_of(model)
        return metrics.accuracy(at)

    def window_accuracy(self, model: int) -> float | None:
        metrics, at = self.metrics_of(model)
        return metrics.window_accuracy(at)

    def fading_accuracy(self, model: int) -> float | None:
        metrics, at = self.metrics_of(model)
        return metrics.fading_accuracy(at)

    def log_loss(self, model: int) -> float | None:
        metrics, at = self.metrics_of(model)
        return metrics.log_loss(at)

    def kappa(self, model: int) -> float | None:
        metrics, at = self.metrics_of(model)
        return metrics.kappa(at)

    def frequent_classes(self, max_classes: int) -> list[int]:
        """The most frequent classes of the examples that the champion was scored on."""
        return frequent_classes(self.metrics_of(0)[0], max_classes)

    def class_metrics(self, model: int) -> ClassMetrics:
        """A model's metrics of all classes that any model was scored on."""
        metrics, at = self.metrics_of(model)
        return class_metrics(metrics, at, max(len(group.metrics.true) for group in self.groups))

    def curve_positions(self, indices: Sequence[int]) -> list[int]:
        """On the axis of the champion's curve."""
        first = self.groups[0]
        return curve_positions(first.metrics, [index - first.shift for index in indices])

    def curve(self) -> list[ChampionCurvePoint]:
        """The champion's curve; another model's value at a point is its newest one there."""
        models = sum(len(group.members) for group in self.groups)
        champion = accuracy_curve(self.groups[0].metrics)
        ends = [section.end + self.groups[0].shift for section in champion]
        points = [
            ChampionCurvePoint(section.scored, [None] * models, [None] * models, [(0, 0)] * models)
            for section in champion
        ]
        for group in self.groups:
            curve = accuracy_curve(group.metrics)
            own_ends = [section.end + group.shift for section in curve]
            for end, point in zip(ends, points, strict=True):
                at = bisect_right(own_ends, end) - 1
                if at >= 0:
                    for number, member in enumerate(group.members):
                        point.accuracy[member] = curve[at].accuracy[number]
                        point.recent[member] = curve[at].recent[number]
                        point.counts[member] = (curve[at].right[number], curve[at].scored)
        return points

    # As data.

    def parts(self) -> tuple[dict[str, Any], Arrays]:
        """Everything, as JSON and arrays; ``from_parts`` is its inverse."""
        metas: list[dict[str, Any]] = []
        arrays: Arrays = {}
        for number, (metrics, members, shift) in enumerate(self.groups):
            meta, columns = prequential_parts(metrics)
            metas.append({"members": list(members), "shift": shift, "scores": meta})
            arrays |= {f"{number}.{name}": array for name, array in columns.items()}
        return {"groups": metas}, arrays

    @classmethod
    def from_parts(cls, meta: dict[str, Any], arrays: Arrays) -> "Scores":
        """The inverse of ``parts``."""
        self = cls(0, 1)
        self.groups = []
        for number, group in enumerate(meta["groups"]):
            prefix = f"{number}."
            own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
            metrics = prequential_from_parts(group["scores"], own)
            self.groups.append(ModelGroup(metrics, tuple(group["members"]), group["shift"]))
        return self


def _selected(values: Sequence[int], group: ModelGroup) -> Sequence[int]:
    return values if len(group.members) == len(values) else [values[member] for member in group.members]


def _members(label: ScoredLabel, group: ModelGroup) -> ScoredLabel:
    if len(group.members) == len(label.losses):
        return label
    return ScoredLabel(label.truth, _selected(label.losses, group))
