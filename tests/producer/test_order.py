"""The order in which a source is sent, by default and as asked for."""

import io
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pillow_heif
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import IFD, Base
from rich.console import Console

from prequel.services.producer.errors import Stopped, WrongUsage
from prequel.services.producer.sources.natural_order import natural_key
from prequel.services.producer.sources.opening import open_source, survey_source
from prequel.services.producer.sources.order import Order, check_order, choose_order, ordered
from prequel.shared.images.capture_time import capture_time
from tests.producer.conftest import Stream, System
from tests.producer.test_folder import fill
from tests.producer.test_stream import Photos, printed

NAMES = ["cat/img 10.jpg", "cat/img 2.jpg", "dog/IMG 3.jpg", "dog/img 1.jpg"]


def sent(source: str, labels: str | None = None, order: str | None = None, shuffle: int | None = None) -> list[str]:
    opened = open_source(source, labels)
    chosen = choose_order(opened, survey_source(opened, labels, name=source), order, shuffle)
    return [image.name for image in ordered(opened, chosen, threading.Event()).images]


def line(source: str, labels: str | None = None, order: str | None = None, shuffle: int | None = None) -> str:
    opened = open_source(source, labels)
    chosen = choose_order(opened, survey_source(opened, labels, name=source), order, shuffle)
    return ordered(opened, chosen, threading.Event()).line


def photograph(path: Path, taken: str = "", **tags: str) -> None:
    """A JPEG, PNG, TIFF, WebP or HEIC that a camera took then; its file is older than any photograph."""
    made, exif = Image.Exif(), Image.Exif()
    if taken:
        made.get_ifd(IFD.Exif).update({Base.DateTimeOriginal: taken, **{Base[name]: tags[name] for name in tags}})
    exif.load(made.tobytes())
    file, image = io.BytesIO(), Image.new("RGB", (8, 8), "red")
    if path.suffix == ".heic":
        pillow_heif.encode(image.mode, image.size, image.tobytes(), file, exif=exif.tobytes())
    else:
        image.save(file, Image.registered_extensions()[path.suffix], exif=exif)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.getvalue())
    os.utime(path, (1_000.0, 1_000.0))


def test_folders_of_classes_are_shuffled_always_in_the_same_way(tmp_path: Path) -> None:
    names = [f"{label}/{number:03}.jpg" for label in ("cat", "dog") for number in range(100)]
    root = str(fill(tmp_path, names))
    by_default = sent(root)
    assert by_default == sent(root) == sent(root, order="shuffle") == sent(root, shuffle=0)
    assert sorted(by_default) == names
    assert 30 < sum(name.startswith("cat") for name in by_default[:100]) < 70
    assert sent(root, shuffle=1) not in (by_default, sent(root, shuffle=2))
    assert sent(root, order="shuffle", shuffle=1) == sent(root, shuffle=1)
    assert line(root).startswith("order: shuffled with seed 0, so that classes come mixed")
    assert line(root, shuffle=7) == "order: shuffled with seed 7"


def test_labels_in_file_names_come_class_after_class_too(tmp_path: Path) -> None:
    root = fill(tmp_path, [f"{label}.{number}.jpg" for label in ("cat", "dog") for number in range(50)])
    assert {name[:3] for name in sent(str(root), "filename")[:20]} == {"cat", "dog"}


@pytest.mark.parametrize("labels", ["none", "csv"])
def test_what_has_an_order_of_its_own_keeps_it(tmp_path: Path, labels: str) -> None:
    """Frames without labels, in natural order; the rows of a table."""
    root = fill(tmp_path / "photos", NAMES)
    table = tmp_path / "labels.csv"
    table.write_text("".join(f"{name},{name[:3]}\n" for name in NAMES))
    if labels == "csv":
        assert sent(str(root), f"csv:{table}") == NAMES
        assert line(str(root), f"csv:{table}") == "order: as the table lists them"
        assert sorted(sent(str(root), f"csv:{table}", shuffle=1)) == sorted(NAMES)
    else:
        assert sent(str(root), "none") == ["cat/img 2.jpg", "cat/img 10.jpg", "dog/img 1.jpg", "dog/IMG 3.jpg"]
        assert line(str(root), "none") == "order: as the folders list them, by path; 2 comes before 10"


def test_one_class_is_not_shuffled(tmp_path: Path) -> None:
    assert sent(str(fill(tmp_path, ["cat/1.jpg", "cat/2.jpg", "cat/10.jpg"]))) == [
        "cat/1.jpg",
        "cat/2.jpg",
        "cat/10.jpg",
    ]


def test_by_name_is_across_folders(tmp_path: Path) -> None:
    expected = ["dog/img 1.jpg", "cat/img 2.jpg", "dog/IMG 3.jpg", "cat/img 10.jpg"]
    assert sent(str(fill(tmp_path, NAMES)), order="name") == expected


def test_digits_have_an_order_but_no_time() -> None:
    assert sent("digits") == sent("digits", order="name") == [f"digits/{number:04}.png" for number in range(1_797)]
    assert sent("digits", shuffle=1) != sent("digits")
    with pytest.raises(WrongUsage, match="no files and have no time"):
        sent("digits", order="time")


