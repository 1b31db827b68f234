"""The command `stream`, through a real gateway, log and learner."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from prequel.services.producer.client import Client
from prequel.services.producer.errors import ProducerError
from prequel.services.producer.report import INTERRUPTED, exit_code
from prequel.services.producer.run import MAX_BATCH_IMAGES, MAX_UNANSWERED, Run
from prequel.services.producer.sources.base import Survey
from prequel.services.producer.sources.opening import open_source
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.images import decode_image
from prequel.shared.events.types import Features, Label
from prequel.shared.log.base import EXAMPLES, IMAGES
from tests.gateway.conftest import until
from tests.producer.conftest import Stream, System

Photos = Callable[[int], Path]


@contextmanager
def when(condition: Callable[[], bool], action: Callable[[], None]) -> Iterator[None]:
    """Do something on another thread as soon as the condition holds."""

    def watch() -> None:
        until(condition)
        action()

    watcher = threading.Thread(target=watch)
    watcher.start()
    yield
    watcher.join()


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_folder_is_learned(stream: Stream, system: System, console: Console, client: Client, photos: Photos) -> None:
    summary = stream(photos(100), shuffle=1)
    assert (summary.sent, summary.predicted, summary.labelled, summary.new) == (300, 300, 300, 300)
    assert (summary.rejected, summary.unreadable, summary.unanswered) == ([], [], [])
    assert summary.accuracy is not None
    assert summary.accuracy > 0.95
    assert exit_code(summary) == 0
    status = client.stream("colours")
    assert status is not None
    assert (status.images, status.labelled, sorted(status.labels)) == (300, 300, ["blue", "green", "red"])
    assert "300 of 300 images sent" in printed(console)
    assert f"accuracy {summary.accuracy:.4f}" in printed(console)


def test_a_second_run_sends_and_learns_nothing(stream: Stream, client: Client, photos: Photos) -> None:
    folder = photos(100)
    stream(folder)
    before = client.stream("colours")
    summary = stream(folder, shuffle=3)
    after = client.stream("colours")
    assert before is not None
    assert after is not None
    assert (summary.sent, summary.already_known, summary.predicted, summary.new) == (0, 300, 300, 0)
    assert exit_code(summary) == 0
    assert before.models == after.models
    assert after.images == 300


def test_labels_may_come_with_a_second_run(stream: Stream, system: System, client: Client, photos: Photos) -> None:
    folder = photos(50)
    assert stream(folder, labels="none").labelled == 0
    for _ in range(2):
        summary = stream(folder, labels="folder")
        assert (summary.sent, summary.already_known, summary.new) == (0, 150, 0)
        assert (summary.changed_labels, summary.labels_by_others) == ([], [])
        status = client.stream("colours")
        assert status is not None
        assert (status.images, status.labelled, status.statuses) == (150, 150, {"learned": 150})
    assert len(system.labels()) == 150
    assert {(label.by, label.why) for label in system.labels()} == {("prequel stream", "producer")}


def test_a_second_run_keeps_corrections(stream: Stream, console: Console, client: Client, photos: Photos) -> None:
    folder = photos(2)
    stream(folder, order="as-is")  # red comes last
    id = client.recent("colours", 1)[0]["id"]
    client.post_labels("colours", [{"id": id, "label": "teal", "by": "ada"}], 10)
    for correct in (False, True):
        summary = stream(folder, correct=correct)
        assert (summary.already_known, summary.changed_labels, summary.corrected) == (6, [], 0)
        assert [reason for _, reason in summary.labels_by_others] == ["teal by ada, red here"]
        assert exit_code(summary) == 0
    assert "labelled differently by somebody, unchanged" in printed(console)
    answer = client.prediction("colours", id)
    assert answer is not None
    assert answer["truth"] == "teal"


def test_a_second_run_keeps_retractions(stream: Stream, client: Client, photos: Photos) -> None:
    folder = photos(2)
    stream(folder, order="as-is")  # red comes last
    id = client.recent("colours", 1)[0]["id"]
    client.post_labels("colours", [{"id": id, "label": None, "by": "ada"}], 10)
    for correct in (False, True):
        summary = stream(folder, correct=correct)
        assert [reason for _, reason in summary.labels_by_others] == ["retracted by ada, red here"]
        answer = client.prediction("colours", id)
        assert answer is not None
        assert answer["truth"] is None


def test_labels_that_come_with_a_later_run_are_counted(
    stream: Stream, console: Console, client: Client, photos: Photos
) -> None:
    folder = photos(2)
    stream(folder, labels="none")
    assert [stream(folder).newly_labelled for _ in range(2)] == [6, 0]
    assert "labelled now, without a label in the stream before: 6" in printed(console)


def test_delayed_labels_come_after_that_many_images(
    stream: Stream, system: System, client: Client, photos: Photos
) -> None:
    summary = stream(photos(50), label_delay=20, shuffle=1)
    assert (summary.sent, summary.labelled) == (150, 150)
    images = [decode_image(record) for record in system.records(IMAGES)]
    assert {image.label for image in images} == {None}
    assert [label.id for label in system.labels()] == [image.id for image in images]
    status = client.stream("colours")
    assert status is not None
    assert status.statuses == {"learned": 150}


def test_a_delayed_label_comes_after_its_prediction_and_not_much_later(
    stream: Stream, system: System, photos: Photos
) -> None:
    delay = 20
    stream(photos(50), label_delay=delay)
    predicted = labelled = 0
    for event in map(decode_example, system.records(EXAMPLES)):
        if isinstance(event, Label):
            labelled += 1
            assert labelled <= predicted <= labelled + 2 * delay
        elif isinstance(event, Features):
            predicted += 1
    assert (predicted, labelled) == (150, 150)


def test_rejected_images_are_named_and_do_not_hold_up_the_end(
    stream: Stream, system: System, console: Console, photos: Photos
) -> None:
    folder = photos(20)
    for name in ("red/0003.png", "blue/9998.png", "red/9999.png"):
        (folder / name).write_bytes(b"no image " + name.encode())
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("not sent")
    summary = stream(folder, label_delay=5)
    assert (summary.sent, summary.predicted) == (62, 59)
    assert sorted(name for name, _ in summary.rejected) == [
        "blue/9998.png",
        "empty.jpg",
        "red/0003.png",
        "red/9999.png",
    ]
    assert summary.seconds < 20
    assert exit_code(summary) == 0
    assert "rejected: 4 (" in printed(console)
    assert "red/0003.png: undecodable: so says the test" in printed(console)
    assert "ignored, not images by their names: 1" in printed(console)
    assert len(system.labels()) == 59


def test_only_rejected_images(stream: Stream, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    summary = stream(tmp_path / "broken.jpg")
    assert (summary.sent, summary.predicted, len(summary.rejected)) == (1, 0, 1)


def test_a_stopped_run_continues(
    stream: Stream, system: System, stop: threading.Event, console: Console, photos: Photos
) -> None:
    folder = photos(200)
    system.extractor.open.clear()
    with when(lambda: system.log.bounds(IMAGES)[0].end >= 100, stop.set):
        summary = stream(folder)
    assert summary.interrupted
    assert 100 <= summary.sent < 600
    assert exit_code(summary) == INTERRUPTED
    assert len(system.records(IMAGES)) == summary.sent
    assert "give the same command again to continue" in printed(console)
    stop.clear()
    system.extractor.open.set()
    summary = stream(folder)
    # What was predicted by the time the second run asked is not sent again: how much that is, is the machine's to say.
    assert summary.sent + summary.already_known == 600
    assert (summary.predicted, summary.interrupted, summary.unanswered) == (600, False, [])


def test_the_gateway_may_restart(stream: Stream, system: System, client: Client, photos: Photos) -> None:
    def restart() -> None:
        system.close_gateway()
        system.open_gateway()

    with when(lambda: system.log.bounds(IMAGES)[0].end >= 200, restart):
        summary = stream(photos(200))
    status = client.stream("colours")
    assert status is not None
    assert (summary.sent, summary.predicted, summary.unanswered, status.images) == (600, 600, [], 600)


def test_it_runs_no_further_ahead_than_needed(
    system: System, client: Client, stop: threading.Event, photos: Photos
) -> None:
    class Waiting:
        def show(self, answered: int, seconds: float, status: object) -> None: ...

        def show_waiting(self, reason: str) -> None:
            stop.set()

    system.extractor.open.clear()
    source = open_source(str(photos(200)))
    run = Run(source, "colours", client, progress=Waiting(), stop=stop, clock=time.monotonic)
    assert MAX_UNANSWERED - MAX_BATCH_IMAGES <= run.run(source.images(Survey())).sent <= MAX_UNANSWERED


def test_services_that_have_failed_end_the_run(stream: Stream, system: System, photos: Photos) -> None:
    system.extractor.open.clear()
    system.health.fails("extractor", "a bug")
    with pytest.raises(ProducerError, match=r"have stopped \(extractor: a bug\)"):
        stream(photos(2))


def test_the_rate_limits_images_per_second(stream: Stream, photos: Photos) -> None:
    summary = stream(photos(20), rate=60)
    assert 0.95 < summary.seconds < 20


def test_unreadable_files_are_named(stream: Stream, console: Console, photos: Photos) -> None:
    folder = photos(5)
    (folder / "red" / "gone.png").symlink_to(folder / "nowhere.png")
    table = folder / "labels.csv"
    table.write_text("red/0000.png,red\nred/lost.png,red\n")
    summary = stream(folder, labels=f"csv:{table}")
    assert summary.unreadable == [("red/lost.png", f"{folder}/red/lost.png does not exist")]
    assert "not readable: 1 (red/lost.png" in printed(console)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "No Name"}, "not a valid stream name"),
        ({"rate": -1.0}, "cannot be negative"),
        ({"rate": float("nan")}, "cannot be negative"),
        ({"label_delay": -1}, "cannot be negative"),
        ({"labels": "folders"}, "--labels folders is unknown"),
    ],
)
def test_wrong_arguments(stream: Stream, tmp_path: Path, options: dict[str, object], message: str) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(ProducerError, match=message):
        stream(tmp_path, **options)
