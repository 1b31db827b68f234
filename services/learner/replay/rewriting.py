"""The past of a stream as its decisions have made it: every event of its log, changed or left out."""

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple, cast

from prequel.services.learner.fold.decisions.class_names import ClassNames, Event, Merging
from prequel.services.learner.fold.decisions.decisions import DELETE, REBUILD, Decision, Decisions
from prequel.shared.events.names import id_digest
from prequel.shared.events.types import Features, Label


class LastLabels(NamedTuple):
    """By image id, the label (None: none) that corrected labels had become before ``offset``."""

    offset: int
    labels: Mapping[str, str | None]


class _Fate(NamedTuple):
    """At ``offset``, the class ``label`` became part of ``into``; None: it was deleted."""

    offset: int
    label: str
    into: str | None


class Rewriting:
    """The events of one stream as they would be, had its decisions been known from the beginning.

    1. A class that became part of another one was that one all the time; of one that was deleted there was no label.
    2. An image that was forgotten never came, nor did labels for it; one that came after that is another one.
    3. Where models were rebuilt, the label that an example had then was the first one for it.
    4. Two classes that are called the same are one: a class may come back, by an undo or since there is room for it
       now, whose name another one has got since.

    The fold of what comes out is what a stream's state is by definition, whenever its decisions were made.
    """

    def __init__(self, decisions: Decisions, last_labels: LastLabels | None = None) -> None:
        self._changes = deque((d.position.offset, d.change) for d in decisions.standing if d.change)
        self._names = ClassNames()
        """In force at the newest event."""
        self._fates: dict[str, list[_Fate]] = {}
        for fate in filter(None, map(_fate, decisions.standing)):
            self._fates.setdefault(fate.label, []).append(fate)
        self._decisions = decisions
        self._last = last_labels

    def event(self, event: Event) -> Event | None:
        """The event as it is to be folded; None where it is left out. Events come in the log's order."""
        offset = event.position.offset
        if self._decisions.forgotten and self._is_forgotten(event):
            return None
        if self._last and offset < self._last.offset and event.id in self._last.labels and not _unlabelled(event):
            label = self._last.labels[event.id]
        else:
            label = self._label(offset, event.label)
        return event if label == event.label else cast(Event, event._replace(label=label))

    def _is_forgotten(self, event: Features | Label) -> bool:
        decision = self._decisions.forgotten.get(id_digest(event.id))
        if decision and event.position.offset < decision.position.offset:
            return True
        return isinstance(event, Features) and self._decisions.forgetting(event) is not None

    def _label(self, offset: int, name: str | None) -> str | None:
        while self._changes and self._changes[0][0] < offset:
            self._names.apply(self._changes.popleft()[1])
        if name is None:
            return None
        label: str | None = self._names.label(name)
        while fate := self._next_fate(label, offset):
            offset, label = fate.offset, fate.into
        now = self._decisions.names
        return None if label is None else now.label(now.name(label))

    def _next_fate(self, label: str | None, offset: int) -> _Fate | None:
        """What became of a class first, after ``offset``."""
        return next((fate for fate in self._fates.get(label or "", ()) if fate.offset > offset), None)


def _unlabelled(event: Features | Label) -> bool:
    """Whether it is an image whose label, if it has one, came by itself: that comes when it did."""
    return isinstance(event, Features) and event.label is None


def _fate(decision: Decision) -> _Fate | None:
    offset = decision.position.offset
    if isinstance(decision.change, Merging):
        return _Fate(offset, decision.change.label, decision.change.into)
    return _Fate(offset, decision.label, None) if decision.do == DELETE else None


def rebuilt_at(decisions: Decisions) -> int | None:
    """The offset of the newest command to rebuild the models; None where there is none."""
    offsets = [d.position.offset for d in decisions.standing if d.do == REBUILD]
    return offsets[-1] if offsets else None
