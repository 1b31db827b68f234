"""Predictions of a model file: images and feature files, what is refused, and what is said."""

import io
import json
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from prequel.services.learner.portable import steps
from prequel.services.learner.portable.archive import ModelMeta, PortableModel
from prequel.services.offline.extraction.image_backbone import ImageBackbone
from prequel.services.offline.prediction.command import predict
from prequel.services.producer.errors import ProducerError
from prequel.shared.features.base import FeatureMeta, FeatureRows, RowInfo
from prequel.shared.features.opening import create_features
from tests.extractor.feeding import MeanColour
from tests.offline.extraction.folders import jpeg, make_folder, mean_colour


def model_file(folder: Path, backbone: str = MeanColour.id) -> Path:
    """Red is a cat, blue is a dog."""
    meta = ModelMeta(stream="pets", position="0:7", model="ncm", backbone=backbone, dim=3, labels=("cat", "dog"))
    own = (steps.Linear(np.array([[1.0, 0, 0], [0, 0, 1.0]]), np.zeros(2)), steps.Softmax())
    path = folder / "pets.npz"
    path.write_bytes(PortableModel(meta, own, np.zeros(0), np.zeros(0)).dump())
    return path


def features(path: Path, *, backbone: str = MeanColour.id, dim: int = 3) -> Path:
    """Three rows: a cat, a dog that looks like a cat, one without a label."""
    vectors = np.zeros((3, dim), np.float32)
    vectors[:, 0] = 5.0
    rows = [RowInfo(f"id{n}", f"{n}.jpg", label, None) for n, label in enumerate(["cat", "dog", None])]
    with closing(create_features(path, FeatureMeta(backbone=backbone, dim=dim))) as writer:
        writer.append(FeatureRows(rows, vectors))
        writer.finish(["cat", "dog"])
    return path


class Run:
    """What one command printed and warned of."""

    def __init__(self, model: Path, *inputs: Path, as_json: bool = False) -> None:
        self.warnings: list[str] = []
        self.loaded: list[str] = []
        out = io.StringIO()
        self.code = predict(
            model,
            [str(path) for path in inputs],
            open_backbone=self._open,
            as_json=as_json,
            console=Console(file=out),
            warn=self.warnings.append,
            stop=threading.Event(),
        )
        self.lines = out.getvalue().splitlines()

    def _open(self, id: str) -> "closing[ImageBackbone]":
        self.loaded.append(id)
        return closing(mean_colour())


def test_images_go_through_the_models_own_backbone_which_is_loaded_once(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "new", {"1.jpg": jpeg(1), "2.jpg": jpeg(2), "broken.jpg": b"no image"})
    single = make_folder(tmp_path / "other", {"3.jpg": jpeg(3)}) / "3.jpg"
    run = Run(model_file(tmp_path), folder, single)
    assert [line.split()[0] for line in run.lines] == ["1.jpg", "2.jpg", "3.jpg"]
    assert (run.loaded, run.code) == ([MeanColour.id], 1)
    assert len(run.warnings) == 1
    assert run.warnings[0].startswith("broken.jpg: no prediction: undecodable")


def test_a_feature_file_needs_no_backbone_and_says_how_often_it_was_right(tmp_path: Path) -> None:
    run = Run(model_file(tmp_path), features(tmp_path / "f.parquet"))
    assert run.lines == [
        "0.jpg  cat 0.993  (dog 0.007)",
        "1.jpg  cat 0.993  (dog 0.007)  [is dog]",
        "2.jpg  cat 0.993  (dog 0.007)",
        "right: 1 of 2 with a label, 0.5000",
    ]
    assert (run.loaded, run.code, run.warnings) == ([], 0, [])


def test_json_has_a_line_for_each_with_the_fields_of_the_gateway(tmp_path: Path) -> None:
    run = Run(model_file(tmp_path), features(tmp_path / "f.npz"), as_json=True)
    first, second, _ = map(json.loads, run.lines)
    assert (first["name"], first["label"], second["truth"]) == ("0.jpg", "cat", "dog")
    assert (first["stream"], first["position"], first["model"]) == ("pets", "0:7", "ncm")
    assert first["probabilities"]["cat"] == pytest.approx(0.993307, abs=1e-6)


def test_features_of_another_backbone_are_refused_before_any_line(tmp_path: Path) -> None:
    other = features(tmp_path / "f.parquet", backbone="compact-avg-32-0123abcd")
    with pytest.raises(ProducerError, match=f"has features of compact-avg-32-0123abcd, .* of {MeanColour.id}"):
        Run(model_file(tmp_path), other)
    with pytest.raises(ProducerError, match="has 4 features a row, and the model takes 3"):
        Run(model_file(tmp_path), features(tmp_path / "g.parquet", dim=4))


def test_features_of_ones_own_have_no_images(tmp_path: Path) -> None:
    model = model_file(tmp_path, backbone="my-embeddings")
    image = make_folder(tmp_path / "new", {"1.jpg": jpeg(1)})
    with pytest.raises(ProducerError, match="no backbone of Prequel's: give it a feature file"):
        Run(model, image)
    assert Run(model, features(tmp_path / "f.parquet", backbone="my-embeddings")).code == 0


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("pets.keras", b"", r"pets.keras is for other programs: .* the .npz file"),
        ("pets.npz", b"PK cut", r"pets.npz: it is no whole .npz file .* get it again"),
        ("pets.npz", b"text", r"pets.npz: it is no .npz file that `prequel export` wrote"),
    ],
)
def test_what_is_no_model_file_is_named(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ProducerError, match=why):
        Run(path, path)


def test_a_model_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProducerError, match=r"nothing.npz cannot be read: No such file"):
        Run(tmp_path / "nothing.npz", tmp_path)
