"""The join of features and labels: the window of examples that a label can still reach, and what waits for them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.predictions import NOTHING, TOP, Guess
from prequel.services.learner.snapshots.blobs import Part, part
from prequel.shared.log.base import Position

CHUNK = 1024
FIRST_ROWS = 64
"""Of a chunk that has just begun; CHUNK is this times a power of 4."""
UNLABELLED = UNSCORED = -1
UNTOLD = -2
"""The first label of an example whose own label is no class: it was refused, or another had come before it."""

_ENTRY = np.dtype(
    [
        ("partition", "<i4"),
        ("offset", "<i8"),
        ("time", "<f8"),
        ("label", "<i4"),
        ("score", "<i8"),
        ("learned", "<i8"),
        ("unknown", "<i4"),
        ("remains", "<i4"),
        ("first", "<i4"),
        ("digest", "<u8"),
    ]
)

Arrays = dict[str, npt.NDArray[Any]]


class First(NamedTuple):
    """How an example came: its label then (UNLABELLED, UNTOLD), and 64 bits of its image's digest, 0 where unknown."""

    label: int
    digest: int


class Chunk:
    """Up to 1,024 consecutive examples: the unit in which the window is stored again when something in it changed."""

    def __init__(self, first: int, models: int, width: int) -> None:
        self.first = first
        self.ids: list[str] = []
        self.entries = np.zeros(FIRST_ROWS, _ENTRY)
        self.top_classes = np.full((models, FIRST_ROWS, width), -1, "<i4")
        self.top_probabilities = np.zeros((models, FIRST_ROWS, width), "<f4")
        self.known = np.zeros((models, FIRST_ROWS), "<i4")
        self.saved: Part | None = None
        self.columns = _columns(self.entries)
        """The fields of ``entries`` by name: to make such a view takes longer than what it is made for."""

    def append(
        self, id: str, position: Position, time: float, guesses: Sequence[Guess], unknown: bool, first: "First"
    ) -> None:
        row = len(self.ids)
        if row == len(self.entries):
            self._resize(4 * row)
        self.ids.append(id)
        self.entries[row] = (position.partition, position.offset, time, UNLABELLED, UNSCORED, 0, unknown, 0, *first)
        self._put(row, enumerate(guesses))
        self.saved = None

    def remodel(self, kept: Sequence[int | None], added: Sequence[Sequence[Guess]]) -> None:
        """New model n is the old one ``kept[n]``, or the next of ``added``: its guess of each row."""
        old = self.top_classes, self.top_probabilities, self.known
        models, (_, rows, width) = len(kept), self.top_classes.shape
        self.top_classes = np.full((models, rows, width), -1, "<i4")
        self.top_probabilities = np.zeros((models, rows, width), "<f4")
        self.known = np.zeros((models, rows), "<i4")
        news = iter(added)
        for number, before in enumerate(kept):
            if before is not None:
                self.top_classes[number], self.top_probabilities[number], self.known[number] = (a[before] for a in old)
                continue
            for row, guess in enumerate(next(news)):
                self._put(row, [(number, guess)])
        self.saved = None

    def _put(self, row: int, guesses: Iterable[tuple[int, Guess]]) -> None:
        """Of some models, by their numbers."""
        for model, (classes, probabilities, known) in guesses:
            width = len(classes)
            if width > self.top_classes.shape[2]:
                self._widen()
            self.top_classes[model, row, :width] = classes
            self.top_probabilities[model, row, :width] = probabilities
            self.known[model, row] = known

    def guesses(self, row: int) -> list[Guess]:
        rows = self.top_classes[:, row].tolist(), self.top_probabilities[:, row].tolist(), self.known[:, row].tolist()
        return [
            Guess(classes[: max(0, min(TOP, known))], probabilities[: max(0, min(TOP, known))], known)
            for classes, probabilities, known in zip(*rows, strict=True)
        ]

    def part(self) -> Part:
        if self.saved is None:
            filled = len(self.ids)
            arrays = {
                "entries": self.entries[:filled].view(np.uint8),
                "top_classes": self.top_classes[:, :filled],
                "top_probabilities": self.top_probabilities[:, :filled],
                "known": self.known[:, :filled],
            }
            self.saved = part({"first": self.first, "ids": self.ids}, arrays)
        return self.saved

    @classmethod
    def from_parts(cls, meta: dict[str, Any], arrays: Arrays, saved: Part) -> "Chunk":
        models, filled, width = arrays["top_classes"].shape
        self = cls(meta["first"], models, width)
        self.ids = meta["ids"]
        if filled > FIRST_ROWS:
            self._resize(CHUNK)
        self.entries[:filled] = arrays["entries"].view(_ENTRY)
        self.top_classes[:, :filled] = arrays["top_classes"]
        self.top_probabilities[:, :filled] = arrays["top_probabilities"]
        self.known[:, :filled] = arrays["known"]
        self.saved = saved
        return self

    def _resize(self, rows: int) -> None:
        """Room for so many examples: a stream of a few must not take that of a thousand."""
        more = rows - len(self.entries)
        self.entries = np.concatenate([self.entries, np.zeros(more, _ENTRY)])
        self.columns = _columns(self.entries)
        self.top_classes = np.pad(self.top_classes, ((0, 0), (0, more), (0, 0)), constant_values=-1)
        self.top_probabilities = np.pad(self.top_probabilities, ((0, 0), (0, more), (0, 0)))
        self.known = np.pad(self.known, ((0, 0), (0, more)))

    def _widen(self) -> None:
        models, rows, width = self.top_classes.shape
        grown = np.full((models, rows, TOP), -1, "<i4"), np.zeros((models, rows, TOP), "<f4")
        grown[0][:, :, :width], grown[1][:, :, :width] = self.top_classes, self.top_probabilities
        self.top_classes, self.top_probabilities = grown


