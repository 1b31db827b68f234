"""Erases the records of deleted streams from a log that can, a little at a time, once no replay needs them."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from prequel.services.learner.fold.commands import Deletion
from prequel.services.learner.fold.erased import left_of
from prequel.services.learner.fold.partition import Folded
from prequel.shared.events.dead_letters import abridged
from prequel.shared.events.types import Rejected
from prequel.shared.log.base import EXAMPLES, TOPICS, Log, LogUnavailable, Record
from prequel.shared.log.erasable import ErasableLog
from prequel.shared.runtime.deadlines import ERASE_BACKOFF, ERASE_PAUSE_S
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.retry import Attempts
from prequel.shared.store.base import Store, StoreUnavailable

STEP_RECORDS = 250
"""Looked at in one step: of images of 100 KB some 10 MB are read. Twice as many and a slow disk is felt by appends."""
WORK_SECONDS = 0.05
"""How long learning waits for the steps of one turn; half of it and a large log takes twice as long."""

logger = logging.getLogger(__name__)


class Erasures:
    """Of one partition's streams, for the learner's thread only; does nothing on a log that cannot erase.

    Order, never changed: the store's note that there is something to erase, where it says otherwise (late features of
    a stream that was done) -> the snapshot that has it -> the records are erased -> the note that they are. Whatever is
    cut off is done again; a replay over records that are erased already ends in the same state.
    """

    def __init__(self, log: Log, store: Store, partition: int, clock: Callable[[], float], health: Health) -> None:
        self._log, self._store, self._partition, self._clock = log, store, partition, clock
        self._uncommitted: dict[str, Deletion] = {}
        self._due: deque[Deletion] = deque()
        self._steps: Iterator[None] | None = None
        self._attempts = Attempts(f"learner: erasing, partition {partition}", health, ERASE_BACKOFF, clock=clock)
        self._done = self._noted = 0

    def resume(self, deletions: Iterable[Deletion]) -> None:
        """Go on with those of a snapshot that are not known to be done. Blocks; raises StoreUnavailable."""
        if isinstance(self._log, ErasableLog):
            self._done = self._noted = int(self._store.get(self._key) or 0)
            self._due.extend(each for each in deletions if each.position.offset >= self._done)

    def take(self, folded: Folded) -> list[tuple[Record, Rejected]]:
        """Take note of the streams that were deleted, and of late features of one: of these no value is kept."""
        if not isinstance(self._log, ErasableLog):
            return folded.rejected
        self._uncommitted |= {each.stream: each for each in folded.deletions}
        self._uncommitted |= {each.stream: each for each in folded.late}
        return [abridged(*pair) if pair[1].reason == "stream-deleted" else pair for pair in folded.rejected]

    def commit(self) -> None:
        """What was taken is about to be in a snapshot, and will not come again. Blocks; raises StoreUnavailable."""
        if self._uncommitted:
            self._note()

    def committed(self) -> None:
        """All that was taken is in a snapshot."""
        begun = list(self._due)[1:]  # What is under way has perhaps passed the place already.
        self._due.extend(each for each in self._uncommitted.values() if each not in begun)
        self._uncommitted = {}

    def patience(self, idle: float) -> float:
        """Seconds that the next turn may be away."""
        return ERASE_PAUSE_S if self._due and self._attempts.due else idle

    def work(self) -> None:
        """Do a little. Blocks. Where log or store refuse, that is told and tried again: it costs no state."""
        if self._due and not self._attempts.run(self._turn, LogUnavailable, StoreUnavailable):
            self._steps = None

    def _turn(self) -> None:
        began = self._clock()
        while self._due and self._clock() - began < WORK_SECONDS:
            self._step()

    def _step(self) -> None:
        deletion = self._due[0]
        self._steps = self._steps or self._erase(deletion)
        if next(self._steps, self) is self:
            self._done = max(self._done, deletion.position.offset + 1)
            self._note(after=1)
            logger.info("stream %s was deleted: its records are erased", deletion.stream)
            self._due.popleft()
            self._steps = None

    def _note(self, after: int = 0) -> None:
        """Note the position before which every deletion is done, ``after`` so many of those that are due."""
        left = [*list(self._due)[after:], *self._uncommitted.values()]
        noted = min([self._done, *(each.position.offset for each in left)])
        if noted != self._noted:
            self._store.put(self._key, str(noted).encode())
            self._noted = noted

    def _erase(self, deletion: Deletion) -> Iterator[None]:
        assert isinstance(self._log, ErasableLog)
        for topic in TOPICS:
            for partition, (begin, end) in self._log.bounds(topic).items():
                if topic != EXAMPLES or partition == self._partition:
                    for offset in range(begin, end, STEP_RECORDS):
                        offsets = range(offset, min(offset + STEP_RECORDS, end))
                        self._log.erase(
                            topic,
                            partition,
                            offsets,
                            mentioning=deletion.stream.encode(),
                            redact=lambda record: left_of(record, deletion),
                        )
                        yield
            while not self._log.scrub(topic):
                yield

    @property
    def _key(self) -> str:
        """Where the store has the position in ``examples`` before which every deletion is done."""
        return f"erased/{self._partition}"
