"""With real weights and photographs: bfloat16 is worth as much as float32, and both what was measured before."""

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from prequel.services.extractor.backbones.base import Images, Vectors
from prequel.services.extractor.decoding import Decoder
from prequel.services.extractor.loading import load
from tests.extractor.networks import ENVIRON, settings

FOLDER = Path(os.environ.get("PREQUEL_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared")
ARCHIVE = FOLDER / "data" / "dogs-vs-cats-1399.tar"
QUARTER = FOLDER / "weights" / "mobilenet_v1_0.25_imagenet_no_top.weights.h5"
FULL = FOLDER / "weights" / "mobilenet_v2_imagenet_no_top.weights.h5"

pytestmark = pytest.mark.skipif(
    not (ARCHIVE.is_file() and QUARTER.is_file() and FULL.is_file()),
    reason=f"no data and weights under {FOLDER}: set PREQUEL_TEST_DATA to the folder that has both",
)


@pytest.fixture(scope="module")
def photographs() -> tuple[Images, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """All of them at 224 px, and which are dogs."""
    decoder = Decoder(max_pixels=10**8, max_bytes=10**7, threads=2)
    with tarfile.open(fileobj=io.BytesIO(ARCHIVE.read_bytes())) as tar:
        files = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        futures = [decoder.submit(stream.read(), 224) for stream in files.values() if stream]
        images = np.stack([future.result().pixels for future in futures])
    decoder.close()
    return images, np.array(["dog/" in name for name in files])


def extract(name: str, weights: Path, images: Images, *, precision: str, cache: Path) -> Vectors:
    chosen = settings(backbone=name, weights=str(weights), precision=precision, engine="openvino")
    backbone = load(chosen, cache, ENVIRON)
    return np.concatenate([backbone.extract(images[start : start + 64]) for start in range(0, len(images), 64)])


def probe(vectors: Vectors, labels: object) -> float:
    """Mean accuracy of five-fold logistic regression."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    return float(cross_val_score(model, vectors, labels, cv=folds).mean())


@pytest.mark.parametrize(
    ("name", "weights", "accuracy"),
    [("mobilenet_0.25", QUARTER, 0.945), pytest.param("mobilenetv2", FULL, 0.985, marks=pytest.mark.soak)],
)
def test_bfloat16_is_as_accurate_as_float32(
    name: str, weights: Path, accuracy: float, photographs: tuple[Images, object], tmp_path: Path
) -> None:
    images, labels = photographs
    exact = extract(name, weights, images, precision="float32", cache=tmp_path)
    rounded = extract(name, weights, images, precision="auto", cache=tmp_path)
    assert np.isfinite(rounded).all()
    of_exact, of_rounded = probe(exact, labels), probe(rounded, labels)
    assert of_exact >= accuracy
    assert abs(of_exact - of_rounded) <= 0.005, (of_exact, of_rounded)
