"""A learner that was paused for longer than the group's session has its write fenced, and discards its state."""

import signal
from contextlib import closing
from pathlib import Path

from prequel.services.learner.snapshots.root import read_roots, root_key
from prequel.shared.log.kafka.log import KafkaLog
from tests.servers.ports import wait_until
from tests.system import events
from tests.system.cluster import DEADLINE_S, Cluster, all_ready
from tests.system.oracle import Reference, Roots, contradictions


def test_the_write_of_a_paused_learner_is_fenced_and_it_discards_its_state(
    cluster: Cluster, log: KafkaLog, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    (zombie,) = cluster.start("learner", module="tests.system.sleeper", settings={"SLEEPER_MARK": str(mark)})
    all_ready([zombie])

    def send(begin: int) -> tuple[int, int]:
        """Twenty more examples; their partition and the offset behind them: the learner's settings may follow them."""
        numbers = range(begin, begin + 20)
        at = log.append([events.features("s", f"i{n}", [n % 5, 1, -n], "ab"[n % 2]) for n in numbers])
        return at[-1].partition, at[-1].offset + 1

    with closing(cluster.store()) as store:

        def newest(partition: int) -> tuple[int, str]:
            return next(((root.offset, root.owner) for root in read_roots(store.get(root_key(partition)))), (0, ""))

        partition, end = send(0)
        wait_until(lambda: newest(partition)[0] >= end, DEADLINE_S, "the first snapshot")
        owner = newest(partition)[1]
        mark.with_suffix(".go").touch()
        send(20)
        wait_until(zombie.stopped, DEADLINE_S, "the zombie asleep")
        (heir,) = cluster.start("learner")
        partition, end = send(40)
        wait_until(lambda: newest(partition)[0] >= end, DEADLINE_S, "the heir's snapshot")
        assert newest(partition)[1] != owner
        zombie.signal(signal.SIGCONT)
        wait_until(mark.with_suffix(".woke").exists, DEADLINE_S, "the zombie awake")
        assert mark.with_suffix(".woke").read_text() == f"fenced {root_key(partition)}"
        partition, end = send(60)
        wait_until(lambda: newest(partition)[0] >= end, DEADLINE_S, "the snapshot after")
        assert (zombie.terminate(), heir.terminate()) == (0, 0)
        roots: Roots = {(partition, r.offset): {r.digest} for r in read_roots(store.get(root_key(partition)))}
    reference = Reference(cluster.settings, log)
    reference.compare(roots)
    assert (reference.wrong, reference.checked > 1) == ([], True)
    assert reference.images() == {"s": 80}
    assert contradictions(log) == []
