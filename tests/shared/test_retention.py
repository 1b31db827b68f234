"""Retention: parsing the settings, who needs which records, and pruning all others but none of these."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from prequel.services.cli.prune import prune
from prequel.shared.config import ConfigError, Settings
from prequel.shared.environment import from_environment
from prequel.shared.log.base import DEAD_LETTERS, EXAMPLES, IMAGES, PREDICTIONS, TOPICS, Bounds, LogUnavailable, Message
from prequel.shared.log.kafka.retention import describe_difference, find_too_short, kafka_retention, kafka_settings
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.retention import floors, pruning
from prequel.shared.retention import keeper as retention_keeper
from prequel.shared.retention.floors import Floor
from prequel.shared.retention.keeper import RetentionKeeper
from prequel.shared.retention.policy import EMBEDDED_DEFAULTS, FOREVER, Retention, parse
from prequel.shared.retention.usage import LogUsage, low_space_bytes, measure_log
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.store.sqlite import SqliteStore
from prequel.shared.units import format_bytes
from tests.contracts.full_disk import small_disk  # noqa: F401  # a fixture

DAY = 86_400.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("forever", FOREVER),
        ("30d", Retention(seconds=30 * DAY)),
        ("12h", Retention(seconds=DAY / 2)),
        (" 1.5 D ", Retention(seconds=1.5 * DAY)),
        ("4w", Retention(seconds=28 * DAY)),
        ("50GB", Retention(bytes=50 * 10**9)),
        ("500mb", Retention(bytes=5 * 10**8)),
        ("1.5TiB", Retention(bytes=3 * 2**39)),
    ],
)
def test_a_time_a_size_and_forever_are_understood(text: str, expected: Retention) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    ["30", "d", "-1d", "0d", "0GB", "30m", "50 GBs", "1e3d", "nan d", "inf", "99999999TB", "9999999d", "1d 50GB"],
)
@pytest.mark.parametrize("topic", ["IMAGES", "EXAMPLES", "PREDICTIONS", "DEAD_LETTERS"])
def test_anything_else_stops_the_start_and_shows_the_right_form(text: str, topic: str) -> None:
    with pytest.raises(ConfigError, match=f"PREQUEL_RETENTION_{topic}={text}: use .*forever"):
        from_environment({f"PREQUEL_RETENTION_{topic}": text})


@given(st.text())
def test_any_text_is_understood_or_refused_and_nothing_else(text: str) -> None:
    try:
        retention = parse(text)
    except ValueError:
        return
    assert retention.forever or (retention.seconds or retention.bytes or 0) >= 1


def test_the_old_setting_stops_the_start_and_names_the_new_ones() -> None:
    with pytest.raises(ConfigError, match=r"PREQUEL_KAFKA_RETENTION_HOURS=24 .* PREQUEL_RETENTION_IMAGES"):
        from_environment({"PREQUEL_KAFKA_RETENTION_HOURS": "24"})


def test_unless_set_the_embedded_log_is_bounded_and_kafka_is_not() -> None:
    assert [Settings.model_validate({}).retention_of(topic) for topic in TOPICS] == [
        EMBEDDED_DEFAULTS[topic] for topic in TOPICS
    ]
    assert sum(each.bytes or 10**18 for each in EMBEDDED_DEFAULTS.values()) <= 25 * 10**9
    on_kafka = from_environment({"PREQUEL_LOG": "kafka://k:9092", "PREQUEL_RETENTION_DEAD_LETTERS": "7d"})
    assert on_kafka.retention_of(IMAGES) == FOREVER
    assert on_kafka.retention_of(DEAD_LETTERS) == Retention(seconds=7 * DAY)


# What is kept.


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[SqliteLog]:
    with closing(SqliteLog(tmp_path / "log", clock=clock)) as log:
        yield log


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "store")) as store:
        yield store


def fill(log: SqliteLog, topic: str, count: int, size: int = 1_000) -> None:
    for _ in range(count):
        log.append([Message(topic, b"s", bytes(size))])


def read_by(log: SqliteLog, service: str, topic: str, offset: int) -> None:
    member = log.join(f"prequel-{service}", topic)
    member.poll(1, 0.0)
    member.commit({0: offset})
    member.close()


def pruned(log: SqliteLog, store: SqliteStore, clock: Clock, **values: object) -> dict[str, int]:
    """Prune to the end; return the offset at which each topic then begins."""
    settings = Settings.model_validate({"view_predictions": 10, **values})
    list(prune(log, store, settings, threading.Event(), clock=clock))
    return {topic: log.bounds(topic)[0].begin for topic in TOPICS}


def test_images_that_the_extractor_has_not_read_are_kept(log: SqliteLog, store: SqliteStore, clock: Clock) -> None:
    fill(log, IMAGES, 20)
    clock.now += 40 * DAY
    assert pruned(log, store, clock, retention_images="30d")[IMAGES] == 0, "nobody ever read any"
    read_by(log, "extractor", IMAGES, 7)
    assert pruned(log, store, clock, retention_images="30d")[IMAGES] == 7
    read_by(log, "extractor", IMAGES, 20)
    assert pruned(log, store, clock, retention_images="50d")[IMAGES] == 7
    assert pruned(log, store, clock, retention_images="30d")[IMAGES] == 19, "the newest record has the next offset"


@pytest.mark.parametrize(
    ("committed", "floor", "begin"),
    [(None, None, 0), (20, None, 0), (None, 20, 0), (12, 15, 12), (20, 15, 15), (20, 0, 0)],
)
def test_examples_are_kept_from_the_floor_and_the_position_of_the_learner(
    log: SqliteLog, store: SqliteStore, clock: Clock, committed: int | None, floor: int | None, begin: int
) -> None:
    fill(log, EXAMPLES, 21)
    clock.now += 40 * DAY
    if committed is not None:
        read_by(log, "learner", EXAMPLES, committed)
    if floor is not None:
        floors.publish(store, 0, Floor(floor, "pets", 1.0))
    assert pruned(log, store, clock, retention_examples="30d")[EXAMPLES] == begin


@pytest.mark.parametrize(
    "damaged", [b"", b"null", b"[]", b"?", b'{"offset": "7"}', b'{"offset": -1, "stream": "", "time": 0}']
)
def test_an_unreadable_floor_is_none(store: SqliteStore, damaged: bytes) -> None:
    store.put(floors.key(0), damaged)
    assert floors.read(store, 0) is None


def test_the_newest_predictions_are_kept_and_dead_letters_are_removed(
    log: SqliteLog, store: SqliteStore, clock: Clock
) -> None:
    fill(log, PREDICTIONS, 30)
    fill(log, DEAD_LETTERS, 30)
    clock.now += 2 * DAY
    begins = pruned(log, store, clock, retention_predictions="1d", retention_dead_letters="1d")
    assert (begins[PREDICTIONS], begins[DEAD_LETTERS]) == (20, 29)


def test_by_size_the_oldest_are_removed_until_it_fits_and_no_more(
    log: SqliteLog, store: SqliteStore, clock: Clock
) -> None:
    fill(log, DEAD_LETTERS, 200, size=100_000)
    begin = pruned(log, store, clock, retention_dead_letters="5MB")[DEAD_LETTERS]
    assert 145 <= begin <= 160, "20 MB were there"
    assert log.pruning(DEAD_LETTERS).usage().used <= 5 * 10**6
    assert log.sizes([DEAD_LETTERS])[DEAD_LETTERS] < 12 * 10**6, "the file has shrunk"
    assert pruned(log, store, clock, retention_dead_letters="5MB")[DEAD_LETTERS] == begin


def test_nothing_is_removed_during_a_replay_or_by_two_processes_at_once(
    log: SqliteLog, store: SqliteStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(log, DEAD_LETTERS, 5)
    clock.now += 2 * DAY
    monkeypatch.setattr("prequel.services.cli.prune.PRUNE_BUSY_S", 0.0)
    for hold in (log.replay_lock, log.pruning_lock):
        with hold(), pytest.raises(LogUnavailable, match="another process prunes this log, or a rebuild reads it"):
            pruned(log, store, clock, retention_dead_letters="1d")
    assert log.bounds(DEAD_LETTERS)[0].begin == 0
    assert pruned(log, store, clock, retention_dead_letters="1d")[DEAD_LETTERS] == 4


def test_what_is_kept_for_longer_than_set_has_a_reason(log: SqliteLog, store: SqliteStore, clock: Clock) -> None:
    fill(log, EXAMPLES, 9)
    read_by(log, "learner", EXAMPLES, 9)
    floors.publish(store, 0, Floor(3, "pets", 1.0))
    clock.now += 2 * DAY
    settings = Settings.model_validate({"retention_examples": "1d"})
    pruned(log, store, clock, retention_examples="1d")
    (examples,) = [each for each in measure_log(log, store, settings, clock()).topics if each.topic == EXAMPLES]
    assert examples.kept_because == "more is kept: the window of stream pets reaches back to examples:0:3"
    (images,) = [each for each in measure_log(log, store, settings, clock()).topics if each.topic == IMAGES]
    assert images.kept_because == ""


def test_the_keeper_prunes_measures_and_survives_failures(
    log: SqliteLog, store: SqliteStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(log, DEAD_LETTERS, 9)
    clock.now += 2 * DAY
    registry, health, stop = CollectorRegistry(), Health(), threading.Event()
    settings = Settings.model_validate({"retention_dead_letters": "1d"})
    keeper = RetentionKeeper(settings, log=log, store=store, metrics=Metrics(registry), health=health, clock=clock)
    assert not keeper.one_pass(stop)
    assert log.bounds(DEAD_LETTERS)[0].begin == 8
    assert registry.get_sample_value("prequel_log_pruned_total", {"topic": DEAD_LETTERS}) == 8
    assert (registry.get_sample_value("prequel_log_bytes", {"topic": IMAGES}) or 0) > 0
    assert (registry.get_sample_value("prequel_disk_free_bytes") or 0) > 0
    assert registry.get_sample_value("prequel_log_limit_bytes", {"topic": IMAGES}) == 10**10
    assert registry.get_sample_value("prequel_log_limit_bytes", {"topic": DEAD_LETTERS}) is None
    assert registry.get_sample_value("prequel_log_oldest_seconds", {"topic": DEAD_LETTERS}) == 2 * DAY
    assert registry.get_sample_value("prequel_log_oldest_seconds", {"topic": IMAGES}) is None, "nothing is there"
    assert keeper.newest is not None
    assert any("the oldest 2 days old, kept 24 hours" in str(each) for each in keeper.newest.topics)
    store.close()
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return len(waited) > 2

    monkeypatch.setattr(stop, "wait", wait)
    keeper.run(stop)
    assert len(waited) == 3
    monkeypatch.setattr(pruning.Pruner, "run", lambda *_: 1 / 0)
    waited.clear()
    keeper.run(stop)
    assert "ZeroDivisionError" in health.reasons["retention"]


def test_the_keeper_prunes_sooner_while_the_log_grows_fast(
    log: SqliteLog, store: SqliteStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """30 s are long enough for a fast producer to fill a disk, however small a size was allowed."""
    settings = Settings.model_validate({"retention_dead_letters": "8MB"})
    keeper = RetentionKeeper(
        settings, log=log, store=store, metrics=Metrics(CollectorRegistry()), health=Health(), clock=clock
    )
    stop, glances, largest = threading.Event(), [0], [0]

    def wait(seconds: float) -> bool:
        if seconds == retention_keeper.SIZE_CHECK_SECONDS:
            fill(log, DEAD_LETTERS, 2, size=10**6)
            glances[0] += 1
            largest[0] = max(largest[0], log.sizes([DEAD_LETTERS])[DEAD_LETTERS])
        return glances[0] >= retention_keeper.INTERVAL_SECONDS

    monkeypatch.setattr(stop, "wait", wait)
    keeper.run(stop)
    assert log.pruning(DEAD_LETTERS).usage().used < 13 * 10**6, "60 MB came within one interval"
    assert largest[0] < 40 * 10**6, "the write-ahead log, of 16 MB, among them"


@pytest.mark.parametrize("small_disk", [40], indirect=True)
def test_large_images_are_accepted_again_and_again_on_a_small_disk(small_disk: Path, clock: Clock) -> None:  # noqa: F811
    """24 of 3 MB: one that is refused is accepted after the keeper has pruned."""
    settings = Settings.model_validate({"retention_images": "10MB"})
    with closing(SqliteLog(small_disk / "log")) as log, closing(SqliteStore(small_disk / "store")) as store:
        keeper = RetentionKeeper(
            settings, log=log, store=store, metrics=Metrics(CollectorRegistry()), health=Health(), clock=clock
        )
        message, refused = Message(IMAGES, b"s", bytes(3 * 10**6)), 0
        for number in range(24):
            read_by(log, "extractor", IMAGES, number)
            try:
                log.append([message])
            except LogUnavailable:
                refused += 1
                keeper.one_pass(threading.Event())
                log.append([message])
            assert log.disk().free > 0
        assert log.bounds(IMAGES)[0].end == 24
        assert refused < 20


def test_there_is_a_warning_before_the_disk_is_full() -> None:
    assert (low_space_bytes(10**10), low_space_bytes(10**11), low_space_bytes(10**13)) == (
        2 * 2**30,
        5 * 10**9,
        10 * 2**30,
    )
    assert LogUsage([], 6 * 10**9, 10**11).warning == LogUsage([]).warning == ""
    assert "4 GB left of 100 GB: make room" in LogUsage([], 4 * 10**9, 10**11).warning
    assert [format_bytes(n) for n in (12, 1_500, 22 * 10**9)] == ["12 B", "1.5 kB", "22 GB"]


# Kafka.


@given(st.integers(1, 50), st.integers(1, 10**6) | st.none())
def test_a_retention_set_on_kafka_is_read_back(partitions: int, amount: int | None) -> None:
    for retention in (Retention(), Retention(seconds=amount), Retention(bytes=amount and amount * partitions)):
        assert kafka_retention(kafka_settings(retention, partitions), partitions) == retention


def test_a_different_retention_on_kafka_is_a_remark_and_not_a_problem() -> None:
    week = kafka_retention({"retention.ms": "604800000", "retention.bytes": "1000000000"}, 4)
    remark = describe_difference(IMAGES, week, Retention(seconds=30 * DAY), "images")
    assert remark
    assert remark.startswith("topic images keeps records for 7 days and up to 4 GB, as it was set on Kafka; PREQUEL_")
    assert describe_difference(IMAGES, FOREVER, FOREVER, IMAGES) is None


def test_a_topic_that_is_kept_for_less_time_than_a_window_is_a_problem() -> None:
    now, week = 100 * DAY, Retention(seconds=7 * DAY)
    bounds = {0: Bounds(50, 90)}
    assert find_too_short(week, bounds, {0: Floor(50, "pets", 94 * DAY)}, now=now) == []
    assert find_too_short(FOREVER, bounds, {0: Floor(50, "pets", 1 * DAY)}, now=now) == []
    (problem,) = find_too_short(FOREVER, bounds, {0: Floor(49, "pets", 99 * DAY)}, now=now)
    assert "the window of stream pets reaches back to examples:0:49, but the topic begins at 50" in str(problem)
    (soon,) = find_too_short(week, bounds, {0: Floor(60, "pets", 92 * DAY)}, now=now)
    assert "keeps records for 7 days" in str(soon)
    assert "PREQUEL_WINDOW" in str(soon)
