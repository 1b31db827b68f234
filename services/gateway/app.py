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
    labels,
    operations,
    page,
    pictures,
    predict,
    predictions,
    problems,
    streams,
)
from services.gateway.access import Access, Keys
from services.gateway.gateway import Gateway
from services.gateway.known_streams import KnownStreams
from services.gateway.lane import Lane
from services.gateway.live import Live
from services.gateway.middleware import Limit, Measure, Protect
from services.gateway.remote_learner import TIMEOUT, RemoteLearner
from services.gateway.statuses import Statuses
from services.gateway.thumbnails import Thumbnails
from services.gateway.uploads import FORM_IMAGES
from shared.config import Settings
from shared.health import Health
from shared.log import Log
from shared.metrics import Metrics
from shared.status import Queries
from shared.store import Store

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
) -> FastAPI:
    """The application; nothing runs before its lifespan begins. ``queries`` None: learners are asked over HTTP."""
    own = None if queries else RemoteLearner(store, httpx.Client(timeout=TIMEOUT, headers=_key(settings)))
    answering = queries or own
    assert answering
    statuses, live = Statuses(store, clock), Live(log, settings, metrics, health)
    live.when_ended.append(statuses.ended)
    gateway = Gateway(
        settings=settings,
        log=log,
        queries=answering,
        metrics=metrics,
        health=health,
        clock=clock,
        new_id=new_id,
        keys=Keys(settings.keys, clock),
        live=live,
        statuses=statuses,
        known=KnownStreams(log, live, statuses, settings.group),
        images=Lane(log, "images", health),
        labels=Lane(log, "labels", health),
        thumbnails=Thumbnails(settings.max_pixels),
    )
    live.when_ended.append(lambda stream, _: gateway.known.ended(stream))
    web = page.Page(page.WEB)
    app = documentation.DescribedApi(
        title="Prequel",
        version=version("prequel"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(gateway, own),
    )
    app.state.end = gateway.live.end
    _include(app, gateway, web)
    problems.install(app)
    _guard(app, gateway, web)
    return app


def _key(settings: Settings) -> dict[str, str]:
    """What a learner's operations server asks for where it listens beyond loopback: any one of the common keys."""
    return {"X-API-Key": settings.keys[0]} if settings.keys else {}


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


def _include(app: FastAPI, gateway: Gateway, web: page.Page) -> None:
    for group in (images, pictures, labels, predictions, predict, streams, commands, events_stream, operations):
        app.include_router(group.routes(gateway))
    app.include_router(documentation.routes(app))
    app.router.default = web


def _lifespan(gateway: Gateway, own: RemoteLearner | None) -> Lifespan[FastAPI]:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        gateway.start()
        publisher = asyncio.create_task(events_stream.publish_statuses(gateway))
        try:
            yield
        finally:
            publisher.cancel()
            await gateway.close()
            if own:
                own.close()

    return lifespan
