"""Compares what a source says of its pictures with what the stream knows of them already."""

import random
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from prequel.services.producer.client import Client, Stopped
from prequel.services.producer.delayed_labels import BY, DelayedLabels
from prequel.services.producer.outstanding import Said, offset
from prequel.services.producer.sources.base import Item
from prequel.shared.runtime.deadlines import PRODUCER_SETTLE_BACKOFF, PRODUCER_SETTLE_S

ASKED_AT_ONCE = 1_000
"""Ids in one request: the gateway takes no more."""
REFUSED = {
    "rejected": "the stream takes no more classes (PREQUEL_MAX_LABELS)",
    "expired": "the stream no longer reaches so far back (PREQUEL_WINDOW)",
}

Complaint = tuple[str, str]


class Known:
    """Follows one run. ``correct``: labels that the source no longer has are corrected; otherwise they are counted.

    A label that somebody else gave or took back (on the page, by `prequel label`, over HTTP) is no matter of folders:
    it stays so.
    """

    def __init__(self, client: Client, stream: str, labels: DelayedLabels, *, correct: bool) -> None:
        self._client, self._stream, self._labels, self._correct = client, stream, labels, correct
        self._moved: dict[str, tuple[Said, str]] = {}
        self._also = set[tuple[str, str | None]]()
        self._sent: dict[str, Said] = {}
        self._bare = set[str]()
        self.begun = False
        """Whether the stream may know something: a new one is not asked."""
        self.known = 0
        self.corrected = 0
        self.given = 0
        """Labels that pictures have now, which the stream knew without one."""
        self.refused: list[Complaint] = []
        self.kept: list[Complaint] = []

    @property
    def moved(self) -> list[Complaint]:
        """Pictures whose label the source has changed since: they wait for ``correct``."""
        return [
            (said.name, f"{truth} in the stream, {said.label} here")
            for said, truth in self._changed()
            if said.id not in self._sent
        ]

    def new(self, items: Sequence[Item]) -> list[Item]:
        """Those that the stream does not know; of the others the labels are compared. Raises what the client raises."""
        if not self.begun or not items:
            return list(items)
        ids = [id for item in items for id in (item.id, item.old_id) if id]
        found = {each["id"]: each for some in _some(ids) for each in self._client.lookup(self._stream, some)}
        known = {item.id: found.get(item.id) or found.get(item.old_id) for item in items}
        # The limit may have been raised since a label was refused: it is sent once more.
        self._compare([(item.name, item.label, each) for item in items if (each := known[item.id])], ("expired",))
        self.known += sum(each is not None for each in known.values())
        return [item for item in items if known[item.id] is None]

    def look_again(self, said: Iterable[Said]) -> None:
        """At pictures that turned out to have another label than the one they were sent with, or none."""
        for some in _some(said):
            found = {each["id"]: each for each in self._client.lookup(self._stream, [each.id for each in some])}
            self._compare(
                [(each.name, each.label, found[each.id]) for each in some if each.id in found], tuple(REFUSED)
            )

    def also(self, item: Item) -> None:
        """A picture that was there already is there by this label too: if the stream has it so, it was not moved."""
        self._also |= {(item.id, item.label), (item.old_id, item.label)}

    def expect(self, said: Said) -> None:
        """This label is sent by itself, later: ``check`` looks what became of it."""
        self._sent[said.id] = said

    def correct_moved(self) -> None:
        """Send the corrections, if they are wanted, in the order of the source: they count once they show."""
        for said, _ in self._changed() if self._correct else ():
            self._label(said)

    def check(self, stop: threading.Event, clock: Callable[[], float]) -> None:
        """Wait until every label that was sent by itself shows, or is known to be refused, and count both."""
        deadline, waiting, tries = clock() + PRODUCER_SETTLE_S, list(self._sent.values()), 0
        while waiting := [said for some in _some(waiting) for said in self._open(some)]:
            if clock() >= deadline:
                self.refused += [(said.name, f"{said.label}: not taken yet") for said in waiting]
                return
            tries += 1
            if stop.wait(PRODUCER_SETTLE_BACKOFF.pause(tries, random.random())):
                raise Stopped

    def _changed(self) -> list[tuple[Said, str]]:
        """What the source says otherwise than the stream, and nowhere as the stream."""
        return [(said, truth) for said, truth in self._moved.values() if (said.id, truth) not in self._also]

    def _compare(self, pictures: Sequence[tuple[str, str | None, dict[str, Any]]], final: Sequence[str]) -> None:
        """``final``: the refusals that nothing can change any more."""
        others = []
        for name, label, found in pictures:
            if label is None or label == found["truth"]:
                continue
            said = Said(found["id"], name, label)
            if (reason := _refused(found, label)) and found["refused"]["status"] in final:
                self.refused.append((name, reason))
            elif found["truth"] is None and not found["late"]:
                self._give(said)
            else:
                others.append(said)
        if others:
            self._judge({said.id: said for said in others})

    def _judge(self, others: dict[str, Said]) -> None:
        """Of pictures with another label: it is ours to correct where a run like this one gave it."""
        for each in self._client.lookup(self._stream, list(others), who=True):
            said, truth = others[each["id"]], each["truth"]
            if each["late"] and not (each["by"] or "").startswith(BY):
                who = each["by"] or "somebody"
                self.kept.append((said.name, f"{truth or 'taken back'} by {who}, {said.label} here"))
            elif truth is not None:
                self._moved[said.id] = said, truth
            else:
                self._give(said)

    def _give(self, said: Said) -> None:
        self._bare.add(said.id)
        self._label(said)

    def _label(self, said: Said) -> None:
        self.expect(said)
        self._labels.follow(said.id, said.label, ())

    def _open(self, some: Sequence[Said]) -> Iterator[Said]:
        """Those of which nothing is heard yet. What the gateway has forgotten meanwhile is not asked for again."""
        found = {each["id"]: each for each in self._client.lookup(self._stream, [said.id for said in some])}
        for said in some:
            each = found.get(said.id)
            if each is None:
                continue
            if each["truth"] == said.label:
                self.corrected += said.id in self._moved
                self.given += said.id in self._bare
            elif (reason := _refused(each, said.label)) and offset(each["refused"]["position"]) >= self._labels.first:
                self.refused.append((said.name, reason))
            else:
                yield said


def _refused(found: dict[str, Any], label: str) -> str:
    refused = found["refused"]
    return f"{label}: {REFUSED[refused['status']]}" if refused and refused["label"] == label else ""


def _some(all: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(all)
    while some := list(islice(iterator, ASKED_AT_ONCE)):
        yield some
