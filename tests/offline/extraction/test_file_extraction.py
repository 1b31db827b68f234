"""Features of folders into files: which rows, in which order, and what is said of the rest."""

import re
import threading
from pathlib import Path

import numpy as np
import pytest

from prequel.services.extractor.backbones.base import Images, OutOfMemory, Vectors
from prequel.services.offline.extraction.file_extraction import finished_before
from prequel.services.offline.extraction.report import exit_code, extraction_lines
from prequel.services.producer.errors import SourceError
from prequel.shared.events.images import content_digest
from prequel.shared.features.base import FeatureFileError
from prequel.shared.features.opening import open_features
from prequel.shared.features.partial import partial_folder
from tests.contracts.features_contract import assert_same, read
from tests.extractor.feeding import CHOICE, MeanColour
from tests.offline.extraction.folders import class_folder, extract, jpeg, make_folder, mean_colour, opened


class EndsAfter(MeanColour):
    """Ends the run, by ``stop`` or by an error, in a batch: as a signal or a crash may."""

    def __init__(self, batch: int, stop: threading.Event | None = None) -> None:
        super().__init__()
        self._batch, self._stop = batch, stop

    def extract(self, images: Images) -> Vectors:
        if len(self.batches) == self._batch:
            if self._stop is None:
                raise OSError("a crash")
            self._stop.set()
        return super().extract(images)


def test_every_image_has_the_row_that_the_extractor_would_send(tmp_path: Path) -> None:
    root, path = class_folder(tmp_path / "pets"), tmp_path / "f.parquet"
    source = opened(root)
    result = extract(source, path)
    rows = read(path)
    assert result.finished
    assert [row.name for row in rows.infos] == [image.name for image in source.images]
    images = mean_colour()
    for row, vector in zip(rows.infos, rows.vectors, strict=True):
        data = (root / row.name).read_bytes()
        assert (row.id, row.label) == (content_digest(data), row.name.partition("/")[0])
        np.testing.assert_array_equal(vector, images.backbone.extract(images.decoder.decode(data, 8)[None])[0])
    images.close()


def test_a_folder_of_classes_is_shuffled_always_in_the_same_way_and_the_file_says_so(tmp_path: Path) -> None:
    root = class_folder(tmp_path / "pets")
    for name in ("a.parquet", "b.npz"):
        extract(opened(root), tmp_path / name)
    assert_same(read(tmp_path / "a.parquet"), read(tmp_path / "b.npz"))
    names = [row.name for row in read(tmp_path / "a.parquet").infos]
    assert names != sorted(names)
    reader = open_features(tmp_path / "a.parquet")
    assert (reader.meta.order, reader.meta.labels) == ("shuffle:0", ("cat", "dog"))
    assert (reader.meta.source, reader.meta.folder) == (str(root), str(root))
    assert (reader.meta.backbone, reader.meta.precision) == ("mean-avg-8-00000000", "float32")
    reader.close()


def test_folders_of_splits_are_splits(tmp_path: Path) -> None:
    names = [f"{split}/{label}/1.jpg" for split in ("train", "Test") for label in "ab"]
    files = {name: jpeg(number) for number, name in enumerate(names)}
    extract(opened(make_folder(tmp_path / "pets", files)), tmp_path / "f.npz")
    assert {(row.name, row.label, row.split) for row in read(tmp_path / "f.npz").infos} == {
        (name, name.split("/")[1], name.split("/")[0]) for name in files
    }


def test_train_beside_another_folder_is_a_class(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "things", {"train/1.jpg": jpeg(1), "bus/2.jpg": jpeg(2)})
    extract(opened(root), tmp_path / "f.npz")
    assert {(row.label, row.split) for row in read(tmp_path / "f.npz").infos} == {("train", None), ("bus", None)}


@pytest.mark.parametrize("batch", [0, 1, 2])
@pytest.mark.parametrize("crash", [True, False])
def test_an_interrupted_run_is_gone_on_with_to_the_same_file(tmp_path: Path, batch: int, crash: bool) -> None:
    root, path = class_folder(tmp_path / "pets", 14), tmp_path / "f.parquet"
    stop = threading.Event()
    first = EndsAfter(batch, None if crash else stop)
    if crash:
        with pytest.raises(OSError, match="a crash"):
            extract(opened(root), path, backbone=first)
    else:
        result = extract(opened(root), path, backbone=first, stop=stop)
        lines = extraction_lines(result)
        assert (exit_code(result), result.finished) == (130, False)
        assert "give the same command again to continue" in lines[-1]
    assert not path.exists()
    second = MeanColour()
    assert extract(opened(root), path, backbone=second).finished
    assert sum(first.batches) + sum(second.batches) == 14, "no image was inferred twice, and none was left out"
    extract(opened(root), tmp_path / "whole.parquet")
    assert_same(read(path), read(tmp_path / "whole.parquet"))
    assert not partial_folder(path).exists()


