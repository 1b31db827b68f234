"""A stream whose present state the store has already: where, and how large."""

from typing import NamedTuple


class StoredStream(NamedTuple):
    """Address and digest of its head, and the size in bytes of every part, the head's too, by address."""

    head: str
    digest: str
    sizes: dict[str, int]
