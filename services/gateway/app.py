"""The gateway's application: its routes, and the middleware that every request passes first."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from prequel import __version__
from prequel.services.gateway.assembly import Dependencies, assemble
from prequel.services.gateway.gateway import Gateway
from prequel.services.gateway.http import error_handlers
from prequel.services.gateway.http.access import AccessControl
from prequel.services.gateway.http.body_limits import BodyLimits
from prequel.services.gateway.http.middleware import RequestMetrics, SafeHeaders
from prequel.services.gateway.http.openapi import DescribedApi
from prequel.services.gateway.http.static_files import WEB, StaticPage
from prequel.services.gateway.http.uploads import FORM_IMAGES
from prequel.services.gateway.routes import ROUTERS, events
from prequel.shared.runtime.supervisor import Supervisor

DESCRIPTION = (
    "Errors are problem+json (RFC 9457). Where the gateway has API keys, send one as Authorization: Bearer KEY, or as "
    "X-API-Key: KEY."
)
OTHER_BODY_BYTES = 32 * 2**20
"""Largest body that is neither an image nor a form: 10,000 labels are 1 MiB, a vector of a million numbers 20 MiB."""
FORM_MARGIN_BYTES = 2**20
"""What a form may add to its images: boundaries, file names, ids and labels of 100 files."""


def create(dependencies: Dependencies) -> FastAPI:
    """The application; nothing runs before its lifespan begins."""
    gateway = assemble(dependencies)
    app = DescribedApi(
        title="Prequel",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.gateway = gateway
    for router in ROUTERS:
        app.include_router(router)
    web = StaticPage(WEB)
    app.router.default = web
    error_handlers.install(app)
    _add_middleware(app, gateway, web)
    return app


def _add_middleware(app: FastAPI, gateway: Gateway, web: StaticPage) -> None:
    """Each wraps those before it, so a request passes them from the last to the first.

    RequestMetrics is outermost, to count refused requests too; SafeHeaders next, for the answers of the other two;
    AccessControl before BodyLimits, so that nobody without a key makes the gateway read a body.
    """
    settings = gateway.settings
    app.add_middleware(
        BodyLimits,
        image_bytes=settings.max_image_bytes,
        form_bytes=FORM_IMAGES * settings.max_image_bytes + FORM_MARGIN_BYTES,
        other_bytes=OTHER_BODY_BYTES,
    )
    app.add_middleware(
        AccessControl,
        credentials=gateway.credentials,
        host=settings.host,
        public_url=settings.public_url,
        is_page=web.has_file,
    )
    app.add_middleware(SafeHeaders)
    app.add_middleware(RequestMetrics, metrics=gateway.metrics)


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    gateway: Gateway = app.state.gateway
    gateway.start()
    publisher = asyncio.create_task(
        Supervisor(gateway.health).run_async(
            "gateway: statuses for listeners", lambda working: events.publish_statuses(gateway, working)
        )
    )
    try:
        yield
    finally:
        publisher.cancel()
        await gateway.close()
