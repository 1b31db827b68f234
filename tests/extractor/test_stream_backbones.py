"""Which backbone a stream has: by its status, by a choice of a moment ago, by what is known while the store is away."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from prequel.services.extractor import stream_backbones
from prequel.services.extractor.stream_backbones import StreamBackbones
from prequel.shared import status
from prequel.shared.backbone_specs import chosen_key
from prequel.shared.runtime.deadlines import STREAM_BACKBONES_AGE_S
from prequel.shared.runtime.health import Health
from prequel.shared.store.base import StoreUnavailable
from prequel.shared.store.sqlite import SqliteStore
from tests.extractor.feeding import Clock


class Away:
    """The store, while ``away`` is empty; counts reads."""

    def __init__(self, store: SqliteStore) -> None:
        self.store, self.away, self.reads = store, "", 0

    def get_all(self, keys: Sequence[str]) -> dict[str, bytes]:
        self.reads += 1
        if self.away:
            raise StoreUnavailable(self.away)
        return self.store.get_all(keys)


class Known:
    def __init__(self, store: SqliteStore) -> None:
        self.store, self.clock, self.health = Away(store), Clock(), Health()
        self.streams = StreamBackbones(self.store, self.health, self.clock)  # type: ignore[arg-type]  # all that is read

    def of(self, stream: str) -> str:
        return self.streams.of([stream])[stream]

    def publish(self, stream: str, backbone: str) -> None:
        self.store.store.put(status.key(stream), orjson.dumps({"stream": stream, "backbone": backbone}))
        self.store.store.put(status.partition_key(0), b"{}")


@pytest.fixture
def known(tmp_path: Path) -> Iterator[Known]:
    with closing(SqliteStore(tmp_path / "store.sqlite")) as store:
        yield Known(store)


def test_a_status_wins_over_a_choice_and_a_choice_over_nothing(known: Known) -> None:
    known.store.store.put(chosen_key("a"), b"mobilenetv2")
    known.store.store.put(chosen_key("b"), b"mobilenetv2")
    known.publish("b", "compact-max-32-01234567")
    known.publish("c", "")
    assert dict(known.streams.of(["a", "b", "b", "c", "d"])) == {
        "a": "mobilenetv2",
        "b": "compact-max-32-01234567",
        "c": "",
        "d": "",
    }
    assert known.store.reads == 1, "of all unknown ones at once"


def test_what_is_known_is_not_read_again_before_the_next_look(known: Known) -> None:
    assert [known.of("a"), known.of("a")] == ["", ""]
    known.publish("a", "compact-max-32-01234567")
    assert (known.of("a"), known.store.reads) == ("", 1)
    known.streams.refresh()
    assert (known.of("a"), known.store.reads) == ("compact-max-32-01234567", 2)
    known.store.store.delete([status.key("a")])
    known.streams.refresh()
    assert known.of("a") == "", "it was deleted"


def test_a_stream_without_images_for_a_while_is_read_again(known: Known) -> None:
    known.of("a")
    known.streams.refresh()
    known.publish("a", "vgg16")
    known.streams.refresh()
    known.clock.now += STREAM_BACKBONES_AGE_S + 1
    assert known.of("a") == "vgg16"


def test_while_the_store_is_away_known_streams_go_on_and_unknown_ones_wait(known: Known) -> None:
    known.publish("a", "vgg16")
    known.of("a")
    known.store.away = "Redis hangs"
    known.clock.now += STREAM_BACKBONES_AGE_S + 1
    assert [known.of("a"), known.of("a")] == ["vgg16", "vgg16"]
    assert known.health.reasons == {
        "extractor: backbones of streams": "Redis hangs; trying again automatically",
    }
    reads = known.store.reads
    known.clock.now += 60  # The next attempt is due, but not here.
    with pytest.raises(StoreUnavailable, match="which backbone stream b has is not known, and Redis hangs"):
        known.of("b")
    assert known.store.reads == reads, "the looks find out when it is back, without an image that waits for it"
    known.store.away = ""
    known.clock.now += 60
    known.streams._attempts.run(known.streams.refresh, StoreUnavailable)
    assert (known.of("b"), known.health.reasons) == ("", {})


def test_an_emptied_store_has_deleted_no_stream(known: Known) -> None:
    known.publish("a", "vgg16")
    known.of("a")
    known.store.store.delete([status.key("a"), status.partition_key(0)])
    known.streams.refresh()
    assert known.of("a") == "vgg16"


def test_what_is_remembered_is_bounded(known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_backbones, "MAX_KNOWN", 3)
    for name in "abcde":
        known.of(name)
    assert list(known.streams._known) == ["c", "d", "e"]
    many = [f"s{number}" for number in range(250)]
    assert len(known.streams.of(many)) == 250


def test_looks_come_at_intervals_until_the_process_stops(known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_backbones, "STREAM_BACKBONES_S", 0.001)
    known.of("a")
    known.publish("a", "vgg16")
    stop = threading.Event()
    looks = threading.Thread(target=known.streams.run, args=(stop,))
    looks.start()
    while not known.of("a"):
        assert looks.is_alive()
    stop.set()
    looks.join()
