"""The examples of a stream with the labels that they have now, read from the log in its order, in bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from prequel.services.learner.exports.current_stream import CurrentStream
from prequel.services.learner.exports.example_row import CHANGING, ExampleRow, new_row
from prequel.services.learner.fold.outputs import Output
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.replay.last_labels import CHEAPEST_MODEL
from prequel.services.learner.replay.plan import ReplayPlan
from prequel.services.learner.replay.rewriting import LastLabels, rebuilt_at
from prequel.services.learner.replay.stream_replay import StreamReplay
from prequel.services.learner.replay.substitutes import Substitutes, find_substitutes
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
    substitutes = find_substitutes(current.plan, current.cache, begin=current.begin)
    window = RowWindow(current.plan, _corrected(current, substitutes))
    for _ in _fold(current, window, substitutes, note):
        yield window.ready()
    yield window.rest()


def _corrected(current: CurrentStream, substitutes: Substitutes | None) -> dict[str, ExampleRow]:
    """By id, the rows whose labels were corrected when models were rebuilt: from then on the last label was the first
    one all the time."""
    before = rebuilt_at(current.plan.decisions)
    if before is None:
        return {}
    window = RowWindow(current.plan, {})
    for _ in _fold(current._replace(end=min(before, current.end)), window, substitutes):
        window.ready()
    return window.corrected


def _fold(
    current: CurrentStream, window: "RowWindow", substitutes: Substitutes | None, note: Note | None = None
) -> Iterator[None]:
    """Fold the log into the window, a batch of records a turn."""
    plan, cache, before = current.plan, current.cache, rebuilt_at(current.plan.decisions)
    replay = StreamReplay(
        plan._replace(models=(CHEAPEST_MODEL,)),
        current.state.registry,
        cache.empty_copy(),
        begin=current.begin,
        last_labels=LastLabels(before, window.last_labels) if before is not None and window.last_labels else None,
        substitutes=substitutes,
    )
    for records in cache.read_range(plan.partition, current.begin, current.end):
        window.note_labels(records)
        rows = window.take(replay.apply(records), replay.state)
        if note:
            note(rows, replay.position)
        yield


class RowWindow:
    """The rows that a label may still change; ``corrected`` are those of ``_corrected``.

    Labels are the fold's while they are here, and what people call them in the rows that are handed out.
    """

    def __init__(self, plan: ReplayPlan, corrected: Mapping[str, ExampleRow]) -> None:
        self._plan, self._key = plan, plan.stream.encode()
        self._last, self._rebuilt = corrected, rebuilt_at(plan.decisions) or 0
        self.last_labels = {id: row.label for id, row in corrected.items()}
        self.corrected: dict[str, ExampleRow] = {}
        """By id, those whose label has changed."""
        self._rows = deque[ExampleRow]()
        self._first, self._oldest = 0, 0
        """The numbers that the fold has for the first row here, and for the first in its window."""
        self._by_id: dict[str, ExampleRow] = {}
        self._labels: dict[Position, Label] = {}
        """Those of the newest records, and before them those that wait for their example."""

    def note_labels(self, records: Sequence[Record]) -> None:
        """Remember who gave the labels among these records, which are folded next."""
        plan = self._plan
        for record in records:
            if record.key == self._key and (record.offset >= plan.begun or record.offset in plan.adopted):
                try:
                    event = decode_example(record)
                except Rejected:
                    continue
                if isinstance(event, Label):
                    self._labels[event.position] = event

    def take(self, outputs: Sequence[Output], state: StreamState | None) -> list[ExampleRow]:
        """The rows of the examples that are new; older ones are changed where their label was."""
        new = list[ExampleRow]()
        for _, event in sorted(outputs, key=lambda output: output.at.offset):
            if isinstance(event, Prediction):
                new.append(new_row(event))
                self._by_id[event.id] = new[-1]
                self._note_author(new[-1], event.position)
            elif isinstance(event, Outcome) and event.status in CHANGING and event.id in self._by_id:
                self._change(self._by_id[event.id], event)
        self._rows += new
        if state:
            self._labels = {at: label for at, label in self._labels.items() if state.waiting.get(label.id)}
            self._oldest = state.window.bounds[0]
        return new

    def ready(self) -> list[ExampleRow]:
        """Remove and return the rows of the examples that have left the stream's window."""
        ready = [self._rows.popleft() for _ in range(self._oldest - self._first)]
        self._first = self._oldest
        for row in ready:
            if self._by_id.get(row.id) is row:
                del self._by_id[row.id]
        return self._named(ready)

    def rest(self) -> list[ExampleRow]:
        """Those that are in the window at the end."""
        return self._named(self._rows)

    def _change(self, row: ExampleRow, outcome: Outcome) -> None:
        row.take(outcome, self._labels.get(outcome.position))
        self._note_author(row, outcome.position)
        if outcome.status != "learned" or row.id in self.corrected:
            self.corrected[row.id] = row

    def _note_author(self, row: ExampleRow, position: Position) -> None:
        """Where models were rebuilt, the label that came first is that of who corrected it."""
        if row.label is not None and position.offset < self._rebuilt and (last := self._last.get(row.id)):
            row.by, row.why, row.labelled_at = last.by, last.why, last.labelled_at

    def _named(self, rows: Iterable[ExampleRow]) -> list[ExampleRow]:
        name = self._plan.decisions.names.name
        return [row if row.label is None else replace(row, label=name(row.label)) for row in rows]
