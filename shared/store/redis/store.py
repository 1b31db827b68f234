"""The store on Redis: each key one hash, roots fenced by scripts."""

import itertools
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from prequel.shared.runtime.deadlines import REDIS_BACKOFF, REDIS_COMMAND_S, REDIS_RETRIES
from prequel.shared.store.base import Fence, Fenced, StoreUnavailable
from prequel.shared.store.redis.errors import translated
from prequel.shared.store.redis.scripts import SCRIPTS
from prequel.shared.store.redis.values import PIECE_BYTES, RedisValues

KEYS_PER_SCRIPT = 1_000
"""Keys that one script looks at: a few milliseconds during which Redis serves nobody else."""

SCAN_COUNT = 1_000
"""Keys that one step of SCAN looks at, for the same reason."""

HEALTH_CHECK_S = 30
"""A connection that was idle for longer is tried before it is used: firewalls close idle ones without a word."""


class RedisStore:
    """See shared.store.base.Store. Connects when first used, and again after any failure.

    Values are as durable as the server is set up to make them: with ``appendfsync everysec`` a crash of the server
    loses the last second. That is harmless: a state goes back together with the offset it stands for, and the log
    still has what came after.
    """

    def __init__(
        self,
        url: str,
        *,
        ca: str = "",
        prefix: str = "prequel",
        timeout_s: float = REDIS_COMMAND_S,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        """``url``: redis://[user:password@]host:port[/db], or rediss:// for TLS; ``ca``: file of the CA that signed.

        ``timeout_s`` bounds one try of one command. ``new_id`` must never repeat (see RedisValues).
        """
        address = urlsplit(url)
        self._server = f"Redis at {address.hostname}:{address.port or 6379}"
        # One hash tag for all keys: a cluster keeps them on one shard, where one script may touch several.
        self._prefix = f"{{{prefix}}}:"
        self._client = _new_client(url, ca=ca, timeout_s=timeout_s)
        self._scripts: Mapping[str, Any] = {name: self._client.register_script(text) for name, text in SCRIPTS.items()}
        self._values = RedisValues(
            self._client, self._scripts, piece_prefix=f"{self._prefix}p:", server=self._server, new_id=new_id
        )
        self._turns = itertools.count(1)
        self._closed = False

    def get(self, key: str) -> bytes | None:
        with self._translated("reading"):
            return self._values.read(self._key(key))

    def put(self, key: str, value: bytes) -> None:
        with self._translated("writing"):
            self._values.write("put", [self._key(key)], (), value)

    def put_all(self, values: Mapping[str, bytes]) -> None:
        small = {self._key(key): value for key, value in values.items() if len(value) <= PIECE_BYTES}
        with self._translated("writing"):
            pipeline = self._client.pipeline(transaction=False)
            for key, value in small.items():
                self._scripts["put"](keys=[key], args=("value", value), client=pipeline)
            pipeline.execute()
        for name, value in values.items():
            if len(value) > PIECE_BYTES:
                self.put(name, value)

    def add_all(self, values: Mapping[str, bytes]) -> dict[str, bytes]:
        with self._translated("writing"):
            pipeline = self._client.pipeline(transaction=False)
            for key, value in values.items():
                self._scripts["add"](keys=[self._key(key)], args=(value,), client=pipeline)
            return dict(zip(values, map(bytes, pipeline.execute()), strict=True))

    def get_all(self, keys: Sequence[str]) -> dict[str, bytes]:
        with self._translated("reading"):
            pipeline = self._client.pipeline(transaction=False)
            for key in keys:
                pipeline.hmget(self._key(key), "value", "pieces")
            answers = zip(keys, pipeline.execute(), strict=True)
            values = {
                key: value if pieces is None else self._values.read(self._key(key)) for key, (value, pieces) in answers
            }
        return {key: bytes(value) for key, value in values.items() if value is not None}

    def delete(self, keys: Sequence[str]) -> None:
        if keys:
            with self._translated("deleting"):
                self._scripts["delete"](keys=[self._key(key) for key in keys])

    def keys(self, prefix: str) -> list[str]:
        with self._translated("listing"):
            return self._names(self._scan(prefix))

    def keys_with_values(self, prefix: str) -> list[str]:
        with self._translated("listing"):
            keys = self._scan(prefix)
            chunks = [keys[at : at + KEYS_PER_SCRIPT] for at in range(0, len(keys), KEYS_PER_SCRIPT)]
            return self._names(
                itertools.chain.from_iterable(self._scripts["with_values"](keys=chunk) for chunk in chunks)
            )

    def _scan(self, prefix: str) -> list[bytes]:
        # SCAN may return a key twice.
        return list(set(self._client.scan_iter(match=_literal(self._key(prefix)) + b"*", count=SCAN_COUNT)))

    def _names(self, keys: Iterable[bytes]) -> list[str]:
        return sorted(key.decode().removeprefix(self._key("").decode()) for key in keys)

    def acquire(self, key: str, fence: Fence) -> bytes | None:
        """Two steps, and it does not matter what comes between: once the fence is set, no older owner can write."""
        with self._translated("acquiring"):
            answer = self._scripts["acquire"](keys=[self._key(key)], args=(*fence, next(self._turns)))
            if answer == b"fenced":
                raise Fenced(f"{key} belongs to an owner newer than {fence}")
            return self._values.read(self._key(key))

    def swap(self, key: str, fence: Fence, value: bytes, delete: Sequence[str] = ()) -> None:
        keys = [self._key(name) for name in (key, *delete)]
        with self._translated("writing"):
            if self._values.write("swap", keys, (*fence, next(self._turns)), value) == b"fenced":
                raise Fenced(f"{key} does not belong to {fence} any more")

    def close(self) -> None:
        self._closed = True
        self._client.close()

    def _key(self, key: str) -> bytes:
        return f"{self._prefix}k:{key}".encode()

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        if self._closed:
            raise StoreUnavailable("this store is closed")
        with translated(self._server, action):
            yield


def _new_client(url: str, *, ca: str, timeout_s: float) -> Any:
    tls = {"ssl_ca_certs": ca} if ca and urlsplit(url).scheme == "rediss" else {}
    backoff = ExponentialWithJitterBackoff(cap=REDIS_BACKOFF.cap_s, base=REDIS_BACKOFF.base_s)
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        health_check_interval=HEALTH_CHECK_S,
        retry=Retry(backoff, REDIS_RETRIES),  # Safe: every command and script here may be sent again.
        **tls,
    )


def _literal(text: bytes) -> bytes:
    """A pattern for SCAN that matches this text only."""
    return b"".join(b"\\" + bytes([byte]) if byte in b"*?[]\\^-" else bytes([byte]) for byte in text)
