"""A store whose deleted values can be removed from its files at once (protocol): the embedded one."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class ScrubbableStore(Protocol):
    """Blocks, and raises StoreUnavailable. Of Redis, the server frees memory itself, and rewrites its file."""

    def scrub(self) -> bool:
        """A step towards files without a byte of what was deleted or replaced; whether that is reached.

        False also where a reader keeps an old version alive: call again. For one thread at a time.
        """
        ...
