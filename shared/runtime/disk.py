"""The space on the disk of the embedded log and store, and how much of it is reserved for what must go on."""

import os
from pathlib import Path
from typing import NamedTuple

RESERVE_PART = 16
RESERVE_BYTES = 256 * 2**20
"""Appends to the log leave a sixteenth of the disk free, but not more than this. Pruning, snapshots and the positions
of groups need space to write, and on a full disk nothing could make room again. With a quarter of it a snapshot of some
dozen streams would not fit; four times as much is a gigabyte that stays unused."""

SCARCE_RESERVES = 3
"""Space is scarce below this many reserves: images leave two of them free, and large ones are refused a bit earlier."""


class DiskSpace(NamedTuple):
    """Bytes of a disk: those that this user may still write, and all."""

    free: int
    total: int

    @property
    def reserve(self) -> int:
        """Bytes that appends leave free."""
        return min(self.total // RESERVE_PART, RESERVE_BYTES)

    @property
    def scarce(self) -> bool:
        """Whether images are refused, or soon will be."""
        return self.free < SCARCE_RESERVES * self.reserve


def disk_space(folder: Path) -> DiskSpace:
    """Takes microseconds. Raises OSError. Quotas are not seen: at the end of one the disk itself reports to be full."""
    stats = os.statvfs(folder)
    return DiskSpace(stats.f_bavail * stats.f_frsize, stats.f_blocks * stats.f_frsize)
