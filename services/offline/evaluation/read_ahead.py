"""Reads the next rows on a thread of its own while the ones before are learned."""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


class ReadAhead:
    """Iterates over what ``source`` yields, one item ahead. ``seconds`` is how long it has been read for.

    Two batches are in memory: more would not be faster, as one side always waits for the other.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.seconds = 0.0

    def items(self, source: Iterator[Item]) -> Generator[Item, None, None]:
        """Raises what ``source`` does. Closing the iterator waits for the item that is being read."""
        with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
            following = reader.submit(self._next, source)
            while (item := following.result()) is not None:
                following = reader.submit(self._next, source)
                yield item

    def _next(self, source: Iterator[Item]) -> Item | None:
        began = self._clock()
        item = next(source, None)
        self.seconds += self._clock() - began
        return item
