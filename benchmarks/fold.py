"""Measures the whole fold (decode, join, two models, metrics, encode) on one core, without any log."""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console

from prequel.services.learner.fold.config import fold_config
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.models import registry
from prequel.shared.config import Settings
from prequel.shared.events.features import encode_features
from prequel.shared.events.outcomes import encode_outcome
from prequel.shared.events.predictions import encode_prediction
from prequel.shared.events.types import Image, Outcome, Prediction
from prequel.shared.log.base import EXAMPLES, Position, Record
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.model_specs import split_outside
from prequel.shared.runtime.garbage_collection import collect_less_often
from prequel.shared.vectors import Vector

BATCH = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", help="an .npz with `features` [n, dim] and `labels` [n]; else drawn at random")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--models", default="logistic,softmax")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    collect_less_often()  # As a learner does.
    records = list(labelled_records(*features(arguments.features, arguments.events)))
    for spec in split_outside(arguments.models, ","):
        registry.compile(spec, 8)
    rates = [_run(records, Settings.model_validate({"models": arguments.models})) for _ in range(arguments.runs)]
    shown = ", ".join(f"{rate:,.0f}" for rate in rates)
    Console().print(f"{len(records):,} events, {arguments.models}: {shown} events per second of processor time")


def features(file: str | None, events: int) -> tuple[Vector, list[str]]:
    if file:
        with np.load(file) as data:
            return data["features"][:events].astype(np.float32), [str(label) for label in data["labels"][:events]]
    random = np.random.default_rng(0)
    labels = random.integers(10, size=events)
    centres = random.normal(size=(10, 1280))
    features = (centres[labels] + 2 * random.normal(size=(events, 1280))).astype(np.float32)
    return features, [str(label) for label in labels]


def labelled_records(features: Vector, labels: list[str]) -> Iterator[Record]:
    for offset, (vector, label) in enumerate(zip(features, labels, strict=True)):
        image = Image(f"image-{offset}", "bench", label, 1.7e9 + offset, b"", Position(0, offset))
        message = encode_features(image, vector, "bench-avg-224-00000000", source="prequel/bench")
        yield Record(EXAMPLES, 0, offset, message.key, message.value, message.headers, 1.7e9)


def _run(records: list[Record], settings: Settings) -> float:
    fold = Fold(fold_config(settings), registry, FeatureCache(unread_log(), 20_000, 2**29), position=0)
    began = time.process_time()
    for at in range(0, len(records), BATCH):
        for _, event in fold.apply(records[at : at + BATCH]).outputs:
            if isinstance(event, Prediction):
                encode_prediction(event, source="prequel/bench")
            elif isinstance(event, Outcome):
                encode_outcome(event, source="prequel/bench")
    return len(records) / (time.process_time() - began)


def unread_log() -> SqliteLog:
    """A log that nobody will ask: everything is in the cache."""
    return SqliteLog(Path("unused"))


if __name__ == "__main__":
    main()
