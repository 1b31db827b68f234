"""The digest of a record: how a state recognises the log that it was folded from."""

from prequel.services.learner.snapshots.blobs import sha256
from prequel.shared.log.base import Record


def record_digest(record: Record) -> str:
    """SHA-256 of a record as it is read back: another one at its place has another, also with the same value.

    The lengths come first, so that no two records have the same bytes.
    """
    parts = [b"-" if record.key is None else b"+" + record.key, record.value]
    parts += [field for name, value in record.headers for field in (name.encode(), value)]
    place = b"%d %d " % (record.partition, record.offset) + b" ".join(b"%d" % len(field) for field in parts)
    return sha256(place + b"\n" + b"".join(parts))
