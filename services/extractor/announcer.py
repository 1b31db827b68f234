"""Says in the store, again and again, where this extractor answers: gateways of other processes find it there."""

import logging
import random
import threading
from collections.abc import Callable

from prequel.shared import extraction
from prequel.shared.store.base import Store, StoreUnavailable

JITTER = 0.2
"""Of the interval: extractors that started together must not write together for ever."""

_log = logging.getLogger(__name__)


class Announcer:
    """Announces one address for one backbone until told to stop; a store that is away is tried again."""

    def __init__(self, store: Store, backbone: str, address: str, clock: Callable[[], float]) -> None:
        self._store, self._backbone, self._address, self._clock = store, backbone, address, clock
        self._lost = False

    def run(self, stop: threading.Event) -> None:
        """Blocks until ``stop``."""
        chance = random.Random()
        while not stop.is_set():
            self.announce()
            stop.wait(extraction.ANNOUNCE_SECONDS * chance.uniform(1 - JITTER, 1))

    def announce(self) -> None:
        """Once; where the store is away that is said, the first time. Trials fail meanwhile, nothing else does."""
        try:
            self._store.put(
                extraction.announcement_key(self._backbone), extraction.announcement(self._address, self._clock())
            )
            self._lost = False
        except StoreUnavailable as error:
            if not self._lost:
                _log.warning("gateways cannot be told where this extractor is: %s; it is tried again", error)
            self._lost = True
