"""Archives and names of exported images: whatever a class is called, its folder exists everywhere, and is its own."""

import io
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prequel.services.learner.exports.archives import open_archive
from prequel.services.learner.exports.file_names import MAX_BYTES, RESERVED, UNSAFE, file_name, folder_name
from prequel.shared.events.names import valid_label

PNG = b"\x89PNG\r\n\x1a\n"
_labels = st.text(min_size=1, max_size=128).filter(valid_label) | st.sampled_from(
    [
        "24/7",
        "..",
        ".",
        "nul",
        "NUL.txt",
        "a\\b",
        "c:",
        "ends.",
        " x",
        "x ",
        "%2F",
        "\N{SNOWMAN}" * 128,
        "x" * 128,
        "labels.csv",
        "a.PNG",
    ]
)


class OneWay:
    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data


@pytest.mark.parametrize("format", ["zip", "tar"])
def test_an_archive_has_every_file_whole(format: str) -> None:
    sink, files = OneWay(), {"cat/1.png": PNG * 9, "dog \N{SNOWMAN}/2.png": b"", "labels.csv": b"x" * 3_000_000}
    archive = open_archive(format, sink)
    for name, data in files.items():
        archive.add(name, io.BytesIO(data), len(data), 1.7e9)
    archive.finish()
    packed = io.BytesIO(bytes(sink.data))
    if format == "zip":
        with zipfile.ZipFile(packed) as unzipped:
            assert unzipped.testzip() is None
            assert {name: unzipped.read(name) for name in unzipped.namelist()} == files
    else:
        with tarfile.open(fileobj=packed) as untarred:
            assert {m.name: untarred.extractfile(m).read() for m in untarred} == files  # type: ignore[union-attr]


@pytest.mark.parametrize("at", [0.0, -1e9, 1e11])
def test_a_time_that_zip_cannot_hold_is_the_nearest(at: float) -> None:
    sink = OneWay()
    archive = open_archive("zip", sink)
    archive.add("a", io.BytesIO(b"x"), 1, at)
    archive.finish()
    assert zipfile.ZipFile(io.BytesIO(bytes(sink.data))).namelist() == ["a"]


@given(_labels)
def test_a_folder_has_a_name_that_every_file_system_takes(label: str) -> None:
    name = folder_name(label)
    assert not (set(name) - {"%"}) & UNSAFE
    assert len(name.encode()) <= MAX_BYTES
    assert not name.startswith((".", " "))
    assert not name.endswith((".", " "))
    assert name.split(".")[0].lower() not in RESERVED
    assert not name.lower().endswith((".csv", ".png")), "that is the name of a file beside the folders"


@given(_labels, _labels)
def test_two_classes_have_two_folders(one: str, other: str) -> None:
    assert (folder_name(one) == folder_name(other)) == (one == other)


def test_an_image_without_a_label_lies_beside_the_folders() -> None:
    assert file_name("a:1", None, PNG) == "a%3A1.png"
    assert file_name(".a", "cat", b"\xff\xd8\xff") == "cat/%2Ea.jpg"


def test_a_file_of_the_longest_id_has_a_name_that_every_file_system_takes() -> None:
    names = {file_name(":" * 127 + end, None, PNG) for end in "ab"}
    assert len(names) == 2
    assert max(map(len, names)) <= 255
