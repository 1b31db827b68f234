"""The lock between pruning and replays of the embedded log: one process prunes, or any number replay."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from prequel.shared.log.base import LogUnavailable
from prequel.shared.runtime.deadlines import REPLAY_WAIT_S
from prequel.shared.runtime.file_lock import FileLock

_Answer = TypeVar("_Answer")


class RetentionLock:
    """A lock file beside the topics' files. The kernel releases the locks of a process that is killed."""

    def __init__(self, path: Path, *, create: bool) -> None:
        self._file_lock = FileLock(path, create=create)

    @contextmanager
    def pruning(self) -> Iterator[bool]:
        """Whether this caller may prune until the end of the block: one process at a time, and none during a replay.

        Does not wait: who may not prune now comes again later. Raises LogUnavailable.
        """
        with _translated(self._file_lock.exclusive()) as may_prune:
            yield may_prune

    @contextmanager
    def replay(self) -> Iterator[None]:
        """Nothing is pruned until the end of the block.

        Waits while somebody prunes, for REPLAY_WAIT_S at most; raises LogUnavailable then.
        """
        with _translated(self._file_lock.shared(REPLAY_WAIT_S)):
            yield


@contextmanager
def _translated(lock: AbstractContextManager[_Answer]) -> Iterator[_Answer]:
    """Translate what entering the lock raises, and only that: the block under it has errors of its own."""
    with ExitStack() as stack:
        try:
            answer = stack.enter_context(lock)
        except OSError as error:  # TimeoutError is one too.
            raise LogUnavailable(f"{error}. Is the folder writable? Does another process prune the log?") from error
        yield answer
