"""What the newest state says of a picture that is no event: features made on demand, then the learner asked."""

from prequel.services.gateway.blocking_calls import Bounded
from prequel.services.gateway.gateway import Gateway
from prequel.services.gateway.http.answers import refused_trial
from prequel.services.gateway.http.problems import Problem, unavailable
from prequel.shared.events.types import Rejected
from prequel.shared.runtime.deadlines import QUERY_S
from prequel.shared.vectors import Vector

AT_ONCE = 2
"""Threads that may wait for extractors: one that hangs must not take those of other calls."""
MOST_WAITING = 8
"""More are refused at once: each holds a whole picture, and would be answered after those before it."""


class Trials:
    """Turns pictures into features of a stream's own backbone, off the event loop and bounded."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway, self._tried = gateway, 0
        self._threads = Bounded("gateway-trials", AT_ONCE, QUERY_S)

    async def features(self, stream: str, data: bytes) -> Vector:
        """Raises Problem: 404 for no such stream, 413 and 422 for what is no picture, 503 where too many wait.

        Raises ExtractorUnavailable, StoreUnavailable, Late.
        """
        most = self._gateway.settings.max_image_bytes
        if len(data) > most:
            raise Problem(413, f"the picture has {len(data)} bytes; PREQUEL_MAX_IMAGE_BYTES allows {most}")
        status = await self._gateway.statuses.get(stream)
        if status is None:
            raise Problem(404, f"no stream {stream}: it comes to life with its first image")
        if self._tried >= AT_ONCE + MOST_WAITING:
            raise unavailable("too many pictures are being tried at once; send it again")
        self._tried += 1
        try:
            return await self._threads.run(lambda: self._gateway.extraction.extract(status.backbone, data))
        except Rejected as rejected:
            raise refused_trial(rejected) from None
        finally:
            self._tried -= 1
