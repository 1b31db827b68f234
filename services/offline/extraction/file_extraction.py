"""The command `extract`: features of a source into a file, gone on with after an interruption."""

import shutil
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from prequel.services.extractor.backbones.base import Choice
from prequel.services.offline.extraction.extraction import Extraction
from prequel.services.offline.extraction.image_backbone import ImageBackbone
from prequel.services.offline.extraction.image_source import ImageSource
from prequel.services.producer.progress import progress_on
from prequel.shared.backbone_specs import matches
from prequel.shared.features.base import FeatureFileError, FeatureMeta, RowInfo
from prequel.shared.features.foreign import labels_of
from prequel.shared.features.opening import create_features, open_features
from prequel.shared.features.partial import partial_folder


class ExtractedFile(NamedTuple):
    """What became of a run. ``done`` rows are those of runs before; ``finished``: the file is whole, in its place.

    ``extraction`` is None where it was whole before, and nothing was done.
    """

    path: Path
    source: ImageSource
    meta: FeatureMeta
    rows: list[RowInfo]
    done: int
    extraction: Extraction | None
    seconds: float
    finished: bool


def finished_before(path: Path, source: ImageSource, choice: Choice) -> ExtractedFile | None:
    """The file, where it is there and of the same source, order and backbone; None where none is there.

    Raises FeatureFileError where another file is in its place.
    """
    if not path.exists():
        return None
    with closing(open_features(path)) as reader:
        meta, rows = reader.meta, reader.infos()
    if (meta.source, meta.folder, meta.order) == (source.name, source.folder, source.order) and matches(
        choice.spec, meta.backbone
    ):
        return ExtractedFile(path, source, meta, rows, len(rows), None, 0.0, finished=True)
    raise FeatureFileError(
        f"{path} exists, with {len(rows):,} rows of {meta.backbone} of {meta.source}, order {meta.order}: write "
        "another file, or give --force to replace it"
    )


def extract_to_file(
    source: ImageSource,
    images: ImageBackbone,
    path: Path,
    *,
    replace: bool,
    console: Console,
    stop: threading.Event,
    clock: Callable[[], float],
) -> ExtractedFile:
    """Extract every image that has no features in the file yet. Blocks; ends soon after ``stop`` is set.

    Raises FeatureFileError, SourceError, OutOfMemory: rows that were extracted stay, and the next run goes on.
    """
    meta = FeatureMeta(
        backbone=images.backbone.id,
        dim=images.backbone.dim,
        precision=images.backbone.precision,
        source=source.name,
        folder=source.folder,
        order=source.order,
    )
    began = clock()
    with closing(create_features(path, meta, replace=replace)) as writer:
        done = list(writer.written)
        extraction = Extraction(source, images, stop, done)
        with (
            progress_on(console, path.name, source.survey.images - len(done), clock) as progress,
            closing(extraction.rows(source.images)) as batches,
        ):
            for batch in batches:
                writer.append(batch)
                progress.show(max(0, extraction.seen - len(done)), clock() - began, None)
        rows = list(writer.written)
        if finished := bool(rows) and not stop.is_set():
            writer.finish(labels_of(rows))
    if not rows:
        shutil.rmtree(partial_folder(path), ignore_errors=True)
    return ExtractedFile(path, source, meta, rows, len(done), extraction, clock() - began, finished)
