"""The store: small values by key, and the fenced compare-and-set that snapshots are committed with (protocol)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class StoreUnavailable(Exception):
    """The store cannot be reached or written now; a write may or may not have happened. Try again later."""


class Fenced(Exception):
    """Another owner with a newer fence holds this key: whoever gets this has lost the partition."""


class Fence(NamedTuple):
    """Who may write: compared as (incarnation, generation); ``owner`` tells two holders of one generation apart.

    ``incarnation`` is set by the operator (a group's generation restarts at 1 when the group is deleted).
    """

    incarnation: int
    generation: int
    owner: str


class Store(Protocol):
    """Safe to use from several threads. Every call may block and may raise StoreUnavailable.

    Every call is idempotent: a client may repeat one whose answer was lost.
    """

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, value: bytes) -> None:
        """Durable on return, as far as the store is."""
        ...

    def put_all(self, values: Mapping[str, bytes]) -> None:
        """As ``put`` of each, in any order, but at the cost of about one. After a failure some may be there."""
        ...

    def get_all(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Those of the keys that have a value, with it, at the cost of about one ``get``."""
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Keys that do not exist are no error."""
        ...

    def keys(self, prefix: str) -> list[str]:
        """All keys that start with ``prefix``, sorted, those of ``acquire``/``swap`` included.

        Also such as a ``put`` that was cut off left behind, of which ``get`` knows nothing: for whoever tidies up.
        """
        ...

    def held(self, prefix: str) -> list[str]:
        """Those of ``keys`` that have a value."""
        ...

    def acquire(self, key: str, fence: Fence) -> bytes | None:
        """Take the key for ``fence`` and return its value (None if it never had one).

        Raises Fenced if a newer (incarnation, generation) holds it; an equal one with another owner is taken over.
        """
        ...

    def swap(self, key: str, fence: Fence, value: bytes, drop: Sequence[str] = ()) -> None:
        """If ``fence`` is still the holder, set the value and delete the plain keys ``drop``, all in one atomic write.

        Raises Fenced, with nothing changed, if anyone else has acquired the key since.
        """
        ...

    def close(self) -> None: ...
