"""Parts of a state as bytes: JSON and arrays in one canonical safetensors file, named by its SHA-256."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
from safetensors.numpy import load, save

_META = "meta"


class Part(NamedTuple):
    """One separately stored part of a state.

    ``body`` is what is stored, ``digest`` what counts for equality of states: the SHA-256 of the body, but for parts
    whose bytes are not canonical (signed pickles), which bring a fingerprint of their own.
    """

    body: bytes
    address: str
    digest: str

    @property
    def signed(self) -> bool:
        """Whether the bytes belong to one snapshot, and to no other."""
        return self.address not in ("", self.digest)


def pack(meta: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]] | None = None) -> bytes:
    """Equal contents give equal bytes, whatever the order of keys and the arrays' strides and byte order."""
    text = orjson.dumps(meta, option=orjson.OPT_SORT_KEYS)
    tensors = {f"a.{name}": _plain(array) for name, array in (arrays or {}).items()}
    return save(tensors | {_META: np.frombuffer(text, np.uint8)})


def unpack(body: bytes) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The inverse of ``pack``; arrays are writable. Raises ValueError for bytes that it did not write."""
    try:
        tensors = load(body)
        meta = orjson.loads(tensors.pop(_META).tobytes())
    except Exception as error:  # Safetensors raises a type of its own that it does not export.
        raise ValueError(f"not a part of a snapshot: {error}") from error
    return meta, {name.removeprefix("a."): np.array(array) for name, array in tensors.items()}


def part(meta: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]] | None = None) -> Part:
    """A part of JSON and arrays, which is named by its bytes."""
    body = pack(meta, arrays)
    address = sha256(body)
    return Part(body, address, address)


def sha256(body: bytes) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(body).hexdigest()


def _plain(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
