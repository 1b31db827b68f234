"""A log and a store that die before or after their k-th operation, as a process does that is killed."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from prequel.shared.log.base import Bounds, Log, Member, Message, PollResult, Position, Reader, Record
from prequel.shared.log.erasable import ErasableLog, Remains
from prequel.shared.store.base import Fence, Store
from prequel.shared.store.scrubbable import ScrubbableStore

Result = TypeVar("Result")


class Killed(BaseException):
    """The process is dead: nothing that it does from here on happens."""


READS = {"poll", "seek", "committed", "bounds", "read", "get", "get_all", "keys", "keys_with_values"}
"""Operations that change nothing which outlives the process."""


class KillSwitch:
    """Counts operations; ``at`` = 2k kills before operation k happens, 2k + 1 after it has."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.operations: list[str] = []
        self.dead = False

    def do(self, name: str, operation: Callable[[], Result]) -> Result:
        """Raises Killed at the appointed time, and ever after."""
        number = len(self.operations)
        self.operations.append(name)
        self._die(self.dead or self.at == 2 * number)
        result = operation()
        self._die(self.at == 2 * number + 1)
        return result

    def instants(self) -> list[int]:
        """Values of ``at`` that leave, between them, all that a kill at any instant of this process can leave.

        What outlives a process is the same from one operation that changes something to the next, whatever it reads
        meanwhile: so the first instant, and the one after each such operation.
        """
        return [0, *(2 * number + 1 for number, name in enumerate(self.operations) if name not in READS)]

    def _die(self, now: bool) -> None:
        if now:
            self.dead = True
            raise Killed


class KillableMember:
    """A Member; sets off ``done`` once all of its partition is read."""

    def __init__(self, member: Member, kill_switch: KillSwitch, end: int, done: Callable[[], None]) -> None:
        self._member, self._kill_switch, self._end, self._done = member, kill_switch, end, done

    def poll(self, max_records: int, timeout_s: float) -> PollResult:
        polled = self._kill_switch.do("poll", lambda: self._member.poll(max_records, timeout_s))
        if polled.records and polled.records[-1].offset + 1 >= self._end:
            self._done()
        return polled

    def seek(self, partition: int, offset: int) -> None:
        self._kill_switch.do("seek", lambda: self._member.seek(partition, offset))
        if offset >= self._end:
            self._done()

    def committed(self, partition: int) -> int | None:
        return self._kill_switch.do("committed", lambda: self._member.committed(partition))

    def commit(self, positions: Mapping[int, int]) -> bool:
        return self._kill_switch.do("commit", lambda: self._member.commit(positions))

    def close(self) -> None:
        """Even of a dead process: a dead one's place in the group is freed by the log."""
        self._member.close()


class KillableLog:
    """A Log of partition 0; ``done`` as for its members."""

    def __init__(self, log: Log, kill_switch: KillSwitch, done: Callable[[], None]) -> None:
        self._log, self._kill_switch, self._done = log, kill_switch, done

    def append(self, messages: Sequence[Message]) -> list[Position]:
        return self._kill_switch.do("append", lambda: self._log.append(messages))

    def partitions(self, topic: str) -> int:
        return self._log.partitions(topic)

    def bounds(self, topic: str) -> dict[int, Bounds]:
        return self._kill_switch.do("bounds", lambda: self._log.bounds(topic))

    def read(self, topic: str, partition: int, offsets: Sequence[int]) -> dict[int, Record]:
        return self._kill_switch.do("read", lambda: self._log.read(topic, partition, offsets))

    def erase(
        self,
        topic: str,
        partition: int,
        offsets: range,
        *,
        mentioning: bytes,
        redact: Callable[[Record], Remains | None],
    ) -> int:
        assert isinstance(self._log, ErasableLog)
        log = self._log
        return self._kill_switch.do(
            "erase", lambda: log.erase(topic, partition, offsets, mentioning=mentioning, redact=redact)
        )

    def scrub(self, topic: str, *, begin: bool) -> bool:
        assert isinstance(self._log, ErasableLog)
        log = self._log
        return self._kill_switch.do("scrub", lambda: log.scrub(topic, begin=begin))

    def follow(self, topic: str, positions: Mapping[int, int]) -> Reader:
        return self._log.follow(topic, positions)

    def join(self, group: str, topic: str) -> Member:
        end = self._log.bounds(topic)[0].end
        return KillableMember(self._log.join(group, topic), self._kill_switch, end, self._done)

    def lag(self, group: str, topic: str) -> dict[int, int]:
        return self._log.lag(group, topic)

    def close(self) -> None:
        self._log.close()


class KillableStore:
    """A Store; ``swaps`` collects every root that was written."""

    def __init__(self, store: Store, kill_switch: KillSwitch) -> None:
        self._store, self._kill_switch = store, kill_switch
        self.swaps: list[bytes] = []

    def get(self, key: str) -> bytes | None:
        return self._kill_switch.do("get", lambda: self._store.get(key))

    def put(self, key: str, value: bytes) -> None:
        self._kill_switch.do("put", lambda: self._store.put(key, value))

    def put_all(self, values: Mapping[str, bytes]) -> None:
        for key, value in values.items():
            self.put(key, value)

    def add_all(self, values: Mapping[str, bytes]) -> dict[str, bytes]:
        return self._kill_switch.do("add_all", lambda: self._store.add_all(values))

    def get_all(self, keys: Sequence[str]) -> dict[str, bytes]:
        return self._kill_switch.do("get_all", lambda: self._store.get_all(keys))

    def delete(self, keys: Sequence[str]) -> None:
        self._kill_switch.do("delete", lambda: self._store.delete(keys))

    def keys(self, prefix: str) -> list[str]:
        return self._kill_switch.do("keys", lambda: self._store.keys(prefix))

    def keys_with_values(self, prefix: str) -> list[str]:
        return self._kill_switch.do("keys_with_values", lambda: self._store.keys_with_values(prefix))

    def acquire(self, key: str, fence: Fence) -> bytes | None:
        return self._kill_switch.do("acquire", lambda: self._store.acquire(key, fence))

    def swap(self, key: str, fence: Fence, value: bytes, delete: Sequence[str] = ()) -> None:
        def swap() -> None:
            self._store.swap(key, fence, value, delete)
            self.swaps.append(value)

        self._kill_switch.do("swap", swap)

    def scrub(self, *, begin: bool) -> bool:
        store = self._store
        assert isinstance(store, ScrubbableStore)
        return self._kill_switch.do("scrub", lambda: store.scrub(begin=begin))

    def close(self) -> None:
        self._store.close()
