"""How fast the extractor is: decode, batch, infer and encode, compared with the parts alone on the same cores."""

import argparse
import io
import os
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from prometheus_client import CollectorRegistry

from prequel.services.extractor.backbone_pool import BackbonePool
from prequel.services.extractor.backbones.applications import APPLICATIONS
from prequel.services.extractor.backbones.base import Backbone, Images
from prequel.services.extractor.backbones.registry import choose
from prequel.services.extractor.decoding import Decoder
from prequel.services.extractor.extractor import ExtractorProcessor
from prequel.services.extractor.loading import load
from prequel.shared.config import Settings
from prequel.shared.events.images import encode_image
from prequel.shared.log.base import IMAGES, Record
from prequel.shared.runtime.metrics import Metrics


def photographs(count: int) -> list[bytes]:
    """JPEGs of 500 x 375, as smooth and as noisy as photographs."""
    random = np.random.default_rng(0)
    files = []
    for _ in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC), np.float32)
        image = Image.fromarray(np.clip(smooth + random.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8))
        file = io.BytesIO()
        image.save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    return files


def read(archive: Path, count: int) -> list[bytes]:
    """The first files of a tar."""
    with tarfile.open(archive) as tar:
        members = islice((member for member in tar if member.isfile()), count)
        return [stream.read() for member in members if (stream := tar.extractfile(member))]


def random_weights(name: str, folder: Path) -> str:
    """A file of random weights: speed does not depend on their values, and needs no download."""
    import keras

    model = getattr(keras.applications, APPLICATIONS[name].function)(include_top=False, weights=None)
    file = folder / f"{name}.weights.h5"
    model.save_weights(file)
    return str(file)


def records(files: Sequence[bytes], count: int) -> list[Record]:
    """Image events as records of a log."""
    events = []
    for offset, data in enumerate(islice(cycle(files), count)):
        message = encode_image(
            f"i-{offset}", "bench", data, label="x", time=0.0, source="bench", content_type="image/jpeg"
        )
        events.append(Record(IMAGES, 0, offset, message.key, data, message.headers, 0.0))
    return events


class Cost(NamedTuple):
    """The cost of one image: seconds on the clock, and of processor time over all threads."""

    wall: float
    cpu: float


def cost(action: Callable[[], object], count: int) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return Cost((time.perf_counter() - wall) / count, (time.process_time() - cpu) / count)


def decode_all(decoder: Decoder, feed: Sequence[Record], size: int) -> None:
    for future in [decoder.submit(record.value, size) for record in feed]:
        future.result()


def infer_all(backbone: Backbone, images: Sequence[Images], count: int) -> None:
    for done in range(0, count, len(images[0])):
        backbone.extract(images[done // len(images[0]) % len(images)][: count - done])


def extract_all(processor: ExtractorProcessor, feed: Sequence[Record]) -> None:
    """What the runner does, without a log: a poll is a slice."""
    messages, batches = 0, batched(feed, processor.max_records)
    while messages < len(feed):
        messages += len(processor.process(next(batches, ())).messages)


def batched(feed: Sequence[Record], size: int) -> Iterator[Sequence[Record]]:
    return (feed[start : start + size] for start in range(0, len(feed), size))


class AllDefault:
    """StreamSpecs of streams that all have the default."""

    def of(self, streams: Iterable[str]) -> Mapping[str, str]:
        return dict.fromkeys(streams, "")


def processor_of(settings: Settings, backbone: Backbone, decoder: Decoder) -> ExtractorProcessor:
    """The extractor, with this backbone loaded."""
    default, metrics = choose("", settings), Metrics(CollectorRegistry())
    pool = BackbonePool(lambda choice: backbone, max_loaded=1, batch=settings.batch)
    pool.wait(default)
    streams, batch = AllDefault(), settings.batch
    return ExtractorProcessor(
        pool, streams, decoder, choose=lambda spec: default, batch=batch, batch_wait=0.0, metrics=metrics
    )


def measure(settings: Settings, backbone: Backbone, files: Sequence[bytes], *, count: int, rounds: int) -> None:
    """The three rates in turn, ``rounds`` times, and how they compare: medians over the rounds."""
    threads = settings.decode_threads or os.cpu_count() or 1
    decoder = Decoder(max_pixels=10**8, max_bytes=10**8, threads=threads)
    processor = processor_of(settings, backbone, decoder)
    feed = records(files, count)
    pixels = np.stack([decoder.decode(data, backbone.size) for data in islice(cycle(files), 2 * settings.batch)])
    images = [pixels[: settings.batch], pixels[settings.batch :]]
    extract_all(processor, feed[: 3 * settings.batch])
    rows: list[tuple[Cost, Cost, Cost]] = []
    for number in range(rounds):
        decode = cost(lambda: decode_all(decoder, feed, backbone.size), count)
        infer = cost(lambda: infer_all(backbone, images, count), count)
        whole = cost(lambda: extract_all(processor, feed), count)
        rows.append((decode, infer, whole))
        rates = ", ".join(f"{1 / each.wall:.0f}" for each in rows[-1])
        print(f"round {number + 1}: decode, infer, whole path: {rates} images/s", flush=True)
    processor.close()
    report(rows, threads)


def report(rows: Sequence[tuple[Cost, Cost, Cost]], threads: int) -> None:
    """Medians over the rounds. Processor time is what the path itself costs, even while others use the cores."""
    decode, infer, whole = (1 / statistics.median(each.wall for each in column) for column in zip(*rows, strict=True))
    in_turn = statistics.median((d.wall + i.wall) / w.wall for d, i, w in rows)
    slower = statistics.median(max(d.wall, i.wall) / w.wall for d, i, w in rows)
    cpu = statistics.median((d.cpu + i.cpu) / w.cpu for d, i, w in rows)
    print(f"decoder alone, {threads:3} threads {decode:8.0f} images/s")
    print(f"backbone alone             {infer:8.0f} images/s")
    print(f"whole path                 {whole:8.0f} images/s")
    print(f"whole path / (1 / (1/decode + 1/infer)) = {in_turn:.3f}   (the same cores do both: to reach 0.90)")
    print(f"the same in processor time              = {cpu:.3f}")
    print(f"whole path / min(decode, infer)         = {slower:.3f}   (on a GPU: to reach 0.80)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="compact")
    parser.add_argument("--weights", default="", help="a weights file; default: random, compact's own for compact")
    parser.add_argument("--pooling", default="avg")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--decode-threads", type=int, default=0)
    parser.add_argument("--images", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--archive", type=Path, help="a tar of photographs; default: generated ones of 500 x 375")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        weights = options.weights
        if not weights and options.backbone != "compact":
            weights = random_weights(options.backbone, Path(scratch))
        names = ("backbone", "pooling", "engine", "precision", "batch", "decode_threads")
        values = {name: getattr(options, name) for name in names}
        settings = Settings.model_validate(values | {"weights": weights or "imagenet"})
        begin = time.perf_counter()
        backbone = load(settings, Path(scratch) / "cache", os.environ)
        ready = time.perf_counter() - begin
        keras = sys.modules.get("keras")
        engine = (
            f"Keras on {keras.backend.backend()}"
            if type(backbone).__name__ == "KerasBackbone" and keras
            else "OpenVINO"
        )
        print(f"{backbone.id}, {backbone.dim} values, {backbone.precision}, {engine}, ready after {ready:.1f} s")
        files = read(options.archive, 500) if options.archive else photographs(50)
        measure(settings, backbone, files, count=options.images, rounds=options.rounds)


if __name__ == "__main__":
    main()
