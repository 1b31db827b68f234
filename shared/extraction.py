"""Features of one image on demand, without an event: who makes them, and where the store says that is (protocol)."""

from typing import Protocol
from urllib.parse import quote

from pydantic import BaseModel

from prequel.shared.vectors import Vector

PREFIX = "extractor/"

ANNOUNCE_SECONDS = 5.0
"""How often an extractor says where it is. Of several with one backbone the newest word counts, so one that died is
forgotten after this long; half would double the writes of an idle extractor, double the time that trials fail."""


class ExtractorUnavailable(Exception):
    """Nobody can extract now: no extractor with this backbone is reached, or it is busy. Try again."""


class Announcement(BaseModel):
    """Where an extractor answers, since ``at`` (seconds since the epoch)."""

    address: str
    at: float


class Extraction(Protocol):
    """Makes features of an image that is no event. Safe from any thread."""

    def extract(self, backbone: str, data: bytes) -> Vector:
        """What the backbone of this id makes of an encoded image, under the same limits as in the stream.

        Blocks for one image and at most the batch in progress. Raises Rejected (`too-large`, `undecodable`) and
        ExtractorUnavailable.
        """
        ...


class DeferredExtraction:
    """An Extraction that is still being made: loading a backbone takes seconds."""

    extraction: Extraction | None = None

    def extract(self, backbone: str, data: bytes) -> Vector:
        if self.extraction is None:
            raise ExtractorUnavailable("the extractor is still loading its backbone")
        return self.extraction.extract(backbone, data)


def announcement_key(backbone: str) -> str:
    """Where the extractors with this backbone stand in the store: one key for all, so that nothing is left behind."""
    return PREFIX + quote(backbone, safe="")


def announcement(address: str, now: float) -> bytes:
    return Announcement(address=address, at=now).model_dump_json().encode()
