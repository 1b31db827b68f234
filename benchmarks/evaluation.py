"""Claim: `prequel evaluate` learns features from disk in at most 1.3 times a bare read of the same bytes, under 1 GB.

``python -m benchmarks.evaluation [--examples N] [--features N] [--rounds N] [--models SPEC,...]``: random features like
those of a ReLU, two classes, in files of both formats. Each round reads a file bare, in pieces of 8 MiB, and then
evaluates it by the real command, first with the file out of the page cache, then with it there. Ratios are those of
each round to the bare read right before it, medians of the rounds; processor seconds are of all threads, of the command
with what it takes to start.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from prequel.services.offline.evaluation.files import RESOURCES
from prequel.shared.features.base import FeatureMeta, FeatureRows, RowInfo
from prequel.shared.features.opening import create_features

PIECE = 8 * 2**20
PAUSE_S = 5
"""After a file has left the page cache. A virtual machine gives memory back to its host within about two seconds, and
takes it again page by page: two thirds of what a read from disk costs there. Without a pause the bare read, which comes
at once, would be spared that, and the command, which takes seconds to start, would not."""
ROWS = 50
"""Rows made at once."""
LABELS = ("cat", "dog")


class Round(NamedTuple):
    """Seconds of the clock, and of processors, of the bare read and of the evaluation; the most memory that it took."""

    bare: float
    bare_processor: float
    evaluated: float
    evaluated_processor: float
    peak_bytes: int


def make(path: Path, examples: int, features: int) -> None:
    random = np.random.default_rng(0)
    centres = np.abs(random.normal(size=(2, features)).astype(np.float32)) / 3
    meta = FeatureMeta(backbone="random-relu", dim=features, order="shuffle:0", labels=LABELS)
    writer = create_features(path, meta)
    for first in range(0, examples, ROWS):
        truths = random.integers(2, size=min(ROWS, examples - first))
        vectors = random.standard_normal((len(truths), features), dtype=np.float32) + centres[truths] - 0.5
        numbers = range(first, first + len(truths))
        infos = [RowInfo(f"e{n}", f"{n}.jpg", LABELS[t], None) for n, t in zip(numbers, truths, strict=True)]
        writer.append(FeatureRows(infos, np.maximum(vectors, 0)))
    writer.finish(LABELS)
    writer.close()


def evict(path: Path) -> None:
    """Take the file out of the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    time.sleep(PAUSE_S)


def bare_read(path: Path) -> tuple[float, float]:
    piece, began, busy = bytearray(PIECE), time.perf_counter(), time.process_time()
    with path.open("rb", buffering=0) as file:
        while file.readinto(piece):
            pass
    return time.perf_counter() - began, time.process_time() - busy


def evaluate(path: Path, models: str) -> tuple[float, float, int]:
    """Seconds from the first example to the last table, processor seconds in all, and the most memory, in bytes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "prequel.services", "evaluate", str(path), "--models", models]
        subprocess.run([*command, "--report", folder], check=True, stdout=subprocess.DEVNULL)
        found = json.loads((Path(folder) / RESOURCES).read_text())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return found["seconds"], busy, found["peak_memory_bytes"]


def rounds(path: Path, models: str, count: int, *, cached: bool) -> list[Round]:
    found = list[Round]()
    for _ in range(count):
        if not cached:
            evict(path)
        bare = bare_read(path)
        if not cached:
            evict(path)
        evaluated, busy, peak = evaluate(path, models)
        found.append(Round(*bare, evaluated, busy, peak))
    return found


def show(name: str, found: Sequence[Round], size: int) -> None:
    bare, read, evaluated, busy = (statistics.median(column) for column in list(zip(*found, strict=True))[:4])
    ratio = statistics.median(each.evaluated / each.bare for each in found)
    peak = max(each.peak_bytes for each in found) / 1e6
    print(
        f"{name:24} bare read {size / bare / 1e9:5.2f} GB/s ({read:.1f} s of processors)   evaluated "
        f"{size / evaluated / 1e9:5.2f} GB/s ({busy:.1f} s)   ratio {ratio:5.2f}   at most {peak:,.0f} MB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2_000)
    parser.add_argument("--features", type=int, default=100_352, help="7x7x2048, ResNet50's last maps")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", default="logistic")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for extension in ("npz", "parquet"):
            path = Path(folder) / f"features.{extension}"
            make(path, arguments.examples, arguments.features)
            for place, cached in (("from disk", False), ("from memory", True)):
                found = rounds(path, arguments.models, arguments.rounds, cached=cached)
                show(f"{extension} {place}", found, path.stat().st_size)
            path.unlink()


if __name__ == "__main__":
    main()
