"""What can be exported of a stream and in which formats; the frames in which an export comes from its process."""

from collections.abc import Mapping
from typing import IO, Literal, get_args

import orjson
from pydantic import BaseModel, ConfigDict, Field

from prequel.shared.errors import PrequelError

What = Literal["labels", "predictions", "features", "images"]
Format = Literal["csv", "ndjson", "parquet", "zip", "tar"]

WHAT: tuple[What, ...] = get_args(What)
FORMATS: Mapping[str, tuple[Format, ...]] = {
    "labels": ("csv", "ndjson", "parquet"),
    "predictions": ("csv", "ndjson", "parquet"),
    "features": ("parquet", "csv", "ndjson"),
    "images": ("zip", "tar"),
}
"""By what is exported, the formats that go; the first is the default."""

MEDIA_TYPES: Mapping[str, str] = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "zip": "application/zip",
    "tar": "application/x-tar",
}


LABEL_COLUMNS = ("id", "label", "by", "why", "at", "image")
"""Of exported labels. `prequel label --csv` reads the first four again."""
IMAGE_COLUMNS = ("file", *LABEL_COLUMNS)
"""Of the table beside exported images, by which `prequel stream --labels csv:` knows that its ids are the images'."""


class ExportRequest(BaseModel):
    """What to export of which stream."""

    model_config = ConfigDict(frozen=True)

    stream: str
    what: What
    format: Format


class ExportHead(BaseModel):
    """What is known of an export before its first byte."""

    position: str = Field(description="the state of the stream that it is of: all records before this position")
    examples: int = Field(
        description="how many examples the stream has had; the export has those that the log still has"
    )
    labelled: int = Field(description="how many of them have a label")
    begin: int = Field(description="the first offset that the log still has of the stream's partition")
    begun: int = Field(description="the offset at which the stream began")

    @property
    def complete(self) -> bool:
        """Whether the log reaches back to the beginning of the stream."""
        return self.begin <= self.begun


class ExportFailed(PrequelError):
    """No export, or not all of it: the text is a sentence for people. ``status`` is what HTTP answers."""

    def __init__(self, detail: str, status: int = 503) -> None:
        super().__init__(detail)
        self.detail, self.status = detail, status


# The frames of an export's process: a length, four bytes big-endian, and so many bytes. The first frame is the head, as
# JSON; then come the export's bytes; an empty frame says that they are all. In place of any frame there may be a
# failure: the length FAILED, and a frame with its status and its detail, as JSON.

LENGTH_BYTES = 4
FAILED = 0xFFFFFFFF


def encode_frame(data: bytes) -> bytes:
    """One frame."""
    return len(data).to_bytes(LENGTH_BYTES) + data


def encode_failure(error: ExportFailed) -> bytes:
    """What ends a conversation before its end; ``read_frame`` raises it."""
    body = orjson.dumps({"status": error.status, "detail": error.detail})
    return FAILED.to_bytes(LENGTH_BYTES) + encode_frame(body)


def read_frame(source: IO[bytes]) -> bytes:
    """The next frame; empty at the end. Blocks. Raises ExportFailed, also where the process ended in the middle."""
    length = int.from_bytes(_read(source, LENGTH_BYTES))
    if length != FAILED:
        return _read(source, length)
    body = orjson.loads(read_frame(source))
    raise ExportFailed(body["detail"], body["status"])


def _read(source: IO[bytes], size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise ExportFailed("the process of the export was ended, perhaps because memory was short: ask again")
    return data
