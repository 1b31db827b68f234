"""Snapshots: what is written, kept, swept, refused; what a store that lost something still gives back."""

from pathlib import Path

import orjson
import pytest

from prequel.services.learner.snapshots.blobs import Part, part
from prequel.services.learner.snapshots.root import FORMAT, read_roots, root_key
from prequel.services.learner.snapshots.snapshots import MAX_SNAPSHOTS, SnapshotContent, Snapshots, SnapshotTooLarge
from prequel.shared.config import ConfigError
from prequel.shared.store.base import Fence, Fenced
from prequel.shared.store.sqlite import SqliteStore

ME = Fence(0, 1, "me")


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "store.sqlite")


def state(number: int) -> dict[str, dict[str, Part]]:
    """One stream with a part that never changes and one that always does."""
    parts = {"same": part({"value": "same"}), "new": part({"value": number})}
    head = part({"parts": {name: [each.address, each.digest, len(each.body)] for name, each in parts.items()}})
    return {"s": parts | {"head": head}}


def opened(store: SqliteStore, fence: Fence = ME, max_bytes: int = 10**6) -> Snapshots:
    snapshots = Snapshots(store, 0, fence, max_bytes=max_bytes)
    snapshots.acquire()
    return snapshots


def readable(snapshots: Snapshots, number: int) -> bool:
    try:
        return all(snapshots.read(each.address) == each.body for each in state(number)["s"].values())
    except ValueError:
        return False


def test_unchanged_parts_are_not_written_again(store: SqliteStore) -> None:
    snapshots = opened(store)
    first = snapshots.write(SnapshotContent(1, state(1)), partitions=1)
    second = snapshots.write(SnapshotContent(2, state(2)), partitions=1)
    assert first.written_bytes == first.total_bytes
    assert second.total_bytes - second.written_bytes == len(part({"value": "same"}).body)


def test_the_newest_snapshots_stay_and_parts_of_older_ones_are_swept(store: SqliteStore) -> None:
    snapshots = opened(store)
    for number in range(6):
        snapshots.write(SnapshotContent(number, state(number)), partitions=1)
    assert [root.offset for root in opened(store).acquire()] == [5, 4, 3]
    assert [number for number in range(6) if readable(snapshots, number)] == list(range(6 - MAX_SNAPSHOTS, 6))
    assert len(store.keys("snapshot/0/part/")) == 2 * MAX_SNAPSHOTS + 1


def test_parts_of_a_crash_before_its_root_are_swept_by_the_next_owner(store: SqliteStore) -> None:
    opened(store).write(SnapshotContent(1, state(1)), partitions=1)
    orphan = part({"value": "orphan"})
    store.put(f"snapshot/0/part/{orphan.address}", orphan.body)
    opened(store).write(SnapshotContent(2, state(2)), partitions=1)
    assert store.get(f"snapshot/0/part/{orphan.address}") is None


def test_parts_that_the_store_lost_are_written_again(store: SqliteStore) -> None:
    snapshots = opened(store)
    snapshots.write(SnapshotContent(1, state(1)), partitions=1)
    store.delete(store.keys("snapshot/0/part/"))
    snapshots.write(SnapshotContent(2, state(2)), partitions=1)
    assert readable(snapshots, 2)


class Made(dict[str, dict[str, Part]]):
    """Streams that count how often they are asked for their parts."""

    asked = 0

    def __getitem__(self, name: str) -> dict[str, Part]:
        self.asked += 1
        return super().__getitem__(name)


def test_an_unchanged_stream_is_not_serialised_again(store: SqliteStore) -> None:
    snapshots, streams = opened(store), Made(state(1))
    first = snapshots.write(SnapshotContent(1, streams), partitions=1)
    second = snapshots.write(SnapshotContent(2, streams), partitions=1, stored=first.stored)
    assert streams.asked == 1
    assert (second.digest, second.total_bytes, second.written_bytes) == (first.digest, first.total_bytes, 0)
    store.delete(store.keys("snapshot/0/part/"))
    third = snapshots.write(SnapshotContent(3, streams), partitions=1, stored=second.stored)
    assert streams.asked == 2, "the store has lost it"
    assert third.written_bytes == first.total_bytes
    assert readable(snapshots, 1)


def test_a_signed_part_is_written_with_every_snapshot(store: SqliteStore) -> None:
    streams = state(1)
    streams["s"]["signed"] = part({"value": "signed"})._replace(digest="of what is signed")
    assert opened(store).write(SnapshotContent(1, streams), partitions=1).stored == {}


def test_a_missing_or_damaged_part_is_reported(store: SqliteStore) -> None:
    snapshots = opened(store)
    snapshots.write(SnapshotContent(1, state(1)), partitions=1)
    address = state(1)["s"]["same"].address
    store.put(f"snapshot/0/part/{address}", b"damaged")
    with pytest.raises(ValueError, match=address):
        snapshots.read(address)


def test_an_older_owner_can_write_no_more(store: SqliteStore) -> None:
    older = opened(store)
    newer = opened(store, Fence(0, 2, "other"))
    newer.write(SnapshotContent(1, state(1)), partitions=1)
    with pytest.raises(Fenced):
        older.write(SnapshotContent(2, state(2)), partitions=1)
    assert [root.offset for root in opened(store, Fence(0, 2, "other")).acquire()] == [1]


def test_a_state_that_is_too_large_is_refused_with_a_remedy(store: SqliteStore) -> None:
    with pytest.raises(SnapshotTooLarge, match="PREQUEL_SNAPSHOT_MAX_BYTES"):
        opened(store, max_bytes=10).write(SnapshotContent(1, state(1)), partitions=1)


def reformatted(store: SqliteStore, format: int) -> None:
    """A root of our own, as another version of Prequel would have written it."""
    opened(store).write(SnapshotContent(1, state(1)), partitions=1)
    key = root_key(0)
    content = orjson.loads(store.get(key) or b"")
    store.swap(key, ME, orjson.dumps(content | {"format": format}))


def test_snapshots_of_an_older_fold_are_not_used_and_swept(store: SqliteStore) -> None:
    reformatted(store, FORMAT - 1)
    snapshots = opened(store)
    assert snapshots.outdated
    assert read_roots(store.get(root_key(0))) == []
    snapshots.write(SnapshotContent(2, state(2)), partitions=1)
    assert [root.offset for root in opened(store).acquire()] == [2]
    assert len(store.keys("snapshot/0/part/")) == 3


def test_snapshots_of_a_newer_fold_are_refused(store: SqliteStore) -> None:
    reformatted(store, FORMAT + 1)
    with pytest.raises(ConfigError, match="use the newer Prequel"):
        opened(store)


def test_many_dead_parts_are_swept_a_few_at_a_time(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prequel.services.learner.snapshots.snapshots.MAX_SWEPT_PARTS", 3)
    for number in range(8):
        store.put(f"snapshot/0/part/dead-{number}", b"dead")
    snapshots = opened(store)
    left = []
    for number in range(4):
        snapshots.write(SnapshotContent(number, state(0)), partitions=1)
        left.append(len(store.keys("snapshot/0/part/dead-")))
    assert left == [5, 2, 0, 0]
    assert readable(snapshots, 0)
