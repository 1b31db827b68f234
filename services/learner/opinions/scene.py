"""What a query works with: read at once under the learner's lock, and asked of without it."""

import threading
from dataclasses import dataclass

import numpy as np

from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.fold.vector_blocks import VectorBlocks
from prequel.services.learner.models.leave_one_out import leave_one_out
from prequel.services.learner.opinions.asking import Asking, Budget
from prequel.services.learner.opinions.memory import OpinionMemory, StreamMemory
from prequel.services.learner.opinions.orders import Mask, of_sample
from prequel.services.learner.opinions.served import Numbers, Served
from prequel.services.learner.opinions.suspects import LeavingOut, with_company
from prequel.services.learner.opinions.window_rows import WindowRows, window_rows
from prequel.shared.opinions import QueueRequest

LEFT_OUT = "left out"
"""In the memory: what the champion says without each example."""


@dataclass(kw_only=True)
class Scene:
    """``rows`` are the examples that are asked about, ``names`` int64 [classes] the numbers of what people call the
    classes, by class; ``leaves_out`` is whether the speaker can leave out an example, and is to."""

    state: StreamState
    blocks: VectorBlocks
    lock: threading.Lock
    rows: WindowRows
    memory: StreamMemory
    askings: list[Asking]
    speaker: int
    """The model whose opinion it is: the champion, or, before that has learned a label, the first that has."""
    others: list[int]
    """The other models that have learned a label."""
    leaves_out: bool
    names: Numbers
    numbers: dict[str, int]
    """Those numbers by name."""

    def ask(self, number: int, rows: WindowRows, budget: Budget) -> Served:
        """What model ``number`` says of ``rows``, which have slots; without those for which there was no time."""
        missing = rows.chosen(self.memory.missing(number, rows.sequences))
        if self.askings and len(missing.sequences):
            oldest = self.state.window.bounds[0]
            self.memory.add(number, self.askings[number].ask(missing, budget), oldest)
        said = self.memory.said(number)
        return said.at(rows.sequences[said.holds(rows.sequences)])

    def leave_out(self, beliefs: Served, budget: Budget) -> Served:
        """What the speaker says of examples without them; ``beliefs`` is what it says with them."""
        missing = beliefs.chosen(self.memory.missing(LEFT_OUT, beliefs.sequences))
        if self.memory.leaving_out is not None and len(missing.sequences):
            answers = self.memory.leaving_out.ask(self.rows_of(missing), missing, self.blocks, budget)
            self.memory.add(LEFT_OUT, answers, self.state.window.bounds[0])
        said = self.memory.said(LEFT_OUT)
        return said.at(beliefs.sequences[said.holds(beliefs.sequences)])

    def rows_of(self, said: Served) -> WindowRows:
        """The rows that something was said of."""
        return self.rows.chosen(np.searchsorted(self.rows.sequences, said.sequences))

    def predicted(self, said: Served, name: str) -> Mask:
        """Which examples the speaker calls so; an empty name: those it says nothing of yet."""
        wanted = self.numbers.get(name, -2) if name else -1
        return np.asarray(np.append(self.names, -1)[said.top_classes] == wanted)


def read_scene(
    state: StreamState, cache: FeatureCache, memory: OpinionMemory, lock: threading.Lock, request: QueueRequest
) -> Scene:
    """Blocks for the batch in progress; raises LogUnavailable."""
    begins = cache.begins()
    with lock:
        names = state.names_of(range(len(state.labels)))
        numbers = {name: number for number, name in enumerate(names)}
        blocks, suspects = cache.blocks(state.dim), request.by == "suspect"
        rows = _readable(window_rows(state, blocks, labelled=suspects), begins)
        by_class = np.array([numbers[name] for name in names], np.int64)
        rows = _filtered(rows, request, numbers, by_class)
        remembered = memory.of(state)
        speaker, *others = [number for number, model in enumerate(state.models) if model.labels] or [0]
        leaves_out = suspects and bool(state.models) and state.models[speaker].exact
        wanted = leaves_out and len(remembered.missing(LEFT_OUT, rows.sequences)) > 0
        if wanted and remembered.leaving_out is None:
            model = leave_one_out(state.models[speaker])
            remembered.leaving_out = LeavingOut(state, speaker, model) if model else None
        return Scene(
            state=state,
            blocks=blocks,
            lock=lock,
            rows=rows,
            memory=remembered,
            askings=[Asking(state, number, blocks, lock) for number in range(len(state.models))],
            speaker=speaker,
            others=others,
            leaves_out=leaves_out,
            names=by_class,
            numbers=numbers,
        )


def _readable(rows: WindowRows, begins: dict[int, int]) -> WindowRows:
    """Without those whose features retention has removed: they cannot be labelled any more."""
    begin = np.zeros(max([0, *begins]) + 1, np.int64)
    for partition, offset in begins.items():
        begin[partition] = offset
    return rows.chosen(rows.offsets >= begin[np.minimum(rows.partitions, len(begin) - 1)])


def _filtered(rows: WindowRows, request: QueueRequest, numbers: dict[str, int], names: Numbers) -> WindowRows:
    """Those of the request, as far as the window says it."""
    if request.by == "suspect":
        rows = with_company(rows)
        if request.truth is not None:
            rows = rows.chosen(names[rows.labels] == numbers.get(request.truth, -2))
    if request.sample is not None and len(rows.sequences):
        rows = rows.chosen(of_sample(rows) == request.sample)
    return rows
