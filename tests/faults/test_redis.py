"""What becomes of the store when a real Redis is down, slow, full, read-only, loading, or has lost its last writes."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from prequel.shared.store.base import Fenced, StoreUnavailable
from tests.faults.redis_stores import BIG_VALUE, FENCE, OpenStore, StartRedis
from tests.servers.certificates import certificates
from tests.servers.ports import wait_until
from tests.servers.proxy import Proxy

# Down and up again.


def test_a_server_that_is_down_is_unavailable_and_found_again(start_redis: StartRedis, open_store: OpenStore) -> None:
    server = start_redis("--appendonly", "yes", "--appendfsync", "always")
    store = open_store(server.url())
    store.put("k", b"1")
    server.kill()
    with pytest.raises(StoreUnavailable, match="check that it runs"):
        store.get("k")
    server.start()
    assert store.get("k") == b"1"


def test_a_server_that_swallows_everything_blocks_nobody_for_long(
    start_redis: StartRedis, open_store: OpenStore
) -> None:
    server = start_redis()
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


def test_broken_connections_are_replaced_without_an_error(start_redis: StartRedis, open_store: OpenStore) -> None:
    server = start_redis()
    with Proxy(server.port) as proxy:
        store = open_store(f"redis://127.0.0.1:{proxy.port}")
        store.acquire("root", FENCE)
        for n in range(20):
            proxy.reset()
            store.swap("root", FENCE, b"%d" % n)
        assert store.get("root") == b"19"


def test_a_swap_that_arrives_again_after_later_ones_changes_nothing(
    start_redis: StartRedis, open_store: OpenStore
) -> None:
    server = start_redis()
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


def test_a_full_server_refuses_and_loses_nothing(start_redis: StartRedis, open_store: OpenStore) -> None:
    server = start_redis("--maxmemory", "8mb", "--maxmemory-policy", "noeviction")
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
        lambda: store.put("blob/0", BIG_VALUE),
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


def test_a_replica_refuses_writes(start_redis: StartRedis, open_store: OpenStore) -> None:
    server = start_redis("--replica-serve-stale-data", "yes")
    store = open_store(server.url())
    store.put("k", b"1")
    with server.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        writes: list[Callable[[], object]] = [
            lambda: store.put("k", b"2"),
            lambda: store.put("k", BIG_VALUE),
            lambda: store.delete(["k"]),
        ]
        for write in writes:
            with pytest.raises(StoreUnavailable, match="replica"):
                write()
        assert store.get("k") == b"1"
        client.execute_command("REPLICAOF", "NO", "ONE")
    store.put("k", b"2")
    assert store.get("k") == b"2"


def test_a_server_that_is_loading_is_waited_for(start_redis: StartRedis, open_store: OpenStore) -> None:
    server = start_redis()
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


def test_a_crash_that_loses_the_last_writes_leaves_a_whole_older_snapshot(
    start_redis: StartRedis, open_store: OpenStore
) -> None:
    server = start_redis()
    store = open_store(server.url())

    def snapshot(number: int) -> None:
        store.put(f"blob/{number}", BIG_VALUE + b"%d" % number)
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
    assert store.get("blob/3") == BIG_VALUE + b"3"
    assert store.keys("") == ["blob/3", "root"]


# Security.


def test_the_user_needs_no_more_rights_than_documented(start_redis: StartRedis, open_store: OpenStore) -> None:
    server = start_redis()
    with server.client() as client:
        client.execute_command(
            "ACL", "SETUSER", "prequel", "on", ">pass word", "~{prequel}:*", "+@read", "+@write", "+@scripting",
            "+@connection",
        )  # fmt: skip
        client.execute_command("ACL", "SETUSER", "reader", "on", ">pw", "~{prequel}:*", "+@read", "+@connection")
        client.execute_command("ACL", "SETUSER", "default", "off")
    store = open_store(server.url("prequel:pass%20word"))
    store.acquire("root", FENCE)
    store.put("k", BIG_VALUE)
    store.swap("root", FENCE, BIG_VALUE, delete=["k"])
    store.delete(["k"])
    assert (store.get("root"), store.keys("")) == (BIG_VALUE, ["root"])
    with pytest.raises(Fenced):
        store.swap("root", FENCE._replace(generation=0), b"")
    with pytest.raises(StoreUnavailable, match="does not allow"):
        open_store(server.url("reader:pw")).put("k", b"")
    for url in (server.url("prequel:wrong-secret"), server.url()):
        with pytest.raises(StoreUnavailable, match="password") as raised:
            open_store(url).get("k")
        assert "wrong-secret" not in str(raised.value)


def test_tls_is_checked_against_the_ca(start_redis: StartRedis, open_store: OpenStore, tmp_path: Path) -> None:
    tls_files = certificates(tmp_path / "certificates")
    try:
        server = start_redis(certificates=tls_files)
    except RuntimeError:
        pytest.skip("this redis-server is built without TLS")
    store = open_store(server.tls_url(), ca=str(tls_files.ca))
    store.put("k", BIG_VALUE)
    assert store.get("k") == BIG_VALUE
    with pytest.raises(StoreUnavailable, match="PREQUEL_REDIS_CA"):
        open_store(server.tls_url()).get("k")
    others = certificates(tmp_path / "others")
    with pytest.raises(StoreUnavailable, match="PREQUEL_REDIS_CA"):
        open_store(server.tls_url(), ca=str(others.ca)).get("k")
