"""How fast `prequel up` is from image to prediction over HTTP, compared with its decoder and backbone alone."""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np

from benchmarks.extractor import decode_all, infer_all, photographs, random_weights, read, records
from prequel.services.extractor.backbones.base import Backbone, Images
from prequel.services.extractor.decoding import Decoder
from prequel.services.extractor.loading import load
from prequel.services.producer.client import Client, connect
from prequel.services.producer.run import Run
from prequel.services.producer.sources.base import LoadedImage, SourceImage, Survey
from prequel.services.producer.sources.digits import Digits
from prequel.shared.config import Settings

TICKS = os.sysconf("SC_CLK_TCK")


class Copies:
    """A source of the same images again and again, each time under another id, in two classes."""

    def __init__(self, files: Sequence[bytes], count: int, prefix: str) -> None:
        self._files, self._count, self._prefix = files, count, prefix

    def images(self, survey: Survey) -> Iterator[SourceImage]:
        for number in range(self._count):
            yield SourceImage(str(number), ("cat", "dog")[number % 2])

    def load(self, entry: SourceImage) -> LoadedImage:
        data = self._files[int(entry.name) % len(self._files)]
        return LoadedImage(f"{self._prefix}-{entry.name}", entry.name, entry.label, data, "image/jpeg")

    def time(self, entry: SourceImage) -> None: ...


class Quiet:
    """Shows no progress."""

    def show(self, answered: int, seconds: float, status: object) -> None: ...

    def show_waiting(self, reason: str) -> None: ...


class Round(NamedTuple):
    """Images per second, and seconds of processor time per image."""

    decode: float
    infer: float
    whole: float
    services: float
    producer: float

    @property
    def bare(self) -> float:
        """Images per second if the cores did nothing but decode and infer."""
        return 1 / (1 / self.decode + 1 / self.infer)


class Bare:
    """Decoder and backbone in this process, as the extractor has them."""

    def __init__(self, settings: Settings, backbone: Backbone, files: Sequence[bytes]) -> None:
        self.backbone = backbone
        self.decoder = Decoder(max_pixels=10**8, max_bytes=10**8, threads=os.cpu_count() or 1)
        pixels = [
            self.decoder.decode(files[number % len(files)], self.backbone.size) for number in range(2 * settings.batch)
        ]
        self._batches: list[Images] = [np.stack(pixels[: settings.batch]), np.stack(pixels[settings.batch :])]
        self._files = files
        infer_all(backbone, self._batches, 2 * settings.batch)

    def rates(self, count: int) -> tuple[float, float]:
        feed = records(self._files, count)
        decode = count / seconds(lambda: decode_all(self.decoder, feed, self.backbone.size))
        return decode, count / seconds(lambda: infer_all(self.backbone, self._batches, count))

    def one(self) -> float:
        """Median seconds of decoding and inferring one image."""

        def once() -> None:
            self.backbone.extract(np.stack([self.decoder.decode(self._files[0], self.backbone.size)]))

        once()
        return statistics.median(seconds(once) for _ in range(50))


@contextmanager
def prequel(settings: Mapping[str, str], folder: Path) -> Iterator[tuple[str, int]]:
    """`prequel up` in a process of its own, ready; its address and process id."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = os.environ | settings | {"PREQUEL_DATA": str(folder), "PREQUEL_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "services", "up"], env=environment, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        while not ready(url):
            assert process.poll() is None, "prequel up ended"
            time.sleep(0.05)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait()


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def stream(client: Client, pid: int, files: Sequence[bytes], *, count: int, prefix: str) -> tuple[float, float, float]:
    """Images per second, and processor seconds per image of the services and of the producer."""
    source = Copies(files, count, prefix)
    run = Run(source, "bench", client, progress=Quiet(), stop=threading.Event(), clock=time.monotonic)
    services, producer = cpu_seconds(pid), time.process_time()
    summary = run.run(source.images(Survey()))
    assert summary.new == count, summary
    return summary.rate, (cpu_seconds(pid) - services) / count, (time.process_time() - producer) / count


def latency(url: str, files: Sequence[bytes]) -> float:
    """Median seconds from sending an image to having its prediction, one at a time."""
    with httpx.Client(base_url=url) as http:

        def once(number: int) -> None:
            headers = {"Content-Type": "image/jpeg", "Idempotency-Key": f"latency-{number}"}
            answer = http.post(
                "/v1/streams/latency/images?wait=30", content=files[number % len(files)], headers=headers
            )
            assert answer.status_code == 200, answer.text

        once(-1)
        return statistics.median(seconds(lambda number=number: once(number)) for number in range(50))  # type: ignore[misc]


def measure(url: str, pid: int, bare: Bare, files: Sequence[bytes], *, count: int, rounds: int) -> None:
    """In each round, first the parts alone, then the whole system, on the same cores."""
    done: list[Round] = []
    with connect(url, None, stop=threading.Event(), clock=time.monotonic) as client:
        stream(client, pid, files, count=count // 4, prefix="warm")
        for number in range(rounds):
            alone = bare.rates(count)
            streamed = stream(client, pid, files, count=count, prefix=f"round-{number}")
            done.append(Round(*alone, *streamed))
            print("round {}: decode {:.0f}, infer {:.0f}, whole {:.0f} images/s".format(number + 1, *done[-1]))
    middle = Round(*(statistics.median(column) for column in zip(*done, strict=True)))
    print(f"images in to predictions out: {middle.whole:8.0f} images/s")
    print(f"decoder and backbone alone:   {middle.bare:8.0f} images/s (1 / (1/decode + 1/infer))")
    print(f"ratio:                        {statistics.median(each.whole / each.bare for each in done):8.2f}")
    print(
        f"processor time per image:     {middle.services * 1e3:8.2f} ms in the services, "
        f"{middle.producer * 1e3:.2f} ms in the producer"
    )
    own, whole = bare.one(), latency(url, files)
    print(
        f"one image, idle:              {whole * 1e3:8.1f} ms, of them {own * 1e3:.1f} decoding and inference (p50): "
        f"{(whole - own) * 1e3:.1f} ms more"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="compact")
    parser.add_argument("--weights", default="", help="a weights file; default: random, compact's own for compact")
    parser.add_argument("--images", type=int, default=2_000, help="per round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--archive", type=Path, help="a tar of photographs; default: digits, or generated, 500 x 375")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        weights = options.weights
        if not weights and options.backbone != "compact":
            weights = random_weights(options.backbone, Path(scratch))
        settings = Settings.model_validate({"backbone": options.backbone, "weights": weights or "imagenet"})
        backbone = load(settings, Path(scratch) / "cache", os.environ)
        files = chosen_files(options.archive, options.backbone)
        print(f"{backbone.id}, {backbone.precision}; files of {sum(map(len, files)) / len(files) / 1e3:.1f} KB")
        environment = {"PREQUEL_BACKBONE": settings.backbone, "PREQUEL_WEIGHTS": settings.weights}
        with prequel(environment, Path(scratch) / "data") as (url, pid):
            bare = Bare(settings, backbone, files)
            measure(url, pid, bare, files, count=options.images, rounds=options.rounds)


def chosen_files(archive: Path | None, backbone: str) -> list[bytes]:
    if archive:
        return read(archive, 500)
    if backbone != "compact":
        return photographs(50)
    digits = Digits()
    return [digits.load(entry).data for entry in digits.images(Survey())]


if __name__ == "__main__":
    main()
