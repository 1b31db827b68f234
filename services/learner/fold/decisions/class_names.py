"""The names of a stream's classes: what people call them, and the labels that the fold knows them by."""

from collections.abc import Iterable
from typing import NamedTuple, TypeVar, cast

from prequel.shared.events.types import Features, Label

Event = TypeVar("Event", bound=Features | Label)


class Renaming(NamedTuple):
    """From here on the class that the fold knows by ``label`` is called ``name``."""

    label: str
    name: str


class Merging(NamedTuple):
    """From here on what is said of the class ``label`` is said of the class ``into``."""

    label: str
    into: str


class ClassNames:
    """What follows from renamings and mergings, in their order.

    Inside the fold a class keeps the label that it came with first, so that a new name costs nothing and changes no
    model. Names are looked up at the edges: those in events on their way in, labels on their way out. An old name goes
    on to stand for its class until another class is called so.

    >>> names = ClassNames([Renaming("cat", "feline"), Merging("kitten", "cat")])
    >>> names.label("feline"), names.label("cat"), names.label("kitten"), names.name("cat")
    ('cat', 'cat', 'cat', 'feline')
    """

    def __init__(self, changes: Iterable[Renaming | Merging] = ()) -> None:
        self._labels: dict[str, str] = {}
        """The label of a class by the name, where they differ."""
        self._names: dict[str, str] = {}
        """The inverse for the names that are shown."""
        self._all_names: dict[str, set[str]] = {}
        """The inverse of ``_labels``: without it, a thousand mergings would be looked through a thousand times."""
        for change in changes:
            self.apply(change)

    def apply(self, change: Renaming | Merging) -> None:
        """Take in one more change."""
        if isinstance(change, Renaming):
            self._rename(change)
        else:
            self._merge(change)

    def label(self, name: str) -> str:
        """The label by which the fold knows the class that people call so."""
        return self._labels.get(name, name)

    def name(self, label: str) -> str:
        """What people call the class."""
        return self._names.get(label, label)

    def names(self, labels: Iterable[str]) -> list[str]:
        """What people call these classes."""
        return [self.name(label) for label in labels]

    def renamed(self) -> dict[str, str]:
        """What classes are called now, by each name that they have had, where it is another.

        >>> ClassNames([Renaming("cat", "feline"), Merging("kitten", "cat")]).renamed()
        {'kitten': 'feline', 'cat': 'feline'}
        """
        names = [*self._labels, *self._names]
        return {name: now for name in names if (now := self.name(self.label(name))) != name}

    def translate(self, event: Event) -> Event:
        """The event with the label that the fold knows."""
        if event.label is None or event.label not in self._labels:
            return event
        return cast(Event, event._replace(label=self._labels[event.label]))

    def _rename(self, change: Renaming) -> None:
        self._names[change.label] = change.name
        self._stand_for([change.name], change.label)
        if change.label == change.name:
            del self._names[change.label], self._labels[change.name]
            self._all_names[change.label].remove(change.name)

    def _merge(self, change: Merging) -> None:
        names = list(self._all_names.get(change.label, ()))
        if change.label not in self._labels:  # Else another class is called what this one was called first.
            names.append(change.label)
        self._stand_for(names, change.into)

    def _stand_for(self, names: Iterable[str], label: str) -> None:
        for name in names:
            if name in self._labels:
                self._all_names[self._labels[name]].remove(name)
            self._labels[name] = label
            self._all_names.setdefault(label, set()).add(name)
