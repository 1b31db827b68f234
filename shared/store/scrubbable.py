"""A store whose deleted values can be removed from its files at once (protocol): the embedded one."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class ScrubbableStore(Protocol):
    """Blocks, and raises StoreUnavailable. Of Redis, the server frees memory itself, and rewrites its file."""

    def scrub(self, *, begin: bool) -> bool:
        """A step towards files without a byte of what was deleted or replaced before a call with ``begin``.

        Whether that is reached: until then call again, without. For one thread at a time.
        """
        ...
