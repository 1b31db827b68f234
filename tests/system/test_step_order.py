"""The order of the learner's steps on Kafka and Redis: a kill between any two is harmless, another order is not."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from prequel.shared.log.base import EXAMPLES, PREDICTIONS, Message, Position, Record
from prequel.shared.log.kafka.log import KafkaLog
from tests.learner.building import new_fold
from tests.learner.crashing import KillSwitch, Result
from tests.learner.test_crashes import (
    LIMITS,
    Machine,
    SnapshotBeforeOutputs,
    StartsAtGroupPosition,
    differences,
    history,
    undisturbed_predictions,
)
from tests.system.cluster import Cluster
from tests.system.oracle import everything

KILLS = [
    ("append", 1, False),
    ("append", 2, True),
    ("swap", 1, False),
    ("swap", 1, True),
    ("swap", 2, True),
    ("commit", 1, False),
    ("commit", 2, True),
    ("put", 5, False),
]


class Appointed(KillSwitch):
    """Kills before or after the n-th operation of a name."""

    def __init__(self, name: str, nth: int, after: bool) -> None:
        super().__init__()
        self._name, self._left, self._after = name, nth, after

    def do(self, name: str, operation: Callable[[], Result]) -> Result:
        if name == self._name:
            self._left -= 1
            if self._left == 0:
                self.at = 2 * len(self.operations) + self._after
        return super().do(name, operation)


class Lazy:
    """A mutation: a log that acknowledges records before they are durable, as a producer that checks no future."""

    def __init__(self, log: KafkaLog) -> None:
        self._log = log
        self._unsent: Sequence[Message] = ()

    def append(self, messages: Sequence[Message]) -> list[Position]:
        self.flush()
        self._unsent = messages
        return [Position(0, 0)] * len(messages)

    def flush(self) -> None:
        self._log.append(self._unsent)
        self._unsent = ()

    def forget(self) -> None:
        self._unsent = ()

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)


class OnServers(Machine):
    """Processes come and go on Kafka and Redis instead of a folder."""

    def __init__(self, cluster: Cluster, records: Sequence[Record]) -> None:
        cluster.reset()
        self.group = f"learners-{uuid.uuid4().hex[:8]}"
        self.kafka = cluster.log()
        self.log, self.store = self.kafka, cluster.store()  # type: ignore[assignment]  # of the embedded ones' protocols
        self.log.append([Message(EXAMPLES, r.key, r.value, r.headers) for r in records])
        self.roots: list[bytes] = []

    def predictions(self) -> dict[bytes, set[bytes]]:
        predictions: dict[bytes, set[bytes]] = defaultdict(set)
        for record in everything(self.kafka, PREDICTIONS):
            predictions[dict(record.headers)["ce_id"]].add(record.value)
        return predictions

    def lazily(self) -> Lazy:
        self.log = lazy = Lazy(self.kafka)  # type: ignore[assignment]
        return lazy


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster"), {"PREQUEL_KAFKA_PARTITIONS": "1"}) as made:
        yield made


@pytest.fixture(scope="module")
def digests() -> Mapping[int, str]:
    """The state's digest at every offset, by the fold alone."""
    log = history()
    fold, found = new_fold(log, **LIMITS), {}
    for record in log.records:
        fold.apply([record])
        found[fold.position] = fold.digest()
    return found


@pytest.fixture
def findings(servers: Cluster, digests: dict[int, str], tmp_path: Path) -> "Findings":
    return Findings(servers, digests, undisturbed_predictions(tmp_path / "calm", KillSwitch()))


class Findings:
    """Runs a process that is killed, and one that is not, and returns what is wrong then."""

    def __init__(self, servers: Cluster, digests: dict[int, str], predictions: dict[bytes, set[bytes]]) -> None:
        self._servers, self._digests, self._predictions = servers, digests, predictions

    def of(self, kill_switch: KillSwitch, wrap: type[SnapshotBeforeOutputs] | None = None) -> list[str]:
        with closing(OnServers(self._servers, history().records)) as machine:
            machine.learn(kill_switch, wrap)
            machine.learn(KillSwitch(), wrap)
            return differences(machine, self._digests, self._predictions)

    def of_lazy(self, kill_switch: KillSwitch) -> list[str]:
        with closing(OnServers(self._servers, history().records)) as machine:
            lazy = machine.lazily()
            machine.learn(kill_switch)
            lazy.forget() if kill_switch.dead else lazy.flush()
            machine.learn(KillSwitch())
            lazy.flush()
            return differences(machine, self._digests, self._predictions)


@pytest.mark.parametrize(("operation", "nth", "after"), KILLS)
def test_a_kill_between_two_steps_changes_nothing(findings: Findings, operation: str, nth: int, after: bool) -> None:
    kill_switch = Appointed(operation, nth, after)
    assert findings.of(kill_switch) == []
    assert kill_switch.dead


def test_a_snapshot_before_its_outputs_is_caught(findings: Findings) -> None:
    assert findings.of(KillSwitch(), SnapshotBeforeOutputs) == []
    assert findings.of(Appointed("append", 1, False), SnapshotBeforeOutputs) != []


def test_starting_from_the_groups_position_is_caught(findings: Findings) -> None:
    assert findings.of(KillSwitch(), StartsAtGroupPosition) == []
    assert findings.of(Appointed("swap", 1, True), StartsAtGroupPosition) != []


def test_outputs_that_are_not_durable_when_acknowledged_are_caught(findings: Findings) -> None:
    assert findings.of_lazy(KillSwitch()) == []
    assert findings.of_lazy(Appointed("commit", 1, True)) != []
