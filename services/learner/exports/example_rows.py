"""The examples of a stream with the labels that they have now, read from the log in its order, in bounded memory."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from prequel.services.learner.exports.current_stream import CurrentStream
from prequel.services.learner.exports.example_row import CHANGING, ExampleRow, new_row
from prequel.services.learner.fold.outputs import Output
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.replay.last_labels import CHEAPEST_MODEL
from prequel.services.learner.replay.plan import ReplayPlan
from prequel.services.learner.replay.stream_replay import StreamReplay
from prequel.services.learner.replay.substitutes import find_substitutes
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.types import Label, Outcome, Prediction, Rejected
from prequel.shared.log.base import Position, Record

Note = Callable[[Sequence[ExampleRow], int], None]
"""Called with new rows, and the offset before which the log was read for them."""


def example_rows(current: CurrentStream, note: Note | None = None) -> Iterator[list[ExampleRow]]:
    """The rows in the log's order, a few hundred at a time.

    They come from a fold: of the log as its commands have made it, with hardly a model. What a label does, whether it
    corrects, waits or is too late, nobody else can know. An example is ready when it leaves the window, since no label
    reaches it any more; so memory holds a window of rows. Blocks; raises LogUnavailable.
    """
    plan, cache = current.plan, current.cache
    substitutes = find_substitutes(plan, cache, begin=current.begin)
    replay = StreamReplay(
        plan._replace(models=(CHEAPEST_MODEL,)),
        current.state.registry,
        cache.empty_copy(),
        begin=current.begin,
        substitutes=substitutes,
    )
    window = RowWindow(plan)
    for records in cache.read_range(plan.partition, current.begin, current.end):
        window.note_labels(records)
        rows = window.take(replay.apply(records))
        if note:
            note(rows, replay.position)
        if replay.state:
            yield window.ready(replay.state)
    yield window.rest()


class RowWindow:
    """The rows that a label may still change."""

    def __init__(self, plan: ReplayPlan) -> None:
        self._plan, self._key = plan, plan.stream.encode()
        self._rows = deque[ExampleRow]()
        self._oldest = 0
        """How many rows were ready before the first one here: the number that the fold has for it."""
        self._by_id: dict[str, ExampleRow] = {}
        self._labels: dict[Position, Label] = {}
        """Those of the newest records, and before them those that wait for their example."""

    def note_labels(self, records: Sequence[Record]) -> None:
        """Remember who gave the labels among these records, which are folded next."""
        for record in records:
            if record.key == self._key and (record.offset >= self._plan.begun or record.offset in self._plan.adopted):
                try:
                    event = decode_example(record)
                except Rejected:
                    continue
                if isinstance(event, Label):
                    self._labels[event.position] = event

    def take(self, outputs: Sequence[Output]) -> list[ExampleRow]:
        """The rows of the examples that are new; older ones are changed where their label was."""
        new = list[ExampleRow]()
        for _, event in sorted(outputs, key=lambda output: output.at.offset):
            if isinstance(event, Prediction):
                new.append(new_row(event, self._named(event.truth)))
                self._by_id[event.id] = new[-1]
            elif isinstance(event, Outcome) and event.status in CHANGING and event.id in self._by_id:
                label = self._labels.get(event.position)
                self._by_id[event.id].take(event._replace(label=self._named(event.label)), label)
        self._rows += new
        return new

    def ready(self, state: StreamState) -> list[ExampleRow]:
        """Remove and return the rows of the examples that have left the stream's window."""
        self._labels = {at: label for at, label in self._labels.items() if state.waiting.get(label.id)}
        ready = [self._rows.popleft() for _ in range(state.window.bounds[0] - self._oldest)]
        self._oldest += len(ready)
        for row in ready:
            if self._by_id.get(row.id) is row:
                del self._by_id[row.id]
        return ready

    def rest(self) -> list[ExampleRow]:
        """Those that are in the window at the end."""
        return list(self._rows)

    def _named(self, label: str | None) -> str | None:
        return None if label is None else self._plan.decisions.names.name(label)
