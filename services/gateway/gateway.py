"""What the routes work with: one frozen bundle of parts."""

from collections.abc import Callable
from dataclasses import dataclass

from services.gateway.access import Keys
from services.gateway.details import Details
from services.gateway.firsts import Firsts
from services.gateway.known_streams import KnownStreams
from services.gateway.lane import Lane
from services.gateway.live import Live
from services.gateway.room import Room
from services.gateway.statuses import Statuses
from services.gateway.thumbnails import Thumbnails
from shared.config import Settings
from shared.extraction import Extraction
from shared.health import Health
from shared.log import Log, Position
from shared.metrics import Metrics
from shared.status import Queries
from shared.supervisor import Supervisor
from shared.usage import LogUsage

SOURCE = "prequel/gateway"


@dataclass(frozen=True)
class Gateway:
    """Made once by the app. ``clock`` gives seconds since the epoch, ``new_id`` an id that nobody had before."""

    settings: Settings
    log: Log
    queries: Queries
    extraction: Extraction
    metrics: Metrics
    health: Health
    clock: Callable[[], float]
    new_id: Callable[[], str]
    keys: Keys
    supervisor: Supervisor
    live: Live
    firsts: Firsts
    statuses: Statuses
    details: Details
    room: Room
    known: KnownStreams
    images: Lane
    labels: Lane
    thumbnails: Thumbnails
    usage: Callable[[], LogUsage | None]
    """What was measured last of the log; None before the first time."""

    def start(self) -> None:
        self.live.when_ended.append(self._ended)
        self.live.start()

    async def close(self) -> None:
        await self.live.close()
        await self.images.close()
        await self.labels.close()
        self.known.close()
        self.firsts.close()
        self.statuses.close()
        self.details.close()
        self.thumbnails.close()

    def _ended(self, stream: str, command: Position) -> None:
        """A stream was deleted: nothing here knows it any more."""
        self.statuses.ended(stream, command)
        self.details.ended(stream)
        self.known.ended(stream)
        self.room.ended(stream, command)
        self.firsts.ended(stream)
