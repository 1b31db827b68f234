"""Large values on a real Redis: in pieces, whole for every reader, and nothing left of an interrupted one."""

import threading
from contextlib import suppress

import numpy as np
import pytest

from prequel.services.learner.snapshots.blobs import part
from prequel.services.learner.snapshots.snapshots import SnapshotContent, Snapshots
from prequel.shared.store.base import Fence, StoreUnavailable
from prequel.shared.store.redis.store import RedisStore
from prequel.shared.store.redis.values import PIECE_BYTES
from tests.faults.redis_stores import BIG_VALUE, FENCE, OpenStore, StartRedis
from tests.servers.ports import wait_until
from tests.servers.proxy import Proxy


def test_no_command_is_larger_than_a_piece(start_redis: StartRedis, open_store: OpenStore) -> None:
    store = open_store(start_redis("--proto-max-bulk-len", "1mb").url())
    for size in (0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES, 30 * PIECE_BYTES + 7):
        value = bytes([size % 251]) * size
        store.put("k", value)
        assert store.get("k") == value


def test_a_large_value_leaves_nothing_behind(start_redis: StartRedis, open_store: OpenStore) -> None:
    server = start_redis()
    store = open_store(server.url())
    store.acquire("root", FENCE)
    for value in (BIG_VALUE, BIG_VALUE, BIG_VALUE + b"2", b"small", BIG_VALUE, b"", BIG_VALUE):
        store.put("k", value)
        assert store.get("k") == value
        store.swap("root", FENCE, value)
        assert store.get("root") == value
    store.swap("root", FENCE, b"", delete=["k"])
    store.delete(["root"])
    with server.client() as client:
        assert client.dbsize() == 0


def test_an_interrupted_put_of_a_large_value_changes_nothing_and_can_be_deleted(
    start_redis: StartRedis, open_store: OpenStore
) -> None:
    server = start_redis()
    store = open_store(server.url())
    store.put("old", BIG_VALUE)
    for n in (1, 4):
        with Proxy(server.port) as proxy:
            broken = open_store(f"redis://127.0.0.1:{proxy.port}", timeout_s=0.2)
            wait_until(lambda broken=broken: answers(broken), 60, "a connection")  # type: ignore[misc]
            proxy.max_bytes = n * PIECE_BYTES
            for key in ("old", "new"):
                with pytest.raises(StoreUnavailable):
                    broken.put(key, BIG_VALUE[::-1] + bytes([n]))
        assert store.get("old") == BIG_VALUE
        assert store.get("new") is None
        assert store.keys_with_values("") == ["old"]
    store.delete(store.keys(""))
    with server.client() as client:
        assert client.dbsize() == 0


def test_a_part_of_a_snapshot_whose_put_was_interrupted_is_written_again(
    start_redis: StartRedis, open_store: OpenStore
) -> None:
    server = start_redis()
    large = part({"value": "large"}, {"array": np.frombuffer(BIG_VALUE, np.uint8)})
    head = part({"parts": {"large": [large.address, large.digest]}})
    state = {"s": {"large": large, "head": head}}
    with Proxy(server.port) as proxy:
        broken = open_store(f"redis://127.0.0.1:{proxy.port}", timeout_s=1.0)
        killed = Snapshots(broken, 0, Fence(0, 1, "killed"), max_bytes=10**9)
        killed.acquire()
        proxy.max_bytes = 2 * PIECE_BYTES
        with pytest.raises(StoreUnavailable):
            killed.write(SnapshotContent(1, state), partitions=1)
    store = open_store(server.url())
    (interrupted,) = set(store.keys("snapshot/0/part/")) - set(store.keys_with_values("snapshot/0/part/"))
    successor = Snapshots(store, 0, Fence(0, 2, "successor"), max_bytes=10**9)
    successor.acquire()
    assert interrupted == f"snapshot/0/part/{large.address}"
    assert successor.write(SnapshotContent(1, state), partitions=1).written_bytes >= len(large.body)
    assert successor.read(large.address) == large.body


def answers(store: RedisStore) -> bool:
    """Whether the store answers in time, which a busy machine may miss."""
    try:
        store.get("x")
    except StoreUnavailable:
        return False
    return True


def test_readers_see_large_values_whole_while_several_writers_replace_them(
    start_redis: StartRedis, open_store: OpenStore
) -> None:
    server = start_redis()
    values = [bytes([n]) * (3 * PIECE_BYTES + 1 + n) for n in range(4)]  # in four pieces each, whichever stays
    open_store(server.url()).put("k", values[0])
    wrong: list[str] = []
    done = threading.Event()

    def write(store: RedisStore, own: list[bytes]) -> None:
        for _ in range(15):
            for value in own:
                with suppress(StoreUnavailable):  # Two that write all the time may starve each other, and raise.
                    store.put("k", value)

    def read(store: RedisStore) -> None:
        while not done.is_set():
            if store.get("k") not in values:
                wrong.append("torn")

    writers = [threading.Thread(target=write, args=(open_store(server.url()), own)) for own in (values[:2], values[2:])]
    readers = [threading.Thread(target=read, args=(open_store(server.url()),)) for _ in range(2)]
    for thread in [*readers, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert not wrong
    with server.client() as client:
        assert client.dbsize() == 5


def test_a_value_that_is_replaced_and_written_again_while_it_is_read_is_whole(
    start_redis: StartRedis, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_redis()
    first, second = (bytes([n]) * (2 * PIECE_BYTES) for n in range(2))
    writer, reader = open_store(server.url()), open_store(server.url())
    writer.put("k", first)
    get = reader._client.get

    def slowly(name: str) -> object:
        """Reads the first piece while the second value is stored, and everything else after the first one is back."""
        monkeypatch.undo()
        writer.put("k", second)
        try:
            return get(name)
        finally:
            writer.put("k", first)

    monkeypatch.setattr(reader._client, "get", slowly)
    assert reader.get("k") == first
