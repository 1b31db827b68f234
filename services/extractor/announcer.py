"""Announces this extractor's address in the store at intervals, for gateways of other processes."""

import logging
import random
import threading
from collections.abc import Callable

from prequel.shared import extraction
from prequel.shared.store.base import Store, StoreUnavailable

JITTER = 0.2
"""Part of the interval that is random: extractors that started together must not go on to write at the same moment."""

_log = logging.getLogger(__name__)


class Announcer:
    """Announces one address; where the store is unavailable, again at the next interval."""

    def __init__(self, store: Store, address: str, clock: Callable[[], float]) -> None:
        self._store, self._address, self._clock = store, address, clock
        self._failed = False

    def run(self, stop: threading.Event) -> None:
        """Blocks until ``stop``."""
        jitter = random.Random()
        while not stop.is_set():
            self.announce()
            stop.wait(extraction.ANNOUNCE_SECONDS * jitter.uniform(1 - JITTER, 1))

    def announce(self) -> None:
        """Announce once. Only the first of several failures is logged: nothing but predictions on demand needs this."""
        try:
            self._store.put(extraction.KEY, extraction.announcement(self._address, self._clock()))
            self._failed = False
        except StoreUnavailable as error:
            if not self._failed:
                _log.warning("cannot announce this extractor's address to gateways: %s; trying again", error)
            self._failed = True
