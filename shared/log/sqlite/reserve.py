"""Refuses appends to the embedded log before the disk is full: on a full disk nothing could be pruned any more."""

import time

from prequel.shared.log.base import LogUnavailable
from prequel.shared.sqlite.database import Database
from prequel.shared.sqlite.errors import FULL_REMEDY
from prequel.shared.sqlite.wal import SPACE_CACHE_S
from prequel.shared.units import format_bytes

SPARE_PART = 16
"""This part of the room above the reserve may be used without another look at the disk: there are six files (four
topics, groups, store) that take from it at the same time."""


class DiskReserve:
    """Room on the disk that appends leave free. Used by one thread at a time: the one that writes."""

    def __init__(self, database: Database, page_bytes: int, reserves: int) -> None:
        """``reserves``: how many times the disk's reserve (see shared/runtime/disk.py) is left free."""
        self._database, self._page_bytes, self._reserves = database, page_bytes, reserves
        self._spare_bytes, self._spare_until = 0, float("-inf")

    def claim(self, size: int, records: int) -> None:
        """Make sure that ``records`` of ``size`` bytes together fit; raises LogUnavailable where they do not."""
        needed = self._needed_bytes(size, records)
        if needed <= self._spare_bytes and time.monotonic() < self._spare_until:
            self._spare_bytes -= needed
            return
        space = self._database.disk_space()
        left = space.free - needed - self._database.wal_size() - self._reserves * space.reserve
        if left >= 0:
            self._spare_bytes, self._spare_until = left // SPARE_PART, time.monotonic() + SPACE_CACHE_S
            return
        # Too little. Copying the WAL into the file frees what it holds twice; only then is the answer final.
        self._database.truncate_wal()
        space, wal_bytes = self._database.disk_space(), self._database.wal_size()
        if space.free - needed - wal_bytes < self._reserves * space.reserve:
            raise LogUnavailable(
                f"{self._database.path}: the disk has {format_bytes(space.free)} left, this append takes up to "
                f"{format_bytes(needed + wal_bytes)}, and {format_bytes(self._reserves * space.reserve)} "
                f"must stay free so that old records can be pruned. {FULL_REMEDY}"
            )

    def _needed_bytes(self, size: int, records: int) -> int:
        """Each record is written twice, into the WAL and from there into the file; and whole pages are."""
        return 2 * (size + min(size, records * self._page_bytes) + 4 * self._page_bytes)
