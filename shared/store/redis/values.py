"""Values in Redis, the large ones in pieces: no command blocks the server for long, no reader sees half a value."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prequel.shared.runtime.deadlines import REDIS_READS
from prequel.shared.store.base import StoreUnavailable

PIECE_BYTES = 512 * 2**10
"""One command moves no more than this: about 1.5 ms during which Redis serves nobody else."""

MAX_WRITE_ATTEMPTS = 10
"""Writers of one large value whose pieces another writer of the same key deleted give up after so many attempts: two
that take turns finish in two, so somebody must be writing the key all the time."""


class RedisValues:
    """Reads and assigns the values of keys that stand in hashes (see scripts.py). Thread-safe; blocks.

    Raises redis.RedisError, and StoreUnavailable where other writers are in the way or pieces are missing.
    """

    def __init__(
        self, client: Any, scripts: Mapping[str, Any], *, piece_prefix: str, server: str, new_id: Callable[[], str]
    ) -> None:
        """``new_id`` names the pieces of one value, and must never repeat.

        What a reader finds under a name is then whole or gone, even where the same value is written again.
        """
        self._client, self._scripts, self._piece_prefix = client, scripts, piece_prefix
        self._server, self._new_id = server, new_id

    def write(self, script: str, keys: Sequence[bytes], arguments: Sequence[object], value: bytes) -> Any:
        """Write the value of ``keys[0]`` by the script ``put`` or ``swap``, and return what that answers.

        1. A large value's pieces are announced and written; nobody reads them yet.
        2. One script makes the key point to them, and deletes the old value, in one step.
        3. Where it answers ``again``, another writer of the key has deleted the pieces meanwhile: once more from 1.
        """
        for _ in range(MAX_WRITE_ATTEMPTS):
            field, content = self._write_pieces(keys[0], value)
            answer = self._scripts[script](keys=keys, args=(*arguments, field, content))
            if answer != b"again":
                return answer
        raise StoreUnavailable(
            f"{self._server}: other processes keep writing the same key. Is there a second learner on these partitions?"
        )

    def _write_pieces(self, key: bytes, value: bytes) -> tuple[str, bytes]:
        """The field and content that stand for a value; a large one's pieces are written before this returns."""
        if len(value) <= PIECE_BYTES:
            return "value", value
        count = -(-len(value) // PIECE_BYTES)
        identity = f"{self._piece_prefix}{self._new_id()}"
        pieces = f"{identity}:{count}".encode()
        self._scripts["announce"](keys=[key], args=(pieces,))
        for n in range(count):
            piece = value[n * PIECE_BYTES : (n + 1) * PIECE_BYTES]
            answer = self._scripts["piece"](keys=[key, f"{identity}:{n + 1}".encode()], args=(pieces, piece))
            if answer == b"again":
                break  # Deleted by another writer; the script that assigns these pieces will answer the same.
        return "pieces", pieces

    def read(self, key: bytes) -> bytes | None:
        """The value, None where there is none; read again from the start where it was replaced meanwhile."""
        for _ in range(REDIS_READS):
            value, pieces = self._client.hmget(key, "value", "pieces")
            if pieces is None:
                return None if value is None else bytes(value)
            identity, _, count = pieces.decode().rpartition(":")
            parts = [self._client.get(f"{identity}:{n + 1}") for n in range(int(count))]
            if None not in parts:
                return b"".join(parts)
            if self._client.hget(key, "pieces") == pieces:  # Not replaced: somebody took them away.
                raise StoreUnavailable(
                    f"{self._server}: pieces of a value are missing. Was something deleted or evicted? "
                    "Set maxmemory-policy to noeviction"
                )
        raise StoreUnavailable(f"{self._server}: a value is replaced faster than it can be read")
