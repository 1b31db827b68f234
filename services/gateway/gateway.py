"""What the routes work with: one frozen bundle of parts."""

from collections.abc import Callable
from dataclasses import dataclass

from prequel.services.gateway.append_queue import Lane
from prequel.services.gateway.http.access import Keys
from prequel.services.gateway.view.details import Details
from prequel.services.gateway.view.firsts import Firsts
from prequel.services.gateway.view.known_streams import KnownStreams
from prequel.services.gateway.view.live import Live
from prequel.services.gateway.view.room import Room
from prequel.services.gateway.view.statuses import Statuses
from prequel.services.gateway.view.thumbnails import Thumbnails
from prequel.shared.config import Settings
from prequel.shared.extraction import Extraction
from prequel.shared.log.base import Log, Position
from prequel.shared.queries import Queries
from prequel.shared.retention.usage import LogUsage
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.supervisor import Supervisor

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
