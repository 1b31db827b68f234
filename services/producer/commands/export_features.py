"""Exported features in the formats that are not streamed: read as Parquet, and written as a file of that kind."""

import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from prequel.services.producer.errors import ProducerError

CONVERTED = ("npz", "csv")
"""An .npz begins with the number of its rows, and a CSV has ids and backbone in a second file: neither is one answer
that can be made while it is sent."""
MISSING = "this needs the package pyarrow: pip install 'prequel-stream[offline]', or export parquet or ndjson"


def write_features(target: Path, download: Callable[[Path], object]) -> int:
    """Download Parquet beside the target, and make that of it; the number of rows. Blocks.

    Nothing is left behind where it fails. Raises ProducerError, OSError, and what ``download`` does.
    """
    if not find_spec("pyarrow"):
        raise ProducerError(MISSING)
    from prequel.shared.features.base import FeatureFileError

    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        parquet, whole = Path(folder, "features.parquet"), Path(folder, "whole")
        download(parquet)
        whole.mkdir()
        try:
            count = _convert(parquet, whole / target.name)
        except FeatureFileError as error:
            raise ProducerError(str(error)) from error
        # The longest name first, which is that of a file beside it: whoever finds the file finds that too.
        for made in sorted(whole.iterdir(), reverse=True):
            made.replace(target.with_name(made.name))
    return count


def _convert(parquet: Path, target: Path) -> int:
    from prequel.shared.features.opening import create_features, open_features
    from prequel.shared.features.rows import piece_rows

    reader = open_features(parquet)
    writer = create_features(target, reader.meta)
    try:
        for rows in reader.batches(piece_rows(reader.meta.dim)):
            writer.append(rows)
        count = len(writer.written)
        writer.finish(reader.meta.labels)
    finally:
        writer.close()
        reader.close()
    return count
