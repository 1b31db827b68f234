"""Keras computes the same vectors on JAX, which has a path of its own, as on TensorFlow."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from prequel.services.extractor.backbones.base import Vectors
from tests.extractor.networks import random_weights

pytestmark = [
    pytest.mark.soak,  # JAX compiles each network for most of a minute
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # inside Keras itself
]

EXTRACT = """
import sys
import numpy as np
from prequel.services.extractor.loading import load
from tests.extractor.networks import settings, varied
from pathlib import Path
scratch, *expected = sys.argv[1:]
for each in expected:
    name, weights, precision, out = each.split("|")
    chosen = settings(backbone=name, pooling="multi", weights=weights, precision=precision, engine="keras", batch=8)
    backbone = load(chosen, Path(scratch), {})
    np.save(out, backbone.extract(varied(11, backbone.size)))
"""

MOBILENET = "mobilenetv2_0.35"
WANTED = {
    "compact": [("tensorflow", "float32"), ("jax", "float32"), ("jax", "bfloat16")],
    MOBILENET: [("tensorflow", "float32"), ("jax", "float32")],
}
"""Backends and precisions, by network."""


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[tuple[str, str], Vectors]]:
    """By network: of eleven images, a full batch and a part of one; each backend in a process of its own."""

    @cache
    def of(name: str) -> dict[tuple[str, str], Vectors]:
        scratch = tmp_path_factory.mktemp("backends")
        weights = "imagenet" if name == "compact" else str(random_weights(name, scratch))
        files = {variant: scratch / f"{'-'.join(variant)}.npy" for variant in WANTED[name]}
        for backend in ("tensorflow", "jax"):
            jobs = [f"{name}|{weights}|{variant[1]}|{file}" for variant, file in files.items() if variant[0] == backend]
            environ = os.environ | {"KERAS_BACKEND": backend}
            subprocess.run([sys.executable, "-c", EXTRACT, str(scratch), *jobs], env=environ, check=True, timeout=600)
        return {variant: np.load(file) for variant, file in files.items()}

    return of


@pytest.mark.parametrize("name", ["compact", MOBILENET])
def test_jax_equals_tensorflow(name: str, vectors: Callable[[str], dict[tuple[str, str], Vectors]]) -> None:
    found = vectors(name)
    expected, got = found["tensorflow", "float32"], found["jax", "float32"]
    assert got.dtype == expected.dtype == np.float32
    assert got.shape == expected.shape
    assert np.std(expected, axis=0).max() > 1e-2, "all images look alike to these weights"
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_jax_computes_in_bfloat16_too(vectors: Callable[[str], dict[tuple[str, str], Vectors]]) -> None:
    found = vectors("compact")
    expected, got = found["jax", "float32"], found["jax", "bfloat16"]
    assert got.dtype == np.float32
    assert not np.array_equal(got, expected)
    assert np.abs(got - expected).max() < 0.1 * np.abs(expected).max()
