"""Erases deleted streams and forgotten images for good, a little at a time, once no replay needs their records."""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from prequel.services.learner.erasure.redaction import redacted
from prequel.services.learner.erasure.waiting import WaitingImages
from prequel.services.learner.fold.batch import FoldResult
from prequel.services.learner.fold.commands import Deletion, Forgotten, Removal
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.snapshots.snapshots import Snapshots
from prequel.shared.events.dead_letters import abridged
from prequel.shared.events.types import Rejected
from prequel.shared.images.encryption import delete_keys
from prequel.shared.log.base import EXAMPLES, IMAGES, TOPICS, Log, LogUnavailable, Record
from prequel.shared.log.erasable import ErasableLog
from prequel.shared.runtime.deadlines import ERASE_BACKOFF, ERASE_PAUSE_S
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.retry import Attempts
from prequel.shared.store.base import Store, StoreUnavailable
from prequel.shared.store.scrubbable import ScrubbableStore

STEP_RECORDS = 250
"""Records of one step: with images of 100 KB some 10 MB are read. Twice as many and a slow disk is felt by appends."""
WORK_SECONDS = 0.05
"""How long learning waits for the steps of one turn; with half of it, erasing a large log takes twice as long."""
UNWANTED = ("stream-deleted", "forgotten")
"""Reasons of dead letters that would be erased at once if they kept what was rejected."""

logger = logging.getLogger(__name__)


