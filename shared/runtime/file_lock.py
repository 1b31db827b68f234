"""A lock that processes share through a file: one alone, or any number together; the kernel lets go of the dead."""

import fcntl
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from prequel.shared.runtime.deadlines import FILE_LOCK_BACKOFF


class FileLock:
    """Methods raise OSError where the file cannot be made. It is made on first use, with ``create`` its folder too."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self._path, self._create = path, create

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether it is ours alone until the end of the block: False at once where anybody else has it."""
        with self._open() as file:
            yield _try(file, fcntl.LOCK_EX)

    @contextmanager
    def together(self, timeout_s: float) -> Iterator[None]:
        """Keep everybody from having it alone. Blocks while somebody has; raises TimeoutError."""
        deadline, tries = time.monotonic() + timeout_s, 0
        with self._open() as file:
            while not _try(file, fcntl.LOCK_SH):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self._path} was held for {timeout_s:g} s")
                tries += 1
                time.sleep(FILE_LOCK_BACKOFF.pause(tries, random.random()))
            yield

    def _open(self) -> IO[bytes]:
        if self._create:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        return self._path.open("ab")


def _try(file: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
