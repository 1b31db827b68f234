"""How good the features of `compact` are: digits in a stream, a linear probe on CIFAR-10, and images/s."""

import argparse
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image
from river import linear_model, multiclass, preprocessing
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.train_compact import read_split
from prequel.services.extractor.backbones import compact


def shipped() -> Any:
    """The backbone with the weights of the repository."""
    backbone = compact.build(keras)
    backbone.load_weights(compact.WEIGHTS)
    return backbone


def digits(inverted: bool) -> tuple[Any, Any]:
    """All 1,797 digits of scikit-learn as float32 [n, 32, 32, 3] (white on black unless inverted), and their labels."""
    data = load_digits()
    grey = (data.images * (255 / 16)).round().astype(np.uint8)
    size, how = (compact.SIZE, compact.SIZE), Image.Resampling.BILINEAR
    images = [
        np.asarray(Image.fromarray(255 - one if inverted else one).resize(size, how).convert("RGB")) for one in grey
    ]
    return np.stack(images).astype(np.float32), data.target


def prequential_accuracy(features: Any, labels: Any) -> float:
    """Share of right predictions of River's scaled one-versus-rest logistic regression: predict first, then learn."""
    model = preprocessing.StandardScaler() | multiclass.OneVsRestClassifier(linear_model.LogisticRegression())
    right = 0
    for row, label in zip(features, labels, strict=True):
        x = dict(enumerate(row.tolist()))
        right += model.predict_one(x) == label
        model.learn_one(x, label)
    return right / len(labels)


def linear_probe(backbone: Any, archive: Path) -> float:
    """Test accuracy on CIFAR-10 of logistic regression fitted to the features of its 50,000 training images."""
    parts = [read_split(archive, split) for split in ("train", "test")]
    (x, y), (x_test, y_test) = [(features_of(backbone, images), labels) for images, labels in parts]
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
    return float(probe.fit(x, y).score(x_test, y_test))


def features_of(backbone: Any, images: Any) -> Any:
    """Features [n, 368] of uint8 or float32 images, 500 at a time."""
    return backbone.predict(images.astype(np.float32), batch_size=500, verbose=0)


def images_per_second(backbone: Any, batch: int, rounds: int) -> float:
    """Median over the rounds of the rate of one batch, on whatever device Keras has."""
    images = np.random.default_rng(0).integers(0, 256, (batch, compact.SIZE, compact.SIZE, 3)).astype(np.float32)
    backbone.predict_on_batch(images)
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        backbone.predict_on_batch(images)
        seconds.append(time.perf_counter() - begin)
    return batch / float(np.median(seconds))


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cifar10", type=Path, help="tar as for train_compact.py; without it no linear probe")
    options = parser.parse_args()
    backbone = shipped()
    print(f"Keras {keras.__version__} on {keras.backend.backend()}, features: {backbone.output_shape[-1]}")
    for batch in (1, 32):
        print(f"images/s at batch {batch}: {images_per_second(backbone, batch, 100):.0f}")
    for inverted in (False, True):
        images, labels = digits(inverted)
        accuracy = prequential_accuracy(features_of(backbone, images), labels)
        print(f"digits {'black on white' if inverted else 'white on black'}, prequential: {accuracy:.4f}")
    if options.cifar10:
        print(f"CIFAR-10 linear probe, test: {linear_probe(backbone, options.cifar10):.4f}")


if __name__ == "__main__":
    main()
