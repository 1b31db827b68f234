"""A small disk of its own for the tests of the embedded log and store, and what fills it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from prequel.shared.log.base import LogUnavailable, Message, Position
from prequel.shared.log.sqlite.log import SqliteLog


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


def fill(log: SqliteLog, acknowledged: dict[Position, bytes], max_appends: int = 10_000) -> str:
    """Append until the log refuses; the message of its error. ``acknowledged`` gets what was acknowledged."""
    for number in range(max_appends):
        values = [b"%d.%d." % (number, n) + os.urandom(8000) for n in range(5)]
        try:
            positions = log.append([Message("t", None, value) for value in values])
        except LogUnavailable as error:
            return str(error)
        acknowledged.update(zip(positions, values, strict=True))
    raise AssertionError("the disk never filled up")


def fill_completely(disk: Path) -> None:
    """Leave not a byte of it free, as somebody else may."""
    with suppress(OSError), (disk / "ballast").open("ab", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))


def write_until_refused(error: type[Exception], write: Callable[[int], object]) -> tuple[str, int]:
    """Write 0, 1, 2 and so on until that fails; the error's message, and which number failed."""
    for number in range(10_000):
        try:
            write(number)
        except error as refused:
            return str(refused), number
    raise AssertionError("the disk never filled up")
