"""The shipped `compact` backbone: loads, is what its record says, and its features separate handwritten digits."""

import hashlib
import json
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier

from prequel.services.extractor.backbones import compact

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # inside Keras itself

RECORD = json.loads(compact.WEIGHTS.with_name("compact.json").read_text())


@pytest.fixture(scope="module")
def backbone() -> Any:
    model = compact.build(keras)
    model.load_weights(compact.WEIGHTS)
    return model


def noise(count: int) -> Any:
    return np.random.default_rng(7).integers(0, 256, (count, compact.SIZE, compact.SIZE, 3)).astype(np.float32)


def digit_images() -> tuple[Any, Any]:
    digits = load_digits()
    grey = (digits.images * (255 / 16)).round().astype(np.uint8)
    size = (compact.SIZE, compact.SIZE)
    images = [np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BILINEAR).convert("RGB")) for one in grey]
    return np.stack(images).astype(np.float32), digits.target


def held_out_accuracy(model: Any) -> float:
    """Ridge regression on the raw features of 500 digits, tested on the 1,297 others: separable and well scaled."""
    images, labels = digit_images()
    features = model.predict(images, batch_size=256, verbose=0)
    return float(RidgeClassifier(alpha=1.0).fit(features[:500], labels[:500]).score(features[500:], labels[500:]))


def test_the_weights_are_the_recorded_ones() -> None:
    assert hashlib.sha256(compact.WEIGHTS.read_bytes()).hexdigest() == RECORD["sha256"]
    assert compact.WEIGHTS.stat().st_size < 4_000_000


def test_shapes_are_the_recorded_ones(backbone: Any) -> None:
    assert list(backbone.input_shape[1:]) == RECORD["input"]
    assert backbone.output_shape == (None, RECORD["features"])
    assert backbone.count_params() == RECORD["parameters"]


def test_features_are_finite_float32_of_ordinary_size(backbone: Any) -> None:
    flat = np.stack([np.full((compact.SIZE, compact.SIZE, 3), level, np.float32) for level in (0, 128, 255)])
    features = backbone.predict(np.concatenate([flat, noise(5)]), verbose=0)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert np.abs(features).max() < 100


def test_the_same_image_gives_the_same_features_again_and_from_another_copy(backbone: Any) -> None:
    images = noise(4)
    other = compact.build(keras)
    other.load_weights(compact.WEIGHTS)
    first = backbone.predict(images, verbose=0)
    assert np.array_equal(first, backbone.predict(images, verbose=0))
    assert np.array_equal(first, other.predict(images, verbose=0))


def test_every_weight_was_loaded_with_the_values_of_the_file(backbone: Any) -> None:
    for variable in backbone.weights:
        values = keras.ops.convert_to_numpy(variable)
        assert values.dtype == np.float32
        assert np.array_equal(values, values.astype(np.float16).astype(np.float32)), variable.path
        assert np.isfinite(values).all()


def test_features_separate_digits_and_those_of_random_weights_do_not(backbone: Any) -> None:
    keras.utils.set_random_seed(0)
    assert held_out_accuracy(backbone) > 0.91
    assert held_out_accuracy(compact.build(keras)) < 0.8
