"""The extractor as a processor: its outputs, their order and their positions."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from prequel.services.extractor.backbones.base import OutOfMemory
from prequel.services.extractor.extractor import IDLE_SECONDS, ExtractorProcessor
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.images import ENCRYPTION
from prequel.shared.events.names import id_digest
from prequel.shared.events.types import Features
from prequel.shared.images.encryption import ImageCipher, delete_keys
from prequel.shared.log.base import EXAMPLES, Message, Record
from prequel.shared.store.base import StoreUnavailable
from prequel.shared.store.sqlite import SqliteStore
from tests.extractor.feeding import BATCH, WAIT, Bench, MeanColour, record, records


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.processor.close()


def example(message: Message) -> Features:
    """The features event that the learner reads."""
    event = decode_example(Record(EXAMPLES, 0, 7, message.key, message.value, message.headers, 0.0))
    assert isinstance(event, Features)
    return event


def ids(messages: object) -> list[str]:
    assert isinstance(messages, list | tuple)
    return [example(message).id for message in messages]


def test_an_image_becomes_a_feature_event_that_says_where_it_came_from(bench: Bench) -> None:
    source = record(5, id="a-1", label="cat", partition=2)
    bench.processor.process([source])
    (message,) = bench.finish().messages
    assert (message.topic, message.key) == (EXAMPLES, b"pets")
    event = example(message)
    assert (event.id, event.stream, event.label, event.time) == ("a-1", "pets", "cat", 1_700_000_005.0)
    assert (event.backbone, str(event.image)) == (bench.backbone.id, "2:5")
    expected = bench.decoder.decode(source.value, 8).reshape(-1, 3).mean(axis=0, dtype=np.float32)
    assert np.array_equal(event.vector, expected)
    assert dict(message.headers)["ce_precision"] == b"float32"


def test_foreign_headers_are_passed_on_and_ours_are_not(bench: Bench) -> None:
    trace = (("traceparent", b"00-abc-def-01"), ("b3", b"\xff\x00"), ("b3", b"again"))
    bench.processor.process([record(0, extra=(*trace, ("ce_custom", b"x"), ("Content-Type", b"image/x")))])
    (message,) = bench.finish().messages
    assert [pair for pair in message.headers if pair[0] in ("traceparent", "b3")] == list(trace)
    assert dict(message.headers)["ce_custom"] == b"x"
    assert [value for name, value in message.headers if name.lower() == "content-type"] == [b"application/octet-stream"]


def test_an_image_without_headers_has_its_stream_as_its_key(bench: Bench) -> None:
    bare = record(3)._replace(key=b"yard", headers=())
    bench.processor.process([bare])
    (message,) = bench.finish().messages
    assert (example(message).id, example(message).stream, example(message).time) == ("images:0:3", "yard", 1.8e9)


def test_a_full_batch_waits_for_one_poll_and_no_longer(bench: Bench) -> None:
    """So the next batch is decoded while this one is inferred, and without a next one nothing is lost."""
    assert bench.processor.poll_timeout() == IDLE_SECONDS
    assert bench.processor.process(records(range(BATCH))).messages == ()
    assert bench.processor.poll_timeout() == 0
    assert bench.backbone.batches == []
    assert ids(bench.processor.process(()).messages) == ["0:0", "0:1", "0:2", "0:3"]
    assert bench.processor.poll_timeout() == IDLE_SECONDS


def test_there_are_at_most_two_full_batches(bench: Bench) -> None:
    bench.processor.process(records(range(BATCH)))
    first = bench.processor.process(records(range(BATCH, 2 * BATCH)))
    assert ids(first.messages) == ["0:0", "0:1", "0:2", "0:3"]
    assert bench.processor.poll_timeout() == 0
    second = bench.processor.process(records(range(2 * BATCH, 3 * BATCH)))
    assert ids(second.messages) == ["0:4", "0:5", "0:6", "0:7"]
    assert second.positions == {0: 8}


def test_a_partial_batch_may_grow_for_its_time_only(bench: Bench) -> None:
    bench.processor.process(records([0]))
    assert bench.processor.poll_timeout() == pytest.approx(WAIT)
    bench.clock.now += WAIT / 2
    assert bench.processor.process(records([1])).messages == ()
    assert bench.processor.poll_timeout() == pytest.approx(WAIT / 2), "the first image decides, not the last"
    bench.clock.now += WAIT / 2 + 1e-9
    assert ids(bench.processor.process(records([2])).messages) == ["0:0", "0:1", "0:2"]
    assert bench.backbone.batches == [3]


def test_positions_are_those_before_which_everything_is_finished(bench: Bench) -> None:
    bench.processor.process(records([5, 6], partition=0) + records([90], partition=3))
    done = bench.processor.process(records([7], partition=0) + records([91, 92, 93], partition=3))
    assert done.positions == {}
    done = bench.processor.process(())
    assert ids(done.messages) == ["0:5", "0:6", "3:90", "0:7"]
    assert done.positions == {0: 8, 3: 91}
    assert bench.finish().positions == {3: 94}


def test_an_invalid_image_does_not_affect_its_batch(bench: Bench) -> None:
    bad_image, bad_event = record(1, b"no image"), record(2, stream="pets")._replace(headers=(), key=b"NO STREAM")
    bench.processor.process([record(0), bad_image, bad_event, record(3)])
    done = bench.finish()
    assert ids(done.messages) == ["0:0", "0:3"]
    assert [(source, rejected.reason) for source, rejected in done.rejected] == [
        (bad_image, "undecodable"),
        (bad_event, "bad-stream"),
    ]
    assert done.positions == {0: 4}


def test_a_batch_of_invalid_images_infers_nothing(bench: Bench) -> None:
    bench.processor.process([record(offset, b"") for offset in range(3)])
    done = bench.finish()
    assert (len(done.rejected), done.messages, done.positions) == (3, [], {0: 3})
    assert bench.backbone.batches == []


def test_a_revoked_partition_leaves_nothing_behind(bench: Bench) -> None:
    bench.processor.process(records([0, 1], partition=0) + records([50], partition=1))
    bench.processor.discard(0)
    done = bench.finish()
    assert ids(done.messages) == ["1:50"]
    assert done.positions == {1: 51}
    bench.processor.process(records([1], partition=0))
    assert bench.finish().positions == {0: 2}


def test_without_state_there_is_nothing_to_restore(bench: Bench) -> None:
    assert bench.processor.restore(0, 1) is None
    bench.processor.checkpoint({0: 5})


def test_too_little_memory_halves_the_batch_from_then_on(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(MeanColour(fits=2))
    with caplog.at_level(logging.WARNING):
        bench.processor.process(records(range(4)))
        first = bench.finish()
        bench.processor.process(records(range(4, 7)))
        second = bench.finish()
    bench.processor.close()
    assert ids([*first.messages, *second.messages]) == [f"0:{offset}" for offset in range(7)]
    assert bench.backbone.batches == [4, 2, 2, 2, 1]
    assert [line for line in caplog.messages if "not enough memory for 4 images at once, using 2 from now on" in line]
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(("fits", "tried"), [(1, [4, 2]), (0, [4, 2])])
def test_too_little_memory_for_half_a_batch_stops_the_extractor(fits: int, tried: list[int]) -> None:
    bench = Bench(MeanColour(fits))
    bench.processor.process(records(range(4)))
    with pytest.raises(OutOfMemory):
        bench.finish()
    bench.processor.close()
    assert bench.backbone.batches == tried


def test_metrics(bench: Bench) -> None:
    bench.processor.process([record(0), record(1, b"bad"), record(2, stream="yard"), record(3)])
    bench.finish()
    assert bench.metric("images_total", stream="pets") == 2
    assert bench.metric("images_total", stream="yard") == 1
    assert bench.metric("extractor_batch_size_count") == 1
    assert bench.metric("extractor_batch_size_sum") == 3
    for stage in ("decode", "infer", "encode"):
        assert bench.metric("extractor_seconds_count", stage=stage) == 1
        assert bench.metric("extractor_seconds_sum", stage=stage) > 0


def test_it_is_the_runners_processor(bench: Bench) -> None:
    processor: ExtractorProcessor = bench.processor
    assert (processor.name, processor.topic, processor.max_records) == ("extractor", "images", BATCH)


def test_the_number_of_streams_in_metrics_is_limited() -> None:
    bench = Bench(max_streams=2)
    for offset, stream in enumerate(("a", "b", "c", "d", "a")):
        bench.processor.process([record(offset, stream=stream)])
    bench.finish()
    counted = {stream: bench.metric("images_total", stream=stream) for stream in ("a", "b", "c", "(others)")}
    assert counted == {"a": 2, "b": 1, "c": 0, "(others)": 2}
    bench.processor.close()


def test_encrypted_images_are_decrypted_together_and_those_without_a_key_are_rejected(tmp_path: Path) -> None:
    store = CountingStore(tmp_path / "store.sqlite")
    cipher = ImageCipher(store)
    sent = [encrypted(cipher, record(0, id="gone")), encrypted(cipher, record(1, id="kept")), record(2, id="plain")]
    delete_keys(store, "pets", [id_digest("gone")])
    bench = Bench(decrypt=cipher.decrypt)
    store.reads = 0
    bench.processor.process(sent)
    finished = bench.finish()
    assert ids(finished.messages) == ["kept", "plain"]
    clear = Bench()
    clear.processor.process([record(1, id="kept")])
    (expected,) = clear.finish().messages
    assert finished.messages[0] == expected
    assert [(each.offset, why.reason) for each, why in finished.rejected] == [(0, "forgotten")]
    assert b"encryption" not in repr(finished.messages).encode()
    assert store.reads == 1
    store.close()
    bench.processor.close()
    clear.processor.close()


def test_without_the_store_an_encrypted_image_waits_for_it(tmp_path: Path) -> None:
    """The runner takes the exception for a crash: it reads the image again."""
    store = SqliteStore(tmp_path / "store.sqlite")
    cipher = ImageCipher(store)
    image = encrypted(cipher, record(0))
    store.close()
    bench = Bench(decrypt=cipher.decrypt)
    with pytest.raises(StoreUnavailable):
        bench.processor.process([image])
    bench.processor.process([record(0)])
    assert ids(bench.finish().messages) == ["0:0"]
    bench.processor.close()


class CountingStore(SqliteStore):
    reads = 0

    def get_all(self, keys: Sequence[str]) -> dict[str, bytes]:
        self.reads += 1
        return super().get_all(keys)


def encrypted(cipher: ImageCipher, image: Record) -> Record:
    """The same event as a gateway with PREQUEL_FORGETTABLE writes it."""
    ((data, key_id),) = cipher.encrypt("pets", [(dict(image.headers)["ce_id"].decode(), image.value)])
    headers = (*image.headers, ("ce_encryption", ENCRYPTION.encode()), ("ce_keyid", key_id.encode()))
    return image._replace(value=data, headers=headers)
