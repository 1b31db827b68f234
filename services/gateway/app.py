"""The gateway's application: its parts put together, its routes and what every request passes first."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import httpx
from fastapi import FastAPI
from starlette.types import Lifespan

from prequel import __version__
from prequel.services.gateway.append_queue import Lane
from prequel.services.gateway.gateway import Gateway
from prequel.services.gateway.http import problems
from prequel.services.gateway.http.access import Access, Keys
from prequel.services.gateway.http.middleware import Limit, Measure, Protect
from prequel.services.gateway.http.uploads import FORM_IMAGES
from prequel.services.gateway.remote.extractor import RemoteExtractor
from prequel.services.gateway.remote.learner import TIMEOUT, RemoteLearner
from prequel.services.gateway.routes import (
    commands,
    documentation,
    events,
    images,
    installation,
    labels,
    lookup,
    operations,
    page,
    predict,
    predictions,
    stored_images,
    streams,
)
from prequel.services.gateway.view.details import Details
from prequel.services.gateway.view.firsts import Firsts
from prequel.services.gateway.view.known_streams import KnownStreams
from prequel.services.gateway.view.live import Live
from prequel.services.gateway.view.remembered import Remembered
from prequel.services.gateway.view.room import Room
from prequel.services.gateway.view.statuses import Statuses
from prequel.services.gateway.view.thumbnails import Thumbnails
from prequel.shared.config import Settings, without_secrets
from prequel.shared.extraction import Extraction
from prequel.shared.images.limits import ImageLimits
from prequel.shared.invocation import Invocation
from prequel.shared.log.base import Log
from prequel.shared.queries import Queries
from prequel.shared.retention.usage import LogUsage
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.supervisor import Supervisor
from prequel.shared.store.base import Store

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
        thumbnails=Thumbnails(ImageLimits(settings.max_image_bytes, settings.max_pixels)),
        usage=usage,
    )
    web = page.Page(page.WEB)
    app = documentation.DescribedApi(
        title="Prequel",
        version=__version__,
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
    groups = (images, stored_images, labels, lookup, predictions, predict, streams, commands, events, operations)
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
            gateway.supervisor.run_async(
                "gateway: statuses for listeners", lambda working: events.publish_statuses(gateway, working)
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
