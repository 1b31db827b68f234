"""The past of a stream as its decisions have made it: every event of its log, changed or left out."""

from bisect import bisect_left
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

    The fold of what comes out is what a stream's state is by definition, whenever its decisions were made.
    """

    def __init__(self, decisions: Decisions, last_labels: LastLabels | None = None) -> None:
        renamed = [d for d in decisions.standing if d.change]
        self._name_offsets = [d.position.offset for d in renamed]
        self._names = [ClassNames(d.change for d in renamed[:count] if d.change) for count in range(len(renamed) + 1)]
        self._fates = [fate for d in decisions.standing if (fate := _fate(d))]
        self._decisions = decisions
        self._last = last_labels

    def event(self, event: Event) -> Event | None:
        """The event as it is to be folded; None where it is left out."""
        offset = event.position.offset
        if self._decisions.forgotten and self._is_forgotten(event):
            return None
        if self._last and offset < self._last.offset and event.id in self._last.labels:
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
        if name is None or not (self._name_offsets or self._fates):
            return name
        label: str | None = self._names[bisect_left(self._name_offsets, offset)].label(name)
        for fate in self._fates:
            if fate.offset > offset and fate.label == label:
                label = fate.into
        return label


def _fate(decision: Decision) -> _Fate | None:
    offset = decision.position.offset
    if isinstance(decision.change, Merging):
        return _Fate(offset, decision.change.label, decision.change.into)
    return _Fate(offset, decision.label, None) if decision.do == DELETE else None


def rebuilt_at(decisions: Decisions) -> int | None:
    """The offset of the newest command to rebuild the models; None where there is none."""
    offsets = [d.position.offset for d in decisions.standing if d.do == REBUILD]
    return offsets[-1] if offsets else None
