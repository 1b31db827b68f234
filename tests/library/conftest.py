"""A running Prequel that the tests of the library, and the examples of its docstrings, talk to."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from prequel import Client
from prequel.services.cli import composition
from prequel.services.offline.evaluation.result import Evaluation
from prequel.services.producer.client import connect
from prequel.services.producer.sources.base import LoadedImage
from prequel.shared.config import Settings
from tests.offline.report.evaluations import evaluate, random_examples
from tests.producer.conftest import COLOURS, mean_colour
from tests.servers.one_process import FunctionExtractor, OneProcess


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    """Its features are the mean colour, also of images that are sent to be predicted only."""
    with ExitStack() as stack:
        extractor = FunctionExtractor("mean-colour", mean_colour, ("undecodable", "so says the test"))
        data = tmp_path_factory.mktemp("data")
        settings = Settings.model_validate({"models": "ncm", "data": data})
        started = OneProcess(
            data, settings, extractor, extraction=extractor, start_export=composition.export_starter(settings)
        )
        stack.callback(started.close)
        yield started


@pytest.fixture
def data(system: OneProcess, photos: Path) -> Path:
    """The folder of a system that runs, which has the stream ``colours``."""
    return system.settings.data


@pytest.fixture(scope="module")
def photos(system: OneProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``red``, ``green`` and ``blue`` of four images each, which the stream ``colours`` has learned.

    Their ids there are like `red-0`.
    """
    root = tmp_path_factory.mktemp("photos")
    images = [drawn(root, name, number) for number in range(4) for name in COLOURS]
    with connect(system.url, None, stop=threading.Event(), clock=time.monotonic) as client:
        assert client.post_images("colours", images) == []
        assert all(client.prediction("colours", image.id, wait_s=30) for image in images)
    return root


def drawn(root: Path, name: str, number: int) -> LoadedImage:
    path = root / name / f"{number}.png"
    path.parent.mkdir(exist_ok=True)
    pixels = np.full((4, 4, 3), COLOURS[name], np.uint8)
    pixels[0, 0] = number
    Image.fromarray(pixels).save(path)
    return LoadedImage(f"{name}-{number}", path.name, name, path.read_bytes(), "image/png")


@pytest.fixture
def url(system: OneProcess, photos: Path) -> str:
    """Of a gateway with the stream ``colours``."""
    return system.url


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as connected:
        yield connected


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    """Of the models ``ncm`` and ``slda``, a part held out."""
    return evaluate(random_examples(("bird", "cat", "dog"), 260), "ncm,slda", held_out=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
