"""Keras computes the same vectors on JAX, which has a path of its own, as on TensorFlow."""

import os
import subprocess
import sys

import numpy as np
import pytest

from services.extractor.backbones import Vectors
from tests.extractor.networks import random_weights

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # inside Keras itself

EXTRACT = """
import sys
import numpy as np
from services.extractor.loading import load
from tests.extractor.networks import settings, varied
from pathlib import Path
scratch, *wanted = sys.argv[1:]
for each in wanted:
    name, weights, precision, out = each.split("|")
    chosen = settings(backbone=name, weights=weights, precision=precision, engine="keras", batch=8)
    backbone = load(chosen, Path(scratch), {})
    np.save(out, backbone.extract(varied(11, backbone.size)))
"""

MOBILENET = "mobilenetv2_0.35"
WANTED = [
    ("tensorflow", "compact", "float32"),
    ("tensorflow", MOBILENET, "float32"),
    ("jax", "compact", "float32"),
    ("jax", "compact", "bfloat16"),
    ("jax", MOBILENET, "float32"),
]


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], Vectors]:
    """Of eleven images: a full batch, and a part of one; each backend in a process of its own, as it is for good."""
    scratch = tmp_path_factory.mktemp("backends")
    weights = {"compact": "imagenet", MOBILENET: str(random_weights(MOBILENET, scratch))}
    files = {each: scratch / f"{'-'.join(each)}.npy" for each in WANTED}
    for backend in ("tensorflow", "jax"):
        jobs = [
            f"{name}|{weights[name]}|{precision}|{files[backend, name, precision]}"
            for wanted, name, precision in WANTED
            if wanted == backend
        ]
        environ = os.environ | {"KERAS_BACKEND": backend}
        subprocess.run([sys.executable, "-c", EXTRACT, str(scratch), *jobs], env=environ, check=True, timeout=600)
    return {each: np.load(file) for each, file in files.items()}


@pytest.mark.parametrize("name", ["compact", MOBILENET])
def test_jax_equals_tensorflow(name: str, vectors: dict[tuple[str, str, str], Vectors]) -> None:
    wanted, got = vectors["tensorflow", name, "float32"], vectors["jax", name, "float32"]
    assert got.dtype == wanted.dtype == np.float32
    assert got.shape == wanted.shape
    assert np.std(wanted, axis=0).max() > 1e-2, "all images look alike to these weights"
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())


def test_jax_computes_in_bfloat16_too(vectors: dict[tuple[str, str, str], Vectors]) -> None:
    wanted, got = vectors["jax", "compact", "float32"], vectors["jax", "compact", "bfloat16"]
    assert got.dtype == np.float32
    assert not np.array_equal(got, wanted)
    assert np.abs(got - wanted).max() < 0.1 * np.abs(wanted).max()
