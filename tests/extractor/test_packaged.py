"""Every packaged backbone, from an encoded image to features: both engines load its own weights and agree."""

from pathlib import Path

import numpy as np
import pytest

from prequel.services.extractor.backbones.packaged import PackagedNetwork
from prequel.services.extractor.backbones.registry import BACKBONES
from prequel.services.extractor.decoding import Decoder
from prequel.services.extractor.loading import load
from tests.extractor.networks import ENVIRON, settings
from tests.extractor.pictures import encoded, photograph

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # inside Keras itself

PACKAGED = [name for name, architecture in BACKBONES.items() if isinstance(architecture, PackagedNetwork)]
FILES = [encoded(photograph(40, 30, seed), "PNG") for seed in range(4)]


@pytest.mark.parametrize("name", PACKAGED)
def test_both_engines_give_the_same_features(name: str, tmp_path: Path) -> None:
    engines = [
        load(settings(backbone=name, engine=engine, precision="float32", batch=4), tmp_path, ENVIRON)
        for engine in ("keras", "openvino")
    ]
    decoder = Decoder(max_pixels=10_000, max_bytes=100_000, threads=1)
    images = np.stack([decoder.decode(data, engines[0].size) for data in FILES])
    decoder.close()
    keras, openvino = (engine.extract(images) for engine in engines)
    assert engines[0].id == engines[1].id
    assert keras.shape == (len(FILES), engines[0].dim)
    assert len(np.unique(keras, axis=0)) == len(FILES), "different images have the same features"
    np.testing.assert_allclose(openvino, keras, rtol=1e-3, atol=1e-4 * np.abs(keras).max())