def _columns(entries: npt.NDArray[Any]) -> Arrays:
    return {name: entries[name] for name in _ENTRY.fields or ()}


class Entry:
    """One example in the window, read and changed in place."""

    def __init__(self, chunk: Chunk, row: int) -> None:
        self._chunk, self._row = chunk, row

    @property
    def sequence(self) -> int:
        """How many examples came before it."""
        return self._chunk.first + self._row

    @property
    def position(self) -> Position:
        """Where its feature event stands."""
        return Position(self._get("partition"), self._get("offset"))

    @property
    def time(self) -> float:
        return float(self._get("time"))

    @property
    def label(self) -> int:
        return int(self._get("label"))

    @property
    def score(self) -> int:
        """Its index in the prequential metrics, -1 where it was not scored."""
        return int(self._get("score"))

    @property
    def learned(self) -> int:
        """How many examples had been scored when its present label was learned."""
        return int(self._get("learned"))

    @property
    def guesses(self) -> list[Guess]:
        return self._chunk.guesses(self._row)

    @property
    def first(self) -> First:
        return First(self._get("first"), self._get("digest"))

    @property
    def unknown(self) -> bool:
        """Whether the champion abstained."""
        return bool(self._get("unknown"))

    @property
    def remains(self) -> bool:
        """Whether something of a label that it has no more is left in some model."""
        return bool(self._get("remains"))

    def set(self, label: int, score: int, learned: int, remains: bool) -> None:
        columns, row = self._chunk.columns, self._row
        columns["label"][row], columns["score"][row] = label, score
        columns["learned"][row], columns["remains"][row] = learned, remains
        self._chunk.saved = None

    def _get(self, column: str) -> Any:
        return self._chunk.columns[column].item(self._row)


