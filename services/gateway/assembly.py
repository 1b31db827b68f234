"""Builds a Gateway out of what the process provides."""

from collections.abc import Callable
from dataclasses import dataclass, field

from prequel.services.gateway.append_queue import AppendQueue
from prequel.services.gateway.blocking_calls import BlockingCalls
from prequel.services.gateway.chosen_backbones import ChosenBackbones
from prequel.services.gateway.export_process import StartExport, no_exports
from prequel.services.gateway.exports import Exports
from prequel.services.gateway.gateway import Gateway
from prequel.services.gateway.http.sessions import Credentials
from prequel.services.gateway.model_files import ModelFiles
from prequel.services.gateway.on_demand import OnDemandFeatures
from prequel.services.gateway.remote import services
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
from prequel.services.gateway.view.store_reads import StoreReads
from prequel.services.gateway.view.stream_features import StreamFeatures
from prequel.services.gateway.view.thumbnails import Thumbnails
from prequel.shared.config import Settings, without_secrets
from prequel.shared.extraction import Extraction
from prequel.shared.images.encryption import ImageCipher
from prequel.shared.images.limits import ImageLimits
from prequel.shared.invocation import Invocation
from prequel.shared.log.base import Log
from prequel.shared.log.erasable import ErasableLog
from prequel.shared.model_files import ModelConverter
from prequel.shared.queries import Queries
from prequel.shared.retention.usage import LogUsage
from prequel.shared.runtime.deadlines import QUERY_S
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.store.base import Store

QUERY_THREADS = 4
"""Queries to learners at one time. More wait for their turn: a learner that hangs must not take other calls' threads,
and one learner answers in a millisecond, so that four serve thousands a second."""

LOOKUP_THREADS = 2
"""Look-ups of labels' authors in the log at one time: a log that hangs must not take other calls' threads."""


def _not_measured() -> LogUsage | None:
    return None


def _no_problem(backbone: str) -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """What the process provides. ``clock`` returns seconds since the epoch, ``new_id`` an unused id.

    ``queries`` None: the gateway asks learners over HTTP. ``extraction`` None: it asks extractors over HTTP.
    ``convert_model`` None: models leave as arrays only.
    ``backbone_problem`` says why no backbone can be chosen by a spec; empty where one can.
    ``invocation`` says how commands are typed in this installation. ``usage`` returns the log's size, once measured.
    """

    settings: Settings
    log: Log
    store: Store
    metrics: Metrics
    health: Health
    clock: Callable[[], float]
    new_id: Callable[[], str]
    queries: Queries | None = None
    extraction: Extraction | None = None
    backbone_problem: Callable[[str], str] = _no_problem
    start_export: StartExport = no_exports
    convert_model: ModelConverter | None = None
    usage: Callable[[], LogUsage | None] = _not_measured
    invocation: Invocation = field(default_factory=Invocation)


def assemble(provided: Dependencies) -> Gateway:
    """Nothing runs before ``Gateway.start``."""
    remote = services.connect(provided.settings, provided.store)
    queries, extraction = provided.queries or remote.learner, provided.extraction or remote.extractor
    return _gateway(provided, remote, queries, extraction)


def _gateway(provided: Dependencies, remote: RemoteServices, queries: Queries, extraction: Extraction) -> Gateway:
    settings, log, health = provided.settings, provided.log, provided.health
    live = LiveView(log, settings, provided.metrics, health)
    store_name = without_secrets(settings.store_url)
    store = StoreReads(provided.store, health, store_name)
    cipher = ImageCipher(provided.store)
    encrypts = settings.forgettable and not isinstance(log, ErasableLog)
    statuses = StreamStatuses(store, provided.clock, live.read_your_writes)
    return Gateway(
        settings=settings,
        log=log,
        queries=queries,
        metrics=provided.metrics,
        health=health,
        clock=provided.clock,
        new_id=provided.new_id,
        usage=provided.usage,
        invocation=provided.invocation,
        credentials=Credentials(settings.keys, provided.clock),
        remote=remote,
        live=live,
        image_ids=ImageIds(log, live, cipher),
        cipher=cipher,
        encryption=ImageEncryption(
            cipher, StoreReads(provided.store, health, store_name, "keys of images"), enabled=encrypts
        ),
        statuses=statuses,
        details=StreamDetails(queries, provided.store),
        histories=StreamHistories(queries, live.read_your_writes),
        backtests=StreamBacktests(store),
        capacity=StreamCapacity(statuses),
        known_streams=KnownStreams(log, live, statuses, settings.group),
        stream_features=StreamFeatures(statuses, live, provided.backbone_problem),
        image_queue=AppendQueue(log, "images", health),
        example_queue=AppendQueue(log, "features", health),
        label_queue=AppendQueue(log, "labels", health),
        thumbnails=Thumbnails(ImageLimits(settings.max_image_bytes, settings.max_pixels)),
        chosen_backbones=ChosenBackbones(provided.store, provided.backbone_problem),
        on_demand=OnDemandFeatures(extraction, statuses, settings.max_image_bytes),
        exports=Exports(provided.start_export),
        model_files=ModelFiles(queries, provided.convert_model),
        query_calls=BlockingCalls("gateway-queries", QUERY_THREADS, QUERY_S),
        lookup_calls=BlockingCalls("gateway-lookups", LOOKUP_THREADS, QUERY_S),
    )
