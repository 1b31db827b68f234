"""The forms in which a model leaves, and what turns its arrays into the other forms (a protocol)."""

from typing import Literal, Protocol, get_args

from prequel.shared.errors import PrequelError

ModelFormat = Literal["npz", "onnx", "keras"]
MODEL_FORMATS: tuple[ModelFormat, ...] = get_args(ModelFormat)
"""Arrays and a description, which `prequel predict` reads; features in, probabilities out; images in."""


class CannotConvert(PrequelError):
    """A model cannot take this form, or not here; the text says why, and what to do."""


class ModelConverter(Protocol):
    """Makes the other forms out of an .npz file. Safe from any thread."""

    def __call__(self, data: bytes, format: ModelFormat) -> bytes:
        """Blocks for some seconds. Raises CannotConvert."""
        ...


def no_converter(data: bytes, format: ModelFormat) -> bytes:
    """The ModelConverter of a process that has none."""
    raise CannotConvert(
        f"nothing here makes {format} files: take format=npz here, or run `prequel export STREAM --what model "
        f"--format {format}` where Keras or onnx is installed"
    )
