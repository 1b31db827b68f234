"""The store on Redis: each key one hash, roots fenced by scripts, large values in pieces that block nobody."""

import itertools
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from prequel.shared.runtime.deadlines import REDIS_BACKOFF, REDIS_COMMAND_S, REDIS_READS, REDIS_RETRIES
from prequel.shared.store.base import Fence, Fenced, StoreUnavailable

PIECE_BYTES = 512 * 2**10
"""One command moves no more than this: about 1.5 ms during which Redis serves nobody else."""

LOOKED_AT = 1_000
"""Keys that one script looks at, for the same reason."""

WRITERS = 10
"""Large values of one key, written at the same time, that get into each other's way before one of them gives up."""

# A key's hash has the field `value`, or `pieces` = ID:COUNT where the value lies in COUNT strings of their own, and
# for roots `incarnation`, `generation`, `owner`, `turn`. `coming` = ID:COUNT names pieces that are being written:
# whoever deletes or replaces the key then finds them, also after a crash, and no piece is written once its name is gone
# from there. KEYS[1] is the hash.
_LIBRARY = """
local function forget(pieces)
  if not pieces then return end
  local id, count = string.match(pieces, '^(.*):(%d+)$')
  for n = 1, tonumber(count) do redis.call('UNLINK', id .. ':' .. n) end
end
local function remove(key)
  local had = redis.call('HMGET', key, 'pieces', 'coming')
  redis.call('UNLINK', key)
  forget(had[1])
  if had[2] ~= had[1] then forget(had[2]) end
end
local function assign(key, field, content)
  local had = redis.call('HMGET', key, 'pieces', 'coming')
  if field == 'pieces' and had[1] ~= content and had[2] ~= content then return 'again' end
  redis.call('HSET', key, field, content)
  redis.call('HDEL', key, 'coming', field == 'value' and 'pieces' or 'value')
  if had[1] ~= content then forget(had[1]) end
  if had[2] ~= had[1] and had[2] ~= content then forget(had[2]) end
  return 'done'
end
"""

# ARGV: pieces. Announces them, unless they are assigned already, which tells that this is sent for the second time.
_ANNOUNCE = (
    _LIBRARY
    + """
local had = redis.call('HMGET', KEYS[1], 'pieces', 'coming')
if had[1] == ARGV[1] then return end
redis.call('HSET', KEYS[1], 'coming', ARGV[1])
if had[2] ~= ARGV[1] and had[2] ~= had[1] then forget(had[2]) end
"""
)

# KEYS: the hash, the piece. ARGV: pieces, content. Writes nothing that nobody would remove any more.
_PIECE = """
if redis.call('HGET', KEYS[1], 'coming') ~= ARGV[1] then return 'again' end
redis.call('SET', KEYS[2], ARGV[2])
return 'done'
"""

# ARGV: field, content. Answers done, or again: another writer of this key has removed our pieces.
_PUT = _LIBRARY + "return assign(KEYS[1], ARGV[1], ARGV[2])"

# KEYS: hashes. Answers those that have a value: a put that was cut off leaves one that only has `coming`.
_HELD = """
local held = {}
for _, key in ipairs(KEYS) do
  if redis.call('HEXISTS', key, 'value') == 1 or redis.call('HEXISTS', key, 'pieces') == 1 then
    held[#held + 1] = key
  end
end
return held
"""

# KEYS: the keys to delete.
_DELETE = _LIBRARY + "for _, key in ipairs(KEYS) do remove(key) end"

# ARGV: incarnation, generation, owner, turn. Answers done or fenced.
_ACQUIRE = """
local held = redis.call('HMGET', KEYS[1], 'incarnation', 'generation')
if held[1] then
  local incarnation, generation = tonumber(held[1]), tonumber(held[2])
  local ours, later = tonumber(ARGV[1]), tonumber(ARGV[2])
  if incarnation > ours or (incarnation == ours and generation > later) then return 'fenced' end
end
redis.call('HSET', KEYS[1], 'incarnation', ARGV[1], 'generation', ARGV[2], 'owner', ARGV[3], 'turn', ARGV[4])
return 'done'
"""

