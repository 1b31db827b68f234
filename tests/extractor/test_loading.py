"""Loading: what is cached, what is converted, what falls back, and which message a wrong setting gets."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from prequel.services.extractor import engines, loading
from prequel.services.extractor.backbones.base import Backbone, OutOfMemory
from prequel.services.extractor.backbones.registry import choose
from prequel.services.extractor.engines.conversion import ConversionInterrupted
from prequel.services.extractor.engines.keras import KerasBackbone
from prequel.services.extractor.engines.openvino import OpenVinoBackbone, _precision
from prequel.services.extractor.loading import BackboneLoader, load
from prequel.shared.config import ConfigError
from tests.extractor.networks import ENVIRON, random_weights, settings, varied

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # inside Keras itself

SMALL = "mobilenet_0.25"
NO_NETWORK = {**ENVIRON, "https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
NO_PYTHON = {**ENVIRON, "PYTHONHASHSEED": "none"}
"""In such an environment the process that converts does not even start."""


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("loading")


@pytest.fixture(scope="module")
def weights(scratch: Path) -> Path:
    return random_weights(SMALL, scratch)


@pytest.fixture(scope="module")
def converted(scratch: Path, weights: Path) -> Path:
    """A cache with SMALL of these weights and nothing else: copy it, and change the copy."""
    small(weights, scratch / "converted")
    return scratch / "converted"


@pytest.fixture(scope="module")
def warm(scratch: Path, converted: Path) -> Path:
    """A cache that has SMALL with these weights already."""
    return Path(shutil.copytree(converted, scratch / "cache"))


@pytest.fixture
def own(converted: Path, tmp_path: Path) -> Path:
    """A copy of ``converted`` for one test, which may damage it."""
    return Path(shutil.copytree(converted, tmp_path / "cache"))


def small(weights: Path, cache: Path, environ: dict[str, str] = ENVIRON, **values: object) -> Backbone:
    chosen = {"backbone": SMALL, "weights": str(weights), "image_size": 64, "batch": 4, "engine": "openvino"}
    return load(settings(**{**chosen, **values}), cache, environ)


def files(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def own_messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What Prequel logged: how much TensorFlow says beside it depends on which tests ran before in this process."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("prequel.")]


def test_a_warm_cache_needs_no_conversion_and_no_keras(warm: Path, weights: Path) -> None:
    program = (
        "import sys, json; from pathlib import Path; from prequel.shared.config import Settings;"
        "from prequel.services.extractor.loading import load;"
        "load(Settings.model_validate(json.loads(sys.argv[1])), Path(sys.argv[2]), {'PYTHONHASHSEED': 'none'});"
        "print([name for name in ('keras', 'tensorflow', 'jax', 'torch') if name in sys.modules])"
    )
    chosen = {"backbone": SMALL, "weights": str(weights), "image_size": 64, "batch": 4, "engine": "openvino"}
    command = [sys.executable, "-c", program, json.dumps(chosen), str(warm)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_whatever_decides_the_vectors_decides_the_cache_key(
    warm: Path, weights: Path, scratch: Path, tmp_path: Path
) -> None:
    here = small(weights, warm, NO_PYTHON)
    moved = tmp_path / "elsewhere.h5"
    moved.write_bytes(weights.read_bytes())
    assert small(moved, warm, NO_PYTHON).id == here.id, "the place of a file does not matter, its content does"
    before = len(list(warm.iterdir()))
    other = small(weights, warm, pooling="max")
    assert other.id != here.id
    assert len(list(warm.iterdir())) == before + 1


def test_a_damaged_conversion_is_converted_again(weights: Path, own: Path, caplog: pytest.LogCaptureFixture) -> None:
    vectors = small(weights, own, NO_PYTHON).extract(varied(2, 64))
    (binary,) = own.glob("*/model.bin")
    os.truncate(binary, binary.stat().st_size // 2)
    assert np.array_equal(small(weights, own).extract(varied(2, 64)), vectors)
    assert len(own_messages(caplog)) == 1
    assert "is damaged" in own_messages(caplog)[0]
    binary.with_name("about.json").unlink()
    assert np.array_equal(small(weights, own).extract(varied(2, 64)), vectors)
    assert len(own_messages(caplog)) == 1


def test_two_processes_that_start_together_leave_one_whole_conversion(weights: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: small(weights, tmp_path), range(2))
    assert first.id == second.id
    assert [path.name for path in files(tmp_path)] == ["about.json", "model.bin", "model.xml"]
    assert len(list(tmp_path.iterdir())) == 1


def test_keras_runs_what_openvino_cannot(weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        backbone = small(weights, tmp_path, NO_PYTHON, engine="auto")
    assert isinstance(backbone, KerasBackbone)
    assert len(own_messages(caplog)) == 1
    assert f"OpenVINO cannot run {SMALL}, Keras runs it instead" in own_messages(caplog)[0]
    assert list(tmp_path.iterdir()) == []


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGINT end what is started here, though a shell that put these tests in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("end", ["kill -INT $$", "kill -TERM $$", "echo KeyboardInterrupt >&2; exit 1"])
def test_an_interrupted_conversion_does_not_fall_back(
    end: str, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{end}\n")
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(ConversionInterrupted), interruptible():
        small(weights, tmp_path / "cache", engine="auto")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_stop_ends_a_conversion(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid\nexec sleep 600\n")
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    stop = threading.Event()
    stop.set()
    chosen = settings(backbone=SMALL, weights=str(weights), engine="auto")
    with pytest.raises(ConversionInterrupted):
        load(chosen, tmp_path / "cache", ENVIRON, stop)
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()
    assert list((tmp_path / "cache").iterdir()) == []


def test_weights_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"PREQUEL_WEIGHTS=/proc/self/mem cannot be read .*: give this user read"):
        small(Path("/proc/self/mem"), tmp_path)


def test_a_gpu_that_keras_cannot_use_is_reported(
    warm: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loading, "_GPU_DEVICES", (Path("/dev/null"),))
    monkeypatch.setitem(sys.modules, "prequel.services.extractor.engines.keras", None)
    monkeypatch.delattr(engines, "keras", raising=False)
    assert isinstance(small(weights, warm, engine="auto"), OpenVinoBackbone)
    (warning,) = own_messages(caplog)
    assert "there is a GPU, but Keras cannot start" in warning
    assert "set KERAS_BACKEND to tensorflow, jax or torch" in warning


@pytest.mark.parametrize("engine", ["auto", "openvino"])
def test_a_cache_that_cannot_be_used(engine: str, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for cache in (Path("/proc/nope"), tmp_path / "file" / "cache"):
        with pytest.raises(ConfigError, match=f"PREQUEL_CACHE={cache} cannot be used .*: set it to a folder"):
            small(weights, cache, engine=engine)


@pytest.mark.parametrize("engine", ["openvino", "keras"])
def test_imagenet_weights_without_a_network(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", NO_NETWORK["https_proxy"])
    monkeypatch.setenv("no_proxy", "")
    chosen = settings(backbone="mobilenet_0.25", engine=engine)
    with pytest.raises(ConfigError) as caught:
        load(chosen, tmp_path, {**NO_NETWORK, "KERAS_HOME": str(tmp_path)})
    for remedy in ("PREQUEL_BACKBONE=mobilenet_0.25", "set PREQUEL_WEIGHTS to a local", "or PREQUEL_BACKBONE=compact"):
        assert remedy in str(caught.value)


def test_weights_of_another_network(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"PREQUEL_WEIGHTS={weights} does not fit PREQUEL_BACKBONE=mobilenet_0.5"):
        small(weights, tmp_path, backbone="mobilenet_0.5")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_weights(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.h5"
    garbage.write_bytes(b"no weights")
    with pytest.raises(ConfigError, match=f"PREQUEL_WEIGHTS={garbage} does not fit PREQUEL_BACKBONE={SMALL}"):
        small(garbage, tmp_path, engine="keras")


def test_an_input_that_is_too_small_for_the_network(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"PREQUEL_IMAGE_SIZE=8: .*at least 32"):
        small(weights, tmp_path, image_size=8, engine="keras")


@pytest.mark.parametrize("suffix", [".h5", ".keras", ".weights.h5"])
def test_every_format_of_weights_gives_the_same_backbone(
    suffix: str, warm: Path, weights: Path, tmp_path: Path
) -> None:
    model: Any = keras.applications.MobileNet(
        alpha=0.25, include_top=False, weights=None, input_shape=(224, 224, 3), name="some_other_name"
    )
    model.load_weights(weights)
    file = tmp_path / f"copy{suffix}"
    model.save_weights(file) if suffix == ".weights.h5" else model.save(file)
    copy = small(file, tmp_path, engine="keras", batch=1)
    assert copy.id == small(weights, warm).id


def test_the_id_follows_the_weights(warm: Path, weights: Path, scratch: Path, tmp_path: Path) -> None:
    model: Any = keras.applications.MobileNet(alpha=0.25, include_top=False, weights=None, input_shape=(64, 64, 3))
    model.load_weights(weights)
    bias = model.weights[-1]
    bias.assign_add(np.full(bias.shape, 1e-3, np.float32))
    model.save_weights(tmp_path / "other.weights.h5")
    other = small(tmp_path / "other.weights.h5", tmp_path, engine="keras", batch=1)
    assert other.id != small(weights, warm).id
    assert other.id.startswith(f"{SMALL}-avg-64-")


class Cpu:
    """Stands for OpenVINO's Core on a CPU with these capabilities."""

    def __init__(self, *able: str) -> None:
        self.able = able

    def get_property(self, device: str, name: str) -> tuple[str, ...]:
        assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
        return self.able


