"""The OpenVINO engine: writes graphs of networks, compiles them for this CPU, runs them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset16 as opset

from prequel.services.extractor.backbones.base import Images, OutOfMemory, Vectors
from prequel.shared.config import ConfigError

CHUNK_PIXELS = 8 * 224 * 224
"""Pixels in one inference: with more, what passes between layers no longer fits the CPU's caches and nothing is gained;
with half of it small images are slower."""

_HINTS = {"bfloat16": "bf16", "float32": "f32"}


class OpenVinoBackbone:
    """A Backbone that OpenVINO runs on the CPU.

    A batch is cut into powers of two: OpenVINO prepares each batch size at its first use, and so only a few of them.
    """

    def __init__(self, file: Path, *, id: str, dim: int, size: int, precision: str, threads: int, batch: int) -> None:
        """Reads and compiles: takes a fraction of a second. ``precision`` and ``threads`` are as in the settings.

        Raises ConfigError if this CPU lacks the precision, RuntimeError if the file cannot be read.
        """
        self.id, self.dim, self.size = id, dim, size
        core = ov.Core()
        self.precision = _precision(core, precision)
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": _HINTS[self.precision],
            "INFERENCE_NUM_THREADS": threads,
            # Decoding, learning and serving share these cores: a thread pinned to one would wait for whoever has it.
            "ENABLE_CPU_PINNING": False,
        }
        self._request = core.compile_model(core.read_model(file), "CPU", options).create_infer_request()
        self._largest = _power_of_two(min(batch, max(1, CHUNK_PIXELS // size**2)))
        self.extract(np.zeros((1, size, size, 3), np.uint8))

    def extract(self, images: Images) -> Vectors:
        """As Backbone has it."""
        vectors = np.empty((len(images), self.dim), np.float32)
        start = 0
        while start < len(images):
            count = min(self._largest, _power_of_two(len(images) - start))
            vectors[start : start + count] = self._run(images[start : start + count])
            start += count
        return vectors

    def _run(self, images: Images) -> Any:
        try:
            return self._request.infer([images], share_inputs=True, share_outputs=True)[0]
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, MemoryError) or "alloc" in str(error).lower():
                raise OutOfMemory(f"{len(images)} images: {str(error)[:200]}") from error
            raise


def write(network: Callable[[Any], Any], size: int, file: Path) -> None:
    """Write the graph of ``network`` (a node's output to a node's output) for any number of images."""
    images = opset.parameter([-1, size, size, 3], ov.Type.u8, name="images")
    result = opset.result(network(images.output(0)))
    ov.save_model(ov.Model([result], [images]), file, compress_to_fp16=False)


def _power_of_two(number: int) -> int:
    """The largest that is not above ``number``."""
    return 1 << (number.bit_length() - 1)


def _precision(core: Any, setting: str) -> str:
    supported = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if setting == "bfloat16" and not supported:
        raise ConfigError("PREQUEL_PRECISION=bfloat16: this CPU does not support bfloat16; use auto or float32")
    return "bfloat16" if supported and setting != "float32" else "float32"
