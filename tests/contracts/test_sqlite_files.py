"""Files that the embedded log and store cannot use: each is refused with a message that names a remedy."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from prequel.shared.log.base import LogUnavailable, Message
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.sqlite.database import Database, FileFormat
from prequel.shared.store.base import StoreUnavailable
from prequel.shared.store.sqlite import SqliteStore
from tests.contracts.processes import ROOT


class Target:
    """The log or the store on one path: how to use it, what it raises."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.path = folder / ("t.sqlite" if kind == "log" else "store.sqlite")
        self.error: type[Exception] = LogUnavailable if kind == "log" else StoreUnavailable

    def use(self) -> None:
        """Write and read one value in a handle of its own."""
        if self.kind == "log":
            log = SqliteLog(self.folder, busy_timeout_s=0.2)
            try:
                (position,) = log.append([Message("t", None, b"x")])
                assert log.read("t", 0, [position.offset])
            finally:
                log.close()
        else:
            store = SqliteStore(self.path, busy_timeout_s=0.2)
            try:
                store.put("k", b"x")
                assert store.get("k") == b"x"
            finally:
                store.close()

    def expect_refusal(self, message: str) -> None:
        """Use it, which must fail with this message and name the file."""
        with pytest.raises(self.error, match=message) as raised:
            self.use()
        assert self.path.name in str(raised.value)


@pytest.fixture(params=["log", "store"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    return Target(request.param, tmp_path / "folder")


def other_file(path: Path, kind: str = "else", version: int = 1) -> Database:
    return Database(path, FileFormat(kind, version, ["CREATE TABLE t (x)"]), error=RuntimeError)


def test_the_folder_and_the_file_are_made(target: Target) -> None:
    target.use()
    target.use()
    assert target.path.exists()


def test_an_empty_file_is_a_new_one(target: Target) -> None:
    target.folder.mkdir()
    target.path.touch()
    target.use()


def test_a_file_that_is_no_database_is_refused_and_left_alone(target: Target) -> None:
    target.folder.mkdir()
    target.path.write_bytes(b"my holiday photographs " * 1000)
    target.expect_refusal("move it away")
    assert target.path.read_bytes() == b"my holiday photographs " * 1000


@pytest.mark.parametrize("kind", ["else", "PQlg", "PQst", "\0\0\0\0"])
def test_another_database_is_refused_and_left_alone(target: Target, kind: str) -> None:
    if kind == ("PQlg" if target.kind == "log" else "PQst"):
        kind = "PQgr"
    other = other_file(target.path, kind, 0 if kind == "\0\0\0\0" else 1)
    with other.writing() as connection:
        connection.execute("INSERT INTO t VALUES (1)")
    target.expect_refusal("not the one expected")
    with other.reading() as connection:
        assert connection.execute("SELECT * FROM t").fetchall() == [(1,)]
    other.close()


def test_a_newer_format_is_refused_and_says_so(target: Target) -> None:
    other = other_file(target.path, "PQlg" if target.kind == "log" else "PQst", 2)
    with other.writing():
        pass
    other.close()
    target.expect_refusal(r"format 2.*install a newer Prequel")


def test_a_damaged_file_is_refused(target: Target) -> None:
    target.use()
    size = target.path.stat().st_size
    target.path.write_bytes(target.path.read_bytes()[:100] + b"\xa5" * (size - 100))
    target.expect_refusal("move it away, or restore it")


def test_a_file_that_another_process_has_locked_is_waited_for_then_reported(target: Target) -> None:
    target.use()
    locker = Database(target.path, FileFormat("PQlg" if target.kind == "log" else "PQst", 1, ()), error=RuntimeError)
    with locker.writing():
        target.expect_refusal("Another process has locked the file")
    locker.close()
    target.use()


def test_a_folder_that_is_a_file_is_reported(target: Target) -> None:
    target.folder.write_bytes(b"")
    target.expect_refusal("choose another folder")


@pytest.mark.parametrize("locked", ["folder", "file"])
def test_missing_write_access_is_reported(target: Target, locked: str) -> None:
    """In another process, as nobody where the tests run as root, who may write anything."""
    if locked == "file":
        target.use()
    target.folder.mkdir(exist_ok=True)
    for path in (*target.folder.rglob("*"), target.folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    script = f"""
        import os, tests.contracts.test_sqlite_files as t
        from pathlib import Path
        os.chdir({str(target.folder)!r})  # While we still may: the folders above are root's alone.
        if os.getuid() == 0:
            os.setgid(65534), os.setuid(65534)
        target = t.Target({target.kind!r}, Path("."))
        target.expect_refusal("Give this user write access")
    """
    run_script(script)


def test_every_connection_syncs_each_commit_and_leaves_checkpoints_to_prequel(tmp_path: Path) -> None:
    database = other_file(tmp_path / "file")
    for _ in range(2):
        with database.reading() as one, database.reading() as other:
            for connection in (one, other):
                pragmas = {
                    name: connection.execute(f"PRAGMA {name}").fetchone()[0]
                    for name in ("journal_mode", "synchronous", "wal_autocheckpoint", "trusted_schema")
                }
                assert pragmas == {
                    "journal_mode": "wal",
                    "synchronous": 2,
                    "wal_autocheckpoint": 0,
                    "trusted_schema": 0,
                }
    database.close()


def test_a_transaction_that_fails_leaves_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    database = other_file(tmp_path / "file")

    def fail() -> None:
        with database.writing() as connection:
            connection.execute("INSERT INTO t VALUES (1)")
            raise KeyError("whatever")

    for _ in range(3):
        with pytest.raises(KeyError):
            fail()
    with database.writing() as connection:
        connection.execute("INSERT INTO t VALUES (2)")
    with database.reading() as connection:
        assert connection.execute("SELECT * FROM t").fetchall() == [(2,)]
    database.close()


def test_in_a_forked_child_it_refuses_to_work_and_the_parent_goes_on(target: Target) -> None:
    script = f"""
        import os, tests.contracts.test_sqlite_files as t
        from pathlib import Path
        target = t.Target({target.kind!r}, Path({str(target.folder)!r}))
        handle = t.SqliteLog(target.folder) if target.kind == "log" else t.SqliteStore(target.path)
        use = (lambda: handle.bounds("t")) if target.kind == "log" else (lambda: handle.get("k"))
        use()
        if (child := os.fork()) == 0:
            try:
                use()
            except target.error as error:
                assert "before a fork" in str(error)
                handle.close()
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        use()
        target.use()
        handle.close()
    """
    run_script(script)


def test_a_log_with_other_partitions_is_refused(tmp_path: Path) -> None:
    before = SqliteLog(tmp_path, partitions={"t": 3})
    before.append([Message("t", None, b"x", (), 2)])
    before.close()
    for partitions in (1, 4, {"t": 2}, {}):
        log = SqliteLog(tmp_path, partitions=partitions)
        with pytest.raises(LogUnavailable, match=r"made with 3 partitions.*Set it back to 3"):
            log.bounds("t")
        log.close()
    again = SqliteLog(tmp_path, partitions=3)
    assert again.bounds("t")[2].end == 1
    again.close()


def run_script(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
