"""The root of a snapshot: the small value whose swap in the store is the commit."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from prequel.services.learner.snapshots.blobs import sha256
from prequel.shared.config import ConfigError

FORMAT = 8
"""Raised with every change of what a state contains or how it is folded: no state may come of two kinds of fold."""


class Root(NamedTuple):
    """One snapshot: the state of every stream of the partition after all events before ``offset``.

    The fields are the stored keys.
    """

    offset: int
    generation: int
    owner: str
    partitions: int
    defaults: list[Any]
    """The history of the configuration that it was folded with."""
    last: str
    """The digest of the last record before ``offset``; empty where nothing was folded."""
    digest: str
    built_on: dict[str, str]
    """The versions and the processor that it was folded on: bit equality is promised within these."""
    streams: dict[str, str]
    """Stream -> address of its head."""
    refused: Sequence[str] = ()
    """Streams for which there was no room, so far as they are remembered."""


def partition_digest(heads: Mapping[str, str], defaults: Sequence[Any], refused: Sequence[str] = ()) -> str:
    """The digest of a partition's state, from the digests of its streams' heads and the history of its configuration.

    The times at which processes started are left out of it: these change nothing in the fold.
    """
    history = [[offset, settings] for offset, _, settings in defaults]
    return sha256(orjson.dumps([dict(heads), history, list(refused)], option=orjson.OPT_SORT_KEYS))


def root_key(partition: int) -> str:
    """Where the store has the roots of a partition."""
    return f"snapshot/{partition}/root"


def encode_roots(roots: Sequence[Root]) -> bytes:
    """The inverse of ``read_roots``."""
    return orjson.dumps({"format": FORMAT, "roots": [root._asdict() for root in roots]})


def read_roots(body: bytes | None) -> list[Root]:
    """Newest first; none of an older format. Raises ConfigError for a format of the future."""
    if not body:
        return []
    content = orjson.loads(body)
    if content["format"] > FORMAT:
        raise ConfigError(
            f"the snapshots have format {content['format']}, this Prequel writes {FORMAT}: use the newer Prequel that "
            "wrote them, or start with an empty store to rebuild everything from the log"
        )
    if content["format"] < FORMAT:
        return []
    return [Root(**root) for root in content["roots"]]
