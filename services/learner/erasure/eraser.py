"""Erases the records of deleted streams from a log that can, a little at a time, once no replay needs them."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from prequel.services.learner.erasure.redaction import redacted_headers
from prequel.services.learner.fold.batch import FoldResult
from prequel.services.learner.fold.commands import Deletion
from prequel.shared.events.dead_letters import abridged
from prequel.shared.events.types import Rejected
from prequel.shared.log.base import EXAMPLES, TOPICS, Log, LogUnavailable, Record
from prequel.shared.log.erasable import ErasableLog
from prequel.shared.runtime.deadlines import ERASE_BACKOFF, ERASE_PAUSE_S
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.retry import Attempts
from prequel.shared.store.base import Store, StoreUnavailable

STEP_RECORDS = 250
"""Records of one step: with images of 100 KB some 10 MB are read. Twice as many and a slow disk is felt by appends."""
WORK_SECONDS = 0.05
"""How long learning waits for the steps of one turn; with half of it, erasing a large log takes twice as long."""

logger = logging.getLogger(__name__)


class RecordEraser:
    """Erases the deleted streams of one partition. For the learner's thread only; idle on a log that cannot erase.

    The order, and what goes wrong with another one:

    1. ``prepare_checkpoint``: where features of a stream that was erased already have come late, the store's note is
       set back to that deletion. If this came after the snapshot, a crash between the two would leave them in the log.
    2. The snapshot that has the deletion is committed. Erased earlier, a replay from the snapshot before would not find
       the records that it needs.
    3. ``checkpointed``: the records may be erased from here on, by ``work``.
    4. The store's note moves on. Moved earlier, a crash during the erasure would leave records.

    What is cut off by a crash is done again; a replay over records that are erased already ends in the same state.
    """

    def __init__(self, log: Log, store: Store, partition: int, clock: Callable[[], float], *, health: Health) -> None:
        self._log, self._store, self._partition, self._clock = log, store, partition, clock
        self._uncommitted: dict[str, Deletion] = {}
        """Deletions that no snapshot has yet, by stream."""
        self._due: deque[Deletion] = deque()
        """Deletions whose records are to be erased; the first one is in work."""
        self._steps: Iterator[None] | None = None
        self._attempts = Attempts(f"learner: erasing, partition {partition}", health, ERASE_BACKOFF, clock=clock)
        self._done = self._noted = 0

    def resume(self, deletions: Iterable[Deletion]) -> None:
        """Go on with the deletions of a snapshot that are not known to be done. Blocks; raises StoreUnavailable."""
        if isinstance(self._log, ErasableLog):
            self._done = self._noted = int(self._store.get(self._key) or 0)
            self._due.extend(deletion for deletion in deletions if deletion.position.offset >= self._done)

    def take(self, result: FoldResult) -> list[tuple[Record, Rejected]]:
        """Note the streams that were deleted, and late features of one; the rejected records for the dead letters.

        A dead letter of late features has no value: it would be erased at once.
        """
        if not isinstance(self._log, ErasableLog):
            return result.rejected
        self._uncommitted |= {deletion.stream: deletion for deletion in result.deletions}
        self._uncommitted |= {deletion.stream: deletion for deletion in result.late}
        return [abridged(*pair) if pair[1].reason == "stream-deleted" else pair for pair in result.rejected]

    def prepare_checkpoint(self) -> None:
        """The deletions taken are about to be in a snapshot: none is replayed. Blocks; raises StoreUnavailable."""
        if self._uncommitted:
            self._note()

    def checkpointed(self) -> None:
        """All deletions taken are in a snapshot: their records may be erased from here on."""
        waiting = list(self._due)[1:]  # The one in work may have passed the place of late features already.
        self._due.extend(deletion for deletion in self._uncommitted.values() if deletion not in waiting)
        self._uncommitted = {}

    def poll_timeout(self, idle: float) -> float:
        """Seconds until the next turn should come; ``idle`` where there is nothing to do."""
        return ERASE_PAUSE_S if self._due and self._attempts.due else idle

    def work(self) -> None:
        """Do a little. Blocks. Where log or store refuse, that is reported and tried again: it costs no state."""
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
            self._note(skip=1)
            logger.info("stream %s was deleted: its records are erased", deletion.stream)
            self._due.popleft()
            self._steps = None

    def _note(self, skip: int = 0) -> None:
        """Store the position before which every deletion is done, without the first ``skip`` of those that are due."""
        unfinished = [*list(self._due)[skip:], *self._uncommitted.values()]
        position = min([self._done, *(deletion.position.offset for deletion in unfinished)])
        if position != self._noted:
            self._store.put(self._key, str(position).encode())
            self._noted = position

    def _erase(self, deletion: Deletion) -> Iterator[None]:
        """Erase in steps, of every topic: the generator's next step is taken when there is time."""
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
                            redact=lambda record: redacted_headers(record, deletion),
                        )
                        yield
            while not self._log.scrub(topic):
                yield

    @property
    def _key(self) -> str:
        """Where the store has the position in ``examples`` before which every deletion is done."""
        return f"erased/{self._partition}"
