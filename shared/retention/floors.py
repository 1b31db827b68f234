"""How far back the learner still reads ``examples``: published in the store by the learner that commits snapshots."""

from typing import NamedTuple

import orjson

from prequel.shared.store.base import Store

PREFIX = "floor/"


class Floor(NamedTuple):
    """The earliest offset of a partition that a kept snapshot may still need, and why.

    ``stream`` is the one whose window reaches back so far ("" if it is the snapshot itself), ``time`` is when that
    example arrived, in seconds since the epoch.
    """

    offset: int
    stream: str
    time: float


def key(partition: int) -> str:
    """The store's key of a partition's floor."""
    return f"{PREFIX}{partition}"


def publish(store: Store, partition: int, floor: Floor) -> None:
    """Publish a floor, after the snapshot that makes it true.

    A crash in between only keeps more than necessary; the other way round it could remove what a snapshot needs. Not
    fenced, and it need not be: a former owner's floor is of snapshots that it did commit, so it is lower than the
    present owner's. Blocks; raises StoreUnavailable.
    """
    store.put(key(partition), orjson.dumps(floor._asdict()))


def read(store: Store, partition: int) -> Floor | None:
    """None if there is none, or one of another version: then nothing may be removed. Raises StoreUnavailable."""
    try:
        floor = Floor(**orjson.loads(store.get(key(partition)) or b"null"))
    except (orjson.JSONDecodeError, TypeError):
        return None
    return floor if type(floor.offset) is int and floor.offset >= 0 else None
