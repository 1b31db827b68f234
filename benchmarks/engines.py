"""How much faster OpenVINO runs a backbone than Keras on its own backend, in one run, batch by batch in turn."""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from prequel.services.extractor.backbones.base import Backbone, Images
from prequel.services.extractor.loading import load
from prequel.shared.config import Settings

ENGINES = (("keras", "float32"), ("openvino", "float32"), ("openvino", "auto"))


def cost(backbone: Backbone, images: Images) -> tuple[float, float]:
    """Milliseconds on the clock, and of processor time over all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    backbone.extract(images)
    return (time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3


def compare(backbones: list[Backbone], names: list[str], batch: int, rounds: int) -> None:
    """Medians over the rounds; a ratio is that of each round, so that other load on this machine affects both."""
    size = backbones[0].size
    images = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
    for backbone in backbones:
        backbone.extract(images)
    rows = [[cost(backbone, images) for backbone in backbones] for _ in range(rounds)]
    for number, name in enumerate(names):
        median = statistics.median(row[number][0] for row in rows)
        wall, cpu = (statistics.median(row[0][which] / row[number][which] for row in rows) for which in (0, 1))
        rate = batch / median * 1e3
        times = f"{median:7.1f} ms {rate:6.0f} images/s {wall:6.2f} x, processor time {cpu:.2f} x"
        print(f"batch {batch:2}: {name:27} {times}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="mobilenetv2")
    parser.add_argument("--weights", default="imagenet", help="a weights file without the top")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    common = {"backbone": options.backbone, "weights": options.weights}
    with tempfile.TemporaryDirectory() as cache:
        backbones = [
            load(Settings.model_validate({**common, "engine": engine, "precision": precision}), Path(cache), os.environ)
            for engine, precision in ENGINES
        ]
        names = [f"{type(each).__name__}, {each.precision}" for each in backbones]
        for batch in (32, 1):
            compare(backbones, names, batch, options.rounds)


if __name__ == "__main__":
    main()
