"""What becomes of the store when a real Redis is down, slow, full, read-only, loading, or has lost its last writes."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from prequel.services.learner.snapshots.blobs import part
from prequel.services.learner.snapshots.snapshots import SnapshotContent, Snapshots
from prequel.shared.store.base import Fence, Fenced, StoreUnavailable
from prequel.shared.store.redis.store import RedisStore
from prequel.shared.store.redis.values import PIECE_BYTES
from tests.servers.kafka import Certificates, certificates
from tests.servers.ports import wait_until
from tests.servers.proxy import Proxy
from tests.servers.redis import NoRedis, Redis, binary
from tests.servers.session import missing

FENCE = Fence(0, 1, "owner")
BIG = bytes(range(256)) * (5 * PIECE_BYTES // 256) + b"odd"

Serve = Callable[..., Redis]
Open = Callable[..., RedisStore]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    try:
        binary()
    except NoRedis as error:
        missing(str(error))
    started: list[Redis] = []

    def start(*arguments: str, certificates: Certificates | None = None) -> Redis:
        started.append(Redis(tmp_path / f"redis-{len(started)}", *arguments, certificates=certificates))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.discard()


@pytest.fixture
def open_store() -> Iterator[Open]:
    opened: list[RedisStore] = []

    def start(url: str, *, ca: str = "", timeout_s: float = 5.0) -> RedisStore:
        opened.append(RedisStore(url, ca=ca, timeout_s=timeout_s))
        return opened[-1]

    yield start
    for store in opened:
        store.close()


# Down and up again.


def test_a_server_that_is_down_is_unavailable_and_found_again(serve: Serve, open_store: Open) -> None:
    server = serve("--appendonly", "yes", "--appendfsync", "always")
    store = open_store(server.url())
    store.put("k", b"1")
    server.kill()
    with pytest.raises(StoreUnavailable, match="check that it runs"):
        store.get("k")
    server.start()
    assert store.get("k") == b"1"


def test_a_server_that_swallows_everything_blocks_nobody_for_long(serve: Serve, open_store: Open) -> None:
    server = serve()
    with Proxy(server.port) as proxy:
        store = open_store(f"redis://127.0.0.1:{proxy.port}", timeout_s=1.0)
        store.put("k", b"1")
        proxy.swallow()
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="in time"):
            store.get("k")
        assert time.monotonic() - began < 10
        proxy.heal()
        assert store.get("k") == b"1"


def test_broken_connections_are_replaced_without_an_error(serve: Serve, open_store: Open) -> None:
    server = serve()
    with Proxy(server.port) as proxy:
        store = open_store(f"redis://127.0.0.1:{proxy.port}")
        store.acquire("root", FENCE)
        for n in range(20):
            proxy.reset()
            store.swap("root", FENCE, b"%d" % n)
        assert store.get("root") == b"19"


def test_a_swap_that_arrives_again_after_later_ones_changes_nothing(serve: Serve, open_store: Open) -> None:
    server = serve()
    with Proxy(server.port) as proxy:
        store = open_store(f"redis://127.0.0.1:{proxy.port}", timeout_s=1.0)
        store.acquire("root", FENCE)
        store.put("blob", b"1")
        # What is sent now over this connection arrives later, although the client sends it again over another.
        proxy.swallow_existing()
        store.swap("root", FENCE, b"old", delete=["blob"])
        store.put("blob", b"2")
        store.swap("root", FENCE, b"new")
        with server.client() as client:
            before = client.info("commandstats")["cmdstat_evalsha"]["calls"]
            proxy.heal()
            wait_until(lambda: client.info("commandstats")["cmdstat_evalsha"]["calls"] > before, 60, "the late swap")
        assert (store.get("root"), store.get("blob")) == (b"new", b"2")


# Servers that refuse for now.


def test_a_full_server_refuses_and_loses_nothing(serve: Serve, open_store: Open) -> None:
    server = serve("--maxmemory", "8mb", "--maxmemory-policy", "noeviction")
    store = open_store(server.url())
    store.acquire("root", FENCE)
    store.swap("root", FENCE, b"state")
    for n in range(30):
        store.put(f"blob/{n}", bytes(100_000))
    with server.client() as client:
        client.config_set("maxmemory", "2mb")
    writes: list[Callable[[], object]] = [
        lambda: store.swap("root", FENCE, b"next", delete=["blob/0"]),
        lambda: store.put("blob/0", b"small"),
        lambda: store.put("blob/0", BIG),
        lambda: store.acquire("root", FENCE._replace(generation=2)),
    ]
    for write in writes:
        with pytest.raises(StoreUnavailable, match="out of memory"):
            write()
    assert store.get("root") == b"state"
    assert store.get("blob/0") == bytes(100_000)
    store.delete([f"blob/{n}" for n in range(1, 30)])
    store.swap("root", FENCE, b"next")
    assert store.get("root") == b"next"


def test_a_replica_refuses_writes(serve: Serve, open_store: Open) -> None:
    server = serve("--replica-serve-stale-data", "yes")
    store = open_store(server.url())
    store.put("k", b"1")
    with server.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        writes: list[Callable[[], object]] = [
            lambda: store.put("k", b"2"),
            lambda: store.put("k", BIG),
            lambda: store.delete(["k"]),
        ]
        for write in writes:
            with pytest.raises(StoreUnavailable, match="replica"):
                write()
        assert store.get("k") == b"1"
        client.execute_command("REPLICAOF", "NO", "ONE")
    store.put("k", b"2")
    assert store.get("k") == b"2"


def test_a_server_that_is_loading_is_waited_for(serve: Serve, open_store: Open) -> None:
    server = serve()
    store = open_store(server.url(), timeout_s=1.0)
    for n in range(400):
        store.put(f"k{n}", b"%d" % n * 1000)
    with server.client() as client:
        client.save()
    server.kill()
    server.arguments = ("--key-load-delay", "5000", "--loading-process-events-interval-bytes", "1024")
    server.launch()
    reasons: list[str] = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            assert store.get("k399") == b"399" * 1000
            break
        except StoreUnavailable as error:
            reasons.append(str(error))
    assert any("loading" in reason for reason in reasons), reasons


def test_a_crash_that_loses_the_last_writes_leaves_a_whole_older_snapshot(serve: Serve, open_store: Open) -> None:
    server = serve()
    store = open_store(server.url())

    def snapshot(number: int) -> None:
        store.put(f"blob/{number}", BIG + b"%d" % number)
        store.swap("root", FENCE, b"%d" % number, delete=[f"blob/{number - 1}"])

    store.acquire("root", FENCE)
    for number in range(1, 4):
        snapshot(number)
    with server.client() as client:
        client.save()
    for number in range(4, 7):
        snapshot(number)
    server.kill()
    server.start()
    assert store.acquire("root", FENCE) == b"3"
    assert store.get("blob/3") == BIG + b"3"
    assert store.keys("") == ["blob/3", "root"]


# Large values.


def test_no_command_is_larger_than_a_piece(serve: Serve, open_store: Open) -> None:
    store = open_store(serve("--proto-max-bulk-len", "1mb").url())
    for size in (0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES, 30 * PIECE_BYTES + 7):
        value = bytes([size % 251]) * size
        store.put("k", value)
        assert store.get("k") == value


def test_a_large_value_leaves_nothing_behind(serve: Serve, open_store: Open) -> None:
    server = serve()
    store = open_store(server.url())
    store.acquire("root", FENCE)
    for value in (BIG, BIG, BIG + b"2", b"small", BIG, b"", BIG):
        store.put("k", value)
        assert store.get("k") == value
        store.swap("root", FENCE, value)
        assert store.get("root") == value
    store.swap("root", FENCE, b"", delete=["k"])
    store.delete(["root"])
    with server.client() as client:
        assert client.dbsize() == 0


def test_an_interrupted_put_of_a_large_value_changes_nothing_and_can_be_deleted(serve: Serve, open_store: Open) -> None:
    server = serve()
    store = open_store(server.url())
    store.put("old", BIG)
    for n in (1, 4):
        with Proxy(server.port) as proxy:
            broken = open_store(f"redis://127.0.0.1:{proxy.port}", timeout_s=0.2)
            wait_until(lambda broken=broken: answers(broken), 60, "a connection")  # type: ignore[misc]
            proxy.max_bytes = n * PIECE_BYTES
            for key in ("old", "new"):
                with pytest.raises(StoreUnavailable):
                    broken.put(key, BIG[::-1] + bytes([n]))
        assert store.get("old") == BIG
        assert store.get("new") is None
        assert store.keys_with_values("") == ["old"]
    store.delete(store.keys(""))
    with server.client() as client:
        assert client.dbsize() == 0


def test_a_part_of_a_snapshot_whose_put_was_interrupted_is_written_again(serve: Serve, open_store: Open) -> None:
    server = serve()
    large = part({"value": "large"}, {"array": np.frombuffer(BIG, np.uint8)})
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


def test_readers_see_large_values_whole_while_several_writers_replace_them(serve: Serve, open_store: Open) -> None:
    server = serve()
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
    serve: Serve, open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
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


# Security.


def test_the_user_needs_no_more_rights_than_documented(serve: Serve, open_store: Open) -> None:
    server = serve()
    with server.client() as client:
        client.execute_command(
            "ACL", "SETUSER", "prequel", "on", ">pass word", "~{prequel}:*", "+@read", "+@write", "+@scripting",
            "+@connection",
        )  # fmt: skip
        client.execute_command("ACL", "SETUSER", "reader", "on", ">pw", "~{prequel}:*", "+@read", "+@connection")
        client.execute_command("ACL", "SETUSER", "default", "off")
    store = open_store(server.url("prequel:pass%20word"))
    store.acquire("root", FENCE)
    store.put("k", BIG)
    store.swap("root", FENCE, BIG, delete=["k"])
    store.delete(["k"])
    assert (store.get("root"), store.keys("")) == (BIG, ["root"])
    with pytest.raises(Fenced):
        store.swap("root", FENCE._replace(generation=0), b"")
    with pytest.raises(StoreUnavailable, match="does not allow"):
        open_store(server.url("reader:pw")).put("k", b"")
    for url in (server.url("prequel:wrong-secret"), server.url()):
        with pytest.raises(StoreUnavailable, match="password") as raised:
            open_store(url).get("k")
        assert "wrong-secret" not in str(raised.value)


def test_tls_is_checked_against_the_ca(serve: Serve, open_store: Open, tmp_path: Path) -> None:
    tls_files = certificates(tmp_path / "certificates")
    try:
        server = serve(certificates=tls_files)
    except RuntimeError:
        pytest.skip("this redis-server is built without TLS")
    store = open_store(server.tls_url(), ca=str(tls_files.ca))
    store.put("k", BIG)
    assert store.get("k") == BIG
    with pytest.raises(StoreUnavailable, match="PREQUEL_REDIS_CA"):
        open_store(server.tls_url()).get("k")
    others = certificates(tmp_path / "others")
    with pytest.raises(StoreUnavailable, match="PREQUEL_REDIS_CA"):
        open_store(server.tls_url(), ca=str(others.ca)).get("k")
