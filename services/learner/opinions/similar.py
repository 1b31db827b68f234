"""The labelled examples of a stream's window that are nearest to one of its images."""

import threading
from typing import NamedTuple

import numpy as np

from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.fold.vector_blocks import Rows, VectorBlocks
from prequel.services.learner.opinions.asking import Budget, read_back
from prequel.services.learner.opinions.duplicates import SAMPLE, typical_square
from prequel.services.learner.opinions.window_rows import Numbers, WindowRows, in_memory, vectors, window_rows
from prequel.shared.events.headers import timestamp
from prequel.shared.log.base import Position
from prequel.shared.opinions import SimilarExample, SimilarExamples, UnknownExample

SPARE = 16
"""Examples measured again beyond those that are shown: rounding to 1e-6 of the largest square may change the order of
what is far closer together than this many."""


class Image(NamedTuple):
    """An image, and where its features stand in the log, if whoever asks knows."""

    id: str
    position: Position | None


def similar(
    state: StreamState,
    cache: FeatureCache,
    lock: threading.Lock,
    position: str,
    image: Image,
    limit: int,
    budget: Budget,
) -> SimilarExamples:
    """Of an image of the stream, labelled or not. Blocks; raises UnknownExample and LogUnavailable."""
    x, own = _features(state, cache, lock, image)
    with lock:
        blocks = cache.blocks(state.dim)
        rows = window_rows(state, blocks, labelled=True)
    if read_back(cache, rows, lock, budget):
        rows = rows._replace(slots=blocks.slots(rows.offsets))
    rows = rows.chosen(rows.sequences != own)
    near, squares = _nearest(x, rows.chosen(in_memory(rows)), blocks, limit)
    with lock:
        return SimilarExamples(
            stream=state.name,
            position=position,
            id=image.id,
            examples=_examples(state, near, squares),
            typical_distance=float(np.sqrt(_typical(rows, blocks))),
            asked=int(in_memory(rows).sum()),
            not_asked=int((~in_memory(rows)).sum()),
        )


def _features(state: StreamState, cache: FeatureCache, lock: threading.Lock, image: Image) -> tuple[Rows, int]:
    """The features float32 [1, dim] of an image, and its sequence number; -1 where it has left the window."""
    with lock:
        example = state.window.find(image.id)
        position, sequence = (example.position, example.sequence) if example else (image.position, -1)
        if position is None:
            raise UnknownExample(f"{image.id} is not among the newest {len(state.window)} images of {state.name}")
        x = cache.peek(position)
    if x is None and position.offset >= cache.begins().get(position.partition, 0):
        x = cache.read([position]).get(position)
    if x is None or x.size != state.dim:
        raise UnknownExample(f"the log has the features of {image.id} no more")
    return x.reshape(1, -1), sequence


def _nearest(x: Rows, rows: WindowRows, blocks: VectorBlocks, limit: int) -> tuple[WindowRows, Rows]:
    """The nearest rows, and the squares of their distances, measured exactly."""
    rough = blocks.squared_distances(x)[0, rows.slots]
    count = min(len(rough), limit + SPARE)
    nearest = rows.chosen(np.argpartition(rough, count - 1)[:count] if count else np.zeros(0, np.int64))
    xs, right = vectors(nearest, blocks)
    squares = np.square((xs - x).astype(np.float64)).sum(axis=1)
    order = np.argsort(np.where(right, squares, np.inf), kind="stable")[: min(limit, int(right.sum()))]
    return nearest.chosen(order), squares[order]


def _typical(rows: WindowRows, blocks: VectorBlocks) -> float:
    rows = rows.chosen(in_memory(rows))
    places: Numbers = np.linspace(0, len(rows.slots) - 1, min(SAMPLE, len(rows.slots))).astype(np.int64)
    return typical_square(vectors(rows.chosen(places), blocks)[0])


def _examples(state: StreamState, rows: WindowRows, squares: Rows) -> list[SimilarExample]:
    """As they are now, without those that have left the window or lost their label meanwhile."""
    examples = []
    for sequence, square in zip(rows.sequences.tolist(), squares.tolist(), strict=True):
        found = state.window.at(sequence)
        label = state.name_of(found[1].label) if found else None
        if found is None or label is None:
            continue
        id, example = found
        examples.append(
            SimilarExample(
                id=id,
                position=str(example.position),
                at=timestamp(example.time),
                label=label,
                by=state.labellers.name(example.label_by),
                labelled_at=timestamp(example.label_time),
                distance=float(np.sqrt(square)),
            )
        )
    return examples
