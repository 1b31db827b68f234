"""Groups of the embedded log where time matters: leases, evictions, partitions that come back."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prequel.shared.log.base import LogUnavailable, OffsetOutOfRange, PollResult
from prequel.shared.log.sqlite.assignment import assign_partitions
from prequel.shared.log.sqlite.groups import MAX_SILENT_LEASES
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.log.sqlite.member import SqliteMember
from tests.contracts.processes import worker

LEASE_S = 10.0
SILENCE_S = MAX_SILENT_LEASES * LEASE_S
"""After more than this a member is evicted although its process lives."""


class Cluster:
    """Members of one group in handles of their own, and the clock they share."""

    def __init__(self, folder: Path, partitions: int) -> None:
        self.now = 1000.0
        self._folder, self._partitions = folder, partitions
        self.logs: list[SqliteLog] = []

    def member(self, name: str) -> SqliteMember:
        log = SqliteLog(
            self._folder, partitions=self._partitions, clock=lambda: self.now, lease_s=LEASE_S, new_id=lambda: name
        )
        self.logs.append(log)
        return log.join("g", "t")


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, 2)
    yield cluster
    for log in cluster.logs:
        log.close()


def changes(polled: PollResult) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return polled.assigned, polled.revoked


def test_a_member_silent_for_long_is_evicted_learns_of_it_and_joins_again(two: Cluster) -> None:
    paused, other = two.member("paused"), two.member("other")
    assert changes(paused.poll(1, 0.0)) == ((0, 1), ())
    assert changes(other.poll(1, 0.0)) == ((1,), ())
    assert changes(paused.poll(1, 0.0)) == ((), (1,))
    two.now += SILENCE_S + 1
    takeover = other.poll(1, 0.0)
    assert changes(takeover) == ((0,), ())
    assert changes(paused.poll(1, 0.0)) == ((), (0,))
    again = paused.poll(1, 0.0)
    assert len(again.assigned) == 1
    assert again.generation > takeover.generation
    assert changes(other.poll(1, 0.0)) == ((), again.assigned)


def test_a_member_that_polls_keeps_its_lease(two: Cluster) -> None:
    one, other = two.member("one"), two.member("other")
    one.poll(1, 0.0)
    other.poll(1, 0.0)
    one.poll(1, 0.0)
    for _ in range(20):
        two.now += LEASE_S / 3
        assert changes(one.poll(1, 0.0)) == changes(other.poll(1, 0.0)) == ((), ())


def test_a_member_whose_batch_takes_longer_than_the_lease_keeps_its_partitions(two: Cluster) -> None:
    busy, other = two.member("busy"), two.member("other")
    busy.poll(1, 0.0)
    other.poll(1, 0.0)
    busy.poll(1, 0.0)
    for _ in range(3):
        for _ in range(MAX_SILENT_LEASES - 1):
            two.now += LEASE_S
            assert changes(other.poll(1, 0.0)) == ((), ())
        busy.commit({0: 7})
        assert changes(busy.poll(1, 0.0)) == ((), ())
    assert other.committed(0) == 7


def test_a_sole_member_that_was_silent_goes_on_undisturbed(two: Cluster) -> None:
    member = two.member("sole")
    generation = member.poll(1, 0.0).generation
    two.now += 100 * LEASE_S
    assert member.poll(1, 0.0) == PollResult([], (), (), generation)
    member.commit({0: 5})
    assert member.committed(0) == 5


def test_a_partition_that_others_had_meanwhile_is_revoked_before_it_is_assigned_again(two: Cluster) -> None:
    silent, visitor = two.member("silent"), two.member("visitor")
    silent.poll(1, 0.0)
    visitor.poll(1, 0.0)
    visitor.close()
    assert changes(silent.poll(1, 0.0)) == ((), (1,))
    assert changes(silent.poll(1, 0.0)) == ((1,), ())
    two.now += SILENCE_S + 1
    visitor = two.member("visitor again")
    visitor.poll(1, 0.0)
    visitor.close()
    assert changes(silent.poll(1, 0.0)) == ((), (0, 1))
    assert changes(silent.poll(1, 0.0)) == ((0, 1), ())


def test_a_commit_by_a_member_that_has_not_seen_the_revocation_is_ignored(two: Cluster) -> None:
    paused, other = two.member("paused"), two.member("other")
    paused.poll(1, 0.0)
    paused.commit({0: 1, 1: 1})
    other.poll(1, 0.0)
    paused.commit({0: 7, 1: 7})
    assert (paused.committed(0), paused.committed(1)) == (7, 1)
    other.close()
    paused.commit({0: 9, 1: 9})
    assert (paused.committed(0), paused.committed(1)) == (9, 1)


def test_a_change_of_ownership_is_returned_although_reading_fails(two: Cluster) -> None:
    member = two.member("one")
    member.poll(1, 0.0)
    member.seek(0, 1000)
    two.member("two").poll(1, 0.0)
    assert changes(member.poll(1, 0.0)) == ((), (1,))
    with pytest.raises(OffsetOutOfRange):
        member.poll(1, 0.0)


def test_only_owned_partitions_can_be_sought(two: Cluster) -> None:
    member = two.member("one")
    with pytest.raises(ValueError, match="not owned"):
        member.seek(0, 0)
    member.poll(1, 0.0)
    member.seek(0, 0)
    two.member("two").poll(1, 0.0)
    member.poll(1, 0.0)
    with pytest.raises(ValueError, match="not owned"):
        member.seek(1, 0)


def test_a_lease_from_the_future_blocks_nobody(two: Cluster) -> None:
    two.now += 10_000
    before = two.member("before the clock was set back")
    before.poll(1, 0.0)
    two.now -= 10_000
    assert changes(two.member("after").poll(1, 0.0)) == ((0, 1), ())


def test_a_closed_handle_ends_its_memberships_within_a_fraction_of_the_lease(two: Cluster) -> None:
    closed, other = two.member("closed"), two.member("other")
    closed.poll(1, 0.0)
    other.poll(1, 0.0)
    two.logs[0].close()
    closed.close()
    two.now += LEASE_S / 3
    assert changes(other.poll(1, 0.0)) == ((0,), ())
    assert changes(two.member("newcomer").poll(1, 0.0)) == ((1,), ())


def test_a_waiting_member_takes_over_at_once(two: Cluster) -> None:
    one, other = two.member("one"), two.member("other")
    one.poll(1, 0.0)
    other.poll(1, 0.0)
    polled: list[PollResult] = []
    waiting = threading.Thread(target=lambda: polled.append(other.poll(1, 60.0)))
    waiting.start()
    began = time.monotonic()
    one.close()
    waiting.join(20)
    assert [changes(answer) for answer in polled] == [((0,), ())]
    assert time.monotonic() - began < 10


def test_after_a_kill_the_next_process_starts_without_waiting_for_a_lease(tmp_path: Path) -> None:
    source = (
        "from pathlib import Path\nfrom prequel.shared.log.sqlite.log import SqliteLog\n"
        f"log = SqliteLog(Path({str(tmp_path)!r}))"
    )
    with worker(source, "member", "t", "g") as killed:
        assert killed.next_line(20) == [[0], [], 1]
        killed.kill()
    log = SqliteLog(tmp_path, lease_s=1000.0)
    assert changes(log.join("g", "t").poll(1, 0.0)) == ((0,), ())
    log.close()


def test_no_lock_files_are_left_behind(two: Cluster, tmp_path: Path) -> None:
    for number in range(3):
        member = two.member(f"m{number}")
        member.poll(1, 0.0)
        member.close()
    assert list((tmp_path / "_members").iterdir()) == []


members = st.lists(st.text("abcdef", min_size=1, max_size=2), min_size=1, max_size=6, unique=True)


@given(
    partitions=st.integers(1, 12),
    names=members,
    owners=st.dictionaries(st.integers(0, 11), st.text("abcdef", max_size=2)),
)
def test_shares_are_even_and_few_partitions_move(partitions: int, names: list[str], owners: dict[int, str]) -> None:
    assigned = assign_partitions(partitions, names, owners)
    assert sorted(assigned) == list(range(partitions))
    counts = sorted(list(assigned.values()).count(name) for name in names)
    assert counts[-1] - counts[0] <= 1
    before = sorted((sum(owners.get(p) == name for p in range(partitions)) for name in names), reverse=True)
    capacity = sorted(counts, reverse=True)
    stay = sum(owners.get(p) == name for p, name in assigned.items())
    assert stay == sum(min(have, may) for have, may in zip(before, capacity, strict=True))
    assert assigned == assign_partitions(partitions, names, owners)
    assert assign_partitions(partitions, names, assigned) == assigned
    assert assign_partitions(partitions, [], owners) == {}


def test_a_member_that_cannot_join_leaves_no_file_behind(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path, busy_timeout_s=0.01)
    first = log.join("g", "t")
    first.poll(1, 0.0)
    open_before, lock_files = open_files(), sorted((tmp_path / "_members").iterdir())
    writer = sqlite3.connect(tmp_path / "_groups.sqlite", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    for _ in range(20):
        member = log.join("g", "t")
        with pytest.raises(LogUnavailable, match="locked"):
            member.poll(1, 0.0)
        member.close()
    writer.close()
    assert open_files() <= open_before
    assert sorted((tmp_path / "_members").iterdir()) == lock_files
    assert changes(log.join("g", "t").poll(1, 0.0)) == ((), ())
    log.close()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
