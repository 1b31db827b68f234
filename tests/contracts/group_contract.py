"""What every log promises to the members of consumer groups (shared.log.base.Member): who owns what, when, from where.

A test module runs it by ``class TestOurGroups(GroupContract)`` with the fixtures that log_contract describes.
``patience_s`` must be longer than the time after which the log puts out a paused or killed member.
"""

import uuid

import pytest

from prequel.shared.log.base import Log, Member, Message, OffsetOutOfRange, PollResult, Record
from tests.contracts.log_contract import MakeLog, Opening, messages, values
from tests.contracts.processes import eventually, worker


class Watched:
    """A member whose every answer is checked against what it said before."""

    def __init__(self, log: Log, group: str, topic: str) -> None:
        self.member: Member = log.join(group, topic)
        self.owned: set[int] = set()
        self.sought: set[int] = set()
        self.records: list[Record] = []
        self.generation = 0

    def turn(self, most: int = 100, timeout_s: float = 0.05) -> PollResult:
        polled = self.member.poll(most, timeout_s)
        assert set(polled.revoked) <= self.owned
        self.owned -= set(polled.revoked)
        self.sought -= set(polled.revoked)
        assert not set(polled.assigned) & self.owned
        self.owned |= set(polled.assigned)
        assert {record.partition for record in polled.records} <= self.sought
        assert len(polled.records) <= most
        assert polled.generation >= self.generation
        self.generation = polled.generation
        self.records += polled.records
        return polled

    def seek(self, partition: int, offset: int) -> None:
        self.member.seek(partition, offset)
        self.sought.add(partition)


def settle(members: list[Watched], partitions: int, within_s: float) -> None:
    """Poll all in turn until each partition has exactly one owner and nobody who could have one has none."""

    def settled() -> bool:
        for member in members:
            member.turn()
        owned = sorted(partition for member in members for partition in member.owned)
        busy = sum(bool(member.owned) for member in members)
        return owned == list(range(partitions)) and busy == min(len(members), partitions)

    eventually(settled, within_s, f"{partitions} partitions shared among {len(members)} members")


def receive(member: Watched, count: int, within_s: float) -> list[Record]:
    """The next ``count`` records of a member that has sought."""
    before = len(member.records)

    def received() -> bool:
        member.turn(most=count - (len(member.records) - before), timeout_s=0.5)
        return len(member.records) - before == count

    eventually(received, within_s, f"{count} records")
    return member.records[before:]


