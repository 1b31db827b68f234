"""Runs over a source that has changed since, that contradicts itself, or whose labels the stream refuses."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.console import Console

from prequel.services.producer.client import Client, connect
from prequel.services.producer.report import LABELS_REFUSED, exit_code
from prequel.services.producer.sources.base import LoadedImage, SourceImage
from prequel.services.producer.sources.image_files import read_image
from prequel.shared.log.base import IMAGES
from tests.producer.conftest import Stream, System, streaming
from tests.producer.test_stream import Photos, printed


def truths(client: Client) -> dict[str, int]:
    """How many images are of each class now."""
    listed = [prediction["truth"] for prediction in client.recent("colours", 1_000)]
    return {truth: listed.count(truth) for truth in set(listed)}


@pytest.mark.parametrize("label_delay", [0, 4])
def test_an_image_that_was_moved_is_a_correction(
    stream: Stream, client: Client, console: Console, photos: Photos, label_delay: int
) -> None:
    """With another name, in another class folder; whether labels came with the images or by themselves."""
    folder = photos(10)
    stream(folder, label_delay=label_delay)
    (folder / "red" / "0003.png").rename(folder / "green" / "was red.png")
    for _ in range(2):
        summary = stream(folder)
        assert (summary.sent, summary.already_known, summary.corrected) == (0, 30, 0)
        assert summary.changed_labels == [("green/was red.png", "red in the stream, green here")]
        assert exit_code(summary) == LABELS_REFUSED
    command = f"prequel stream {folder} --stream colours --url {client.url} --correct"
    assert "labels that the source has changed: 1 (green/was red.png: red in the stream" in printed(console)
    assert f"to correct them: {command}" in printed(console)
    assert truths(client) == {"red": 10, "green": 10, "blue": 10}
    summary = stream(folder, correct=True)
    assert (summary.changed_labels, summary.corrected, exit_code(summary)) == ([], 1, 0)
    assert "corrected: 1" in printed(console)
    assert truths(client) == {"red": 9, "green": 11, "blue": 10}
    summary = stream(folder, correct=True)
    assert (summary.changed_labels, summary.corrected, summary.labels_by_others) == ([], 0, [])


def test_a_class_folder_that_was_renamed_is_a_correction(stream: Stream, client: Client, photos: Photos) -> None:
    folder = photos(10)
    stream(folder)
    (folder / "red").rename(folder / "crimson")
    assert len(stream(folder).changed_labels) == 10
    assert stream(folder, correct=True).corrected == 10
    assert truths(client) == {"crimson": 10, "green": 10, "blue": 10}
    status = client.stream("colours")
    assert status is not None
    assert (status.images, status.statuses) == (30, {"corrected": 10, "learned": 30})


def test_one_image_under_two_labels_is_a_contradiction_and_no_correction(
    stream: Stream, client: Client, console: Console, photos: Photos
) -> None:
    folder = photos(5)
    shutil.copy(folder / "red" / "0000.png", folder / "blue" / "again.png")
    shutil.copy(folder / "red" / "0001.png", folder / "red" / "copy.png")
    first = stream(folder)
    assert (first.sent, first.copies, first.new) == (15, 1, 15)
    assert first.contradictions == [("red/0000.png", "red, but blue as blue/again.png, which counts")]
    assert exit_code(first) == LABELS_REFUSED
    for seed in range(3):
        summary = stream(folder, correct=True, shuffle=seed)
        assert (summary.corrected, summary.changed_labels, len(summary.contradictions)) == (0, [], 1)
    assert "the same image under two labels: 1" in printed(console)
    assert truths(client) == {"blue": 6, "red": 4, "green": 5}


def test_a_stream_of_an_earlier_version_knows_its_images_by_their_old_ids(
    stream: Stream, client: Client, system: System, photos: Photos
) -> None:
    folder = photos(3)
    names = [f"{colour}/{number:04}.png" for colour in ("blue", "green", "red") for number in range(3)]
    images: list[LoadedImage] = [read_image(folder / name, SourceImage(name, name.partition("/")[0])) for name in names]
    client.post_images("colours", [image._replace(id=image.old_id) for image in images])
    for image in images:
        assert client.prediction("colours", image.old_id, 10)
    table = folder.parent / "labels.csv"
    table.write_text("".join(f"{name},{'teal' if 'blue' in name else name.partition('/')[0]}\n" for name in names))
    assert (stream(folder).already_known, len(system.records(IMAGES))) == (9, 9)
    assert stream(folder, labels=f"csv:{table}", correct=True).corrected == 3
    assert truths(client) == {"teal": 3, "green": 3, "red": 3}


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[System]:
    """A system with at most two classes, and a window of ten examples."""
    with ExitStack() as stack:
        started = System(tmp_path / "narrow", max_labels=2, window=10)
        stack.callback(started.close)
        yield started


@pytest.mark.parametrize("label_delay", [0, 2])
def test_refused_labels_are_counted_and_shown(
    narrow: System, console: Console, stop: threading.Event, photos: Photos, label_delay: int
) -> None:
    folder = photos(5)
    with connect(narrow.url, None, stop=stop, clock=time.monotonic) as client:
        stream = streaming(client, console, stop)
        first = stream(folder, label_delay=label_delay, order="as-is")  # red is the third class
        again = stream(folder)
    for summary in (first, again):
        assert len(summary.refused_labels) == 5
        assert {name.partition("/")[0] for name, _ in summary.refused_labels} == {"red"}
        assert exit_code(summary) == LABELS_REFUSED
    assert "labels refused: 5 (red/0000.png: red: the stream accepts no more classes" in printed(console)


def test_labels_that_come_too_late_are_counted_and_shown(
    narrow: System, console: Console, stop: threading.Event, photos: Photos
) -> None:
    folder = photos(10)
    with connect(narrow.url, None, stop=stop, clock=time.monotonic) as client:
        stream = streaming(client, console, stop)
        stream(folder, labels="none")
        summary = stream(folder)
    late = [name for name, reason in summary.refused_labels if "older than the stream's window" in reason]
    assert len(late) == 20
    assert exit_code(summary) == LABELS_REFUSED


def test_an_image_whose_label_was_refused_accepts_another(
    tmp_path: Path, console: Console, stop: threading.Event, photos: Photos
) -> None:
    """A refused label is not the true one: there is nothing to correct."""
    folder = photos(2)
    with ExitStack() as stack:
        system = System(tmp_path / "room", max_labels=2)
        stack.callback(system.close)
        client = stack.enter_context(connect(system.url, None, stop=stop, clock=time.monotonic))
        stream = streaming(client, console, stop)
        assert len(stream(folder, order="as-is").refused_labels) == 2  # red is the third class
        (folder / "red").rename(folder / "blue" / "more")
        shutil.move(folder / "blue" / "more" / "0000.png", folder / "blue" / "red 0.png")
        shutil.move(folder / "blue" / "more" / "0001.png", folder / "green" / "red 1.png")
        summary = stream(folder)
    assert (summary.refused_labels, summary.changed_labels, exit_code(summary)) == ([], [], 0)
