"""The cache of features: bounded, in slots that are taken again, and never what decides what becomes of a label."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.vector_blocks import BLOCK_BYTES, VectorBlocks
from prequel.shared.events.types import Features
from prequel.shared.log.base import Position
from prequel.shared.vectors import Vector
from tests.learner.building import ExampleLog, as_log


def vector(number: int, dim: int = 3) -> Vector:
    return np.full(dim, number + 1, np.float32)


def log_of(count: int) -> ExampleLog:
    examples = ExampleLog()
    for number in range(count):
        examples.features(f"i{number}", vector(number).tolist())
    return examples


def held(cache: FeatureCache, dim: int = 3) -> dict[int, float]:
    """The vectors in memory by offset, each by its first value."""
    blocks = cache.blocks(dim)
    slots = np.flatnonzero(blocks.offsets >= 0)
    return {int(blocks.offsets[slot]): float(blocks.row(int(slot))[0]) for slot in slots}


def squares(cache: FeatureCache, dim: int) -> list[float]:
    """The squared lengths of the vectors in memory, in the order of their offsets."""
    blocks = cache.blocks(dim)
    slots = sorted(np.flatnonzero(blocks.offsets >= 0).tolist(), key=lambda slot: int(blocks.offsets[slot]))
    return [float(blocks.squares[slot]) for slot in slots]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["put", "put_old", "remove"]))), st.integers(0, 6))
def test_it_holds_the_newest_and_what_it_holds_is_right(steps: list[tuple[int, str]], room: int) -> None:
    cache, expected = FeatureCache(as_log(log_of(31)), room, 2**20), dict[int, float]()
    for number, step in steps:
        position = Position(0, number)
        if step == "put" and number not in expected:
            cache.put(position, vector(number))
            expected[number] = number + 1.0
            expected = dict(list(expected.items())[max(0, len(expected) - room) :])
        elif step == "put_old":
            cache.put_old(position, vector(number))
            if number not in expected and len(expected) < room:
                expected = {number: number + 1.0} | expected
        elif step == "remove":
            cache.remove(position)
            expected.pop(number, None)
    assert held(cache) == expected
    everything = cache.fetch([Position(0, number) for number in range(31)])
    assert {at.offset: float(x[0]) for at, x in everything.items()} == {number: number + 1.0 for number in range(31)}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=8), st.integers(0, 12), st.sampled_from([3, 40_000]))
def test_a_run_is_held_as_its_vectors_one_by_one(sizes: list[int], room: int, dim: int) -> None:
    log = as_log(ExampleLog())
    whole, single = (FeatureCache(log, room, 2**20) for _ in range(2))
    for run, size in enumerate(sizes):
        numbers = range(10 * run, 10 * run + size)
        xs = np.array([vector(number, dim) for number in numbers], np.float32).reshape(size, dim)
        whole.put_run([example_at(number, x) for number, x in zip(numbers, xs, strict=True)], xs)
        for number, x in zip(numbers, xs, strict=True):
            single.put(Position(0, number), x)
        assert held(whole, dim) == held(single, dim)
        assert np.isclose(squares(whole, dim), squares(single, dim)).all()
        assert whole.room == single.room


@pytest.mark.parametrize("runs", [[7], [1, 1, 5], [3, 600, 3]])
def test_distances_are_those_of_what_was_put_in_runs_and_in_slots_that_are_taken_again(runs: list[int]) -> None:
    random, blocks = np.random.default_rng(0), VectorBlocks(BLOCK_BYTES // 4 // 300)
    taken = dict[int, Vector]()
    for count in runs:
        xs = (random.normal(size=(count, blocks.dim)) * random.uniform(0.1, 9, (count, 1))).astype(np.float32)
        taken |= dict(zip(blocks.add_run(xs, range(count)), xs, strict=True))
        freed = list(taken)[::2]
        blocks.remove_run(freed)
        taken = {slot: x for slot, x in taken.items() if slot not in freed}
    x = random.normal(size=(1, blocks.dim)).astype(np.float32)
    expected = [float(np.square(x - row).sum()) for row in taken.values()]
    np.testing.assert_allclose(blocks.squared_distances(x)[0, list(taken)], expected, rtol=1e-4)
    assert len(blocks) == len(taken)


def example_at(offset: int, x: Vector) -> Features:
    return Features(f"i{offset}", "s", None, 0.0, "b", x, Position(0, offset), Position(0, offset))


def test_a_vector_that_was_fetched_stays_when_its_slot_is_taken_again() -> None:
    cache = FeatureCache(as_log(log_of(3)), 1, 2**20)
    cache.put(Position(0, 0), vector(0))
    fetched = cache.fetch([Position(0, 0)])[Position(0, 0)]
    cache.put(Position(0, 1), vector(1))
    assert fetched.tolist() == vector(0).tolist()


def test_a_vector_that_was_removed_is_not_in_memory() -> None:
    blocks = VectorBlocks(3)
    slot = blocks.add(vector(7), 5)
    blocks.remove(slot)
    assert not any(rows.any() for _, rows in blocks.blocks())
    assert len(blocks) == 0


@pytest.mark.parametrize("dim", [3, BLOCK_BYTES // 4 // 3, BLOCK_BYTES])
def test_vectors_of_any_size_are_found_again(dim: int) -> None:
    blocks = VectorBlocks(dim)
    slots = [blocks.add(vector(number, dim), 10 * number) for number in range(7)]
    blocks.remove(slots[3])
    assert blocks.add(vector(9, dim), 90) == slots[3]
    assert blocks.gather(np.array(slots[::-1]))[:, -1].tolist() == [7, 6, 5, 10, 3, 2, 1]
    by_slot = {begin + row: float(rows[row, 0]) for begin, rows in blocks.blocks() for row in range(len(rows))}
    assert [by_slot[slot] for slot in slots] == [1, 2, 3, 10, 5, 6, 7]
