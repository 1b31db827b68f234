"""Commands on a real cluster, with learners that are killed while they catch up: nothing half done, and bit-equal."""

from contextlib import closing

from prequel.shared.events.commands import encode_command
from prequel.shared.log.base import Message
from prequel.shared.log.kafka.log import KafkaLog
from prequel.shared.status import StreamStatus, key
from tests.servers.ports import wait_until
from tests.system import events
from tests.system.cluster import DEADLINE_S, Cluster, all_ready

STREAMS = ("s", "t", "u")
IMAGES = 300
ASKED: tuple[tuple[str, dict[str, str]], ...] = (
    ("models.add", {"model": "ncm"}),
    ("class.merge", {"from": "a", "to": "b"}),
)


def command(stream: str, do: str, **arguments: object) -> Message:
    id = f"{do}:{sorted(arguments.items())}".translate(str.maketrans("{}[]()', ", "........."))
    return encode_command(stream, id, do, arguments=arguments, by="t", time=1.7e9, source="test")


def images(stream: str, begin: int, end: int) -> list[Message]:
    return [events.features(stream, f"i{n}", [n % 3, n % 5, -n % 7], "abc"[n % 3]) for n in range(begin, end)]


def shown(cluster: Cluster, stream: str) -> StreamStatus | None:
    with closing(cluster.store()) as store:
        body = store.get(key(stream))
    return StreamStatus.model_validate_json(body) if body else None


def started(cluster: Cluster, do: str) -> bool:
    """Whether a replay for this command is under way in some stream, or it is in effect."""
    statuses = [status for stream in STREAMS if (status := shown(cluster, stream))]
    if do == "models.add":
        return any(status.catching_up is not None or "ncm" in status.models for status in statuses)
    return any(status.catching_up is not None or "a" not in status.labels for status in statuses)


def test_learners_killed_while_streams_catch_up(cluster: Cluster, log: KafkaLog) -> None:
    learners = cluster.start("learner", 2)
    all_ready(learners)
    for stream in STREAMS:
        log.append(images(stream, 0, IMAGES))
    for number, (do, arguments) in enumerate(ASKED, 1):
        for stream in STREAMS:
            more = images(stream, IMAGES * number, IMAGES * (number + 1))
            log.append([command(stream, do, **arguments), *more])
        for learner in learners:  # As soon as it is seen that a replay is under way, or is done already.
            wait_until(lambda: started(cluster, do), DEADLINE_S, "a stream to catch up")  # noqa: B023
            learner.kill()
            learner.start()
    for stream in STREAMS:
        log.append([command(stream, "class.rename", **{"from": "c", "to": "z"})])

    def done() -> bool:
        statuses = [shown(cluster, stream) for stream in STREAMS]
        return all(
            status is not None
            and status.catching_up is None
            and (status.images, sorted(status.labels), len(status.models)) == (3 * IMAGES, ["b", "z"], 3)
            for status in statuses
        )

    wait_until(done, DEADLINE_S, "every stream to have caught up")
    assert [learner.terminate() for learner in learners] == [0, 0]
    verified = cluster.run("rebuild", "--verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert verified.stdout.count("bit-equal") == 4, verified.stdout
