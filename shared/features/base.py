"""What a feature file is: rows of vectors with what is known of each, read and written in pieces (protocols)."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from prequel.shared.errors import PrequelError

Vectors = npt.NDArray[np.float32]
"""Feature vectors: float32, shape [n, dim]."""


class FeatureFileError(PrequelError):
    """A feature file that cannot be read or written; the text names file and row, and says what to do."""


class FeatureMeta(BaseModel):
    """What is kept with the vectors of a file.

    ``backbone`` is the full id of the backbone that made them, or the user's own word for theirs; ``source`` what they
    were made from, as the user named it; ``folder`` the absolute folder that the rows' names are relative to, empty
    where there is none; ``order`` how the rows lie: `as-is`, `shuffle:0` with the seed, or another order of `stream`.
    ``labels`` are the names of the classes, sorted.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    backbone: str
    dim: int
    precision: str = ""
    source: str = ""
    folder: str = ""
    order: str = "as-is"
    labels: tuple[str, ...] = ()


class RowInfo(NamedTuple):
    """What is known of one row besides its vector.

    ``id`` is the image's id as `stream` would send it, ``name`` its path in the source, with forward slashes; ``label``
    and ``split`` (train, test, ...) are None where there is none.
    """

    id: str
    name: str
    label: str | None
    split: str | None


class FeatureRows(NamedTuple):
    """Some rows of a file, in their order: ``vectors[i]`` is that of ``infos[i]``."""

    infos: list[RowInfo]
    vectors: Vectors


class FeatureReader(Protocol):
    """A finished feature file. For one thread; to be closed."""

    @property
    def meta(self) -> FeatureMeta: ...

    def infos(self) -> list[RowInfo]:
        """Every row without its vector, in the file's order. Reads no vectors where the format allows that."""
        ...

    def batches(self, size: int, begin: int = 0) -> Iterator[FeatureRows]:
        """The rows from number ``begin`` on, ``size`` at a time (the last batch may be smaller), in the file's order.

        Memory holds a few batches, however large the file. Blocks on the disk; raises FeatureFileError, which names the
        row, where one is damaged, ragged, or has a value that is no finite number.
        """
        ...

    def close(self) -> None: ...


class FeatureWriter(Protocol):
    """A feature file that is being written: what was appended survives a crash, and a rerun goes on after it."""

    @property
    def written(self) -> Sequence[RowInfo]:
        """The rows that are in the file already, of this run and of those before it."""
        ...

    def append(self, rows: FeatureRows) -> None:
        """Add rows; they survive a crash of this process on return. Raises FeatureFileError (a full disk)."""
        ...

    def finish(self, labels: Sequence[str]) -> None:
        """Make the file whole, in its place, durable on return. Raises FeatureFileError, and can be called again."""
        ...

    def close(self) -> None:
        """Release the file, finished or not."""
        ...