def test_precision_follows_the_cpu() -> None:
    new, old = Cpu("FP32", "BF16"), Cpu("FP32")
    assert [_precision(new, expected) for expected in ("auto", "bfloat16", "float32")] == [
        "bfloat16",
        "bfloat16",
        "float32",
    ]
    assert [_precision(old, expected) for expected in ("auto", "float32")] == ["float32", "float32"]
    with pytest.raises(ConfigError, match=r"PREQUEL_PRECISION=bfloat16.* use auto or float32"):
        _precision(old, "bfloat16")


def test_any_number_of_images_gives_the_same_vectors(warm: Path, weights: Path) -> None:
    backbone = small(weights, warm, precision="float32")
    assert isinstance(backbone, OpenVinoBackbone)
    images = varied(11, 64)
    whole = backbone.extract(images)
    assert whole.shape == (11, backbone.dim)
    alone = np.concatenate([backbone.extract(images[number : number + 1]) for number in range(11)])
    assert np.abs(whole - alone).max() < 1e-5 * np.abs(whole).max()
    assert backbone.extract(images[:0]).shape == (0, backbone.dim)


def test_keras_pads_to_its_fixed_shapes(weights: Path, tmp_path: Path) -> None:
    backbone = small(weights, tmp_path, engine="keras", precision="float32", batch=6)
    images = varied(15, 64)
    whole = backbone.extract(images)
    alone = np.concatenate([backbone.extract(images[number : number + 1]) for number in range(15)])
    assert np.abs(whole - alone).max() < 1e-5 * np.abs(whole).max()
    assert backbone.extract(images[:0]).shape == (0, backbone.dim)
    assert isinstance(backbone, KerasBackbone)


