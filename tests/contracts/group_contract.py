"""What every log promises to the members of consumer groups (shared.log.base.Member): who owns what, when, from where.

A test module runs it by ``class TestSomeGroups(GroupContract)`` with the fixtures that log_contract describes.
``timeout_s`` must be longer than the time after which the log evicts a paused or killed member.
"""

import uuid

import pytest

from prequel.shared.log.base import Log, Member, Message, OffsetOutOfRange, PollResult, Record
from tests.contracts.log_contract import MakeLog, Opening, messages, values
from tests.contracts.processes import eventually, worker


class CheckedMember:
    """A member whose every poll result is checked against the ones before."""

    def __init__(self, log: Log, group: str, topic: str) -> None:
        self.member: Member = log.join(group, topic)
        self.owned: set[int] = set()
        self.sought: set[int] = set()
        self.records: list[Record] = []
        self.generation = 0

    def poll(self, max_records: int = 100, timeout_s: float = 0.05) -> PollResult:
        polled = self.member.poll(max_records, timeout_s)
        assert set(polled.revoked) <= self.owned
        self.owned -= set(polled.revoked)
        self.sought -= set(polled.revoked)
        assert not set(polled.assigned) & self.owned
        self.owned |= set(polled.assigned)
        assert {record.partition for record in polled.records} <= self.sought
        assert len(polled.records) <= max_records
        assert polled.generation >= self.generation
        self.generation = polled.generation
        self.records += polled.records
        return polled

    def seek(self, partition: int, offset: int) -> None:
        self.member.seek(partition, offset)
        self.sought.add(partition)


def poll_until_shared(members: list[CheckedMember], partitions: int, within_s: float) -> None:
    """Poll all members in turn until each partition has one owner, and no member has none while another has two."""

    def is_settled() -> bool:
        for member in members:
            member.poll()
        owned = sorted(partition for member in members for partition in member.owned)
        busy = sum(bool(member.owned) for member in members)
        return owned == list(range(partitions)) and busy == min(len(members), partitions)

    eventually(is_settled, within_s, f"{partitions} partitions shared among {len(members)} members")


def receive(member: CheckedMember, count: int, within_s: float) -> list[Record]:
    """The next ``count`` records of a member that has sought its partitions."""
    before = len(member.records)

    def all_received() -> bool:
        member.poll(max_records=count - (len(member.records) - before), timeout_s=0.5)
        return len(member.records) - before == count

    eventually(all_received, within_s, f"{count} records")
    return member.records[before:]


def reading_member(log: Log, group: str, topic: str, within_s: float) -> tuple[CheckedMember, dict[int, int]]:
    """A sole member that has read three new records of each of two partitions; and where these begin."""
    starts = {p: log.append(messages(topic, 3, partition=p))[0].offset for p in range(2)}
    member = CheckedMember(log, group, topic)
    poll_until_shared([member], 2, within_s)
    for partition, offset in starts.items():
        member.seek(partition, offset)
    receive(member, 6, within_s)
    return member, starts