class RecordEraser:
    """Erases what is deleted and forgotten in one partition. For the learner's thread only.

    The order, and what goes wrong with another one:

    1. ``prepare_checkpoint``: where features of what was erased already have come late, the store's note is set back to
       that command. If this came after the snapshot, a crash between the two would leave them in the log.
    2. The snapshot is committed that has the deletion, or the state of a stream that never had the forgotten image.
       Erased earlier, a replay from the snapshot before would not find the records that it needs.
    3. ``checkpointed``: it may be erased from here on, by ``work``.
    4. Of forgotten images, older snapshots are dropped: they still have them, and would need their records.
    5. Then their records, or on a log that cannot erase, the keys of the images; and what is free in the files.
    6. The store's note moves on. Moved earlier, a crash during the erasure would leave records.

    What is cut off by a crash is done again; a replay over records that are erased already ends in the same state.
    """

    def __init__(
        self,
        log: Log,
        store: Store,
        partition: int,
        clock: Callable[[], float],
        *,
        snapshots: Snapshots,
        health: Health,
    ) -> None:
        self._log, self._store, self._partition, self._clock = log, store, partition, clock
        self._snapshots = snapshots
        self._uncommitted: dict[tuple[str, int], Removal] = {}
        """What no snapshot has yet, by stream and offset of the command."""
        self._waiting = WaitingImages()
        self._due: deque[Removal] = deque()
        """What is to be erased; the first one is in work."""
        self._steps: Iterator[None] | None = None
        self._attempts = Attempts(f"learner: erasing, partition {partition}", health, ERASE_BACKOFF, clock=clock)
        self._done = self._noted = 0

    def resume(self, deletions: Mapping[str, Deletion], streams: Mapping[str, StreamState]) -> None:
        """Go on with what a snapshot says was removed, as far as it is not known to be done.

        Blocks; raises StoreUnavailable.
        """
        self._done = self._noted = int(self._store.get(self._key) or 0)
        if isinstance(self._log, ErasableLog):
            self._due.extend(deletion for deletion in deletions.values() if deletion.position.offset >= self._done)
        self._due.extend(self._waiting.caught_up(streams, done=self._done))

    def take(self, result: FoldResult) -> list[tuple[Record, Rejected]]:
        """Note what was deleted, and late features of it; the rejected records for the dead letters.

        A dead letter of late features has no value: it would be erased at once.
        """
        if not isinstance(self._log, ErasableLog):
            return [abridged(*pair) if pair[1].reason == "forgotten" else pair for pair in result.rejected]
        removals = [*result.deletions, *result.late]
        self._uncommitted |= {(removal.stream, removal.position.offset): removal for removal in removals}
        return [abridged(*pair) if pair[1].reason in UNWANTED else pair for pair in result.rejected]

    def prepare_checkpoint(self) -> None:
        """What was taken is about to be in a snapshot: none is replayed. Blocks; raises StoreUnavailable."""
        if self._uncommitted:
            self._note()

    def checkpointed(self, streams: Mapping[str, StreamState]) -> None:
        """All that was taken is in a snapshot, with ``streams`` as they are: it may be erased from here on.

        Not yet an image of a stream that has not caught up with the command to forget it.
        """
        queued = list(self._due)[1:]  # The one in work may have passed the place of late features already.
        again = [each for each in self._uncommitted.values() if not self._waiting.has(each) and each not in queued]
        self._due.extend(again)
        self._due.extend(self._waiting.caught_up(streams, done=self._done))
        self._uncommitted = {}

    def poll_timeout(self, idle: float) -> float:
        """Seconds until the next turn should come; ``idle`` where there is nothing to do."""
        return ERASE_PAUSE_S if self._due and self._attempts.due else idle

    def work(self) -> None:
        """Do a little. Blocks. Where log or store refuse, that is reported and tried again: it costs no state.

        Raises Fenced where another learner has the partition now.
        """
        if self._due and not self._attempts.run(self._turn, LogUnavailable, StoreUnavailable):
            self._steps = None

    def _turn(self) -> None:
        began = self._clock()
        while self._due and self._clock() - began < WORK_SECONDS:
            self._step()

    def _step(self) -> None:
        removal = self._due[0]
        self._steps = self._steps or self._erase(removal)
        if next(self._steps, self) is self:
            self._done = max(self._done, removal.position.offset + 1)
            self._note(skip=1)
            logger.info("stream %s: %s", removal.stream, _said(removal))
            self._due.popleft()
            self._steps = None

    def _note(self, skip: int = 0) -> None:
        """Store the position before which everything is done, without the first ``skip`` of those that are due."""
        unfinished = [*list(self._due)[skip:], *self._uncommitted.values(), *self._waiting]
        position = min([self._done, *(removal.position.offset for removal in unfinished)])
        if position != self._noted:
            self._store.put(self._key, str(position).encode())
            self._noted = position

    def _erase(self, removal: Removal) -> Iterator[None]:
        """Erase in steps: the generator's next step is taken when there is time."""
        if isinstance(removal, Forgotten):
            self._snapshots.keep_newest()
            yield
            delete_keys(self._store, removal.stream, removal.ids)
            yield
        if isinstance(self._log, ErasableLog):
            yield from self._erase_records(self._log, removal)
        if isinstance(removal, Forgotten) and isinstance(self._store, ScrubbableStore):
            yield from _repeated(self._store.scrub)

    def _erase_records(self, log: ErasableLog, removal: Removal) -> Iterator[None]:
        bounds = {topic: self._log.bounds(topic) for topic in TOPICS}
        if isinstance(removal, Forgotten) and not removal.images:  # Given without: those that there are now.
            removal = removal._replace(images={partition: end for partition, (_, end) in bounds[IMAGES].items()})
        for topic in TOPICS:
            for partition, (begin, end) in bounds[topic].items():
                if topic != EXAMPLES or partition == self._partition:
                    for offset in range(begin, end, STEP_RECORDS):
                        offsets = range(offset, min(offset + STEP_RECORDS, end))
                        log.erase(
                            topic,
                            partition,
                            offsets,
                            mentioning=removal.stream.encode(),
                            redact=lambda record: redacted(record, removal),
                        )
                        yield
            yield from _repeated(partial(log.scrub, topic))

    @property
    def _key(self) -> str:
        """Where the store has the position in ``examples`` before which everything is done."""
        return f"erased/{self._partition}"


def _repeated(scrub: Callable[..., bool]) -> Iterator[None]:
    done = scrub(begin=True)
    while not done:
        yield
        done = scrub(begin=False)


def _said(removal: Removal) -> str:
    if isinstance(removal, Deletion):
        return "it was deleted, and its records are erased"
    return f"{len(removal.ids)} images were forgotten, and their records or keys are erased"
