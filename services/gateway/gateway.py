"""The gateway's parts as every route gets them: the fields of ``Gateway``, brought by ``gateway: CurrentGateway``."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from prequel.services.gateway.append_queue import AppendQueue
from prequel.services.gateway.blocking_calls import BlockingCalls
from prequel.services.gateway.chosen_backbones import ChosenBackbones
from prequel.services.gateway.exports import Exports
from prequel.services.gateway.http.sessions import Credentials
from prequel.services.gateway.model_files import ModelFiles
from prequel.services.gateway.on_demand import OnDemandFeatures
from prequel.services.gateway.remote.services import RemoteServices
from prequel.services.gateway.view.backtests import StreamBacktests
from prequel.services.gateway.view.capacity import StreamCapacity
from prequel.services.gateway.view.details import StreamDetails
from prequel.services.gateway.view.histories import StreamHistories
from prequel.services.gateway.view.image_encryption import ImageEncryption
from prequel.services.gateway.view.image_ids import ImageIds
from prequel.services.gateway.view.known_streams import KnownStreams
from prequel.services.gateway.view.live import LiveView
from prequel.services.gateway.view.statuses import StreamStatuses
from prequel.services.gateway.view.stream_features import StreamFeatures
from prequel.services.gateway.view.thumbnails import Thumbnails
from prequel.shared.config import Settings
from prequel.shared.images.encryption import ImageCipher
from prequel.shared.invocation import Invocation
from prequel.shared.log.base import Log, Position
from prequel.shared.queries import Queries
from prequel.shared.retention.usage import LogUsage
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics

SOURCE = "prequel/gateway"
"""The CloudEvents ``source`` of every event that starts here."""


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """Built once, by ``assembly.assemble``. ``clock`` returns seconds since the epoch, ``new_id`` an unused id."""

    settings: Settings
    log: Log
    queries: Queries
    metrics: Metrics
    health: Health
    clock: Callable[[], float]
    new_id: Callable[[], str]
    usage: Callable[[], LogUsage | None]
    """The newest measurement of the log's size; None before the first one."""
    invocation: Invocation
    credentials: Credentials
    remote: RemoteServices
    live: LiveView
    image_ids: ImageIds
    cipher: ImageCipher
    encryption: ImageEncryption
    statuses: StreamStatuses
    details: StreamDetails
    histories: StreamHistories
    backtests: StreamBacktests
    capacity: StreamCapacity
    known_streams: KnownStreams
    stream_features: StreamFeatures
    image_queue: AppendQueue
    example_queue: AppendQueue
    """Features. A queue of their own: they may be megabytes, as images are."""
    label_queue: AppendQueue
    """Labels and commands. A queue of their own: a label must not wait behind images of many megabytes."""
    thumbnails: Thumbnails
    chosen_backbones: ChosenBackbones
    on_demand: OnDemandFeatures
    exports: Exports
    model_files: ModelFiles
    query_calls: BlockingCalls
    lookup_calls: BlockingCalls

    def start(self) -> None:
        """Call it on the event loop that will serve the requests."""
        self.live.on_stream_deleted.append(self._stream_deleted)
        self.live.on_images_forgotten.append(self._images_forgotten)
        self.live.start()

    async def close(self) -> None:
        self.exports.close()
        # First the followers: they end every request that waits. Then the queues, whose appends those requests began.
        await self.live.close()
        await self.image_queue.close()
        await self.example_queue.close()
        await self.label_queue.close()
        for view in (self.known_streams, self.image_ids, self.statuses, self.details, self.histories):
            view.close()
        for part in (self.encryption, self.thumbnails):
            part.close()
        for calls in (self.chosen_backbones, self.on_demand, self.model_files, self.query_calls, self.lookup_calls):
            calls.close()
        self.remote.close()

    def _stream_deleted(self, stream: str, command: Position) -> None:
        """Forget the stream in every part that remembers something of it."""
        self.statuses.stream_deleted(stream, command)
        self.details.stream_deleted(stream)
        self.known_streams.stream_deleted(stream)
        self.stream_features.forget(stream)
        self.capacity.stream_deleted(stream, command)
        self.image_ids.stream_deleted(stream)

    def _images_forgotten(self, stream: str, digests: Collection[str], images: Sequence[Position]) -> None:
        """Forget single images in every part that remembers something of them."""
        self.image_ids.images_forgotten(stream, digests)
        self.thumbnails.forget({str(image) for image in images})


async def current_gateway(request: Request) -> Gateway:
    """The gateway of the application that answers this request.

    A coroutine though it waits for nothing: FastAPI runs plain functions on another thread, for every request.
    """
    gateway: Gateway = request.app.state.gateway
    return gateway


CurrentGateway = Annotated[Gateway, Depends(current_gateway)]
"""The type of a route's ``gateway`` parameter."""
