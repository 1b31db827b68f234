"""Which images of a stream have features in the log, but none of one backbone yet."""

from array import array
from collections.abc import Iterator, Mapping
from contextlib import closing

from prequel.services.extractor.reextraction.position_set import PositionSet
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.names import id_digest, split_hashes, valid_digest, valid_hashes
from prequel.shared.events.types import Command, Features, Rejected
from prequel.shared.log.base import EXAMPLES, IMAGES, Log, LogUnavailable, OffsetOutOfRange, Position, Record
from prequel.shared.log.partitioner import partition_for
from prequel.shared.runtime.deadlines import REPLAY_POLL_S

POLL_RECORDS = 1_000
"""Records of one poll: of a thousand values each, four megabytes."""


class MissingFeatures:
    """The images of a stream without features of ``backbone``, in the order in which they came, each once.

    Features that the learner has rejected count like all others: an image that was extracted with an old backbone,
    after its stream was switched, is one of these. Images of a deleted stream of the same name, and forgotten ones, are
    left out. Takes some 30 bytes of memory for each image of the stream. Every call blocks; raises LogUnavailable.
    """

    def __init__(self, log: Log, stream: str, backbone: str) -> None:
        self._log, self._backbone, self.key = log, backbone, stream.encode()
        self.partition = partition_for(self.key, log.partitions(EXAMPLES))
        self.position = log.bounds(EXAMPLES)[self.partition].begin
        """Next to read."""
        self.known = 0
        """How many features of the backbone the log has."""
        self.without_image = 0
        """How many examples of another backbone came as features: there is nothing to extract them from."""
        self.own_end = 0
        """After the newest record of the stream."""
        self._seen, self._done = PositionSet(), PositionSet()
        self._found = _Found()
        self._image_ends = dict[int, int]()
        self._deleted = dict[int, int]()
        self._forgotten = dict[int, Mapping[int, int]]()

    def read(self) -> list[Position]:
        """Read the log on to its end as it is now: the positions of the images that this adds."""
        end = self._log.bounds(EXAMPLES)[self.partition].end
        self._image_ends = {partition: bounds.end for partition, bounds in self._log.bounds(IMAGES).items()}
        for record in self._records(end):
            if record.key == self.key:
                self.own_end = record.offset + 1
                self._take(record)
        found, self._found = self._found, _Found()
        return [at for at, id in found if at not in self._done and not self._is_gone(at, id)]

    def _records(self, end: int) -> Iterator[Record]:
        with closing(self._log.follow(EXAMPLES, {self.partition: self.position})) as reader:
            while self.position < end:
                try:
                    records = reader.poll(POLL_RECORDS, REPLAY_POLL_S)
                except OffsetOutOfRange as gone:
                    raise LogUnavailable(f"retention removed records before they were read: {gone}") from gone
                yield from (record for record in records if record.offset < end)
                self.position = min(end, reader.positions()[self.partition])

    def _take(self, record: Record) -> None:
        try:
            event = decode_example(record)
        except Rejected:
            return
        if isinstance(event, Features):
            self._take_features(event)
        elif isinstance(event, Command):
            self._take_command(event)

    def _take_features(self, event: Features) -> None:
        if event.image is None:
            self.without_image += event.backbone != self._backbone
            return
        # Anybody may write features of images that there never were.
        if event.image.offset >= self._image_ends.get(event.image.partition, 0):
            return
        if event.backbone == self._backbone:
            self._done.add(event.image)
            self.known += 1
        elif event.image not in self._seen:
            self._seen.add(event.image)
            self._found.append(event.image, _number(id_digest(event.id)))

    def _take_command(self, event: Command) -> None:
        if event.do == "stream.delete":
            self._deleted |= _image_ends(event)
            self._found, self.without_image = _Found(), 0
        elif event.do == "example.forget":
            ids, digests = _texts(event.arguments.get("ids")), _texts(event.arguments.get("digests"))
            hashed = [split_hashes(text)[0] for text in filter(valid_hashes, _texts(event.arguments.get("hashed")))]
            numbers = map(_number, [*map(id_digest, ids), *filter(valid_digest, digests), *hashed])
            self._forgotten |= dict.fromkeys(numbers, _image_ends(event))

    def _is_gone(self, image: Position, id: int) -> bool:
        """Whether a command has deleted or forgotten the image; what comes afterwards with its id is another one."""
        ends = self._forgotten.get(id, {})
        return image.offset < max(self._deleted.get(image.partition, 0), ends.get(image.partition, 0))


class _Found:
    """Images in their order, with numbers that stand for their ids."""

    def __init__(self) -> None:
        self._partitions, self._offsets, self._ids = array("q"), array("q"), array("q")

    def append(self, image: Position, id: int) -> None:
        self._partitions.append(image.partition)
        self._offsets.append(image.offset)
        self._ids.append(id)

    def __iter__(self) -> Iterator[tuple[Position, int]]:
        return zip(map(Position, self._partitions, self._offsets), self._ids, strict=True)


def _number(digest: str) -> int:
    """60 bits of it: a million images and as many forgotten ones have one number twice once in a million times."""
    return int(digest[:15], 16)


def _image_ends(command: Command) -> dict[int, int]:
    """Where the topic of images ended when the command was given: those before these offsets are meant.

    Empty where it is malformed, as anybody can write it to Kafka: a learner refuses such a command.
    """
    ends = command.arguments.get("images")
    try:
        return {int(partition): int(end) for partition, end in ends.items()} if isinstance(ends, dict) else {}
    except (TypeError, ValueError):
        return {}


def _texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
