"""The disk that the embedded log and store lie on: its free room, and how much of it stays free for what must go on."""

import os
from pathlib import Path
from typing import NamedTuple

RESERVE_PART = 16
RESERVE_BYTES = 256 * 2**20
"""A sixteenth of the disk, but not more than this, is left free by what is appended to the log. Pruning, snapshots and
the positions of groups need room to write, and a disk that has none left is one that they cannot make room on. With
a quarter of it a snapshot of some dozen streams would not fit; four times as much is a gigabyte that nobody may use."""

SCARCE_RESERVES = 3
"""Times the reserve: images leave it free twice, and a large one is refused somewhat earlier."""


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
    """Costs microseconds. Raises OSError. A quota is not seen: where one ends, the disk itself says that it is full."""
    found = os.statvfs(folder)
    return DiskSpace(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)
