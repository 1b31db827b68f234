"""Whether a stream exists, as far as the gateway can know: a label or command for one that does not gets 404."""

import asyncio
import difflib
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from prequel.services.gateway.blocking_calls import BlockingCalls, CallTimeout
from prequel.services.gateway.http.problems import Problem
from prequel.services.gateway.view.deleted_images import read_image_ends
from prequel.services.gateway.view.live import LiveView
from prequel.services.gateway.view.statuses import StreamStatuses
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.images import decode_image
from prequel.shared.events.types import Command, Features, Image, Rejected
from prequel.shared.log.base import EXAMPLES, IMAGES, Log, LogUnavailable, Position, Record
from prequel.shared.runtime.deadlines import STORE_READ_S
from prequel.shared.status import StreamStatus
from prequel.shared.store.base import StoreUnavailable

MAX_NAMES = 10_000
"""Streams for which this gateway accepted an image, 63 characters at most. With fewer, a label sent right after its
image could get 404 while more streams than that begin."""
MAX_SEARCHED_RECORDS = {IMAGES: 64, EXAMPLES: 1_000}
"""Records not yet processed that are searched for the name. Beyond that the label is accepted: it waits in its
partition. Images are large; of both topics some 10 MB are read, and only for an unknown name."""
READ_RECORDS = 16
"""In one read: 16 large images are some 100 MB in memory."""
THREADS = 4
"""Searches of the log at one time; more wait for their turn within STORE_READ_S, and are then accepted unsearched."""


class KnownStreams:
    """Call it on the event loop only; it searches the log on threads."""

    def __init__(self, log: Log, live: LiveView, statuses: StreamStatuses, group: str) -> None:
        self._log, self._live, self._statuses = log, live, statuses
        self._groups = {IMAGES: f"{group}-extractor", EXAMPLES: f"{group}-learner"}
        self._accepted: OrderedDict[str, None] = OrderedDict()
        self._calls = BlockingCalls("gateway-known", THREADS, STORE_READ_S)

    def add(self, stream: str) -> None:
        """Call it when an image of the stream, or the command that creates it, is about to be appended."""
        self._accepted[stream] = None
        self._accepted.move_to_end(stream)
        if len(self._accepted) > MAX_NAMES:
            self._accepted.popitem(last=False)

    def stream_deleted(self, stream: str) -> None:
        self._accepted.pop(stream, None)

    async def require(self, stream: str) -> None:
        """Raises Problem 404, with the most similar name, where it is certain that there is no such stream.

        In doubt it raises nothing: the record is safe in the log, and the learner decides.
        """
        if stream in self._accepted or self._live.gallery.has_predictions(stream):
            return
        try:
            async with asyncio.timeout(STORE_READ_S):  # All of it: an append comes after it, within ANSWER_S.
                missing = await self._is_missing(stream)
        except (StoreUnavailable, LogUnavailable, CallTimeout, TimeoutError):
            return
        if missing:
            raise await self.not_found(stream)

    async def not_found(self, stream: str) -> Problem:
        """404, with the most similar name if the store can be read."""
        try:
            names = await self._statuses.names()
        except StoreUnavailable:
            names = []
        return _not_found(stream, names)

    async def image_ends(self) -> dict[int, int]:
        """The next offset of every partition of ``images``. Raises LogUnavailable, CallTimeout."""
        bounds = await self._calls.run(lambda: self._log.bounds(IMAGES))
        return {partition: partition_bounds.end for partition, partition_bounds in sorted(bounds.items())}

    def close(self) -> None:
        self._calls.close()

    async def _is_missing(self, stream: str) -> bool:
        """Raises StoreUnavailable, LogUnavailable, CallTimeout: then it is not known.

        The order matters. An event moves from the log into the learner's status: looked for in the log first and in
        the status last, it is seen in one of them, wherever it moves meanwhile.
        """
        if await self._statuses.get(stream):  # the common case, from memory
            return False
        statuses = await self._statuses.all()
        if await self._calls.run(lambda: self._is_in_log(stream, statuses)):
            return False
        return await self._statuses.get(stream, fresh=True) is None

    def _is_in_log(self, stream: str, statuses: Sequence[StreamStatus]) -> bool:
        """Whether an event of it may stand in the log before the learner's status shows it. Blocks."""
        deletion, learned = self._live.gallery.deletion_of(stream), _learned_offsets(statuses)
        deleted_images = read_image_ends(self._log, deletion) if deletion else {}
        after_deletion = {deletion.partition: deletion.offset + 1} if deletion else {}
        starts = {IMAGES: deleted_images, EXAMPLES: _max_offsets(learned, after_deletion)}
        return any(self._may_contain(topic, stream, begin, deleted_images) for topic, begin in starts.items())

    def _may_contain(
        self, topic: str, stream: str, starts: Mapping[int, int], deleted_images: Mapping[int, int]
    ) -> bool:
        """``starts``: per partition, where the search begins at the earliest. ``deleted_images``: see ``_creates``."""
        lag = self._log.lag(self._groups[topic], topic)
        ends = {partition: partition_bounds.end for partition, partition_bounds in self._log.bounds(topic).items()}
        begins = {
            partition: max(end - lag.get(partition, 0), starts.get(partition, 0)) for partition, end in ends.items()
        }
        if sum(max(0, end - begins[partition]) for partition, end in ends.items()) > MAX_SEARCHED_RECORDS[topic]:
            return True
        for partition, end in ends.items():
            for begin in range(begins[partition], end, READ_RECORDS):
                records = self._log.read(topic, partition, range(begin, min(begin + READ_RECORDS, end)))
                if any(_creates(record, stream, deleted_images) for record in records.values()):
                    return True
        return False


def _not_found(stream: str, names: Sequence[str]) -> Problem:
    # The store may still have the name of a stream that has just been deleted.
    nearest = difflib.get_close_matches(stream, [name for name in names if name != stream], 1)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    more = {"nearest": nearest[0]} if nearest else {}
    detail = f"there is no stream {stream}: its first image creates it; /v1/streams lists all{hint}"
    return Problem(404, detail, more=more)


def _learned_offsets(statuses: Sequence[StreamStatus]) -> dict[int, int]:
    """Partition of ``examples`` -> how far its learner is, as its streams' statuses say."""
    offsets: dict[int, int] = {}
    for status in statuses:
        partition, offset = Position.parse(status.position)
        offsets[partition] = max(offsets.get(partition, 0), offset)
    return offsets


def _max_offsets(some: Mapping[int, int], others: Mapping[int, int]) -> dict[int, int]:
    return {partition: max(some.get(partition, 0), others.get(partition, 0)) for partition in {*some, *others}}


def _creates(record: Record, stream: str, deleted_images: Mapping[int, int]) -> bool:
    """Whether the record can create the stream: no label can, and no image of a deleted stream of the same name, which
    stands before ``deleted_images``."""
    try:
        event = decode_image(record) if record.topic == IMAGES else decode_example(record)
    except Rejected:
        return False
    if not isinstance(event, Image | Features | Command) or event.stream != stream:
        return False
    image = event.position if isinstance(event, Image) else event.image if isinstance(event, Features) else None
    return image is None or image.offset >= deleted_images.get(image.partition, 0)