# KEYS: the root, the keys to drop. ARGV: incarnation, generation, owner, turn, field, content. Answers done, again or
# fenced. A command that was sent again after a time-out may arrive twice, the second time behind later ones: `turn`
# tells, and nobody waits for its answer any more.
_SWAP = (
    _LIBRARY
    + """
local held = redis.call('HMGET', KEYS[1], 'incarnation', 'generation', 'owner', 'turn')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] or held[3] ~= ARGV[3] then return 'fenced' end
if tonumber(ARGV[4]) <= tonumber(held[4]) then return 'late' end
local answer = assign(KEYS[1], ARGV[5], ARGV[6])
if answer ~= 'done' then return answer end
redis.call('HSET', KEYS[1], 'turn', ARGV[4])
for n = 2, #KEYS do remove(KEYS[n]) end
return answer
"""
)

_SCRIPTS = {
    "announce": _ANNOUNCE,
    "piece": _PIECE,
    "put": _PUT,
    "held": _HELD,
    "delete": _DELETE,
    "acquire": _ACQUIRE,
    "swap": _SWAP,
}


class RedisStore:
    """See shared.store.base.Store. Connects when first used, and again after any failure.

    Values are as durable as the server is set up to make them: with ``appendfsync everysec`` a crash of the server
    takes the last second back, which is harmless, since a state goes back together with its offset.
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

        ``timeout_s`` bounds one try of one command. ``new_id`` names the pieces of one writing, and never repeats: what
        a reader finds under a name is whole or gone, even where the same value is written again.
        """
        where = urlsplit(url)
        self._where = f"Redis at {where.hostname}:{where.port or 6379}"
        # One hash tag for all keys: a cluster keeps them in one place, where one script may touch them.
        self._prefix = f"{{{prefix}}}:"
        tls = {"ssl_ca_certs": ca} if ca and where.scheme == "rediss" else {}
        self._client: Any = redis.Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            health_check_interval=30,
            # Every command and script here may be repeated.
            retry=Retry(
                ExponentialWithJitterBackoff(cap=REDIS_BACKOFF.cap_s, base=REDIS_BACKOFF.base_s), REDIS_RETRIES
            ),
            **tls,
        )
        self._scripts: Mapping[str, Any] = {name: self._client.register_script(text) for name, text in _SCRIPTS.items()}
        self._turns, self._new_id = itertools.count(1), new_id
        self._closed = False

    def get(self, key: str) -> bytes | None:
        with self._translated("reading"):
            return self._read(self._key(key))

    def put(self, key: str, value: bytes) -> None:
        with self._translated("writing"):
            self._assign("put", [self._key(key)], (), value)

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

    def get_all(self, keys: Sequence[str]) -> dict[str, bytes]:
        with self._translated("reading"):
            pipeline = self._client.pipeline(transaction=False)
            for key in keys:
                pipeline.hmget(self._key(key), "value", "pieces")
            answers = dict(zip(keys, pipeline.execute(), strict=True))
            found = {
                key: None if pieces is None else self._read(self._key(key)) for key, (_, pieces) in answers.items()
            }
        whole = {key: value if found[key] is None else found[key] for key, (value, _) in answers.items()}
        return {key: bytes(value) for key, value in whole.items() if value is not None}

    def delete(self, keys: Sequence[str]) -> None:
        if keys:
            with self._translated("deleting"):
                self._run("delete", [self._key(key) for key in keys])

    def keys(self, prefix: str) -> list[str]:
        with self._translated("listing"):
            return self._names(self._scan(prefix))

    def held(self, prefix: str) -> list[str]:
        with self._translated("listing"):
            found = self._scan(prefix)
            chunks = [found[at : at + LOOKED_AT] for at in range(0, len(found), LOOKED_AT)]
            return self._names(itertools.chain.from_iterable(self._run("held", chunk) for chunk in chunks))

    def _scan(self, prefix: str) -> list[bytes]:
        return list(set(self._client.scan_iter(match=_literal(self._key(prefix)) + b"*", count=1000)))

    def _names(self, keys: Iterable[bytes]) -> list[str]:
        return sorted(key.decode().removeprefix(self._key("").decode()) for key in keys)

    def acquire(self, key: str, fence: Fence) -> bytes | None:
        with self._translated("acquiring"):
            if self._run("acquire", [self._key(key)], *fence, next(self._turns)) == b"fenced":
                raise Fenced(f"{key} is held by somebody newer than {fence}")
            return self._read(self._key(key))

    def swap(self, key: str, fence: Fence, value: bytes, drop: Sequence[str] = ()) -> None:
        keys = [self._key(name) for name in (key, *drop)]
        with self._translated("writing"):
            if self._assign("swap", keys, (*fence, next(self._turns)), value) == b"fenced":
                raise Fenced(f"{key} is no longer held by {fence}")

    def close(self) -> None:
        self._closed = True
        self._client.close()

    def _key(self, key: str) -> bytes:
        return f"{self._prefix}k:{key}".encode()

    def _assign(self, script: str, keys: Sequence[bytes], arguments: Sequence[object], value: bytes) -> Any:
        for _ in range(WRITERS):
            field, content = self._placed(keys[0], value)
            answer = self._run(script, keys, *arguments, field, content)
            if answer != b"again":
                return answer
        raise StoreUnavailable(f"{self._where}: others keep writing the same key; is there a second learner?")

    def _run(self, script: str, keys: Sequence[bytes], *arguments: object) -> Any:
        return self._scripts[script](keys=keys, args=arguments)

    def _placed(self, key: bytes, value: bytes) -> tuple[str, bytes]:
        """The field and content that stand for a value; a large one is written first, piece by piece."""
        if len(value) <= PIECE_BYTES:
            return "value", value
        count = -(-len(value) // PIECE_BYTES)
        identity = f"{self._prefix}p:{self._new_id()}"
        pieces = f"{identity}:{count}".encode()
        self._run("announce", [key], pieces)
        for n in range(count):
            piece = value[n * PIECE_BYTES : (n + 1) * PIECE_BYTES]
            if self._run("piece", [key, f"{identity}:{n + 1}".encode()], pieces, piece) == b"again":
                break  # replaced meanwhile: so will be the answer to whoever assigns these
        return "pieces", pieces

    def _read(self, key: bytes) -> bytes | None:
        """The value, assembled; anew from the start where it was replaced meanwhile."""
        for _ in range(REDIS_READS):
            value, pieces = self._client.hmget(key, "value", "pieces")
            if pieces is None:
                return None if value is None else bytes(value)
            identity, _, count = pieces.decode().rpartition(":")
            parts = [self._client.get(f"{identity}:{n + 1}") for n in range(int(count))]
            if None not in parts:
                return b"".join(parts)
            if self._client.hget(key, "pieces") == pieces:
                raise StoreUnavailable(
                    f"{self._where}: pieces of a value are missing. Was something deleted or evicted? "
                    "Set maxmemory-policy to noeviction"
                )
        raise StoreUnavailable(f"{self._where}: a value is replaced faster than it can be read")

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        if self._closed:
            raise StoreUnavailable("this store is closed")
        try:
            yield
        except redis.RedisError as error:
            raise StoreUnavailable(f"{doing}: {self._where} {_explained(error)}") from error


def _explained(error: redis.RedisError) -> str:
    text = str(error)
    for kind, sign, remedy in _REMEDIES:
        if isinstance(error, kind) and sign in text:
            return f"{remedy} ({text[:200]})"
    return f"said {text[:200]}"


_REMEDIES: Sequence[tuple[type[redis.RedisError], str, str]] = (
    (redis.AuthenticationError, "", "refuses the user or password, and waiting will not help; check PREQUEL_STORE"),
    (redis.exceptions.NoPermissionError, "", "does not allow this user to do so, and waiting will not help; "
     "grant it ~{prequel}:* +@read +@write +@scripting +@connection"),
    (redis.BusyLoadingError, "", "is still loading its data; wait"),
    (redis.exceptions.OutOfMemoryError, "", "is out of memory; raise maxmemory, with maxmemory-policy noeviction"),
    (redis.ReadOnlyError, "", "is a replica and takes no writes; point PREQUEL_STORE to the primary"),
    (redis.ResponseError, "OOM", "is out of memory; raise maxmemory, with maxmemory-policy noeviction"),
    (redis.ResponseError, "READONLY", "is a replica and takes no writes; point PREQUEL_STORE to the primary"),
    (redis.ResponseError, "MISCONF", "cannot write to its disk; make room there"),
    (redis.ResponseError, "MOVED", "is one shard of a cluster; use a single server"),
    (redis.ResponseError, "unknown command", "is too old; Redis 6 or later is needed"),
    (redis.ConnectionError, "CERTIFICATE_VERIFY_FAILED", "has a certificate that is not to be trusted, and waiting "
     "will not help; check PREQUEL_REDIS_CA"),
    (redis.TimeoutError, "", "does not answer in time; check that it runs"),
    (redis.ConnectionError, "", "cannot be reached; check that it runs and that PREQUEL_STORE names its address"),
)  # fmt: skip


def _literal(text: bytes) -> bytes:
    """A pattern for SCAN that matches this text only."""
    return b"".join(b"\\" + bytes([byte]) if byte in b"*?[]\\^-" else bytes([byte]) for byte in text)
