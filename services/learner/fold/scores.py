"""The metrics of all models of a stream: those that began together share counts, one that was added has its own."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

from prequel.services.learner.fold.predictions import ABSENT
from prequel.services.learner.fold.prequential import Arrays, PerClass, Prequential, Tally

Point = tuple[int, list[float | None], list[float | None]]
"""Scored examples; per model accuracy since the start, and over about the last window."""


class Group(NamedTuple):
    """Models that were scored on the same examples. Index i of the stream is index ``i - shift`` of theirs."""

    scores: Prequential
    members: tuple[int, ...]
    shift: int


class Scores:
    """Prequential metrics by model number; an example's index is the stream's.

    A model that was added is scored on what the replay found: its numbers speak of those examples alone.
    """

    def __init__(self, models: int, window: int) -> None:
        self.groups = [Group(Prequential(models, window), tuple(range(models)), 0)]

    @property
    def total(self) -> int:
        """Indices given so far."""
        first = self.groups[0]
        return first.scores.total + first.shift

    @property
    def held(self) -> int:
        """How many of them still count for the champion."""
        return self.of(0)[0].held

    @property
    def tallies(self) -> list[Tally]:
        models = sum(len(group.members) for group in self.groups)
        return [scores.tallies[at] for scores, at in map(self.of, range(models))]

    def of(self, model: int) -> tuple[Prequential, int]:
        """The metrics that hold a model, and its number there."""
        for group in self.groups:
            if model in group.members:
                return group.scores, group.members.index(model)
        raise IndexError(f"there is no model {model}")

    def score(self, truth: int, predicted: Sequence[int], losses: Sequence[int]) -> int:
        """See Prequential; ABSENT is no prediction."""
        index = self.total
        for group in self.groups:
            if predicted[group.members[0]] == ABSENT:
                group.scores.skip()
            elif len(group.members) == len(predicted):
                group.scores.score(truth, predicted, losses)
            else:
                group.scores.score(truth, _some(predicted, group), _some(losses, group))
        return index

    def restate(
        self,
        index: int,
        predicted: Sequence[int],
        old: tuple[int, Sequence[int]],
        new: tuple[int, Sequence[int]] | None,
    ) -> None:
        for group in self.groups:
            if predicted[group.members[0]] != ABSENT:
                before = old[0], _some(old[1], group)
                after = None if new is None else (new[0], _some(new[1], group))
                group.scores.restate(index - group.shift, _some(predicted, group), before, after)

    # What changes with the settings.

    def resize(self, window: int) -> None:
        for group in self.groups:
            if group.scores.window != window:
                group.scores.resize(window)

    def remodel(self, kept: Sequence[int | None], added: "Scores | None") -> None:
        """New model n is the old one ``kept[n]``, or the next of ``added``, whose newest index is the newest here."""
        total, groups = self.total, []
        for group in self.groups:
            members = [number for number, old in enumerate(kept) if old in group.members]
            if members:
                group.scores.keep([group.members.index(kept[number] or 0) for number in members])
                groups.append(group._replace(members=tuple(members)))
        news = [number for number, old in enumerate(kept) if old is None]
        for group in added.groups if added and news else ():
            members = [news[member] for member in group.members]
            groups.append(Group(group.scores, tuple(members), total - group.scores.total))
        self.groups = sorted(groups, key=lambda group: group.members)

    # What is read off: see Prequential.

    def accuracy(self, model: int) -> float | None:
        scores, at = self.of(model)
        return scores.accuracy(at)

    def window_accuracy(self, model: int) -> float | None:
        scores, at = self.of(model)
        return scores.window_accuracy(at)

    def fading_accuracy(self, model: int) -> float | None:
        scores, at = self.of(model)
        return scores.fading_accuracy(at)

    def log_loss(self, model: int) -> float | None:
        scores, at = self.of(model)
        return scores.log_loss(at)

    def kappa(self, model: int) -> float | None:
        scores, at = self.of(model)
        return scores.kappa(at)

    def frequent(self, most: int) -> list[int]:
        """Of the examples that the champion was scored on."""
        return self.of(0)[0].frequent(most)

    def per_class(self, model: int) -> PerClass:
        """Of all classes that any model was scored on."""
        scores, at = self.of(model)
        return scores.per_class(at, max(len(group.scores.true) for group in self.groups))

    def places(self, indices: Sequence[int]) -> list[int]:
        """On the axis of the champion's curve."""
        first = self.groups[0]
        return first.scores.places([index - first.shift for index in indices])

    def points(self) -> list[Point]:
        """The champion's curve; another model's value there is its newest one, None before it has any."""
        axis = [(end + self.groups[0].shift, scored) for end, scored, _, _ in self.groups[0].scores.curve()]
        models = sum(len(group.members) for group in self.groups)
        points: list[Point] = [(scored, [None] * models, [None] * models) for _, scored in axis]
        for group in self.groups:
            curve = group.scores.curve()
            ends = [end + group.shift for end, *_ in curve]
            for (end, _), (_, accuracy, recent) in zip(axis, points, strict=True):
                at = bisect_right(ends, end) - 1
                if at >= 0:
                    for number, member in enumerate(group.members):
                        accuracy[member], recent[member] = curve[at][2][number], curve[at][3][number]
        return points

    # As data.

    def parts(self) -> tuple[dict[str, Any], Arrays]:
        """Everything, as JSON and arrays; ``from_parts`` is its inverse."""
        metas: list[dict[str, Any]] = []
        arrays: Arrays = {}
        for number, (scores, members, shift) in enumerate(self.groups):
            meta, found = scores.parts()
            metas.append({"members": list(members), "shift": shift, "scores": meta})
            arrays |= {f"{number}.{name}": array for name, array in found.items()}
        return {"groups": metas}, arrays

    @classmethod
    def from_parts(cls, meta: dict[str, Any], arrays: Arrays) -> "Scores":
        self = cls(0, 1)
        self.groups = []
        for number, each in enumerate(meta["groups"]):
            prefix = f"{number}."
            own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
            group = Group(Prequential.from_parts(each["scores"], own), tuple(each["members"]), each["shift"])
            self.groups.append(group)
        return self


def _some(values: Sequence[int], group: Group) -> Sequence[int]:
    return values if len(group.members) == len(values) else [values[member] for member in group.members]
