"""A lock that processes share through a file: exclusive or shared; the kernel releases it when its owner dies."""

import fcntl
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from prequel.shared.runtime.deadlines import FILE_LOCK_BACKOFF


class FileLock:
    """The file is made on first use, and with ``create`` its folder too. Methods raise OSError where that fails."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self._path, self._create = path, create

    @contextmanager
    def exclusive(self) -> Iterator[bool]:
        """Whether this caller has the lock, alone, until the end of the block. Does not wait for others to release."""
        with self._open() as file:
            yield _try(file, fcntl.LOCK_EX)

    @contextmanager
    def shared(self, timeout_s: float) -> Iterator[None]:
        """Keep others from the exclusive lock until the end of the block. Blocks while one has it: TimeoutError."""
        deadline, tries = time.monotonic() + timeout_s, 0
        with self._open() as file:
            while not _try(file, fcntl.LOCK_SH):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self._path} has been locked by another process for {timeout_s:g} s")
                tries += 1
                time.sleep(FILE_LOCK_BACKOFF.pause(tries, random.random()))
            yield

    def _open(self) -> IO[bytes]:
        if self._create:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        return self._path.open("ab")


def _try(file: IO[bytes], kind: int) -> bool:
    # flock on an open file: released when the file is closed, so no owner can leave it locked by dying.
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
