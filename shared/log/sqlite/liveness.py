"""Tells which group members have a living process: each locks a file, and the kernel unlocks those of the dead."""

import fcntl
from contextlib import suppress
from pathlib import Path
from typing import IO

from prequel.shared.log.base import LogUnavailable


class LivenessLocks:
    """Lock files in one folder. A process that is killed leaves no lock behind, unlike a flag in a database.

    A paused process keeps its locks, so they only prove that a member is dead, never that it makes progress.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, IO[bytes]] = {}

    def lock(self, member: str) -> None:
        """Lock the member's file, which is created. Raises LogUnavailable."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._files[member] = file = (self._folder / member).open("wb")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise LogUnavailable(f"{self._folder}: {error}. Give this user write access to that folder") from error

    def unlock(self, member: str) -> None:
        """From now on the member counts as dead. May be called again."""
        file = self._files.pop(member, None)
        if file is not None:
            file.close()

    def unlock_all(self) -> None:
        for member in list(self._files):
            self.unlock(member)

    def remove(self, member: str) -> None:
        """Unlock and delete the member's file."""
        self.unlock(member)
        with suppress(OSError):  # A file that nobody locks does no harm.
            (self._folder / member).unlink(missing_ok=True)

    def delete(self, member: str) -> None:
        """Delete the file of another process's member that is dead or evicted. Raises OSError."""
        (self._folder / member).unlink(missing_ok=True)

    def is_alive(self, member: str) -> bool:
        """Whether some process, this one included, has the member's file locked."""
        try:
            with (self._folder / member).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False
