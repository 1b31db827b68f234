"""A log that can erase single records (protocol): the embedded one; on Kafka only retention removes bytes."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from prequel.shared.log.base import Headers, Record


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
        redact: Callable[[Record], Headers | None],
    ) -> int:
        """Empty records and return how many. Durable on return; one transaction for the whole range.

        Only records at ``offsets`` are looked at that have ``mentioning`` as their key or inside their headers (or
        that may have it in their value: structured CloudEvents). ``redact`` gets each of them and returns the headers
        that replace the record's own, or None to leave the record alone. An erased record keeps its offset and key,
        so that no offset is used twice and readers meet no gap; its value becomes empty.
        """
        ...

    def scrub(self, topic: str) -> bool:
        """Remove the last copies of erased bytes from the topic's files; whether none is left.

        False where a reader keeps an old version alive: call again.
        """
        ...
