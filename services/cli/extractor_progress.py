"""How far the extractors have come with the images of the log."""

from collections.abc import Mapping

from prequel.shared.log.base import IMAGES, Log


class ExtractorProgress:
    """By the position that their consumer group has committed. Every call blocks; raises LogUnavailable."""

    def __init__(self, log: Log, group: str) -> None:
        self._log, self._group = log, group

    def ends(self) -> dict[int, int]:
        """Partition -> where the images end now."""
        return {partition: bounds.end for partition, bounds in self._log.bounds(IMAGES).items()}

    def left(self, ends: Mapping[int, int]) -> int:
        """Images before ``ends`` that may not be finished; 0 says that the features of all of them are in the log."""
        now = self.ends()  # First: images that come between the two calls then count as left, never as finished.
        lag = self._log.lag(self._group, IMAGES)
        return sum(max(0, end - (now[partition] - lag[partition])) for partition, end in ends.items())