def test_by_time_is_across_folders_by_camera_or_by_file(tmp_path: Path) -> None:
    photograph(tmp_path / "cat" / "1.jpg", "2026:05:01 12:00:03")
    photograph(tmp_path / "cat" / "2.png", "2026:05:01 12:00:01")
    photograph(tmp_path / "dog" / "3.jpg", "2026:05:01 12:00:02")
    photograph(tmp_path / "dog" / "4.jpg")
    root = fill(tmp_path, ["dog/5.jpg"])
    os.utime(root / "dog" / "5.jpg", (2_000.0, 2_000.0))
    assert sent(str(root), order="time") == ["dog/4.jpg", "dog/5.jpg", "cat/2.png", "dog/3.jpg", "cat/1.jpg"]
    by_time = "order: by time, 3 by when a camera took them (EXIF), 2 by when the file was changed"
    assert line(str(root), order="time") == by_time


def test_a_table_and_one_image_may_be_ordered_by_time(tmp_path: Path) -> None:
    for second, name in enumerate(("b.jpg", "a.jpg")):
        photograph(tmp_path / name, f"2026:05:01 12:00:0{second}")
    (tmp_path / "labels.csv").write_text("path,label\na.jpg,cat\nb.jpg,dog\ngone.jpg,dog\n")
    listed = sent(str(tmp_path), f"csv:{tmp_path / 'labels.csv'}", order="time")
    assert listed == ["gone.jpg", "b.jpg", "a.jpg"]
    assert sent(str(tmp_path / "a.jpg"), order="time") == ["a.jpg"]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tiff", ".webp", ".heic"])
def test_the_time_of_a_photograph(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"photo{suffix}"
    photograph(path, "2026:05:01 12:00:00", OffsetTimeOriginal="+02:00", SubsecTimeOriginal="25")
    assert capture_time(path) == 1_777_629_600.25
    photograph(path, "2026:05:01 12:00:00")
    assert capture_time(path) == time.mktime((2026, 5, 1, 12, 0, 0, 0, 0, -1))


@pytest.mark.parametrize("text", ["", "0000:00:00 00:00:00", "    :  :     :  :  ", "yesterday", "2026-05-01"])
def test_a_clock_that_was_never_set_is_no_time(tmp_path: Path, text: str) -> None:
    photograph(tmp_path / "photo.jpg", text)
    assert capture_time(tmp_path / "photo.jpg") is None


@pytest.mark.parametrize(
    "data", [b"", b"no image", b"\xff\xd8\xff\xe1\xff\xff", b"\x89PNG\r\n\x1a\n", b"II*\0\xff\xff\xff\xff"]
)
def test_what_is_no_image_has_no_time(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "photo.jpg").write_bytes(data)
    assert capture_time(tmp_path / "photo.jpg") is None
    assert capture_time(tmp_path / "gone.jpg") is None


def test_files_are_opened_for_the_order_of_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of a million images would wait for a million files."""
    root = str(fill(tmp_path, NAMES))
    opened = list[Path]()
    real = Path.open

    def counting(path: Path, *arguments: object, **options: object) -> object:
        opened.append(path)
        return real(path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", counting)
    for order in (None, "as-is", "name", "shuffle"):
        sent(root, order=order)
    assert opened == []
    sent(root, order="time")
    assert len(opened) == 4


def test_options_that_contradict_each_other_are_refused() -> None:
    for order in ("as-is", "name", "time"):
        with pytest.raises(WrongUsage, match=f"--shuffle 3 and --order {order} contradict each other"):
            check_order(order, 3)
    with pytest.raises(WrongUsage, match="--order size is unknown: use one of as-is, name, time, shuffle"):
        check_order("size", None)
    check_order("shuffle", 3)


def test_ctrl_c_ends_the_reading_of_times(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        ordered(open_source(str(fill(tmp_path, NAMES))), Order("time"), stop)


@given(st.lists(st.text("aAbB09 ./é²")))
def test_natural_order_is_an_order(names: list[str]) -> None:
    """Whatever the names: of different names one comes first, and it is the same one however they are mixed."""
    backwards = names[::-1]
    assert sorted(names, key=natural_key) == sorted(backwards, key=natural_key)


@given(st.integers(0, 10**20), st.integers(0, 10**20), st.integers(0, 3))
def test_numbers_count_by_value(one: int, other: int, zeros: int) -> None:
    assume(one != other)
    assert (natural_key(f"a{'0' * zeros}{one}.b") < natural_key(f"a{other}.b")) == (one < other)


def test_a_run_says_its_order_and_mixes_the_classes(
    stream: Stream, system: System, console: Console, photos: Photos, make_order: Callable[[System], list[str]]
) -> None:
    folder = photos(20)
    stream(folder, "mixed")
    stream(folder, "grouped", order="as-is")
    assert "order: shuffled with seed 0, so that classes come mixed" in printed(console)
    assert "order: as the folders list them" in printed(console)
    labels = make_order(system)
    assert labels[60:] == ["blue"] * 20 + ["green"] * 20 + ["red"] * 20
    assert len(set(labels[:10])) == 3


@pytest.fixture
def make_order() -> Callable[[System], list[str]]:
    from prequel.shared.events.images import decode_image
    from prequel.shared.log.base import IMAGES

    return lambda system: [str(decode_image(record).label) for record in system.records(IMAGES)]


def test_an_interrupted_run_goes_on_in_the_same_order(
    stream: Stream, system: System, photos: Photos, stop: threading.Event, make_order: Callable[[System], list[str]]
) -> None:
    folder = photos(40)
    stop.set()
    assert stream(folder).interrupted
    stop.clear()
    assert stream(folder).new == 120
    assert stream(folder, order="name").already_known == 120
    whole = make_order(system)
    stream(folder, "again")
    assert make_order(system)[120:] == whole
