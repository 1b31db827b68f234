"""Works around two bugs of kafka-python 3.0.12 in the consumers that we use."""

from typing import Any

from kafka.consumer.fetcher import Fetcher
from kafka.coordinator.base import MemberState
from kafka.coordinator.consumer import ConsumerCoordinator
from kafka.record.default_records import DefaultRecordBatch

from prequel.shared.runtime.deadlines import KAFKA_JOIN_POLL_S, KAFKA_JOIN_S


def with_workarounds(consumer: Any) -> Any:
    """A consumer that was just made, with its two faulty parts replaced."""
    consumer._coordinator.__class__, consumer._fetcher.__class__ = _Coordinator, _Fetcher
    return consumer


def poll_as_member(consumer: Any, timeout_s: float, max_records: int) -> Any:
    """Poll a member of a group. While the group reassigns partitions this waits for KAFKA_JOIN_S at least."""
    joining = consumer.group_metadata().state is not MemberState.STABLE
    consumer._coordinator.in_poll = True
    try:
        return consumer.poll(timeout_ms=int(max(timeout_s, KAFKA_JOIN_S * joining) * 1000), max_records=max_records)
    finally:
        consumer._coordinator.in_poll = False


class _Coordinator(ConsumerCoordinator):  # type: ignore[misc]  # the library has no types
    """Does not forget a join that takes longer than the poll it began in.

    kafka-python 3.0.12 throws such a join's result away and begins another, again and again while polls are short; and
    where new metadata was the reason to join, it never looks at the result at all: a member without partitions and
    without heartbeats, for ever. Here a finished join waits for the next poll, and a pending one counts as needed.
    """

    in_poll = False

    def need_rejoin(self) -> Any:
        return self._join_task is not None or super().need_rejoin()

    async def _do_join_and_sync_async(self) -> Any:
        assignment = await super()._do_join_and_sync_async()
        while not self.in_poll:
            await self._net.sleep(KAFKA_JOIN_POLL_S)
        return assignment


class _Fetcher(Fetcher):  # type: ignore[misc]  # the library has no types
    """Survives a header whose name is not UTF-8 (any client may send one): kafka-python 3.0.12 loops on it for ever."""

    class PartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc]  # the library has no types
        def _unpack_records(self, partition: Any, batches: Any, *deserializers: Any) -> Any:
            return super()._unpack_records(partition, _Batches(batches), *deserializers)


class _Batches:
    """The client's batches, each as a ``_Batch``."""

    def __init__(self, batches: Any) -> None:
        self._batches = batches

    def next_batch(self) -> Any:
        batch = self._batches.next_batch()
        if type(batch) is DefaultRecordBatch:
            batch.__class__ = _Batch
        return batch


class _Batch(DefaultRecordBatch):  # type: ignore[misc]  # the library has no types
    """Reads a record that cannot be decoded a second time, leniently: only then, since that is slower."""

    __slots__ = ()

    def _read_msg(self) -> Any:
        try:
            return super()._read_msg()
        except UnicodeDecodeError:
            strict: bytearray = self._buffer  # type: ignore[has-type]  # the library has no types
            self._buffer = _LenientBytes(strict)  # type: ignore[misc]  # a slot of the base class
            try:
                return super()._read_msg()
            finally:
                self._buffer = strict  # type: ignore[misc,assignment]  # a slot of the base class


class _LenientBytes(bytearray):
    """Bytes whose text is decoded with escapes where it is not UTF-8."""

    def __getitem__(self, place: Any) -> Any:
        part = super().__getitem__(place)
        return _LenientBytes(part) if isinstance(place, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "") -> str:
        return bytes(self).decode(encoding, "backslashreplace")
