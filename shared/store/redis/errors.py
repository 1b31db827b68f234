"""Translates redis-py's errors into the store's, each with what to do about it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import redis

from prequel.shared.store.base import StoreUnavailable

QUOTED_CHARACTERS = 200
"""Of Redis's own message: it may repeat the command, and with it a value."""


@contextmanager
def translated(server: str, action: str) -> Iterator[None]:
    """Raise StoreUnavailable, with a remedy, for whatever the client raises. ``action``: "reading"."""
    try:
        yield
    except redis.RedisError as error:
        raise StoreUnavailable(f"{action}: {server} {_explanation(error)}") from error


def _explanation(error: redis.RedisError) -> str:
    text = str(error)
    for error_type, sign, remedy in _REMEDIES:
        if isinstance(error, error_type) and sign in text:
            return f"{remedy} ({text[:QUOTED_CHARACTERS]})"
    return f"answered: {text[:QUOTED_CHARACTERS]}"


# Error type, what its text must have in it, remedy. The first that fits: subclasses before their base classes.
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
