"""Features of an image that is not in the log: extracted on demand, to ask a learner for a prediction."""

from prequel.services.gateway.blocking_calls import BlockingCalls
from prequel.services.gateway.http.answers import rejected_problem
from prequel.services.gateway.http.problems import Problem, unavailable
from prequel.services.gateway.view.statuses import StreamStatuses
from prequel.shared.events.types import Rejected
from prequel.shared.extraction import Extraction
from prequel.shared.runtime.deadlines import QUERY_S
from prequel.shared.vectors import Vector

MAX_CONCURRENT = 2
"""Threads that may wait for extractors: an extractor that hangs must not take other calls' threads."""
MAX_QUEUED = 8
"""Images that wait for a thread; more are refused at once. Each takes a whole image of memory, and with an extraction
of a few tenths of a second the last of them would hardly be answered within QUERY_S."""


class OnDemandFeatures:
    """Extracts images with a stream's own backbone. Call it on the event loop; the extraction runs on threads."""

    def __init__(self, extraction: Extraction, statuses: StreamStatuses, max_image_bytes: int) -> None:
        self._extraction, self._statuses, self._max_bytes = extraction, statuses, max_image_bytes
        self._in_progress = 0
        self._calls = BlockingCalls("gateway-on-demand", MAX_CONCURRENT, QUERY_S)

    async def extract(self, stream: str, data: bytes) -> Vector:
        """Raises Problem: 404 for an unknown stream, 413 and 422 for an image that would become a dead letter, 503
        where too many wait. Raises ExtractorUnavailable, StoreUnavailable, CallTimeout.
        """
        if len(data) > self._max_bytes:
            raise Problem(413, f"the image has {len(data)} bytes; PREQUEL_MAX_IMAGE_BYTES allows {self._max_bytes}")
        status = await self._statuses.get(stream)
        if status is None:
            raise Problem(404, f"there is no stream {stream!r}: send it an image, which creates it")
        if self._in_progress >= MAX_CONCURRENT + MAX_QUEUED:
            raise unavailable("too many images are waiting for a prediction on demand; send the request again")
        self._in_progress += 1
        try:
            return await self._calls.run(lambda: self._extraction.extract(status.backbone, data))
        except Rejected as rejected:
            raise rejected_problem(rejected) from None
        finally:
            self._in_progress -= 1

    def close(self) -> None:
        self._calls.close()
