"""The fold over one stream: features and labels in log order in, predictions and outcomes out."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from prequel.services.learner.fold.abstentions import Unknowns
from prequel.services.learner.fold.conflicts import CONTENT, LABEL, Conflicts
from prequel.services.learner.fold.drift import ErrorDrift
from prequel.services.learner.fold.drift_reactions import fade, reaction
from prequel.services.learner.fold.examples import UNLABELLED, UNSCORED, UNTOLD, Duplicates, Entry, First, Window
from prequel.services.learner.fold.feature_drift import FeatureDrift
from prequel.services.learner.fold.novelty import Novelty
from prequel.services.learner.fold.predictions import NOTHING, Guess, guesses
from prequel.services.learner.fold.scores import Scores
from prequel.services.learner.fold.waiting_labels import Waiting, WaitingLabels
from prequel.services.learner.models.base import Model, ModelState
from prequel.shared.events.types import Applied, Drift, Features, Label, Outcome, Prediction, Rejected
from prequel.shared.log.base import Position
from prequel.shared.vectors import Vector

Event = Prediction | Outcome | Drift | Applied
KEPT_MARKS = 100
"""Drifts that the curve is marked with: the newest."""


class Limits(NamedTuple):
    """What of the settings the state depends on, named as they are: part of the state, changed by an event."""

    models: tuple[str, ...]
    seed: int
    window: int
    duplicates: int
    accuracy_window: int
    max_streams: int
    max_labels: int
    max_waiting: int
    max_model_bytes: int
    unknown_probability: float
    unknown_distance: float


class ModelTable(Protocol):
    """How models are made and made again."""

    def create(self, spec: str, dim: int, *, seed: int) -> Model: ...

    def restore(self, spec: str, state: ModelState) -> Model: ...


class Mark(NamedTuple):
    """A drift on the accuracy curve: after so many scored examples, of one model, found by a detector."""

    scored: int
    model: str
    detector: str


class Emit(NamedTuple):
    """An output, in the order of the input it answers."""

    at: Position
    event: Event


FeaturesAt = Callable[[Position], Vector | None]
"""Where the fold gets features that are not in the event: None where retention has removed them."""


class StreamState:
    """All state of one stream. Methods are the fold's steps; none looks at a clock or at anything random."""

    def __init__(self, name: str, limits: Limits, table: ModelTable) -> None:
        self.name, self.limits, self.table = name, limits, table
        self.seed = limits.seed
        """The seed that the stream began with: another one is for streams that begin later."""
        self.admissible: Collection[str] | None = None
        """In a replay, the labels that the live stream has admitted; None where this is the live one."""
        self.reactions = [reaction(spec) for spec in limits.models]
        self.begun = 0
        """Where it began: the events of its name before are of another stream, which was deleted, or of none."""
        self.adopted: set[int] = set()
        """Where the labels stand that had come before it began, and waited for it."""
        self.backbone, self.dim = "", 0
        self.models: list[Model] = []
        self.born = [0] * len(limits.models)
        """How many examples had been scored when a model last reacted to a drift: what it learned before, it has
        forgotten, or half forgotten. 0 where it never did."""
        self.labels: list[str] = []
        self.classes: dict[str, int] = {}
        self.scores = Scores(len(limits.models), limits.accuracy_window)
        self.unknowns = Unknowns()
        self.unknowns_from = 0
        """The example from which on abstentions are counted: those before were another champion's."""
        self.novelty = Novelty(limits.unknown_probability, limits.unknown_distance)
        self.drifts = [ErrorDrift() for _ in limits.models]
        self.drifted = [0] * len(limits.models)
        self.marks: list[Mark] = []
        self.feature_drift = FeatureDrift(0, self.seed)
        self.window = Window(limits.window, len(limits.models))
        self.duplicates = Duplicates(limits.duplicates)
        self.waiting = WaitingLabels(limits.max_waiting)
        self.images = self.labelled = self.pending = self.repeated = 0
        self.conflicts = Conflicts()
        self.statuses: dict[str, int] = {}
        self.delays: list[float] = []
        """Seconds from example to first label since somebody last took them: for the metrics, no part of the state."""

    def adopt(self, labels: Sequence[tuple[str, Waiting]]) -> None:
        """Take over the labels that came before the stream began."""
        for id, waiting in labels:
            self.waiting.put(id, waiting)
            self.adopted.add(waiting.position.offset)
            self._count("waiting")

    # Features.

    def accept(self, event: Features) -> bool:
        """Whether it is new, else see ``repeat``. Raises Rejected where it does not fit this stream."""
        self.begin(event.backbone, event.vector.size)
        if event.backbone != self.backbone or event.vector.size != self.dim:
            raise Rejected(
                "wrong-backbone",
                f"stream {self.name} learns from {self.backbone} ({self.dim} values), "
                f"not from {event.backbone} ({event.vector.size})",
            )
        return not self.knows(event.id)

    def repeat(self, event: Features) -> str:
        """Count an example that is known already; what is different this time, as far as the window tells, or ""."""
        self.repeated += 1
        reason = self._conflict(event)
        if reason:
            self.conflicts.count(reason)
        return reason

    def _conflict(self, event: Features) -> str:
        entry = self.window.find(event.id)
        if entry is None:
            return ""
        first, digest = entry.first, _short(event.digest)
        if digest and first.digest and digest != first.digest:
            return CONTENT
        if event.label is None or first.label == UNTOLD:
            return ""
        return "" if self.classes.get(event.label, UNTOLD) in (first.label, entry.label) else LABEL

    def knows(self, id: str) -> bool:
        """Whether an example with this id was seen, as far back as ids are remembered."""
        return id in self.window or id in self.duplicates

    def predict(self, run: Sequence[Features]) -> list[Emit]:
        """Predict each accepted example of a run, score and learn those whose label is known, in order.

        However a sequence of events is cut into runs, state and outputs are the same: where a model reacts to
        drift, it must do so before the next example, and runs are taken one by one.
        """
        if len(run) > 1 and any(each.kind != "none" for each in self.reactions):
            return [emit for event in run for emit in self.predict([event])]
        known = [(*self._known_label(event), self._first(event)) for event in run]
        learned = [label if status == "learned" else None for label, status, _ in known]
        xs = np.stack([event.vector for event in run])
        said = zip(*(guesses(model.fold(xs, learned), self._numbers(model)) for model in self.models), strict=True)
        emitted: list[Emit] = []
        for event, (label, status, first), guess in zip(run, known, said, strict=True):
            emitted += self._remember(event, label, status, first, guess)
        return emitted

    def begin(self, backbone: str, dim: int) -> None:
        """Learn from features of this backbone from here on, unless it learns from any already."""
        if self.models:
            return
        self.backbone, self.dim = backbone, dim
        self.models = [self._new_model(number) for number in range(len(self.reactions))]
        self.feature_drift = FeatureDrift(self.dim, self.seed)

    def _new_model(self, number: int) -> Model:
        return self.table.create(self.reactions[number].spec, self.dim, seed=self.seed)

    def twin(self, limits: Limits) -> "StreamState":
        """An empty state for a replay of this stream: what it takes and admits is what this one did."""
        twin = StreamState(self.name, limits, self.table)
        twin.seed, twin.backbone, twin.dim, twin.admissible = self.seed, self.backbone, self.dim, self.classes.keys()
        twin.models = [twin._new_model(number) for number in range(len(limits.models))]
        twin.feature_drift = FeatureDrift(self.dim, self.seed)
        return twin

    # Settings.

    def limit(self, limits: Limits) -> None:
        """Other limits from here on, of the same models in the same order; what is beyond them expires."""
        self.limits = limits
        self.scores.resize(limits.accuracy_window)
        self.novelty.change(limits.unknown_probability, limits.unknown_distance, self.scores.total)
        self.window.resize(limits.window)
        self.duplicates.resize(limits.duplicates)
        self.waiting.resize(limits.max_waiting)
        self._expire()

    def _numbers(self, model: Model) -> list[int]:
        return [self.classes[label] for label in model.labels]

    def _known_label(self, event: Features) -> tuple[str | None, str]:
        """The label that is known with the example (an early one wins over the event's own), and what becomes of it."""
        early = self.waiting.get(event.id)
        label = early.label if early else event.label
        if label is None:
            return None, ""
        return label, "learned" if self._admit(label) else "rejected"

    def _admit(self, label: str) -> bool:
        """Whether the label is a class, or may become one."""
        if label not in self.classes:
            if len(self.labels) >= self.limits.max_labels:
                return False
            if self.admissible is not None and label not in self.admissible:
                return False
            self.classes[label] = len(self.labels)
            self.labels.append(label)
        return True

    def _first(self, event: Features) -> First:
        """What it came with, in the classes that there are before the next example of its run brings others."""
        own = UNLABELLED if event.label is None else self.classes.get(event.label, UNTOLD)
        return First(own, _short(event.digest))

    def _remember(
        self, event: Features, label: str | None, status: str, first: First, said: Sequence[Guess]
    ) -> list[Emit]:
        self.images += 1
        self.pending += 1
        self.feature_drift.look(event.vector)
        unknown = self.novelty.unknown(event.vector, said[0])
        entry = self.window.append(event.id, event.position, event.time, said, unknown, first)
        truth = label if status == "learned" else None
        emitted = [Emit(event.position, self._prediction(event, truth, said, unknown))]
        early = self.waiting.pop(event.id)
        if truth is not None:
            time = early.time if early else event.time
            for drift in self._score(entry, truth, time, said):
                emitted.append(Emit(event.position, drift))
            self.novelty.learn(event.vector, self.classes[truth])
        if label is not None:
            self._count(status)
            if early or status == "rejected":
                at = early.position if early else event.position
                outcome = self._outcome(event.id, at, event.time, status, label, None, said)
                emitted.append(Emit(event.position, outcome._replace(attributes=event.attributes)))
        self._expire()
        return emitted

    def _expire(self) -> None:
        for id, labelled in self.window.expire():
            self.duplicates.add(id)
            self.pending -= not labelled

    # Labels.

    def label(self, event: Label, features: FeaturesAt) -> list[Emit]:
        """Score, learn, correct or retract, or say why not."""
        entry = self.window.find(event.id)
        if entry is None:
            return self._early(event)
        status, previous, exact, drifts = self._apply(entry, event, features)
        outcome = self._answer(event, status, previous, entry.guesses, exact)
        return [outcome, *(Emit(event.position, drift) for drift in drifts)]

    def _apply(self, entry: Entry, event: Label, features: FeaturesAt) -> tuple[str, str | None, bool, list[Drift]]:
        """What became of the label, the previous one, whether every other is out of every model, and the drifts."""
        previous = None if entry.label == UNLABELLED else self.labels[entry.label]
        if event.label == previous:
            return "unchanged", previous, not entry.remains, []
        x = features(entry.position)
        if x is None:
            return "expired", previous, True, []
        if event.label is not None and not self._admit(event.label):
            return "rejected", previous, True, []
        exact = self._relearn(entry, x, previous, event.label) and not entry.remains
        if previous is None:
            assert event.label is not None
            return "learned", None, exact, self._score(entry, event.label, event.time, entry.guesses)
        self._rescore(entry, event.label, exact)
        return "retracted" if event.label is None else "corrected", previous, exact, []

    def _relearn(self, entry: Entry, x: Vector, previous: str | None, label: str | None) -> bool:
        """Take the previous label out of the models that can, and put the new one into all; whether all could."""
        exact = True
        for number, model in enumerate(self.models):
            if previous is not None:
                exact &= self._unlearn(number, entry, x, previous)
            if label is not None:
                model.learn(x, label)
        if previous is not None and (self.novelty.since == 0 or entry.learned > self.novelty.since):
            self.novelty.learn(x, self.classes[previous], -1)
        if label is not None:
            self.novelty.learn(x, self.classes[label])
        return exact

    def _unlearn(self, number: int, entry: Entry, x: Vector, label: str) -> bool:
        """Whether nothing of the label is left in the model: what a reset model never learned is not in it."""
        known = entry.guesses[number].known
        if known < 0:
            return known == NOTHING.known
        forgotten = entry.learned < self.born[number]
        if forgotten and self.reactions[number].kind == "reset":
            return True
        if forgotten or not self.models[number].exact:
            return False
        self.models[number].unlearn(x, label)
        return True

    def _score(self, entry: Entry, label: str, time: float, said: Sequence[Guess]) -> list[Drift]:
        """Label an example; what was said when no class was known is no prediction and not scored, as in River."""
        truth = self.classes[label]
        scored = said[0].known > 0 or any(guess.known > 0 for guess in said)
        index = self.scores.score(truth, _labels(said), _losses(said, truth)) if scored else UNSCORED
        entry.set(truth, index, index if scored else self.scores.total, entry.remains)
        self.labelled += 1
        self.pending -= 1
        self.delays.append(max(0.0, time - entry.time))
        if not scored:
            return []
        self._count_unknown(entry, said[0], truth)
        drifts: list[Drift] = []
        for number, guess in enumerate(said):
            if guess.known >= 0:
                drifts += self._watch(number, guess, truth, entry, time)
        return drifts

    def _count_unknown(self, entry: Entry, guess: Guess, truth: int, sign: int = 1) -> None:
        if not self.unknowns_from or entry.sequence >= self.unknowns_from:
            self.unknowns.count(entry.unknown, guess, truth, sign)

    def _watch(self, number: int, guess: Guess, truth: int, entry: Entry, time: float) -> list[Drift]:
        """Tell the model's drift detectors of its error; let the model react."""
        detector = self.drifts[number].update(guess.label != truth)
        if detector is None:
            return []
        self.drifted[number] += 1
        spec, scored = self.limits.models[number], self.scores.total
        self.marks = [*self.marks, Mark(scored, spec, detector)][-KEPT_MARKS:]
        kind = self.reactions[number].kind
        if kind == "reset":
            self.models[number] = self._new_model(number)
        elif kind == "forget":
            fade(self.models[number])
        if kind != "none":
            self.born[number] = scored
        return [Drift(self.name, entry.position, spec, detector, scored, kind == "reset", time)]

    def _rescore(self, entry: Entry, label: str | None, exact: bool) -> None:
        old, said = entry.label, entry.guesses
        truth = UNLABELLED if label is None else self.classes[label]
        if entry.score != UNSCORED:
            after = None if label is None else (truth, _losses(said, truth))
            self.scores.restate(entry.score, _labels(said), (old, _losses(said, old)), after)
            self._count_unknown(entry, said[0], old, -1)
            if label is not None:
                self._count_unknown(entry, said[0], truth)
        entry.set(truth, UNSCORED if label is None else entry.score, self.scores.total, not exact)
        if label is None:
            self.labelled -= 1
            self.pending += 1

    def _early(self, event: Label) -> list[Emit]:
        """A label for an example that is not in the window: it has left it, or has not come yet."""
        if event.id in self.duplicates:
            return [self._answer(event, "expired", None, ())]
        waiting = self.waiting.get(event.id)
        previous = waiting.label if waiting else None
        if event.label is None:
            self.waiting.pop(event.id)
        if event.label == previous:
            return [self._answer(event, "unchanged", previous, ())]
        if event.label is None:
            return [self._answer(event, "retracted", previous, ())]
        expired = self._expire_waiting(event.position) if waiting is None and self.waiting.full else []
        if waiting is None and self.waiting.full:
            return [*expired, self._answer(event, "rejected", None, ())]
        self.waiting.put(event.id, Waiting(event.label, event.position, event.time, self.images))
        return [*expired, self._answer(event, "waiting", previous, ())]

    def _expire_waiting(self, at: Position) -> list[Emit]:
        """Give up labels that have waited for more examples than the window holds."""
        emitted = []
        for id, gone in self.waiting.expire(self.images - self.limits.window):
            self._count("expired")
            outcome = self._outcome(id, gone.position, gone.time, "expired", gone.label, None, ())
            emitted.append(Emit(at, outcome))
        return emitted

    def _answer(
        self, event: Label, status: str, previous: str | None, said: Sequence[Guess], exact: bool = True
    ) -> Emit:
        self._count(status)
        outcome = self._outcome(event.id, event.position, event.time, status, event.label, previous, said, exact)
        return Emit(event.position, outcome)

    def _count(self, status: str) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1

    # Outputs.

    def _prediction(self, event: Features, truth: str | None, said: Sequence[Guess], unknown: bool) -> Prediction:
        return Prediction(
            id=event.id,
            stream=self.name,
            position=event.position,
            model=self.limits.models[0],
            label=None if unknown else self.name_of(said[0].label),
            probabilities=self._shares(said[0]),
            models=self._named(said),
            truth=truth,
            image=event.image,
            time=event.time,
            unknown=unknown,
            attributes=event.attributes,
        )

    def _outcome(
        self,
        id: str,
        position: Position,
        time: float,
        status: str,
        label: str | None,
        previous: str | None,
        said: Sequence[Guess],
        exact: bool = True,
    ) -> Outcome:
        return Outcome(
            id=id,
            stream=self.name,
            position=position,
            status=status,
            label=label,
            previous=previous,
            predicted=self.name_of(said[0].label) if said else None,
            exact=exact,
            time=time,
        )

    def answer(self, x: Vector) -> tuple[dict[str, float], dict[str, str | None], bool]:
        """What the models say now of a vector, shape [dim]: the champion's probabilities, each model's label, and
        whether the champion had better abstain."""
        said = [guesses([model.predict(x)], self._numbers(model))[0] for model in self.models]
        return self._shares(said[0]), self._named(said), self.novelty.unknown(x, said[0])

    def name_of(self, label: int) -> str | None:
        """The label of a class, None for -1."""
        return self.labels[label] if label >= 0 else None

    def _shares(self, guess: Guess) -> dict[str, float]:
        return dict(zip(map(self.labels.__getitem__, guess.classes), guess.probabilities, strict=True))

    def _named(self, said: Sequence[Guess]) -> dict[str, str | None]:
        return {spec: self.name_of(guess.label) for spec, guess in zip(self.limits.models, said, strict=True)}

    def numbers(self) -> dict[str, Any]:
        """All of the state that is a few plain numbers and names."""
        return {
            "name": self.name,
            "limits": list(self.limits),
            "seed": self.seed,
            "begun": self.begun,
            "adopted": sorted(self.adopted),
            "backbone": self.backbone,
            "dim": self.dim,
            "labels": self.labels,
            "counts": [self.images, self.labelled, self.pending, self.repeated],
            "conflicts": self.conflicts.numbers(),
            "statuses": self.statuses,
            "unknowns": [*self.unknowns.numbers(), self.unknowns_from],
            "born": self.born,
            "drifts": [drift.numbers() for drift in self.drifts],
            "drifted": self.drifted,
            "marks": [list(mark) for mark in self.marks],
        }

    def load_numbers(self, numbers: dict[str, Any]) -> None:
        """The inverse of ``numbers``, into an empty state."""
        self.seed, self.backbone, self.dim = numbers["seed"], numbers["backbone"], numbers["dim"]
        self.begun, self.adopted = numbers["begun"], set(numbers["adopted"])
        self.labels = numbers["labels"]
        self.classes = {label: number for number, label in enumerate(self.labels)}
        self.images, self.labelled, self.pending, self.repeated = numbers["counts"]
        self.statuses, self.born, self.drifted = numbers["statuses"], numbers["born"], numbers["drifted"]
        *counted, self.unknowns_from = numbers["unknowns"]
        self.unknowns.load(counted)
        self.conflicts.load(numbers["conflicts"])
        self.drifts = [ErrorDrift.from_numbers(each) for each in numbers["drifts"]]
        self.marks = [Mark(*mark) for mark in numbers["marks"]]


def _labels(said: Sequence[Guess]) -> list[int]:
    return [guess.scored for guess in said]


def _losses(said: Sequence[Guess], truth: int) -> list[int]:
    return [guess.loss(truth) for guess in said]


def _short(digest: str) -> int:
    """64 bits of an image's digest, enough to tell two images of one id apart; 0 for none."""
    return int(digest[:16], 16) if digest else 0
