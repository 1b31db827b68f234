"""The gateway's application: its parts put together, its routes and what every request passes first."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version

import httpx
from fastapi import FastAPI
from starlette.types import Lifespan

from services.gateway import (
    commands,
    documentation,
    events_stream,
    images,
    installation,
    labels,
    lookup,
    operations,
    page,
    pictures,
    predict,
    predictions,
    problems,
    streams,
)
from services.gateway.access import Access, Keys
from services.gateway.details import Details
from services.gateway.firsts import Firsts
from services.gateway.gateway import Gateway
from services.gateway.known_streams import KnownStreams
from services.gateway.lane import Lane
from services.gateway.live import Live
from services.gateway.middleware import Limit, Measure, Protect
from services.gateway.remembered import Remembered
from services.gateway.remote_extractor import RemoteExtractor
from services.gateway.remote_learner import TIMEOUT, RemoteLearner
from services.gateway.room import Room
from services.gateway.statuses import Statuses
from services.gateway.thumbnails import Thumbnails
from services.gateway.uploads import FORM_IMAGES
from shared.config import Settings, without_secrets
from shared.extraction import Extraction
from shared.health import Health
from shared.images.limits import Limits
from shared.invocation import Invocation
from shared.log import Log
from shared.metrics import Metrics
from shared.status import Queries
from shared.store import Store
from shared.supervisor import Supervisor
from shared.usage import LogUsage

OTHER_BODY_BYTES = 32 * 2**20
FORM_MARGIN_BYTES = 2**20


def create(
    settings: Settings,
    *,
    log: Log,
    store: Store,
    queries: Queries | None,
    metrics: Metrics,
    health: Health,
    clock: Callable[[], float],
    new_id: Callable[[], str],
    usage: Callable[[], LogUsage | None] = lambda: None,
    extraction: Extraction | None = None,
    invocation: Invocation | None = None,
) -> FastAPI:
    """The application; nothing runs before its lifespan begins.

    ``queries`` None: learners are asked over HTTP; ``extraction`` None: extractors are. ``invocation``: how commands
    are typed here.
    """
    client = _client(settings)
    addresses = Remembered(store)
    answering = queries or RemoteLearner(addresses, client)
    live = Live(log, settings, metrics, health)
    supervisor = Supervisor(health)
    statuses = Statuses(store, clock, live.promises, health, without_secrets(settings.store_url))
    gateway = Gateway(
        settings=settings,
        log=log,
        queries=answering,
        extraction=extraction or RemoteExtractor(addresses, client),
        metrics=metrics,
        health=health,
        clock=clock,
        new_id=new_id,
        keys=Keys(settings.keys, clock),
        supervisor=supervisor,
        live=live,
        firsts=Firsts(log, live),
        statuses=statuses,
        details=Details(answering, store),
        room=Room(statuses),
        known=KnownStreams(log, live, statuses, settings.group),
        images=Lane(log, "images", health, supervisor),
        labels=Lane(log, "labels", health, supervisor),
        thumbnails=Thumbnails(Limits(settings.max_image_bytes, settings.max_pixels)),
        usage=usage,
    )
    web = page.Page(page.WEB)
    app = documentation.DescribedApi(
        title="Prequel",
        version=version("prequel"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(gateway, client, addresses),
    )
    app.state.end = gateway.live.end
    _include(app, gateway, web, invocation or Invocation())
    problems.install(app)
    _guard(app, gateway, web)
    return app


def _key(settings: Settings) -> dict[str, str]:
    """What a learner's operations server asks for where it listens beyond loopback: any one of the common keys."""
    return {"X-API-Key": settings.keys[0]} if settings.keys else {}


def _client(settings: Settings) -> httpx.Client:
    """To learners. Never through a proxy that the environment names: it cannot know their addresses."""
    return httpx.Client(timeout=TIMEOUT, headers=_key(settings), trust_env=False)


def _guard(app: FastAPI, gateway: Gateway, web: page.Page) -> None:
    """What every request passes before the routes; the last added is the first passed."""
    most = gateway.settings.max_image_bytes
    app.add_middleware(
        Limit, image_bytes=most, form_bytes=FORM_IMAGES * most + FORM_MARGIN_BYTES, other_bytes=OTHER_BODY_BYTES
    )
    app.add_middleware(
        Access, keys=gateway.keys, host=gateway.settings.host, public_url=gateway.settings.public_url, is_page=web.holds
    )
    app.add_middleware(Protect)
    app.add_middleware(Measure, metrics=gateway.metrics)


def _include(app: FastAPI, gateway: Gateway, web: page.Page, invocation: Invocation) -> None:
    groups = (images, pictures, labels, lookup, predictions, predict, streams, commands, events_stream, operations)
    for group in groups:
        app.include_router(group.routes(gateway))
    app.include_router(installation.routes(gateway, invocation))
    app.include_router(documentation.routes(app))
    app.router.default = web


def _lifespan(gateway: Gateway, client: httpx.Client, addresses: Remembered) -> Lifespan[FastAPI]:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        gateway.start()
        publisher = asyncio.create_task(
            gateway.supervisor.keep(
                "gateway: statuses for listeners", lambda working: events_stream.publish_statuses(gateway, working)
            )
        )
        try:
            yield
        finally:
            publisher.cancel()
            await gateway.close()
            client.close()
            addresses.close()

    return lifespan
