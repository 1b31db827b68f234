"""How many labels a second `prequel label --csv` corrects: sent, appended, corrected by the learner, outcomes known.

``python -m benchmarks.corrections [--features FILE.npz] [--images N] [--models SPECS]``: a real `prequel up`. Features
are written to its log, a fifth of them with a wrong label; all of these are corrected by one table, after a restart, so
that no feature is in the learner's memory. Without a file, features are drawn at random, as wide as MobileNetV2's.
"""

import argparse
import io
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.end_to_end import cpu_seconds, prequel
from benchmarks.fold import features
from prequel.services.producer.client import Client, connect
from prequel.services.producer.commands.label_table import label_images
from prequel.services.producer.label_table import LabelFormat
from prequel.shared.config import Settings
from prequel.shared.events.features import encode_features
from prequel.shared.events.types import Image
from prequel.shared.log.base import Message, Position
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.status import StreamStatus

WRONG = 0.2
APPENDED = 500
"""Records in one append."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", help="an .npz with `features` [n, dim] and `labels` [n]; else drawn at random")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--models", default=Settings.model_validate({}).models)
    options = parser.parse_args()
    vectors, labels = features(options.features, options.images)
    random = np.random.default_rng(0)
    classes = sorted(set(labels))
    wrong = {
        number: classes[(classes.index(labels[number]) + 1) % len(classes)]
        for number in np.flatnonzero(random.random(len(labels)) < WRONG).tolist()
    }
    with tempfile.TemporaryDirectory() as folder:
        given = [wrong.get(number, label) for number, label in enumerate(labels)]
        events = (event(number, vector, given[number]) for number, vector in enumerate(vectors))
        write(Path(folder), list(events))
        settings = {"PREQUEL_MODELS": options.models}
        with running(settings, Path(folder)) as (client, _):
            before = learned(client, len(labels))
        table = Path(folder) / "labels.csv"
        table.write_text("id,label\n" + "".join(f"i{number},{labels[number]}\n" for number in wrong))
        for name in ("from a cold start", "the same table again"):
            with running(settings, Path(folder)) as (client, pid):
                began, cpu = time.perf_counter(), cpu_seconds(pid)
                correct(client, table)
                took, cpu = time.perf_counter() - began, cpu_seconds(pid) - cpu
                after = learned(client, len(labels))
            print(
                f"{name}: {len(wrong):,} labels in {took:.2f} s, {len(wrong) / took:,.0f} a second, "
                f"{1e3 * cpu / len(wrong):.2f} ms of the services' processor time each ({options.models}, "
                f"{vectors.shape[1]:,} features)"
            )
            show(before, after)


def event(number: int, vector: np.ndarray[tuple[int], np.dtype[np.float32]], label: str) -> Message:
    image = Image(f"i{number}", "bench", label, 1.7e9 + number, b"", Position(0, number))
    return encode_features(image, vector, "bench-avg-224-00000000", source="prequel/bench")


def write(folder: Path, messages: list[Message]) -> None:
    log = SqliteLog(folder / "log")
    for begin in range(0, len(messages), APPENDED):
        log.append(messages[begin : begin + APPENDED])


@contextmanager
def running(settings: dict[str, str], folder: Path) -> Iterator[tuple[Client, int]]:
    with (
        prequel(settings, folder) as (url, pid),
        connect(url, None, stop=threading.Event(), clock=time.monotonic) as client,
    ):
        yield client, pid


def learned(client: Client, images: int) -> StreamStatus:
    """The status once the learner has processed so many images."""
    while (status := client.stream("bench")) is None or status.images < images:
        time.sleep(0.1)
    return status


def correct(client: Client, table: Path) -> None:
    code = label_images(
        client,
        "bench",
        str(table),
        format=LabelFormat("bench", "correction"),
        console=Console(file=io.StringIO()),
        stop=threading.Event(),
        clock=time.monotonic,
    )
    assert code == 0, "a label had no effect"


def show(before: StreamStatus, after: StreamStatus) -> None:
    for name, model in after.models.items():
        print(f"  {name}: accuracy {before.models[name].accuracy:.4f} before, {model.accuracy:.4f} after")
    print(f"  labels by status: {after.statuses}")


if __name__ == "__main__":
    main()
