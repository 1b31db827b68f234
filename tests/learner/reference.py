"""The fold's meaning, written as plainly as possible: every example stays, every metric is counted from the start."""

from dataclasses import dataclass, field

import numpy as np

from prequel.services.learner.models.base import Model
from prequel.services.learner.models.capabilities import correct
from prequel.shared.events.types import Features, Label
from prequel.shared.vectors import Vector


@dataclass
class Example:
    """All that was ever known of one example."""

    x: Vector
    number: int
    predicted: list[str | None]
    shares: list[dict[str, float]]
    label: str | None = None
    scored: int | None = None
    learned_after: int = 0


@dataclass
class Reference:
    """One stream."""

    models: list[Model]
    window: int
    max_labels: int
    max_waiting: int
    examples: dict[str, Example] = field(default_factory=dict)
    waiting: dict[str, tuple[str, int]] = field(default_factory=dict)
    orphans: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Labels that came before the stream began, with the offset of the first one of their image."""
    labels: list[str] = field(default_factory=list)
    outcomes: list[tuple[str, str]] = field(default_factory=list)
    scored: int = 0
    learned: int = 0
    duplicates: int = 0

    def features(self, event: Features) -> None:
        if event.id in self.examples:
            self.duplicates += 1
            return
        if not self.examples:
            self.waiting = {id: (label, 0) for id, (label, _) in self.orphans.items()}
        shares = [dict(zip(m.labels, m.predict(event.vector).tolist(), strict=True)) for m in self.models]
        predicted = [max(share, key=lambda name: share[name]) if share else None for share in shares]
        example = Example(event.vector, len(self.examples), predicted, shares)
        self.examples[event.id] = example
        orphans = self.waiting.pop(event.id, None)
        label = orphans[0] if orphans else event.label
        if label is not None:
            status = "learned" if self._learn_first_label(example, label) else "rejected"
            if orphans or status == "rejected":
                self.outcomes.append((event.id, status))

    def label(self, event: Label) -> None:
        example = self.examples.get(event.id)
        if not self.examples:
            self._label_without_stream(event)
        elif example is None:
            self.outcomes.append((event.id, self._label_without_example(event)))
        elif example.number < len(self.examples) - self.window:
            self.outcomes.append((event.id, "expired"))
        else:
            self.outcomes.append((event.id, self._label_known_example(example, event.label)))

    def _label_without_stream(self, event: Label) -> None:
        previous, offset = self.orphans.get(event.id), event.position.offset
        if event.label is None:
            self.orphans.pop(event.id, None)
        if event.label == (previous[0] if previous else None):
            self.outcomes.append((event.id, "unchanged"))
        elif event.label is None:
            self.outcomes.append((event.id, "retracted"))
        else:
            self._add_orphan(event.id, event.label, previous[1] if previous else offset, offset)

    def _add_orphan(self, id: str, label: str, since: int, now: int) -> None:
        if id not in self.orphans and len(self.orphans) >= self.max_waiting:
            for old in [old for old, (_, at) in self.orphans.items() if now - at > self.window]:
                del self.orphans[old]
                self.outcomes.append((old, "expired"))
        if id in self.orphans or len(self.orphans) < self.max_waiting:
            self.orphans[id] = label, since
            self.outcomes.append((id, "waiting"))

    def _label_known_example(self, example: Example, label: str | None) -> str:
        if label == example.label:
            return "unchanged"
        if example.label is None:
            assert label is not None
            return "learned" if self._learn_first_label(example, label) else "rejected"
        if label is not None and not self._admit(label):
            return "rejected"
        for model in self.models:
            correct(model, example.x, example.label, label, age=self.learned - 1 - example.learned_after)
        example.label = label
        if label is None:
            example.scored = None
            return "retracted"
        return "corrected"

    def _learn_first_label(self, example: Example, label: str) -> bool:
        if not self._admit(label):
            return False
        for model in self.models:
            model.learn(example.x, label)
        example.label, example.learned_after = label, self.learned
        self.learned += 1
        if example.shares[0]:
            example.scored = self.scored
            self.scored += 1
        return True

    def _admit(self, label: str) -> bool:
        if label not in self.labels and len(self.labels) < self.max_labels:
            self.labels.append(label)
        return label in self.labels

    def _label_without_example(self, event: Label) -> str:
        previous = self.waiting.get(event.id)
        if event.label is None:
            self.waiting.pop(event.id, None)
            return "retracted" if previous else "unchanged"
        if previous and previous[0] == event.label:
            return "unchanged"
        if previous is None and len(self.waiting) >= self.max_waiting:
            expired = [id for id, (_, since) in self.waiting.items() if len(self.examples) - since > self.window]
            for id in expired:
                del self.waiting[id]
                self.outcomes.append((id, "expired"))
        if previous is None and len(self.waiting) >= self.max_waiting:
            return "rejected"
        self.waiting[event.id] = (event.label, len(self.examples))
        return "waiting"

    # Metrics, from nothing but the examples.

    def counted(self) -> list[Example]:
        scored = [example for example in self.examples.values() if example.scored is not None]
        return sorted(scored, key=lambda example: example.scored or 0)

    def confusion(self, model: int) -> dict[tuple[str, str | None], int]:
        cells: dict[tuple[str, str | None], int] = {}
        for example in self.counted():
            assert example.label is not None
            cell = (example.label, example.predicted[model])
            cells[cell] = cells.get(cell, 0) + 1
        return cells

    def accuracy(self, model: int, newest: int | None = None) -> float | None:
        counted = [e for e in self.counted() if newest is None or (e.scored or 0) >= self.scored - newest]
        return sum(e.predicted[model] == e.label for e in counted) / len(counted) if counted else None

    def log_loss(self, model: int) -> float | None:
        counted = self.counted()
        shares = [e.shares[model].get(str(e.label)) for e in counted]
        losses = [0.0 if p is None else -np.log(min(max(p, 1e-15), 1 - 1e-15)) for p in shares]
        return float(np.mean(losses)) if counted else None
