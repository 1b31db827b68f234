"""The fold over one stream: features and labels in log order in, predictions and outcomes out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from services.learner.blobs import Part, part, sha256, unpack
from services.learner.examples import TOP, UNLABELLED, UNSCORED, Chunk, Duplicates, Entry, Guess, Window
from services.learner.models.model import Model, ModelState, Probabilities
from services.learner.prequential import Prequential, loss_units
from shared.events import Features, Label, Outcome, Prediction, Rejected, Vector
from shared.log import Position

Event = Prediction | Outcome


class Limits(NamedTuple):
    """What of the settings the state depends on: other values, another fold."""

    models: tuple[str, ...]
    seed: int
    window: int
    duplicates: int
    accuracy_window: int
    max_streams: int
    max_labels: int
    max_waiting: int


class ModelTable(Protocol):
    """How models are made and made again."""

    def create(self, spec: str, dim: int, *, seed: int) -> Model: ...

    def restore(self, spec: str, state: ModelState) -> Model: ...


class Waiting(NamedTuple):
    """A label that came before its features; ``since`` is the number of examples there were then."""

    label: str
    position: Position
    time: float
    since: int


class Emit(NamedTuple):
    """An output, in the order of the input it answers."""

    at: Position
    event: Event


FeaturesAt = Callable[[Position], Vector | None]
"""Where the fold gets features that are not in the event: None where retention has removed them."""


class StreamState:
    """All state of one stream. Methods are the fold's steps; none looks at a clock or at anything random."""

    def __init__(self, name: str, limits: Limits, table: ModelTable) -> None:
        self.name, self.limits, self._table = name, limits, table
        self.backbone, self.dim = "", 0
        self.models: list[Model] = []
        self.labels: list[str] = []
        self._classes: dict[str, int] = {}
        self.scores = Prequential(len(limits.models), limits.accuracy_window)
        self.window = Window(limits.window, len(limits.models))
        self.duplicates = Duplicates(limits.duplicates)
        self.waiting: dict[str, Waiting] = {}
        self.images = self.labelled = self.pending = self.repeated = 0
        self.statuses: dict[str, int] = {}
        self.delays: list[float] = []
        """Seconds from example to first label since somebody last took them: for the metrics, no part of the state."""

    # Features.

    def accept(self, event: Features) -> bool:
        """Whether it is new; a duplicate is counted. Raises Rejected where it does not fit this stream."""
        if not self.models:
            self._begin(event)
        if event.backbone != self.backbone or event.vector.size != self.dim:
            raise Rejected(
                "wrong-backbone",
                f"stream {self.name} learns from {self.backbone} ({self.dim} values), "
                f"not from {event.backbone} ({event.vector.size})",
            )
        if self.knows(event.id):
            self.repeated += 1
            return False
        return True

    def knows(self, id: str) -> bool:
        """Whether an example with this id was seen, as far back as ids are remembered."""
        return id in self.window or id in self.duplicates

    def predict(self, run: Sequence[Features]) -> list[Emit]:
        """Predict each accepted example of a run, score and learn those whose label is known, in order.

        However a sequence of events is cut into runs, state and outputs are the same.
        """
        known = [self._known_label(event) for event in run]
        learned = [label if status == "learned" else None for label, status in known]
        xs = np.stack([event.vector for event in run])
        guesses = list(zip(*(_guesses(model.fold(xs, learned)) for model in self.models), strict=True))
        emitted: list[Emit] = []
        for event, (label, status), guess in zip(run, known, guesses, strict=True):
            emitted += self._remember(event, label, status, guess)
        return emitted

    def _begin(self, event: Features) -> None:
        self.backbone, self.dim = event.backbone, event.vector.size
        self.models = [self._table.create(spec, self.dim, seed=self.limits.seed) for spec in self.limits.models]

    def _known_label(self, event: Features) -> tuple[str | None, str]:
        """The label that is known with the example (an early one wins over the event's own), and what becomes of it."""
        early = self.waiting.get(event.id)
        label = early.label if early else event.label
        if label is None:
            return None, ""
        return label, "learned" if self._admit(label) else "rejected"

    def _admit(self, label: str) -> bool:
        """Whether the label is a class, or may become one."""
        if label not in self._classes:
            if len(self.labels) >= self.limits.max_labels:
                return False
            self._classes[label] = len(self.labels)
            self.labels.append(label)
        return True

    def _remember(self, event: Features, label: str | None, status: str, guesses: Sequence[Guess]) -> list[Emit]:
        self.images += 1
        self.pending += 1
        self.window.append(event.id, event.position, event.time, guesses)
        prediction = self._prediction(event, label if status == "learned" else None, guesses)
        emitted = [Emit(event.position, prediction)]
        early = self.waiting.pop(event.id, None)
        entry = self.window.find(event.id)
        assert entry is not None
        if label is not None and status == "learned":
            self._score(entry, label, early.time if early else event.time, guesses)
        if label is not None:
            self._count(status)
        if label is not None and (early or status == "rejected"):
            at = early.position if early else event.position
            emitted.append(Emit(event.position, self._outcome(event.id, at, event.time, status, label, None, guesses)))
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
        status, previous = self._apply(entry, event, features)
        return [self._answer(event, status, previous, entry.guesses)]

    def _apply(self, entry: Entry, event: Label, features: FeaturesAt) -> tuple[str, str | None]:
        previous = None if entry.label == UNLABELLED else self.labels[entry.label]
        if event.label == previous:
            return "unchanged", previous
        x = features(entry.position)
        if x is None:
            return "expired", previous
        if event.label is not None and not self._admit(event.label):
            return "rejected", previous
        for model in self.models:
            if previous is not None and model.exact:
                model.unlearn(x, previous)
            if event.label is not None:
                model.learn(x, event.label)
        if previous is None:
            assert event.label is not None
            self._score(entry, event.label, event.time, entry.guesses)
            return "learned", None
        self._rescore(entry, event.label)
        return "retracted" if event.label is None else "corrected", previous

    def _score(self, entry: Entry, label: str, time: float, guesses: Sequence[Guess]) -> None:
        """Label an example; what was said when no class was known is no prediction and not scored, as in River."""
        truth = self._classes[label]
        scored = guesses[0].known > 0
        entry.set(truth, self.scores.score(truth, _labels(guesses), _losses(guesses, truth)) if scored else UNSCORED)
        self.labelled += 1
        self.pending -= 1
        self.delays.append(max(0.0, time - entry.time))

    def _rescore(self, entry: Entry, label: str | None) -> None:
        old, guesses = entry.label, entry.guesses
        truth = UNLABELLED if label is None else self._classes[label]
        if entry.score != UNSCORED:
            after = None if label is None else (truth, _losses(guesses, truth))
            self.scores.restate(entry.score, _labels(guesses), (old, _losses(guesses, old)), after)
        entry.set(truth, UNSCORED if label is None else entry.score)
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
            self.waiting.pop(event.id, None)
            return [self._answer(event, "retracted" if waiting else "unchanged", previous, ())]
        if event.label == previous:
            return [self._answer(event, "unchanged", previous, ())]
        expired = (
            self._expire_waiting(event.position)
            if waiting is None and len(self.waiting) >= self.limits.max_waiting
            else []
        )
        if waiting is None and len(self.waiting) >= self.limits.max_waiting:
            return [*expired, self._answer(event, "rejected", None, ())]
        self.waiting[event.id] = Waiting(event.label, event.position, event.time, self.images)
        return [*expired, self._answer(event, "waiting", previous, ())]

    def _expire_waiting(self, at: Position) -> list[Emit]:
        """Give up labels that have waited for more examples than the window holds."""
        old = [id for id, waiting in self.waiting.items() if self.images - waiting.since > self.limits.window]
        emitted = []
        for id in old:
            gone = self.waiting.pop(id)
            self._count("expired")
            outcome = self._outcome(id, gone.position, gone.time, "expired", gone.label, None, ())
            emitted.append(Emit(at, outcome))
        return emitted

    def _answer(self, event: Label, status: str, previous: str | None, guesses: Sequence[Guess]) -> Emit:
        self._count(status)
        outcome = self._outcome(event.id, event.position, event.time, status, event.label, previous, guesses)
        return Emit(event.position, outcome)

    def _count(self, status: str) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1

    # Outputs.

    def _prediction(self, event: Features, truth: str | None, guesses: Sequence[Guess]) -> Prediction:
        champion = guesses[0]
        return Prediction(
            id=event.id,
            stream=self.name,
            position=event.position,
            model=self.limits.models[0],
            label=self.name_of(champion.label),
            probabilities=dict(
                zip(map(self.labels.__getitem__, champion.classes), champion.probabilities, strict=True)
            ),
            models={spec: self.name_of(guess.label) for spec, guess in zip(self.limits.models, guesses, strict=True)},
            truth=truth,
            image=event.image,
            time=event.time,
        )

    def _outcome(
        self,
        id: str,
        position: Position,
        time: float,
        status: str,
        label: str | None,
        previous: str | None,
        guesses: Sequence[Guess],
    ) -> Outcome:
        undone = status in ("corrected", "retracted") and bool(guesses)
        return Outcome(
            id=id,
            stream=self.name,
            position=position,
            status=status,
            label=label,
            previous=previous,
            predicted=self.name_of(guesses[0].label) if guesses else None,
            exact=not undone or all(model.exact for model in self.models),
            time=time,
        )

    def name_of(self, label: int) -> str | None:
        """The label of a class, None for -1."""
        return self.labels[label] if label >= 0 else None

    def answer(self, x: Vector) -> tuple[dict[str, float], dict[str, str | None]]:
        """What the models say now of a vector, shape [dim]: the champion's probabilities and each model's label."""
        guesses = [_guesses([model.predict(x)])[0] for model in self.models]
        names = {spec: self.name_of(guess.label) for spec, guess in zip(self.limits.models, guesses, strict=True)}
        champion = guesses[0]
        return {self.labels[label]: p for label, p in zip(champion.classes, champion.probabilities, strict=True)}, names

    # As data.

    def parts(self, seal: Callable[[ModelState], Part]) -> dict[str, Part]:
        """Every part by name; ``head`` names the others with their digests. Equal states have equal digests."""
        scores_meta, scores_arrays = self.scores.parts()
        parts = {
            "scores": part(scores_meta, scores_arrays),
            "waiting": part(
                {"waiting": [[id, w.label, list(w.position), w.time, w.since] for id, w in self.waiting.items()]}
            ),
            "duplicates": part({}, {"hashes": self.duplicates.array()}),
            **self.window.parts(),
        }
        for number, model in enumerate(self.models):
            parts[f"model.{number}"] = seal(model.state())
        return parts | {"head": self._head(parts)}

    def _head(self, parts: Mapping[str, Part]) -> Part:
        meta = {
            "name": self.name,
            "limits": list(self.limits),
            "backbone": self.backbone,
            "dim": self.dim,
            "labels": self.labels,
            "counts": [self.images, self.labelled, self.pending, self.repeated],
            "statuses": self.statuses,
            "window": list(self.window.bounds),
        }
        digest = part(meta | {"parts": {name: found.digest for name, found in parts.items()}}).digest
        body = part(meta | {"parts": {name: [found.address, found.digest] for name, found in parts.items()}}).body
        return Part(body, sha256(body), digest)

    @classmethod
    def from_parts(
        cls,
        head: bytes,
        read: Callable[[str], bytes],
        unseal: Callable[[bytes], ModelState],
        limits: Limits,
        table: ModelTable,
    ) -> "StreamState":
        """The inverse of ``parts``; ``read`` gives the bytes of an address. Raises ValueError where they do not fit."""
        meta, _ = unpack(head)
        self = cls(meta["name"], limits, table)
        bodies = {name: read(address) for name, (address, _) in meta["parts"].items()}
        self.backbone, self.dim, self.labels = meta["backbone"], meta["dim"], meta["labels"]
        self._classes = {label: number for number, label in enumerate(self.labels)}
        self.images, self.labelled, self.pending, self.repeated = meta["counts"]
        self.statuses = meta["statuses"]
        self.scores = Prequential.from_parts(*unpack(bodies["scores"]))
        self.duplicates = Duplicates.from_array(limits.duplicates, unpack(bodies["duplicates"])[1]["hashes"])
        self.waiting = {
            id: Waiting(label, Position(*position), time, since)
            for id, label, position, time, since in unpack(bodies["waiting"])[0]["waiting"]
        }
        self.window = self._read_window(meta, bodies)
        specs = limits.models if self.backbone else ()
        self.models = [table.restore(spec, unseal(bodies[f"model.{number}"])) for number, spec in enumerate(specs)]
        return self

    def _read_window(self, meta: dict[str, Any], bodies: Mapping[str, bytes]) -> Window:
        chunks = []
        for name in sorted(name for name in bodies if name.startswith("window.")):
            address, digest = meta["parts"][name]
            chunks.append(Chunk.from_parts(*unpack(bodies[name]), Part(bodies[name], address, digest)))
        oldest, following = meta["window"]
        return Window.from_chunks(self.limits.window, len(self.limits.models), chunks, (oldest, following))


def _labels(guesses: Sequence[Guess]) -> list[int]:
    return [guess.label for guess in guesses]


def _losses(guesses: Sequence[Guess], truth: int) -> list[int]:
    """Log losses; none for a class that the model could not know yet, as River's CrossEntropy has it."""
    return [loss_units(guess.probability(truth)) if truth < guess.known else 0 for guess in guesses]


def _guesses(predicted: Sequence[Probabilities]) -> list[Guess]:
    """The 10 most probable classes of each prediction; of equal ones, those learned first."""
    guesses: list[Guess] = []
    start = 0
    while start < len(predicted):
        known, end = len(predicted[start]), start
        while end < len(predicted) and len(predicted[end]) == known:
            end += 1
        matrix = np.array(predicted[start:end]).reshape(end - start, known)
        order = np.argsort(-matrix, axis=1, kind="stable")[:, :TOP]
        kept = np.take_along_axis(matrix, order, axis=1).astype(np.float32)
        guesses += [
            Guess(classes, shares, known) for classes, shares in zip(order.tolist(), kept.tolist(), strict=True)
        ]
        start = end
    return guesses
