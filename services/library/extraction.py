"""`prequel.extract`: the features of images, into a file that may be far larger than memory."""

import threading
import time
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from prequel.services.cli import composition
from prequel.services.library.images import ImageOptions, chosen_backbone
from prequel.services.library.packages import require
from prequel.services.library.stopping import stoppable
from prequel.services.offline.extraction.file_extraction import ExtractedFile, extract_to_file, finished_before
from prequel.services.offline.extraction.image_source import open_image_source
from prequel.services.offline.extraction.report import extraction_lines
from prequel.services.producer.errors import SourceError
from prequel.services.producer.report import print_lines
from prequel.shared.features.opening import check_extension


class ExtractionRequest(NamedTuple):
    """What to extract, and how; None is what the settings say, or what suits the source."""

    source: str
    out: Path
    images: ImageOptions
    order: str | None
    shuffle: int | None
    force: bool


class Extracted(NamedTuple):
    """A file of features: ``rows`` of ``dim`` numbers, through the backbone of that id. ``print`` shows the run, with
    every image that has none, and why."""

    path: Path
    backbone: str
    dim: int
    rows: int
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __repr__(self) -> str:
        return f"<{self.rows:,} rows of {self.dim:,} features through {self.backbone} in {self.path}>"


def extract(
    source: str | PathLike[str],
    out: str | PathLike[str],
    *,
    backbone: str | None = None,
    pooling: str | None = None,
    labels: str | None = None,
    order: str | None = None,
    shuffle: int | None = None,
    batch: int | None = None,
    precision: str | None = None,
    force: bool = False,
    progress: bool = True,
) -> Extracted:
    """Write the features of the images of ``source`` into ``out``, a .parquet, .npz or .csv, as `prequel extract` does.

    ``source`` is a folder, an image or `digits`; the others are as the command has them, and None is what the settings
    (``PREQUEL_...``) say. A file that is finished already is left as it is; another one in its place is only replaced
    with ``force``. Ctrl-C, or the notebook's stop button, ends it after the batch in progress with KeyboardInterrupt:
    the rows are kept, and the same call goes on. Blocks. Raises PrequelError.

    >>> prequel.extract("digits", "digits.npz", backbone="compact", progress=False)
    <1,797 rows of ... features through compact-... in digits.npz>
    """
    request = ExtractionRequest(
        source=str(source),
        out=Path(out),
        images=ImageOptions(backbone, pooling, batch, precision, labels),
        order=order,
        shuffle=shuffle,
        force=force,
    )
    console = Console(stderr=True, quiet=not progress)
    result = stoppable(lambda stop: run_extraction(request, console, stop))
    lines = tuple(extraction_lines(result))
    if not result.rows:
        raise SourceError("\n".join(lines))
    if not result.finished:
        print_lines(console, *lines)
        raise KeyboardInterrupt
    return Extracted(result.path, result.meta.backbone, result.meta.dim, len(result.rows), lines)


def run_extraction(
    request: ExtractionRequest, console: Console, stop: threading.Event, *, say_order: bool = False
) -> ExtractedFile:
    """Extract, or find that it was done before. Blocks; ends soon after ``stop`` is set.

    Raises ProducerError, FeatureFileError, ConfigError, ConversionInterrupted, OutOfMemory, MissingPackage.
    """
    require("extract", "pyarrow")
    check_extension(request.out)
    source = open_image_source(
        request.source, labels=request.images.labels, order=request.order, shuffle=request.shuffle, stop=stop
    )
    choice, settings = chosen_backbone(request.images)
    if not request.force and (finished := finished_before(request.out, source, choice)):
        return finished
    if say_order:
        print_lines(console, source.order_line)
    with composition.image_backbone(choice, settings, stop) as images:
        return extract_to_file(
            source, images, request.out, replace=request.force, console=console, stop=stop, clock=time.monotonic
        )
