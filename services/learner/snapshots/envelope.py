"""Models as parts of a snapshot: plain arrays, or pickles signed with HMAC-SHA256 and bound to one snapshot."""

import hmac
import platform
from hashlib import sha256 as _sha256
from importlib.metadata import version
from typing import NamedTuple

import orjson

from prequel.services.learner.models.base import ModelState
from prequel.services.learner.snapshots import blobs
from prequel.services.learner.snapshots.blobs import Part
from prequel.shared.config import ConfigError

_MAGIC = b"prequel-signed-1\n"
_MAC_BYTES = 32


class SnapshotId(NamedTuple):
    """The snapshot that a signed model belongs to: nobody can replace a model by an older one of the same key."""

    partition: int
    offset: int
    generation: int


class Envelope:
    """Seals and opens the models of one snapshot. ``key`` may be empty where no model is pickled."""

    def __init__(self, key: bytes, snapshot: SnapshotId) -> None:
        self._key, self._snapshot = key, snapshot

    def seal(self, state: ModelState) -> Part:
        """A model as a part. Raises ConfigError for a pickled model without a key."""
        plain = blobs.part({"model": state.meta}, state.arrays)
        if not state.pickled:
            return plain
        if not self._key:
            raise ConfigError(
                "the streams have a model that is stored as a pickle, and PREQUEL_SNAPSHOT_KEY is empty: set it to the "
                "long random text that the other learners use, also while PREQUEL_MODELS removes the model"
            )
        header = orjson.dumps(self._header() | {"length": len(state.pickled)}, option=orjson.OPT_SORT_KEYS)
        content = b"%d\n%d\n" % (len(header), len(plain.body)) + header + plain.body + state.pickled
        body = _MAGIC + self._mac(content) + content
        return Part(body, blobs.sha256(body), plain.digest)

    def open(self, body: bytes) -> ModelState:
        """The inverse of ``seal``. Nothing is unpickled here.

        Raises ValueError for a part that was changed, signed with another key, or made for another snapshot or version.
        """
        if not body.startswith(_MAGIC):
            meta, arrays = blobs.unpack(body)
            return ModelState(meta["model"], arrays)
        mac, content = body[len(_MAGIC) :][:_MAC_BYTES], body[len(_MAGIC) + _MAC_BYTES :]
        if not hmac.compare_digest(mac, self._mac(content)):
            raise ValueError(
                "a signed model was changed, or PREQUEL_SNAPSHOT_KEY is another one than it was signed with"
            )
        first, second, rest = content.split(b"\n", 2)
        header, plain = rest[: int(first)], rest[int(first) :][: int(second)]
        if orjson.loads(header) != self._header() | {"length": len(rest) - int(first) - int(second)}:
            raise ValueError(f"a signed model was made for {header.decode()}, and read for {self._header()}")
        meta, arrays = blobs.unpack(plain)
        return ModelState(meta["model"], arrays, rest[int(first) + int(second) :])

    def _mac(self, content: bytes) -> bytes:
        if not self._key:
            raise ValueError("pickled models need PREQUEL_SNAPSHOT_KEY, a long random text")
        return hmac.new(self._key, content, _sha256).digest()

    def _header(self) -> dict[str, object]:
        versions = {"river": version("river"), "python": platform.python_version()}
        return {"format": 1, **versions, **self._snapshot._asdict()}
