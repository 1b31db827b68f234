"""What first came under an id: its bytes and label, so that another image under the same id is refused, not lost."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from prequel.services.gateway.blocking_calls import Bounded
from prequel.services.gateway.http.problems import Problem
from prequel.services.gateway.view.live import Live
from prequel.shared.events.images import content_digest, decode_image
from prequel.shared.events.types import Rejected
from prequel.shared.log.base import IMAGES, Log, Position
from prequel.shared.runtime.deadlines import FIRST_READ_S

KEPT = 10_000
"""Images that this gateway took last: what is sent again within seconds has no prediction yet. 300 bytes each."""
READING = 2
"""Threads that may wait for the log: one that hangs must not take those of other calls."""
HASHED_AT_ONCE_BYTES = 2**20
"""Less is hashed on the event loop: it takes at most a millisecond, as going to another thread might."""


class First(NamedTuple):
    """An image as it first came under its id. ``digest`` None: retention has removed it."""

    digest: str | None
    label: str | None


class Given(NamedTuple):
    """An image that somebody sends under an id of his own; ``field`` names it in the request."""

    field: str
    id: str
    data: bytes
    label: str | None


class Firsts:
    """For the event loop only; what it reads from the log, it reads on other threads, and not for long."""

    def __init__(self, log: Log, live: Live, keep: int = KEPT) -> None:
        self._log, self._live, self._keep = log, live, keep
        self._threads = Bounded("gateway-firsts", READING, FIRST_READ_S)
        self._taken: OrderedDict[tuple[str, str], First] = OrderedDict()

    async def admit(self, stream: str, given: Sequence[Given]) -> None:
        """Raises Problem 409 where an id is known by other bytes or another label, LogUnavailable, Late.

        Otherwise all are remembered, before they are in the log: of two that come at once, one is first.
        """
        digests = await _digests(given)
        firsts = await self._known(stream, [each.id for each in given])
        fresh: dict[str, First] = {}
        for each, digest in zip(given, digests, strict=True):
            # Somebody else's may have come while the log was read, or one of this very request.
            first = firsts[each.id] or self._taken.get((stream, each.id)) or fresh.get(each.id)
            if first is None:
                fresh[each.id] = First(digest, each.label)
            elif problem := self._conflict(stream, each, digest, first):
                raise problem
        for id, first in fresh.items():
            self._remember((stream, id), first)

    def forget(self, stream: str, ids: Sequence[str]) -> None:
        """They did not come into the log."""
        for id in ids:
            self._taken.pop((stream, id), None)

    def ended(self, stream: str) -> None:
        """A stream that was deleted has had no image."""
        for key in [key for key in self._taken if key[0] == stream]:
            del self._taken[key]

    def close(self) -> None:
        self._threads.close()

    async def _known(self, stream: str, ids: Sequence[str]) -> dict[str, First | None]:
        """By id; what only the log remembers is read all together. Raises LogUnavailable and Late."""
        found = {id: self._first(stream, id) for id in ids}
        entries = {id: entry for id in ids if found[id] is None and (entry := self._live.view.get(stream, id))}
        if entries:
            places = {id: Position.parse(entry.json()["image"]) for id, entry in entries.items()}
            read = await self._threads.run(lambda: {id: _read(self._log, at) for id, at in places.items()})
            for id, first in read.items():
                self._remember((stream, id), first)
            found |= read
        return found

    def _first(self, stream: str, id: str) -> First | None:
        """As far as it is remembered here."""
        taken = self._taken.get((stream, id))
        if taken is None or self._live.view.get(stream, id):
            return taken
        return None if self._live.refused_image(stream, id) and self._taken.pop((stream, id), None) else taken

    def _remember(self, key: tuple[str, str], first: First) -> None:
        self._taken[key] = first
        self._taken.move_to_end(key)
        if len(self._taken) > self._keep:
            self._taken.popitem(last=False)

    def _conflict(self, stream: str, given: Given, digest: str, first: First) -> Problem | None:
        entry = self._live.view.get(stream, given.id)
        truth = entry.truth if entry else None
        if first.digest not in (None, digest):
            message = f"{given.id} is the id of another image of stream {stream}: send this one under another id"
            return _problem(given, first, truth, "content", message)
        if given.label is not None and given.label not in (first.label, truth):
            now = truth or first.label
            said = "without a label" if now is None else f"as {now!r}"
            message = (
                f"image {given.id} is known {said}: to say that it is {given.label!r}, send that to "
                f"/v1/streams/{stream}/labels"
            )
            return _problem(given, first, truth, "label", message)
        return None


def _problem(given: Given, first: First, truth: str | None, conflict: str, message: str) -> Problem:
    told = {"id": given.id, "label": first.label, "digest": first.digest, "truth": truth}
    errors = [{"field": given.field, "message": message}]
    return Problem(409, message, more={"conflict": conflict, "first": told, "errors": errors})


async def _digests(given: Sequence[Given]) -> list[str]:
    if sum(len(each.data) for each in given) < HASHED_AT_ONCE_BYTES:
        return [content_digest(each.data) for each in given]
    return await asyncio.to_thread(lambda: [content_digest(each.data) for each in given])


def _read(log: Log, position: Position) -> First:
    """The image as it stands in the log. Blocks; raises LogUnavailable."""
    record = log.read(IMAGES, position.partition, [position.offset]).get(position.offset)
    if record is None:
        return First(None, None)
    try:
        image = decode_image(record)
    except Rejected:  # the log was replaced since
        return First(None, None)
    return First(content_digest(image.data), image.label)
