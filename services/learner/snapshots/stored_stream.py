"""What is known of a stream that is stored as it is."""

from typing import NamedTuple


class StoredStream(NamedTuple):
    """Address and digest of its head, and the size in bytes of every part, the head's too, by address."""

    head: str
    digest: str
    sizes: dict[str, int]
