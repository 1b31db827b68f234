"""A log that can erase single records (protocol): the embedded one; on Kafka only retention removes bytes."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

from prequel.shared.log.base import Headers, Record


class Remains(NamedTuple):
    """What stands in the place of an erased record."""

    headers: Headers
    value: bytes = b""


@runtime_checkable
class ErasableLog(Protocol):
    """Both calls block and raise LogUnavailable. Both may be repeated: what is erased already stays erased."""

    def erase(
        self,
        topic: str,
        partition: int,
        offsets: range,
        *,
        mentioning: bytes,
        redact: Callable[[Record], Remains | None],
    ) -> int:
        """Replace records and return how many. Durable on return; one transaction for the whole range.

        Only records at ``offsets`` are looked at that have ``mentioning`` as their key or inside their headers (or
        that may have it in their value: structured CloudEvents). ``redact`` gets each of them and returns what takes
        its place, or None to leave the record alone. An erased record keeps its offset and key, so that no offset is
        used twice and readers meet no gap.
        """
        ...

    def scrub(self, topic: str, *, begin: bool) -> bool:
        """A step towards files of the topic without a byte of what was erased or pruned before a call with ``begin``.

        Whether that is reached: until then call again, without. For one thread at a time; where several erase in
        turns, whatever one of them began is enough for those that began earlier.
        """
        ...
