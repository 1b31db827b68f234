"""The newest commands, so that a repeated one is recognised, and the streams that were deleted."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from prequel.shared.events.names import id_digest
from prequel.shared.events.types import Applied, Command, Features
from prequel.shared.log.base import Position

MAX_COMMANDS = 1_000
"""Commands remembered, the newest, so that a repeated one changes nothing. Whoever repeats a command does so within a
minute; to send a thousand to one partition by hand takes hours."""
MAX_DELETIONS = 1_000
"""Deleted streams remembered, the newest, so that their late features are recognised. An image is extracted
within seconds, or days after an outage; with half as many, some of a thousand streams that a script deletes during one
could come back."""
MAX_PARTITION_DIGITS = 9
"""Longest number of a partition in a command: more digits than any log needs, and few enough for 32 bits."""


class Deletion(NamedTuple):
    """A stream that was deleted by the command at ``position``: the images before ``images`` were its own."""

    stream: str
    position: Position
    images: Mapping[int, int]
    """Partition -> next offset, when the command was given."""

    def covers(self, image: Position | None) -> bool:
        """Whether the image at this position had come before the command; None, which is no image, never had."""
        return image is not None and image.offset < self.images.get(image.partition, 0)

    def concerns(self, id: str) -> bool:
        """Whether the image with this id was deleted: every image of the stream was."""
        return True


class Forgotten(NamedTuple):
    """Images that a stream was made to forget by the command at ``position``: of ``ids``, those before ``images``."""

    stream: str
    position: Position
    images: Mapping[int, int]
    """As in Deletion."""
    ids: frozenset[str]
    """As ``id_digest`` makes them."""

    def covers(self, image: Position | None) -> bool:
        """As in Deletion."""
        return image is not None and image.offset < self.images.get(image.partition, 0)

    def concerns(self, id: str) -> bool:
        """Whether the image with this id is one of them."""
        return id_digest(id) in self.ids


Removal = Deletion | Forgotten
"""What is to be gone, from state and log."""


class CommandHistory:
    """What a partition remembers of commands, bounded."""

    def __init__(self) -> None:
        self._results: dict[str, tuple[str, str]] = {}
        """Status and reason by stream and id, oldest first."""
        self._deletions: dict[str, Deletion] = {}

    @property
    def deletions(self) -> Mapping[str, Deletion]:
        """By stream, oldest first."""
        return self._deletions

    def earlier_result(self, command: Command) -> Applied | None:
        """What became of the command when it was given before; None where it was not."""
        if _key(command) not in self._results:
            return None
        status, why = self._results[_key(command)]
        if why:
            return command_result(command, status, why)
        return command_result(command, "unchanged", "it was applied before")

    def remember(self, result: Applied) -> None:
        """Remember what became of a command."""
        _put_newest(self._results, _key(result), (result.status, result.why), MAX_COMMANDS)

    def add_deletion(self, deletion: Deletion) -> Deletion:
        """Remember it; what is returned covers the images of earlier ones too, whatever this one says."""
        if before := self._deletions.get(deletion.stream):
            images = dict(deletion.images)
            for partition, end in before.images.items():
                images[partition] = max(end, images.get(partition, 0))
            deletion = deletion._replace(images=images)
        _put_newest(self._deletions, deletion.stream, deletion, MAX_DELETIONS)
        return deletion

    def deletion_of(self, event: Features) -> Deletion | None:
        """The deletion that the event's image came before."""
        deletion = self._deletions.get(event.stream)
        return deletion if deletion and deletion.covers(event.image) else None

    def numbers(self) -> dict[str, Any]:
        """As a snapshot stores them; ``load`` is the inverse."""
        return {
            "given": [[key, *result] for key, result in self._results.items()],
            "deletions": [[d.stream, list(d.position), sorted(d.images.items())] for d in self._deletions.values()],
        }

    def load(self, numbers: Mapping[str, Any]) -> None:
        """The inverse of ``numbers``."""
        self._results = {key: (status, why) for key, status, why in numbers["given"]}
        self._deletions = {
            stream: Deletion(stream, Position(*at), dict(images)) for stream, at, images in numbers["deletions"]
        }


def parse_deletion(command: Command) -> Deletion | None:
    """What a ``stream.delete`` deletes; None where its field ``images`` is not an object of partition -> offset."""
    ends = image_ends(command)
    return None if ends is None else Deletion(command.stream, command.position, ends)


def image_ends(command: Command) -> dict[int, int] | None:
    """A command's field ``images``: by partition, where the topic of images ended when the command was given.

    None where it is not an object of partition -> offset.
    """
    ends = command.arguments.get("images", {})
    if not isinstance(ends, dict) or not all(
        partition.isdecimal() and len(partition) <= MAX_PARTITION_DIGITS and type(offset) is int and 0 <= offset < 2**63
        for partition, offset in ends.items()
    ):
        return None
    return {int(partition): offset for partition, offset in ends.items()}


def command_result(command: Command, status: str, why: str = "") -> Applied:
    """The event that says what became of a command; ``why`` is empty where it was applied."""
    id, stream, do, _, by, time, position = command
    return Applied(id, stream, position, do, status, why, by, time)


def _key(event: Command | Applied) -> str:
    return f"{event.stream}/{event.id}"


def _put_newest(rows: dict[str, Any], key: str, value: Any, max_rows: int) -> None:
    """Put a value last, and remove the oldest where there are too many."""
    rows.pop(key, None)
    rows[key] = value
    if len(rows) > max_rows:
        del rows[next(iter(rows))]