class GroupContract:
    @pytest.fixture
    def topic(self) -> str:
        return f"t-{uuid.uuid4().hex[:12]}"

    @pytest.fixture
    def group(self) -> str:
        return f"g-{uuid.uuid4().hex[:12]}"

    # One member.

    def test_a_sole_member_owns_all_and_reads_nothing_before_it_seeks(
        self, make_log: MakeLog, topic: str, group: str, patience_s: float
    ) -> None:
        log = make_log({topic: 3})
        starts = {p: log.append(messages(topic, 5, partition=p))[0].offset for p in range(3)}
        member = Watched(log, group, topic)
        settle([member], 3, patience_s)
        assert member.turn(timeout_s=0.2).records == []
        member.seek(1, starts[1] + 2)
        assert [(r.partition, r.value) for r in receive(member, 3, patience_s)] == [(1, b"m2"), (1, b"m3"), (1, b"m4")]
        member.seek(0, starts[0])
        assert values(receive(member, 5, patience_s)) == [b"m%d" % n for n in range(5)]
        assert member.turn(timeout_s=0.2).records == []

    def test_a_member_may_seek_back(self, make_log: MakeLog, topic: str, group: str, patience_s: float) -> None:
        log = make_log({topic: 1})
        start = log.append(messages(topic, 5))[0].offset
        member = Watched(log, group, topic)
        settle([member], 1, patience_s)
        for _ in range(2):
            member.seek(0, start)
            assert len(receive(member, 5, patience_s)) == 5

    def test_a_member_sees_what_is_appended_later(
        self, make_log: MakeLog, topic: str, group: str, patience_s: float
    ) -> None:
        log = make_log({topic: 1})
        member = Watched(log, group, topic)
        settle([member], 1, patience_s)
        member.seek(0, log.bounds(topic)[0].end)
        for n in range(3):
            make_log({topic: 1}).append(messages(topic, 2, name=f"{n}."))
            assert values(receive(member, 2, patience_s)) == [b"%d.0" % n, b"%d.1" % n]

    def test_a_member_out_of_range_is_told(self, make_log: MakeLog, topic: str, group: str, patience_s: float) -> None:
        log = make_log({topic: 1})
        member = Watched(log, group, topic)
        settle([member], 1, patience_s)
        member.seek(0, log.bounds(topic)[0].end + 1000)

        def poll() -> bool:
            member.turn(timeout_s=0.5)
            return False

        with pytest.raises(OffsetOutOfRange):
            eventually(poll, patience_s, "OffsetOutOfRange")

    # Committed positions.

    def test_a_committed_position_is_the_groups(
        self, make_log: MakeLog, topic: str, group: str, patience_s: float
    ) -> None:
        log = make_log({topic: 2})
        log.append(messages(topic, 5))
        member = Watched(log, group, topic)
        settle([member], 2, patience_s)
        assert member.member.committed(0) is None
        end = log.bounds(topic)[0].end
        member.member.commit({0: end - 2})
        member.member.commit({0: end - 1, 1: log.bounds(topic)[1].begin})
        assert member.member.committed(0) == end - 1
        member.member.close()
        log.close()
        successor = Watched(make_log({topic: 2}), group, topic)
        settle([successor], 2, patience_s)
        assert successor.member.committed(0) == end - 1
        stranger = Watched(make_log({topic: 2}), group + "-other", topic)
        settle([stranger], 2, patience_s)
        assert stranger.member.committed(0) is None

    def test_positions_of_one_group_are_kept_by_topic(
        self, make_log: MakeLog, topic: str, group: str, patience_s: float
    ) -> None:
        other = topic + "-other"
        log = make_log({topic: 1, other: 1})
        log.append(messages(topic, 5))
        log.append(messages(other, 5))
        ours, theirs = Watched(log, group + "-1", topic), Watched(log, group + "-2", other)
        settle([ours], 1, patience_s)
        settle([theirs], 1, patience_s)
        ours.member.commit({0: log.bounds(topic)[0].begin + 3})
        assert theirs.member.committed(0) is None

    def test_lag_counts_from_the_committed_position(
        self, make_log: MakeLog, topic: str, group: str, patience_s: float
    ) -> None:
        log = make_log({topic: 2})
        for _ in range(7):
            log.append(messages(topic, 1))
        assert log.lag(group, topic) == {0: 7, 1: 0}
        member = Watched(log, group, topic)
        settle([member], 2, patience_s)
        member.member.commit({0: log.bounds(topic)[0].begin + 5})
        assert log.lag(group, topic) == {0: 2, 1: 0}
        log.append(messages(topic, 1, partition=1))
        assert log.lag(group, topic) == {0: 2, 1: 1}

    # Several members.

    def test_members_share_the_partitions(self, make_log: MakeLog, topic: str, group: str, patience_s: float) -> None:
        log = make_log({topic: 4})
        first = Watched(log, group, topic)
        settle([first], 4, patience_s)
        second = Watched(make_log({topic: 4}), group, topic)
        settle([first, second], 4, patience_s)
        assert len(first.owned) == len(second.owned) == 2

    def test_a_lost_partition_is_read_by_its_new_owner_only(
        self, make_log: MakeLog, topic: str, group: str, patience_s: float
    ) -> None:
        log = make_log({topic: 2})
        starts = {p: log.append(messages(topic, 3, partition=p))[0].offset for p in range(2)}
        first = Watched(log, group, topic)
        settle([first], 2, patience_s)
        for partition, offset in starts.items():
            first.seek(partition, offset)
        receive(first, 6, patience_s)
        second = Watched(make_log({topic: 2}), group, topic)
        settle([first, second], 2, patience_s)
        for member in (first, second):
            for partition in member.owned:
                member.seek(partition, starts[partition])
        for partition in starts:
            log.append(messages(topic, 1, partition=partition, name="late"))
        for member in (first, second):
            assert {r.partition for r in receive(member, 4, patience_s)} == member.owned
            assert member.turn(timeout_s=0.2).records == []

    def test_a_partition_that_stays_is_read_on_without_a_seek_or_told_as_lost(
        self, make_log: MakeLog, topic: str, group: str, patience_s: float
    ) -> None:
        log = make_log({topic: 2})
        starts = {p: log.append(messages(topic, 3, partition=p))[0].offset for p in range(2)}
        first = Watched(log, group, topic)
        settle([first], 2, patience_s)
        for partition, offset in starts.items():
            first.seek(partition, offset)
        receive(first, 6, patience_s)
        settle([first, Watched(make_log({topic: 2}), group, topic)], 2, patience_s)
        (kept,) = first.owned
        if kept not in first.sought:  # It was told as lost and as assigned anew: allowed.
            first.seek(kept, starts[kept] + 3)
        log.append(messages(topic, 1, partition=kept, name="late"))
        assert values(receive(first, 1, patience_s)) == [b"late0"]

    def test_the_generation_grows_with_every_change(
        self, make_log: MakeLog, topic: str, group: str, patience_s: float
    ) -> None:
        first = Watched(make_log({topic: 2}), group, topic)
        settle([first], 2, patience_s)
        generations = [first.generation]
        for _ in range(2):
            second = Watched(make_log({topic: 2}), group, topic)
            settle([first, second], 2, patience_s)
            assert second.generation == first.generation
            generations.append(first.generation)
            second.member.close()
            settle([first], 2, patience_s)
            generations.append(first.generation)
        assert generations == sorted(set(generations))

    def test_with_more_members_than_partitions_some_are_idle_until_needed(
        self, make_log: MakeLog, topic: str, group: str, patience_s: float
    ) -> None:
        members = [Watched(make_log({topic: 2}), group, topic) for _ in range(3)]
        settle(members, 2, patience_s)
        busy = next(member for member in members if member.owned)
        busy.member.close()
        settle([member for member in members if member is not busy], 2, patience_s)

    def test_a_member_that_leaves_hands_over_and_may_leave_twice(
        self, make_log: MakeLog, topic: str, group: str, patience_s: float
    ) -> None:
        first, second = (Watched(make_log({topic: 2}), group, topic) for _ in range(2))
        settle([first, second], 2, patience_s)
        first.member.close()
        first.member.close()
        settle([second], 2, patience_s)

    def test_groups_and_topics_do_not_disturb_each_other(
        self, make_log: MakeLog, topic: str, group: str, patience_s: float
    ) -> None:
        log = make_log({topic: 2})
        one, other = Watched(log, group, topic), Watched(log, group + "-other", topic)
        settle([one], 2, patience_s)
        settle([other], 2, patience_s)
        other.member.close()
        assert one.turn(timeout_s=0.2).revoked == ()
        assert one.owned == {0, 1}

    def test_a_commit_for_a_lost_partition_is_left_out(
        self, make_log: MakeLog, topic: str, group: str, patience_s: float
    ) -> None:
        log = make_log({topic: 2})
        for partition in range(2):
            log.append(messages(topic, 9, partition=partition))
        begins = {partition: bounds.begin for partition, bounds in log.bounds(topic).items()}
        first = Watched(log, group, topic)
        settle([first], 2, patience_s)
        second = Watched(make_log({topic: 2}), group, topic)
        settle([first, second], 2, patience_s)
        (ours,), (theirs,) = first.owned, second.owned
        second.member.commit({theirs: begins[theirs] + 1})
        first.member.commit({ours: begins[ours] + 5, theirs: begins[theirs] + 9})
        assert second.member.committed(theirs) == begins[theirs] + 1
        assert second.member.committed(ours) == begins[ours] + 5

    # Members that die or hang.

    def test_a_killed_member_is_replaced(
        self, make_log: MakeLog, opening: Opening, topic: str, group: str, patience_s: float
    ) -> None:
        log = make_log({topic: 2})
        survivor = Watched(log, group, topic)
        with worker(opening({topic: 2}), "member", topic, group) as other:
            settle_with(survivor, 1, patience_s)
            other.kill()
            settle([survivor], 2, patience_s)

    def test_a_paused_member_learns_that_it_lost_what_others_took(
        self, make_log: MakeLog, opening: Opening, topic: str, group: str, patience_s: float
    ) -> None:
        log = make_log({topic: 2})
        log.append([Message(topic, None, b"", (), partition) for partition in range(2)])
        with worker(opening({topic: 2}), "member", topic, group) as other:
            owned: set[int] = set()
            generation = 0
            while owned != {0, 1}:
                told = other.told(patience_s)
                assert told is not None
                owned |= set(told[0])
                generation = told[2]
            other.pause()
            successor = Watched(log, group, topic)
            settle([successor], 2, patience_s)
            assert successor.generation > generation
            other.resume()
            while owned:
                successor.turn()  # Some logs deal anew only while all poll.
                told = other.told(patience_s)
                assert told is not None
                owned -= set(told[1])


def settle_with(member: Watched, partitions: int, within_s: float) -> None:
    """Poll until so many partitions are left to the member."""

    def settled() -> bool:
        member.turn()
        return len(member.owned) == partitions

    eventually(settled, within_s, f"{partitions} partitions for one member")
