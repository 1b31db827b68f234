"""The store: small values by key, and the fenced compare-and-set that commits snapshots (protocol and errors)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from prequel.shared.errors import PrequelError


class StoreUnavailable(PrequelError):
    """The store cannot be reached or written now. Try again later: a write that failed so may have happened."""


class Fenced(PrequelError):
    """Somebody with a newer fence owns this key: the caller has lost the partition and must discard its state."""


class Fence(NamedTuple):
    """Who may write a key. Fences are ordered by (incarnation, generation), the newer one wins.

    ``generation`` is the consumer group's. ``incarnation`` is set by the operator, because a group that is deleted
    begins again at generation 1. ``owner`` distinguishes two owners of one generation, such as the same partition
    assigned twice to one process.
    """

    incarnation: int
    generation: int
    owner: str


class Store(Protocol):
    """Thread-safe. Every call may block and may raise StoreUnavailable.

    Every call is idempotent, because clients repeat one whose answer was lost. A write is durable on return as far as
    the store itself is: SQLite syncs to disk; Redis does what its ``appendfsync`` says.
    """

    def get(self, key: str) -> bytes | None:
        """The value, None where there is none."""
        ...

    def put(self, key: str, value: bytes) -> None:
        """Set a value, whole or not at all."""
        ...

    def put_all(self, values: Mapping[str, bytes]) -> None:
        """As ``put`` of each, at the cost of about one. In any order: after a failure some may be written."""
        ...

    def add_all(self, values: Mapping[str, bytes]) -> dict[str, bytes]:
        """Set the values of the keys that have none; key -> value as it is now, at the cost of about one ``put``.

        Of two calls that add the same key, both return the value of the first. For values of at most 512 KiB.
        """
        ...

    def get_all(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Key -> value of those that have one, at the cost of about one ``get``."""
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Delete keys with their values; those that do not exist are no error."""
        ...

    def keys(self, prefix: str) -> list[str]:
        """Every key that starts with ``prefix``, sorted; those of ``acquire`` and ``swap`` too.

        Some may have no value: a ``put`` that was interrupted leaves its key behind, so that ``delete`` can clean up.
        """
        ...

    def keys_with_values(self, prefix: str) -> list[str]:
        """Those of ``keys`` for which ``get`` would return a value."""
        ...

    def acquire(self, key: str, fence: Fence) -> bytes | None:
        """Make ``fence`` the key's owner and return the value, None where it never had one.

        Raises Fenced if a newer (incarnation, generation) owns it. An equal one with another ``owner`` is replaced.
        """
        ...

    def swap(self, key: str, fence: Fence, value: bytes, delete: Sequence[str] = ()) -> None:
        """If ``fence`` still owns the key, set its value and delete other keys, all in one atomic write.

        ``delete``: keys of plain values. Keys that were ever acquired are left alone by SQLite; do not name any.
        Raises Fenced, with nothing changed, if anybody else has acquired the key since.
        """
        ...

    def close(self) -> None:
        """Release connections and files. May be called again; every other call then raises StoreUnavailable."""
        ...
