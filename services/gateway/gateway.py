"""What the routes work with: one frozen bundle of parts."""

from collections.abc import Callable
from dataclasses import dataclass

from services.gateway.access import Keys
from services.gateway.known_streams import KnownStreams
from services.gateway.lane import Lane
from services.gateway.live import Live
from services.gateway.statuses import Statuses
from services.gateway.thumbnails import Thumbnails
from shared.config import Settings
from shared.health import Health
from shared.log import Log
from shared.metrics import Metrics
from shared.status import Queries

SOURCE = "prequel/gateway"


@dataclass(frozen=True)
class Gateway:
    """Made once by the app. ``clock`` gives seconds since the epoch, ``new_id`` an id that nobody had before."""

    settings: Settings
    log: Log
    queries: Queries
    metrics: Metrics
    health: Health
    clock: Callable[[], float]
    new_id: Callable[[], str]
    keys: Keys
    live: Live
    statuses: Statuses
    known: KnownStreams
    images: Lane
    labels: Lane
    thumbnails: Thumbnails

    def start(self) -> None:
        self.live.start()

    async def close(self) -> None:
        await self.live.close()
        await self.images.close()
        await self.labels.close()
        self.statuses.close()
        self.thumbnails.close()