def test_what_has_no_features_is_listed_with_its_reason_and_the_rest_is_kept(tmp_path: Path) -> None:
    root = class_folder(tmp_path / "pets", 6)
    make_folder(root, {"cat/text.jpg": b"no image", "cat/cut.png": b"", "notes.txt": b"x"})
    (root / "dog" / "gone.jpg").symlink_to(root / "nowhere")
    (root / "horse").mkdir()
    source = opened(root)
    result = extract(source, tmp_path / "f.npz")
    text = "\n".join(extraction_lines(result))
    assert len(read(tmp_path / "f.npz").infos) == 6
    assert exit_code(result) == 0
    for line in (
        r"not readable: 1\n  dog/gone.jpg: .*does not exist",
        r"rejected: 2\n  cat/.*\n  cat/",
        "cat/text.jpg: undecodable: ",
        "empty folders: 1\n  horse/: no image",
        "ignored, not images by their names: 1",
        "classes: cat 3, dog 3",
    ):
        assert re.search(line, text), (line, text)


def test_copies_count_once_and_are_said(tmp_path: Path) -> None:
    files = {"train/cat/1.jpg": 1, "train/cat/2.jpg": 2, "train/cat/copy.jpg": 1, "train/dog/1.jpg": 1}
    files |= {"test/cat/2.jpg": 2, "test/dog/3.jpg": 3}
    root = make_folder(tmp_path / "pets", {name: jpeg(seed) for name, seed in files.items()})
    source = opened(root, order="as-is")
    result = extract(source, tmp_path / "f.npz")
    rows = read(tmp_path / "f.npz").infos
    assert [row.name for row in rows] == ["test/cat/2.jpg", "test/dog/3.jpg", "train/cat/1.jpg"]
    lines = extraction_lines(result)
    assert "copies of other images, counted once: 3" in lines
    assert "in test and in train too, kept in test only: 1 images" in lines
    assert "  train/dog/1.jpg: dog, but cat as train/cat/1.jpg, which counts" in lines
    assert exit_code(result) == 3


def test_without_any_features_nothing_is_left(tmp_path: Path) -> None:
    source = opened(make_folder(tmp_path / "pets", {"cat/1.jpg": b"x"}))
    result = extract(source, tmp_path / "f.npz")
    assert exit_code(result) == 1
    assert extraction_lines(result)[-1].endswith("has features: nothing is written")
    assert [each.name for each in tmp_path.iterdir()] == ["pets"]


def test_other_labels_than_those_of_the_run_before_are_refused(tmp_path: Path) -> None:
    root, path, stop = class_folder(tmp_path / "pets", 14), tmp_path / "f.npz", threading.Event()
    extract(opened(root), path, backbone=EndsAfter(1, stop), stop=stop)
    with pytest.raises(SourceError, match=r"had the label (cat|dog) in the run .*, and has None now"):
        extract(opened(root, labels="none", order="shuffle"), path)


def test_too_little_memory_for_one_image_ends_the_run_and_keeps_what_was_done(tmp_path: Path) -> None:
    root, path = class_folder(tmp_path / "pets"), tmp_path / "f.npz"
    with pytest.raises(OutOfMemory):
        extract(opened(root), path, backbone=MeanColour(fits=0))
    assert partial_folder(path).exists()


def test_a_file_that_is_finished_is_said_so_and_one_of_another_source_is_refused(tmp_path: Path) -> None:
    root, path = class_folder(tmp_path / "pets"), tmp_path / "f.npz"
    assert finished_before(path, opened(root), CHOICE) is None
    extract(opened(root), path)
    finished = finished_before(path, opened(root), CHOICE)
    assert finished
    (line,) = extraction_lines(finished)
    assert line.endswith("is finished: 10 rows of mean-avg-8-00000000; --force makes it again")
    for other in (opened(root, order="as-is"), opened(class_folder(tmp_path / "more"))):
        with pytest.raises(FeatureFileError, match=r"exists, with 10 rows .*--force to replace it"):
            finished_before(path, other, CHOICE)
    other_choice = CHOICE._replace(config=CHOICE.config._replace(pooling="max"))
    with pytest.raises(FeatureFileError, match="exists"):
        finished_before(path, opened(root), other_choice)


def test_a_name_that_is_no_text_is_written_as_bytes(tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    (tmp_path / "pets" / "f\udce9.jpg").write_bytes(jpeg(1))
    extract(opened(tmp_path / "pets"), tmp_path / "f.parquet")
    assert [row.name for row in read(tmp_path / "f.parquet").infos] == ["f\\xe9.jpg"]
