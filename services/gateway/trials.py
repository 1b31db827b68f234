"""What the newest state says of a picture that is no event: features made on demand, then the learner asked."""

from anyio import CapacityLimiter, to_thread

from services.gateway.answers import refused_trial
from services.gateway.gateway import Gateway
from services.gateway.problems import Problem, unavailable
from shared.events import Rejected, Vector

AT_ONCE = 2
"""Threads that may wait for extractors: one that hangs must not take those of other calls."""
MOST_WAITING = 8
"""More are refused at once: each holds a whole picture, and would be answered after those before it."""


class Trials:
    """Turns pictures into features of a stream's own backbone, off the event loop and bounded."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._limiter = CapacityLimiter(AT_ONCE)

    async def features(self, stream: str, data: bytes) -> Vector:
        """Raises Problem: 404 for no such stream, 413 and 422 for what is no picture, 503 where too many wait.

        Raises ExtractorUnavailable, StoreUnavailable.
        """
        most = self._gateway.settings.max_image_bytes
        if len(data) > most:
            raise Problem(413, f"the picture has {len(data)} bytes; PREQUEL_MAX_IMAGE_BYTES allows {most}")
        status = await self._gateway.statuses.get(stream)
        if status is None:
            raise Problem(404, f"no stream {stream}: it comes to life with its first image")
        if self._limiter.statistics().tasks_waiting >= MOST_WAITING:
            raise unavailable("too many pictures are being tried at once; send it again")
        try:
            extract = self._gateway.extraction.extract
            return await to_thread.run_sync(extract, status.backbone, data, limiter=self._limiter)
        except Rejected as rejected:
            raise refused_trial(rejected) from None