class GroupContract:
    @pytest.fixture
    def topic(self) -> str:
        return f"t-{uuid.uuid4().hex[:12]}"

    @pytest.fixture
    def group(self) -> str:
        return f"g-{uuid.uuid4().hex[:12]}"

    # One member.

    def test_a_sole_member_owns_all_and_reads_nothing_before_it_seeks(
        self, make_log: MakeLog, topic: str, group: str, timeout_s: float
    ) -> None:
        log = make_log({topic: 3})
        starts = {p: log.append(messages(topic, 5, partition=p))[0].offset for p in range(3)}
        member = CheckedMember(log, group, topic)
        poll_until_shared([member], 3, timeout_s)
        assert member.poll(timeout_s=0.2).records == []
        member.seek(1, starts[1] + 2)
        assert [(r.partition, r.value) for r in receive(member, 3, timeout_s)] == [(1, b"m2"), (1, b"m3"), (1, b"m4")]
        member.seek(0, starts[0])
        assert values(receive(member, 5, timeout_s)) == [b"m%d" % n for n in range(5)]
        assert member.poll(timeout_s=0.2).records == []

    def test_a_member_may_seek_back(self, make_log: MakeLog, topic: str, group: str, timeout_s: float) -> None:
        log = make_log({topic: 1})
        start = log.append(messages(topic, 5))[0].offset
        member = CheckedMember(log, group, topic)
        poll_until_shared([member], 1, timeout_s)
        for _ in range(2):
            member.seek(0, start)
            assert len(receive(member, 5, timeout_s)) == 5

    def test_a_member_sees_what_is_appended_later(
        self, make_log: MakeLog, topic: str, group: str, timeout_s: float
    ) -> None:
        log = make_log({topic: 1})
        member = CheckedMember(log, group, topic)
        poll_until_shared([member], 1, timeout_s)
        member.seek(0, log.bounds(topic)[0].end)
        for n in range(3):
            make_log({topic: 1}).append(messages(topic, 2, name=f"{n}."))
            assert values(receive(member, 2, timeout_s)) == [b"%d.0" % n, b"%d.1" % n]

    def test_a_member_whose_position_is_out_of_range_gets_an_error(
        self, make_log: MakeLog, topic: str, group: str, timeout_s: float
    ) -> None:
        log = make_log({topic: 1})
        member = CheckedMember(log, group, topic)
        poll_until_shared([member], 1, timeout_s)
        member.seek(0, log.bounds(topic)[0].end + 1000)

        def poll() -> bool:
            member.poll(timeout_s=0.5)
            return False

        with pytest.raises(OffsetOutOfRange):
            eventually(poll, timeout_s, "OffsetOutOfRange")

    # Committed positions.

    def test_a_committed_position_belongs_to_the_group(
        self, make_log: MakeLog, topic: str, group: str, timeout_s: float
    ) -> None:
        log = make_log({topic: 2})
        log.append(messages(topic, 5))
        member = CheckedMember(log, group, topic)
        poll_until_shared([member], 2, timeout_s)
        assert member.member.committed(0) is None
        end = log.bounds(topic)[0].end
        member.member.commit({0: end - 2})
        member.member.commit({0: end - 1, 1: log.bounds(topic)[1].begin})
        assert member.member.committed(0) == end - 1
        member.member.close()
        log.close()
        successor = CheckedMember(make_log({topic: 2}), group, topic)
        poll_until_shared([successor], 2, timeout_s)
        assert successor.member.committed(0) == end - 1
        other_group = CheckedMember(make_log({topic: 2}), group + "-other", topic)
        poll_until_shared([other_group], 2, timeout_s)
        assert other_group.member.committed(0) is None

    def test_committed_positions_of_two_topics_are_separate(
        self, make_log: MakeLog, topic: str, group: str, timeout_s: float
    ) -> None:
        other = topic + "-other"
        log = make_log({topic: 1, other: 1})
        log.append(messages(topic, 5))
        log.append(messages(other, 5))
        member, other_member = CheckedMember(log, group + "-1", topic), CheckedMember(log, group + "-2", other)
        poll_until_shared([member], 1, timeout_s)
        poll_until_shared([other_member], 1, timeout_s)
        member.member.commit({0: log.bounds(topic)[0].begin + 3})
        assert other_member.member.committed(0) is None

    def test_lag_counts_from_the_committed_position(
        self, make_log: MakeLog, topic: str, group: str, timeout_s: float
    ) -> None:
        log = make_log({topic: 2})
        for _ in range(7):
            log.append(messages(topic, 1))
        assert log.lag(group, topic) == {0: 7, 1: 0}
        member = CheckedMember(log, group, topic)
        poll_until_shared([member], 2, timeout_s)
        member.member.commit({0: log.bounds(topic)[0].begin + 5})
        assert log.lag(group, topic) == {0: 2, 1: 0}
        log.append(messages(topic, 1, partition=1))
        assert log.lag(group, topic) == {0: 2, 1: 1}

    # Several members.

    def test_members_share_the_partitions(self, make_log: MakeLog, topic: str, group: str, timeout_s: float) -> None:
        log = make_log({topic: 4})
        first = CheckedMember(log, group, topic)
        poll_until_shared([first], 4, timeout_s)
        second = CheckedMember(make_log({topic: 4}), group, topic)
        poll_until_shared([first, second], 4, timeout_s)
        assert len(first.owned) == len(second.owned) == 2

    def test_a_revoked_partition_is_read_by_its_new_owner_only(
        self, make_log: MakeLog, topic: str, group: str, timeout_s: float
    ) -> None:
        log = make_log({topic: 2})
        first, starts = reading_member(log, group, topic, timeout_s)
        second = CheckedMember(make_log({topic: 2}), group, topic)
        poll_until_shared([first, second], 2, timeout_s)
        for member in (first, second):
            for partition in member.owned:
                member.seek(partition, starts[partition])
        for partition in starts:
            log.append(messages(topic, 1, partition=partition, name="late"))
        for member in (first, second):
            assert {r.partition for r in receive(member, 4, timeout_s)} == member.owned
            assert member.poll(timeout_s=0.2).records == []

    def test_a_kept_partition_is_read_on_without_a_seek_or_reported_as_revoked(
        self, make_log: MakeLog, topic: str, group: str, timeout_s: float
    ) -> None:
        log = make_log({topic: 2})
        first, starts = reading_member(log, group, topic, timeout_s)
        poll_until_shared([first, CheckedMember(make_log({topic: 2}), group, topic)], 2, timeout_s)
        (kept_partition,) = first.owned
        if kept_partition not in first.sought:  # It was revoked and assigned again, which is allowed.
            first.seek(kept_partition, starts[kept_partition] + 3)
        log.append(messages(topic, 1, partition=kept_partition, name="late"))
        assert values(receive(first, 1, timeout_s)) == [b"late0"]

    def test_the_generation_grows_with_every_change(
        self, make_log: MakeLog, topic: str, group: str, timeout_s: float
    ) -> None:
        first = CheckedMember(make_log({topic: 2}), group, topic)
        poll_until_shared([first], 2, timeout_s)
        generations = [first.generation]
        for _ in range(2):
            second = CheckedMember(make_log({topic: 2}), group, topic)
            poll_until_shared([first, second], 2, timeout_s)
            assert second.generation == first.generation
            generations.append(first.generation)
            second.member.close()
            poll_until_shared([first], 2, timeout_s)
            generations.append(first.generation)
        assert generations == sorted(set(generations))

    def test_with_more_members_than_partitions_some_are_idle_until_needed(
        self, make_log: MakeLog, topic: str, group: str, timeout_s: float
    ) -> None:
        members = [CheckedMember(make_log({topic: 2}), group, topic) for _ in range(3)]
        poll_until_shared(members, 2, timeout_s)
        busy = next(member for member in members if member.owned)
        busy.member.close()
        poll_until_shared([member for member in members if member is not busy], 2, timeout_s)

    def test_a_member_that_leaves_frees_its_partitions_and_may_leave_twice(
        self, make_log: MakeLog, topic: str, group: str, timeout_s: float
    ) -> None:
        first, second = (CheckedMember(make_log({topic: 2}), group, topic) for _ in range(2))
        poll_until_shared([first, second], 2, timeout_s)
        first.member.close()
        first.member.close()
        poll_until_shared([second], 2, timeout_s)

    def test_groups_do_not_disturb_each_other(
        self, make_log: MakeLog, topic: str, group: str, timeout_s: float
    ) -> None:
        log = make_log({topic: 2})
        one, other = CheckedMember(log, group, topic), CheckedMember(log, group + "-other", topic)
        poll_until_shared([one], 2, timeout_s)
        poll_until_shared([other], 2, timeout_s)
        other.member.close()
        assert one.poll(timeout_s=0.2).revoked == ()
        assert one.owned == {0, 1}

    def test_a_commit_for_a_revoked_partition_is_ignored(
        self, make_log: MakeLog, topic: str, group: str, timeout_s: float
    ) -> None:
        log = make_log({topic: 2})
        for partition in range(2):
            log.append(messages(topic, 9, partition=partition))
        begins = {partition: bounds.begin for partition, bounds in log.bounds(topic).items()}
        first = CheckedMember(log, group, topic)
        poll_until_shared([first], 2, timeout_s)
        second = CheckedMember(make_log({topic: 2}), group, topic)
        poll_until_shared([first, second], 2, timeout_s)
        (first_partition,), (second_partition,) = first.owned, second.owned
        second.member.commit({second_partition: begins[second_partition] + 1})
        first.member.commit(
            {first_partition: begins[first_partition] + 5, second_partition: begins[second_partition] + 9}
        )
        assert second.member.committed(second_partition) == begins[second_partition] + 1
        assert second.member.committed(first_partition) == begins[first_partition] + 5

    # Members that die or hang.

    def test_a_killed_member_is_replaced(
        self, make_log: MakeLog, opening: Opening, topic: str, group: str, timeout_s: float
    ) -> None:
        log = make_log({topic: 2})
        survivor = CheckedMember(log, group, topic)
        with worker(opening({topic: 2}), "member", topic, group) as other:
            poll_until_owning(survivor, 1, timeout_s)
            other.kill()
            poll_until_shared([survivor], 2, timeout_s)

    def test_a_paused_member_learns_that_its_partitions_were_revoked(
        self, make_log: MakeLog, opening: Opening, topic: str, group: str, timeout_s: float
    ) -> None:
        log = make_log({topic: 2})
        log.append([Message(topic, None, b"", (), partition) for partition in range(2)])
        with worker(opening({topic: 2}), "member", topic, group) as other:
            owned: set[int] = set()
            generation = 0
            while owned != {0, 1}:
                change = other.next_line(timeout_s)
                assert change is not None
                owned |= set(change[0])
                generation = change[2]
            other.pause()
            successor = CheckedMember(log, group, topic)
            poll_until_shared([successor], 2, timeout_s)
            assert successor.generation > generation
            other.resume()
            while owned:
                successor.poll()  # Some logs reassign partitions only while all members poll.
                change = other.next_line(timeout_s)
                assert change is not None
                owned -= set(change[1])


def poll_until_owning(member: CheckedMember, partitions: int, within_s: float) -> None:
    """Poll until the member owns exactly so many partitions."""

    def is_settled() -> bool:
        member.poll()
        return len(member.owned) == partitions

    eventually(is_settled, within_s, f"{partitions} partitions for one member")
