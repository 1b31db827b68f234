"""Whether a stream exists, as far as anybody can know: a label or a command for one that does not gets 404."""

import asyncio
import difflib
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from prequel.services.gateway.blocking_calls import Bounded, Late
from prequel.services.gateway.http.problems import Problem
from prequel.services.gateway.view.ended_images import images_before
from prequel.services.gateway.view.live import Live
from prequel.services.gateway.view.statuses import Statuses
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.images import decode_image
from prequel.shared.events.types import Command, Features, Image, Rejected
from prequel.shared.log.base import EXAMPLES, IMAGES, Log, LogUnavailable, Position, Record
from prequel.shared.runtime.deadlines import STORE_READ_S
from prequel.shared.status import StreamStatus
from prequel.shared.store.base import StoreUnavailable

KEPT_NAMES = 10_000
"""Names of streams that this gateway took images for, of 63 characters at most. With fewer, a label that follows its
image at once could meet 404 while more streams than that begin."""
LOOKED_AT = {IMAGES: 64, EXAMPLES: 1_000}
"""Records on their way to the learner that are searched for the name. With more of them nobody can tell, and the label
is taken: it waits in the partition. Images are large; of both some 10 MB are read, and only for a name not known."""
READ_AT_ONCE = 16
THREADS = 4
"""Look-ups in the log at one time; more wait for their turn, and where the log hangs for nothing."""


class KnownStreams:
    """For the event loop only."""

    def __init__(self, log: Log, live: Live, statuses: Statuses, group: str) -> None:
        self._log, self._live, self._statuses = log, live, statuses
        self._groups = {IMAGES: f"{group}-extractor", EXAMPLES: f"{group}-learner"}
        self._accepted: OrderedDict[str, None] = OrderedDict()
        self._threads = Bounded("gateway-known", THREADS, STORE_READ_S)

    def accepted(self, stream: str) -> None:
        """An image of it, or a command that makes it, is in the log."""
        self._accepted[stream] = None
        self._accepted.move_to_end(stream)
        if len(self._accepted) > KEPT_NAMES:
            self._accepted.popitem(last=False)

    def ended(self, stream: str) -> None:
        self._accepted.pop(stream, None)

    async def check(self, stream: str) -> None:
        """Raises Problem 404, with the nearest name there is, where it is sure that there is no such stream."""
        if stream in self._accepted or self._live.view.holds(stream):
            return
        try:
            async with asyncio.timeout(STORE_READ_S):  # An append comes after it.
                unknown = await self._unknown(stream)
        except (StoreUnavailable, LogUnavailable, Late, TimeoutError):
            return  # Whatever it is, it is safe in the log.
        if unknown:
            raise await self.missing(stream)

    async def missing(self, stream: str) -> Problem:
        """404, with the nearest name there is, as far as the store tells."""
        try:
            others = await self._statuses.names()
        except StoreUnavailable:
            others = []
        return _missing(stream, others)

    async def ends(self) -> dict[int, int]:
        """Where the images in the log end now, by partition. Raises LogUnavailable, Late."""
        bounds = await self._threads.run(lambda: self._log.bounds(IMAGES))
        return {partition: held.end for partition, held in sorted(bounds.items())}

    def close(self) -> None:
        self._threads.close()

    async def _unknown(self, stream: str) -> bool:
        """Raises StoreUnavailable, LogUnavailable, Late: then nobody can tell."""
        if await self._statuses.get(stream):
            return False
        others = await self._statuses.all()
        if await self._threads.run(lambda: self._underway(stream, others)):
            return False
        return await self._statuses.get(stream, fresh=True) is None

    def _underway(self, stream: str, others: Sequence[StreamStatus]) -> bool:
        """Whether something of it may be between the log's doors and the learner's status. Blocks."""
        end, folded = self._live.view.end_of(stream), _folded(others)
        own = images_before(self._log, end) if end else {}
        reached = {IMAGES: own, EXAMPLES: _later(folded, {end.partition: end.offset + 1}) if end else folded}
        return any(self._may_hold(topic, stream, begins, own) for topic, begins in reached.items())

    def _may_hold(self, topic: str, stream: str, reached: Mapping[int, int], own: Mapping[int, int]) -> bool:
        """``own``: the images before were those of a stream of this name that was deleted."""
        lag = self._log.lag(self._groups[topic], topic)
        ends = {partition: held.end for partition, held in self._log.bounds(topic).items()}
        begins = {
            partition: max(end - lag.get(partition, 0), reached.get(partition, 0)) for partition, end in ends.items()
        }
        if sum(max(0, end - begins[partition]) for partition, end in ends.items()) > LOOKED_AT[topic]:
            return True
        for partition, end in ends.items():
            for begin in range(begins[partition], end, READ_AT_ONCE):
                found = self._log.read(topic, partition, range(begin, min(begin + READ_AT_ONCE, end)))
                if any(_begins(record, stream, own) for record in found.values()):
                    return True
        return False


def _missing(stream: str, others: Sequence[str]) -> Problem:
    # Of one that was just deleted the store may still have the name.
    nearest = difflib.get_close_matches(stream, [each for each in others if each != stream], 1)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    more = {"nearest": nearest[0]} if nearest else {}
    return Problem(
        404, f"no stream {stream}: it comes to life with its first image; /v1/streams lists all{hint}", more=more
    )


def _folded(others: Sequence[StreamStatus]) -> dict[int, int]:
    """Partition of ``examples`` -> how far learners are, as they have published it."""
    reached: dict[int, int] = {}
    for each in others:
        partition, offset = Position.parse(each.position)
        reached[partition] = max(reached.get(partition, 0), offset)
    return reached


def _later(some: Mapping[int, int], others: Mapping[int, int]) -> dict[int, int]:
    return {partition: max(some.get(partition, 0), others.get(partition, 0)) for partition in {*some, *others}}


def _begins(record: Record, stream: str, own: Mapping[int, int]) -> bool:
    """Whether the stream may begin with it: not with a label, nor with a late image of one that was deleted."""
    try:
        event = decode_image(record) if record.topic == IMAGES else decode_example(record)
    except Rejected:
        return False
    if not isinstance(event, Image | Features | Command) or event.stream != stream:
        return False
    image = event.image if isinstance(event, Features) else event.position
    return isinstance(event, Command) or image.offset >= own.get(image.partition, 0)
