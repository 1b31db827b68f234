"""The page at /docs: Swagger UI over /openapi.json, from files of its own, so that it works without a network."""

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from prequel.services.gateway.http.static_files import WEB

PAGE = WEB / "docs" / "index.html"
# Stricter than the page's: it shows no images of the gateway. ``data:`` is for the icons in Swagger UI's stylesheet.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs() -> Response:
    return FileResponse(PAGE, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"})
