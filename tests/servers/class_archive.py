"""The classes that a broker loads, kept in the form in which Java uses them: the next one starts in half the time."""

import fcntl
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tests.servers.jars import KAFKA, jars


@cache
def archive(make: Callable[[Path], None]) -> Path:
    """The archive's file, beside the jars; ``make`` writes it once for each installation of Java. Raises NoKafka.

    Java goes without one that does not fit it: then a start takes as long as before.
    """
    folder = jars().parent
    java = Path(shutil.which("java") or "java").resolve()
    file = folder / f"kafka-{KAFKA}-java-{int(java.stat().st_mtime)}.jsa"
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            _make(file, make)
    return file


def _make(file: Path, make: Callable[[Path], None]) -> None:
    """Only under the lock. The file appears whole or not at all."""
    with tempfile.TemporaryDirectory(dir=file.parent) as scratch:
        made = Path(scratch, file.name)
        make(made)
        made.rename(file)