def cramped(monkeypatch: pytest.MonkeyPatch, fits: int) -> list[int]:
    """Give Keras memory for ``fits`` images at once; returns the list of batches that it tries."""
    tried: list[int] = []
    whole = keras.Model.predict_on_batch

    def limited(model: Any, images: Any) -> Any:
        tried.append(len(images))
        if len(images) > fits:
            raise RuntimeError("RESOURCE_EXHAUSTED: so says the test")
        return whole(model, images)

    monkeypatch.setattr(keras.Model, "predict_on_batch", limited)
    return tried


@pytest.mark.parametrize(
    ("fits", "expected"), [(32, [1, 8, 32, 32, 8]), (31, [1, 8, 32, *[8] * 9]), (2, [1, 8, *[1] * 48])]
)
def test_keras_drops_batch_shapes_that_do_not_fit_in_memory(
    fits: int, expected: list[int], weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = cramped(monkeypatch, fits)
    backbone = small(weights, tmp_path, engine="keras", precision="float32", batch=32)
    assert backbone.extract(varied(40, 64)).shape == (40, backbone.dim)
    assert tried == expected


def test_keras_drops_a_batch_shape_that_no_longer_fits(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = small(weights, tmp_path, engine="keras", precision="float32", batch=32)
    images = varied(20, 64)
    whole = backbone.extract(images)
    tried = cramped(monkeypatch, 10)
    for batches in ([32, 8, 8, 8], [8, 8, 8]):
        assert np.abs(backbone.extract(images) - whole).max() < 1e-5 * np.abs(whole).max()
        assert tried == batches
        tried.clear()


def test_too_little_memory_for_one_image_is_an_error(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = cramped(monkeypatch, 0)
    with pytest.raises(OutOfMemory, match="1 images: RESOURCE_EXHAUSTED"):
        small(weights, tmp_path, engine="keras", batch=32)
    assert tried == [1]


def test_keras_in_bfloat16_is_near_float32_and_leaves_no_policy_behind(weights: Path, tmp_path: Path) -> None:
    exact = small(weights, tmp_path, engine="keras", precision="float32").extract(varied(4, 64))
    backbone = small(weights, tmp_path, engine="keras", precision="bfloat16")
    rounded = backbone.extract(varied(4, 64))
    assert backbone.precision == "bfloat16"
    assert rounded.dtype == np.float32
    assert not np.array_equal(rounded, exact)
    assert np.corrcoef(rounded.ravel(), exact.ravel())[0, 1] > 0.9
    assert keras.config.dtype_policy().name == "float32"


def loader(cache: Path, environ: dict[str, str] = ENVIRON, **values: object) -> BackboneLoader:
    return BackboneLoader(settings(**{"engine": "openvino", "batch": 4, **values}), cache, environ, threading.Event())


def test_a_backbone_of_other_settings_is_loaded_by_its_id_where_its_weights_are_gone(warm: Path, weights: Path) -> None:
    """As after a start with another PREQUEL_BACKBONE and PREQUEL_WEIGHTS: streams keep what they began with."""
    before = small(weights, warm)
    other = loader(warm, NO_PYTHON)
    again = other.load(choose(before.id, settings(backbone="compact")))
    assert again.id == before.id
    assert np.array_equal(again.extract(varied(2, 64)), before.extract(varied(2, 64)))


def test_other_weights_are_not_taken_for_those_of_an_id(warm: Path, weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / f"{SMALL}.weights.h5").write_bytes(weights.read_bytes())
    chosen = choose(f"{SMALL}-avg-64-00000000", settings(weights=str(folder)))
    with pytest.raises(ConfigError, match=rf"the weights here are those of {SMALL}-avg-64-\w+, not of {chosen.spec}"):
        loader(warm).load(chosen)
    right = choose(f"{SMALL}-avg-64", settings(weights=str(folder)))
    assert loader(warm, NO_PYTHON).load(right).id == small(weights, warm).id


def test_a_damaged_conversion_that_was_found_by_its_id_is_converted_again(weights: Path, own: Path) -> None:
    first = small(weights, own, NO_PYTHON)
    (binary,) = own.glob("*/model.bin")
    os.truncate(binary, binary.stat().st_size // 2)
    chosen: dict[str, Any] = {"backbone": SMALL, "weights": str(weights), "image_size": 64}
    assert loader(own, **chosen).load(choose(first.id, settings(**chosen))).id == first.id
