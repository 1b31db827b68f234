"""Faults that need an operator: services wait where waiting helps, end where not, and say what to do."""

from contextlib import closing

from kafka import TopicPartition
from kafka.admin import NewPartitions

from prequel.services.learner.snapshots.root import read_roots, root_key
from prequel.shared.log.base import EXAMPLES, IMAGES
from prequel.shared.log.kafka.log import KafkaLog
from prequel.shared.status import StreamStatus, key
from prequel.shared.store.base import Fence
from tests.servers.ports import wait_until
from tests.system import events
from tests.system.cluster import DEADLINE_S, Cluster, Service, all_ready

STREAM = "s"


def one_snapshot(cluster: Cluster, log: KafkaLog) -> tuple[int, int]:
    """Some examples and a record of settings, folded by a learner that has ended; partition and snapshot's offset."""
    at = log.append([events.features(STREAM, f"i{n}", [n % 3, 1, -n], "ab"[n % 2]) for n in range(20)])
    (learner,) = cluster.start("learner")
    with closing(cluster.store()) as store:
        roots = root_key(at[0].partition)
        wait_until(lambda: any(r.offset == 21 for r in read_roots(store.get(roots))), DEADLINE_S, "the snapshot")
    assert learner.terminate() == 0, learner.output
    return at[0].partition, 21


def says(service: Service, *parts: str) -> None:
    def reported() -> bool:
        reasons = service.reasons()
        return reasons is not None and all(part in " ".join(reasons.values()) for part in parts)

    wait_until(reported, DEADLINE_S, f"{service.kind} saying {parts} on /readyz; it says {service.reasons()}")


def ends(service: Service, *parts: str) -> None:
    """With exit code 1 and a message, not a traceback."""
    code = service.wait()
    assert code == 1, service.output
    assert all(part in service.output for part in parts), service.output
    assert "Traceback" not in service.output, service.output


def test_services_wait_for_a_broker_and_for_topics(cluster: Cluster) -> None:
    with closing(cluster.admin()) as admin:
        admin.delete_topics(["images", "examples", "predictions", "dead-letters"])
    cluster.kafka.kill()
    services = [*cluster.start("learner"), *cluster.start("extractor"), *cluster.start("gateway")]
    for service in services:
        says(service, f"Kafka at {cluster.kafka.bootstrap()}", "Check that it runs and that PREQUEL_LOG")
    cluster.kafka.start()
    for service in services:
        says(service, "create it with `prequel topics`")
    cluster.topics()
    all_ready(services)


def test_no_redis_at_the_start(cluster: Cluster) -> None:
    cluster.redis.kill()
    (learner,) = cluster.start("learner")
    says(learner, "Redis at 127.0.0.1", "PREQUEL_STORE")
    cluster.redis.start()
    all_ready([learner])


def test_another_number_of_partitions_is_refused(cluster: Cluster, log: KafkaLog) -> None:
    one_snapshot(cluster, log)
    with closing(cluster.admin()) as admin:
        admin.create_partitions({EXAMPLES: NewPartitions(6)})
    ends(cluster.start("learner")[0], "has 6 partitions", "made with 4", "empty store")


def test_a_learner_overtaken_by_retention_ends_and_rebuild_continues(cluster: Cluster, log: KafkaLog) -> None:
    partition, offset = one_snapshot(cluster, log)
    log.append([events.features(STREAM, f"j{n}", [n, 1, 1], "a") for n in range(20)])
    with closing(cluster.admin()) as admin:
        admin.delete_records({TopicPartition(EXAMPLES, partition): offset + 5})
    wait_until(lambda: log.bounds(EXAMPLES)[partition].begin == offset + 5, 60, "retention")
    ends(cluster.start("learner")[0], f"the log begins at {offset + 5}", "prequel rebuild")
    rebuilt = cluster.run("rebuild")
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    all_ready(cluster.start("learner"))


def test_a_changed_setting_loses_nothing_though_retention_removed_the_log(cluster: Cluster, log: KafkaLog) -> None:
    partition, offset = one_snapshot(cluster, log)
    with closing(cluster.admin()) as admin:
        admin.delete_records({TopicPartition(EXAMPLES, partition): 15})
    wait_until(lambda: log.bounds(EXAMPLES)[partition].begin == 15, 60, "retention")
    changed = {"PREQUEL_MODELS": "mix,ncm", "PREQUEL_WINDOW": "10", "PREQUEL_MAX_LABELS": "7"}
    with closing(cluster.store()) as store:
        for number, settings in enumerate((changed, {}), 1):
            (learner,) = cluster.start("learner", settings=settings)
            at = offset + number
            wait_until(
                lambda at=at: read_roots(store.get(root_key(partition)))[0].offset == at,  # type: ignore[misc]
                DEADLINE_S,
                "the settings in a snapshot",
            )
            assert learner.terminate() == 0, learner.output
            shown = StreamStatus.model_validate_json(store.get(key(STREAM)) or b"")
            wanted = settings.get("PREQUEL_MODELS", cluster.settings.models).split(",")
            assert (shown.images, shown.labelled, list(shown.models)) == (20, 20, wanted)
            assert shown.models["mix"].scored == 19
            assert shown.models[wanted[1]].scored == 4, "what the log has left, less its first example"


def test_an_extractor_overtaken_by_retention_ends(cluster: Cluster, log: KafkaLog) -> None:
    group = f"{cluster.settings.group}-extractor"
    (at,) = log.append([events.image(STREAM, "i0", events.png())._replace(partition=0)])
    log.append([events.image(STREAM, f"j{n}", events.png())._replace(partition=0) for n in range(3)])
    with closing(log.join(group, IMAGES)) as member:
        wait_until(lambda: bool(member.poll(1, 1.0).assigned), 60, "the partitions")
        member.commit({0: at.offset + 1})
    with closing(cluster.admin()) as admin:
        admin.delete_records({TopicPartition(IMAGES, 0): 3})
    ends(
        cluster.start("extractor")[0], "images:0:1", "retention removed it before it was read", "--reset-offsets", group
    )


def test_a_snapshot_that_outgrows_its_limit_ends_the_learner(cluster: Cluster, log: KafkaLog) -> None:
    (learner,) = cluster.start("learner", settings={"PREQUEL_SNAPSHOT_MAX_BYTES": "1048576"})
    wide = [0.5] * 100_000
    log.append([events.features(STREAM, f"i{n}", wide, "ab"[n % 2]) for n in range(3)])
    ends(learner, "PREQUEL_SNAPSHOT_MAX_BYTES=1048576", "raise it")


def test_a_recreated_group_says_which_setting_to_raise(cluster: Cluster) -> None:
    with closing(cluster.store()) as store:
        for partition in range(4):
            store.acquire(root_key(partition), Fence(0, 1_000, "of the old group"))
    (learner,) = cluster.start("learner")
    says(learner, "PREQUEL_INCARNATION=1")
    assert learner.terminate() == 0
    all_ready(cluster.start("learner", settings={"PREQUEL_INCARNATION": "1"}))
