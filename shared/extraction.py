"""Features of one image on demand, without an event: the protocol, and how extractors announce their address."""

from typing import Protocol

from pydantic import BaseModel

from prequel.shared.vectors import Vector

KEY = "extractor"
"""The store's key of all extractors: one, as each serves every backbone, and so a dead one leaves nothing behind."""

ANNOUNCE_SECONDS = 5.0
"""How often an extractor writes its address to the store. Of several the newest announcement counts, so a dead one is
forgotten after this time. Half would double the writes of an idle extractor; double would double the time for which
predictions on demand fail."""


class ExtractorUnavailable(Exception):
    """No extractor can be reached, it is busy, or this backbone cannot be loaded there. Try again."""


class Announcement(BaseModel):
    """The address (host:port) at which an extractor answers, as of ``at`` (seconds since the epoch)."""

    address: str
    at: float


class Extraction(Protocol):
    """Makes features of an image that is not an event. Safe from any thread."""

    def extract(self, backbone: str, data: bytes) -> Vector:
        """The features that a backbone gives to an encoded image, under the same limits as in the stream.

        ``backbone`` is an id, or a spec. Blocks for one image and at most the batch in progress, and for seconds where
        the backbone is to be loaded first. Raises Rejected (`too-large`, `undecodable`) and
        ExtractorUnavailable.
        """
        ...


class DeferredExtraction:
    """An Extraction that is set later, once its backbone is loaded, which takes seconds."""

    extraction: Extraction | None = None

    def extract(self, backbone: str, data: bytes) -> Vector:
        if self.extraction is None:
            raise ExtractorUnavailable("the extractor is still loading its backbone")
        return self.extraction.extract(backbone, data)


def announcement(address: str, now: float) -> bytes:
    return Announcement(address=address, at=now).model_dump_json().encode()
