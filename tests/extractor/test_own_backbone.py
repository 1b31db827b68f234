"""A backbone of one's own is one file and one row: both are added to a copy of the product, which runs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

BACKBONE = """
from pathlib import Path
from typing import Any

from prequel.services.extractor.backbones.packaged import PackagedNetwork


def build(keras: Any) -> Any:
    images = keras.Input((16, 16, 3))
    maps = keras.layers.Conv2D(8, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(images))
    return keras.Model(images, keras.layers.GlobalAveragePooling2D()(maps))


TINY = PackagedNetwork(build, weights=Path(__file__).parent / "weights/tiny.weights.h5", size=16, pooling="avg")
"""
IMPORT = "from prequel.services.extractor.backbones.tiny import TINY\n"
TABLE_BEGIN = "BACKBONES: dict[str, Architecture] = {\n"
ROW = '    "tiny": TINY,\n'

PROGRAM = """
import os, sys
from pathlib import Path
import keras
import numpy as np
from prequel.services.extractor.backbones.tiny import TINY
from prequel.services.extractor.loading import load
from prequel.shared.config import Settings

TINY.build_model(keras).save_weights(TINY.weights)
images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
features = []
for engine in ("keras", "openvino"):
    settings = Settings.model_validate({"backbone": "tiny", "engine": engine, "precision": "float32", "batch": 4})
    backbone = load(settings, Path("cache"), dict(os.environ))
    features.append(backbone.extract(images))
    print(type(backbone).__name__, backbone.id.rpartition("-")[0], backbone.dim)
np.testing.assert_allclose(*features, rtol=1e-4, atol=1e-5)
"""


def test_a_file_and_a_row_add_a_backbone_to_both_engines(tmp_path: Path) -> None:
    for folder in ("prequel", "services", "shared"):
        shutil.copytree(ROOT / folder, tmp_path / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    backbones = tmp_path / "services/extractor/backbones"
    (backbones / "tiny.py").write_text(BACKBONE)
    table = (backbones / "registry.py").read_text()
    assert table.count(TABLE_BEGIN) == 1
    (backbones / "registry.py").write_text(IMPORT + table.replace(TABLE_BEGIN, TABLE_BEGIN + ROW))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.splitlines() == ["KerasBackbone tiny-avg-16 8", "OpenVinoBackbone tiny-avg-16 8"], done.stderr
