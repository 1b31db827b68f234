"""A full disk under the embedded log and store: clear errors, nothing acknowledged lost, on it goes with more room."""

import os
import resource
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from prequel.shared.log.base import LogUnavailable, Message, Position
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.store.base import Fence, StoreUnavailable
from prequel.shared.store.sqlite import SqliteStore
from tests.contracts.processes import ROOT

FENCE = Fence(0, 1, "owner")


@pytest.fixture(params=[4, 40])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A disk of so many MiB, a quarter of it taken by a file ``ballast``.

    In 4 MiB not even the write-ahead log fits; in 40 that does, but not the checkpoint that empties it.
    """
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root: the disk-full tests with a real small disk did not run")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={request.param}m", "tmpfs", str(tmp_path)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no tmpfs, the disk-full tests with a real small disk did not run: {done.stderr.strip()}")
    try:
        (tmp_path / "ballast").write_bytes(bytes(request.param * 2**18))
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def fill(log: SqliteLog, kept: dict[Position, bytes], most: int = 10_000) -> str:
    """Append until the log refuses; what it says. ``kept`` gets what was acknowledged."""
    for number in range(most):
        values = [b"%d.%d." % (number, n) + os.urandom(8000) for n in range(5)]
        try:
            positions = log.append([Message("t", None, value) for value in values])
        except LogUnavailable as error:
            return str(error)
        kept.update(zip(positions, values, strict=True))
    raise AssertionError("the disk never filled up")


def take_the_rest(disk: Path) -> None:
    """What somebody else does to a disk: not a byte of it is left."""
    with suppress(OSError), (disk / "ballast").open("ab", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))


def until_refused(error: type[Exception], write: Callable[[int], object]) -> tuple[str, int]:
    """Write 0, 1, 2 and so on until that fails; what it says, and which one failed."""
    for number in range(10_000):
        try:
            write(number)
        except error as refused:
            return str(refused), number
    raise AssertionError("the disk never filled up")


def check(log: SqliteLog, kept: dict[Position, bytes]) -> None:
    """All that was acknowledged is there, at its place, and offsets have no gaps."""
    reader = log.follow("t", {0: 0})
    found: dict[Position, bytes] = {}
    while records := reader.poll(100, 0.0):
        found |= {Position(0, record.offset): record.value for record in records}
    assert sorted(position.offset for position in found) == list(range(len(found)))
    assert {position: found[position] for position in kept} == kept


def test_a_log_on_a_full_disk_refuses_keeps_all_and_goes_on_once_there_is_room(small_disk: Path) -> None:
    log, kept = SqliteLog(small_disk / "log"), dict[Position, bytes]()
    assert "Make room: nothing acknowledged is lost" in fill(log, kept)
    assert "Make room" in fill(log, kept, most=1)
    check(log, kept)
    assert log.bounds("t")[0].end == len(kept)  # Nothing was refused that is there all the same.
    before = len(kept)
    (small_disk / "ballast").unlink()
    fill(log, kept)
    assert len(kept) >= before + 20
    check(log, kept)
    log.close()
    again = SqliteLog(small_disk / "log")
    check(again, kept)
    again.close()


def test_a_log_left_on_a_full_disk_by_a_killed_process_is_read_by_the_next(small_disk: Path) -> None:
    script = f"""
        import os, signal, tests.contracts.test_sqlite_disk_full as t
        from pathlib import Path
        log, kept = t.SqliteLog(Path({str(small_disk / "log")!r})), {{}}
        print(t.fill(log, kept))
        print(len(kept), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    said, acknowledged = run_script(script, -9)
    assert "Make room" in said
    log = SqliteLog(small_disk / "log")
    with pytest.raises(LogUnavailable):
        log.append([Message("t", None, bytes(2**19))])
    assert log.bounds("t")[0].end >= int(acknowledged)
    (small_disk / "ballast").unlink()
    (position,) = log.append([Message("t", None, b"after")])
    assert log.bounds("t")[0] == (0, position.offset + 1)
    assert len(log.read("t", 0, range(position.offset + 1))) == position.offset + 1
    log.close()


def test_members_on_a_full_disk_wait_for_room_and_go_on(small_disk: Path) -> None:
    log, kept = SqliteLog(small_disk / "log"), dict[Position, bytes]()
    member = log.join("g", "t")
    member.poll(1, 0.0)
    fill(log, kept)
    take_the_rest(small_disk)
    reader = log.follow("t", {0: 0})
    assert reader.poll(10, 0.0)
    said, refused = until_refused(LogUnavailable, lambda offset: member.commit({0: offset}))
    assert "Make room" in said
    assert member.committed(0) in (refused - 1, refused, None)
    (small_disk / "ballast").unlink()
    member.commit({0: 10_001})
    assert member.committed(0) == 10_001
    log.close()


def test_a_store_on_a_full_disk_keeps_the_old_root_and_its_blobs(small_disk: Path) -> None:
    store = SqliteStore(small_disk / "store.sqlite")
    store.acquire("root", FENCE)
    blob = os.urandom(100_000)

    def snapshot(number: int) -> None:
        store.put(f"blob/{number}", blob)
        store.swap("root", FENCE, b"%d" % number)

    said, refused = until_refused(StoreUnavailable, snapshot)
    assert "Make room" in said
    root = store.get("root")
    assert root in (b"%d" % (refused - 1), b"%d" % refused)
    assert all(store.get(f"blob/{n}") == blob for n in range(int(root) + 1))
    with pytest.raises(StoreUnavailable, match="Make room"):
        store.swap("root", FENCE, os.urandom(2**23), delete=["blob/0"])
    assert (store.get("root"), store.get("blob/0")) == (root, blob)
    (small_disk / "ballast").unlink()
    store.swap("root", FENCE, b"new", delete=["blob/0"])
    store.close()
    again = SqliteStore(small_disk / "store.sqlite")
    assert (again.acquire("root", FENCE), again.get("blob/0"), again.get("blob/1")) == (b"new", None, blob)
    again.close()


@pytest.mark.parametrize("limit", [2**20, 5 * 2**20, 20 * 2**20])
def test_a_limit_on_the_size_of_files_is_no_worse(tmp_path: Path, limit: int) -> None:
    """The same without root: the kernel refuses to let any file of the process grow further."""
    script = f"""
        import resource, tests.contracts.test_sqlite_disk_full as t
        from pathlib import Path
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        log, kept = t.SqliteLog(Path({str(tmp_path)!r})), {{}}
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, hard))
        print(t.fill(log, kept))
        t.check(log, kept)
        before = len(kept)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit} + 2**22, hard))
        t.fill(log, kept)
        assert len(kept) > before
        t.check(log, kept)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        log.append([t.Message("t", None, b"after")])
        t.check(log, kept)
        log.close()
        again = t.SqliteLog(Path({str(tmp_path)!r}))
        t.check(again, kept)
        again.close()
    """
    if resource.getrlimit(resource.RLIMIT_FSIZE)[1] not in (resource.RLIM_INFINITY, 2**63 - 1):
        pytest.skip("this process may not write large files at all: the file-size test did not run")
    (said,) = run_script(script, 0)
    assert "free space and quota; nothing acknowledged is lost" in said


def test_a_full_disk_of_temporary_files_stops_nobody(
    small_disk: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A /tmp of its own that is full, while the log's disk has room."""
    with suppress(OSError), (small_disk / "more").open("wb") as more:
        while True:
            more.write(bytes(2**12))
            more.flush()
    script = f"""
        import os
        from pathlib import Path
        os.environ["SQLITE_TMPDIR"] = os.environ["TMPDIR"] = {str(small_disk)!r}
        import tests.contracts.test_sqlite_disk_full as t
        folder = Path({str(tmp_path_factory.mktemp("data"))!r})
        log, store = t.SqliteLog(folder / "log"), t.SqliteStore(folder / "store.sqlite")
        log.append([t.Message("t", None, bytes(100_000)) for _ in range(20)])
        store.put("a", b"b")
        print(log.bounds("t")[0].end, store.get("a").decode())
    """
    assert run_script(script, 0) == ["20 b"]


def run_script(script: str, wanted: int) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == wanted, done.stderr
    return done.stdout.splitlines()
