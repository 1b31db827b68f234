"""The page: the static files of ``web``, under a policy that lets nothing but them run."""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

WEB = Path(__file__).parent / "web"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    # Always asked for anew, answered by 304: a new version shows at once.
    "Cache-Control": "no-cache",
}


class Page:
    """The files of a folder, ``/`` being its index.html."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._files = StaticFiles(directory=folder, check_dir=False)

    def holds(self, path: str) -> bool:
        """Whether a URL's path is one of the files."""
        file = (self._folder / self._name(path.lstrip("/"))).resolve()
        return file.is_relative_to(self._folder) and file.is_file()

    async def answer(self, path: str, request: Request) -> Response:
        """Raises HTTPException 404 where there is no such file."""
        if "\0" in path:
            raise HTTPException(404)
        answer = await self._files.get_response(self._name(path), request.scope)
        answer.headers.update(HEADERS)
        return answer

    @staticmethod
    def _name(path: str) -> str:
        return path or "index.html"


def routes(page: Page) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.api_route("/{path:path}", methods=["GET", "HEAD"])
    async def file(path: str, request: Request) -> Response:
        return await page.answer(path, request)

    return router
