"""Keras computes the same vectors on JAX, which has a path of its own, as on TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

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
name, weights, precision, out = sys.argv[1:]
chosen = settings(backbone=name, weights=weights, precision=precision, engine="keras", batch=8)
backbone = load(chosen, Path(out).parent, {})
np.save(out, backbone.extract(varied(11, backbone.size)))
"""


def vectors(backend: str, name: str, weights: str, precision: str, scratch: Path) -> Vectors:
    """Of eleven images: a full batch, and a part of one; in a process of its own, as a backend is for good."""
    out = scratch / f"{backend}-{name}-{precision}.npy"
    environ = os.environ | {"KERAS_BACKEND": backend}
    command = [sys.executable, "-c", EXTRACT, name, weights, precision, str(out)]
    subprocess.run(command, env=environ, check=True, timeout=300)
    found: Vectors = np.load(out)
    return found


@pytest.mark.parametrize("name", ["compact", "mobilenetv2_0.35"])
def test_jax_equals_tensorflow(name: str, tmp_path: Path) -> None:
    weights = "imagenet" if name == "compact" else str(random_weights(name, tmp_path))
    wanted = vectors("tensorflow", name, weights, "float32", tmp_path)
    got = vectors("jax", name, weights, "float32", tmp_path)
    assert got.dtype == wanted.dtype == np.float32
    assert got.shape == wanted.shape
    assert np.std(wanted, axis=0).max() > 1e-2, "all images look alike to these weights"
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())


def test_jax_computes_in_bfloat16_too(tmp_path: Path) -> None:
    wanted = vectors("jax", "compact", "imagenet", "float32", tmp_path)
    got = vectors("jax", "compact", "imagenet", "bfloat16", tmp_path)
    assert got.dtype == np.float32
    assert not np.array_equal(got, wanted)
    assert np.abs(got - wanted).max() < 0.1 * np.abs(wanted).max()
