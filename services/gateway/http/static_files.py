"""The page: the static files of ``web``, under a policy that lets a browser run and load nothing else."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

WEB = Path(__file__).parents[1] / "web"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    # The browser asks each time, and gets 304 where nothing changed: a new version shows at once.
    "Cache-Control": "no-cache",
}


class StaticPage:
    """Answers what no route does: the files of a folder, ``/`` being its index.html, else 404."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._files = StaticFiles(directory=folder, check_dir=False)
        self._route = Route("/{file}", endpoint=self)

    def has_file(self, path: str) -> bool:
        """Whether a URL's path is one of the files."""
        try:
            file = (self._folder / _file_name(path)).resolve()
            return file.is_relative_to(self._folder) and file.is_file()
        except (OSError, ValueError):  # no file system allows such a name
            return False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self.has_file(scope["path"]):
            raise HTTPException(404)
        scope["route"] = self._route  # what the metrics name it by: one name for all files
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        # Without Range: the page needs whole files, and an invalid range would not be answered as problem+json.
        whole = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"range"]}
        answer = await self._files.get_response(_file_name(scope["path"]), whole)
        answer.headers.update(HEADERS)
        await answer(whole, receive, send)


def _file_name(path: str) -> str:
    return path.removeprefix("/") or "index.html"