class Window:
    """The newest ``size`` examples by id."""

    def __init__(self, size: int, models: int) -> None:
        self._size, self._models = size, models
        self._chunks: deque[Chunk] = deque()
        self._sequence: dict[str, int] = {}
        self._next = 0
        self._oldest = 0

    def __contains__(self, id: str) -> bool:
        return id in self._sequence

    def __len__(self) -> int:
        return self._next - self._oldest

    def find(self, id: str) -> Entry | None:
        sequence = self._sequence.get(id)
        return None if sequence is None else self._entry(sequence)

    def oldest(self) -> Entry | None:
        """The example that leaves the window next."""
        return self._entry(self._oldest) if len(self) else None

    def append(
        self, id: str, position: Position, time: float, guesses: Sequence[Guess], unknown: bool, first: First
    ) -> Entry:
        if not self._chunks or len(self._chunks[-1].ids) == CHUNK:
            self._chunks.append(Chunk(self._next, self._models, max(len(guess.classes) for guess in guesses)))
        chunk = self._chunks[-1]
        chunk.append(id, position, time, guesses, unknown, first)
        self._sequence[id] = self._next
        self._next += 1
        return Entry(chunk, len(chunk.ids) - 1)

    def expire(self) -> Iterator[tuple[str, bool]]:
        """Take out what is beyond the size: (id, whether it had a label)."""
        while len(self) > self._size:
            chunk, row = self._chunks[0], self._oldest - self._chunks[0].first
            id = chunk.ids[row]
            del self._sequence[id]
            self._oldest += 1
            if row + 1 == CHUNK:
                self._chunks.popleft()
            yield id, chunk.columns["label"].item(row) != UNLABELLED

    def resize(self, size: int) -> None:
        """From here on it is to hold so many: ``expire`` then takes out what is beyond."""
        self._size = size

    def remodel(self, kept: Sequence[int | None], guess: Callable[[str, Entry], Sequence[Guess]]) -> None:
        """New model n is the old one ``kept[n]``, or the next of those that ``guess`` tells of an example."""
        self._models = len(kept)
        for chunk in self._chunks:
            gone = max(0, self._oldest - chunk.first)
            live = [guess(id, Entry(chunk, row)) for row, id in enumerate(chunk.ids[gone:], gone)]
            rows = [(NOTHING,) * kept.count(None)] * gone + live
            chunk.remodel(kept, list(zip(*rows, strict=True)))

    def facts(self) -> list[tuple[str, Position, int]]:
        """Id, position and label of each example: what no model's rounding can change."""
        entries = [(chunk, row) for chunk in self._chunks for row in range(len(chunk.ids))][self._oldest % CHUNK :]
        return [(chunk.ids[row], Entry(chunk, row).position, Entry(chunk, row).label) for chunk, row in entries]

    def parts(self) -> dict[str, Part]:
        return {f"window.{chunk.first // CHUNK:08d}": chunk.part() for chunk in self._chunks}

    @property
    def bounds(self) -> tuple[int, int]:
        """Sequence numbers of the oldest example and of the next one."""
        return self._oldest, self._next

    @classmethod
    def from_chunks(cls, size: int, models: int, chunks: Sequence[Chunk], bounds: tuple[int, int]) -> "Window":
        self = cls(size, models)
        self._chunks = deque(chunks)
        self._oldest, self._next = bounds
        for chunk in chunks:
            gone = max(0, self._oldest - chunk.first)  # of the oldest chunk; such an id may have come again since
            self._sequence.update((id, chunk.first + row) for row, id in enumerate(chunk.ids[gone:], gone))
        return self

    def _entry(self, sequence: int) -> Entry:
        chunk = self._chunks[(sequence - self._chunks[0].first) // CHUNK]
        return Entry(chunk, sequence - chunk.first)


class Duplicates:
    """Ids that have left the window, as 64-bit BLAKE2 hashes: so many of the newest as ``size`` says."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._order: deque[int] = deque()
        self._known: set[int] = set()

    def __contains__(self, id: str) -> bool:
        return bool(self._known) and _hash(id) in self._known

    def add(self, id: str) -> None:
        value = _hash(id)
        if self._size and value not in self._known:
            self._order.append(value)
            self._known.add(value)
            if len(self._order) > self._size:
                self._known.remove(self._order.popleft())

    def resize(self, size: int) -> None:
        """From here on remember so many."""
        self._size = size
        while len(self._order) > size:
            self._known.remove(self._order.popleft())

    def array(self) -> npt.NDArray[np.uint64]:
        return np.array(self._order, "<u8")

    @classmethod
    def from_array(cls, size: int, array: npt.NDArray[np.uint64]) -> "Duplicates":
        self = cls(size)
        self._order = deque(array.tolist())
        self._known = set(self._order)
        return self


def _hash(id: str) -> int:
    return int.from_bytes(blake2b(id.encode(), digest_size=8).digest(), "little")
