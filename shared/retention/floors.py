"""How far back the learner still reads ``examples``: published in the store by whoever commits snapshots."""

from typing import NamedTuple

import orjson

from prequel.shared.store.base import Store

PREFIX = "floor/"


class Floor(NamedTuple):
    """The earliest offset of a partition that a kept snapshot may still need, and why.

    ``stream`` is the one whose window reaches back so far ("" where it is the snapshot itself), ``time`` when that
    example came, in seconds since the epoch.
    """

    offset: int
    stream: str
    time: float


def key(partition: int) -> str:
    return f"{PREFIX}{partition}"


def publish(store: Store, partition: int, floor: Floor) -> None:
    """To be called after the snapshot that makes it true, never before: a crash in between keeps more than need be.

    Not fenced, and need not be: an older owner's floor speaks of snapshots that it did commit, so it is lower than
    the newest one's. Blocks; raises StoreUnavailable.
    """
    store.put(key(partition), orjson.dumps(floor._asdict()))


def read(store: Store, partition: int) -> Floor | None:
    """None where there is none, or one of another version: nothing may be removed then. Raises StoreUnavailable."""
    try:
        found = orjson.loads(store.get(key(partition)) or b"null")
        floor = Floor(**found)
    except (orjson.JSONDecodeError, TypeError):
        return None
    return floor if type(floor.offset) is int and floor.offset >= 0 else None
