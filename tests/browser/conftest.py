"""A real Chromium and a real gateway; a page whose every error or foreign request fails the test."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.browser import axe_core
from tests.browser.system import System, until
from tests.servers.session import missing

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""The first has no window and no toolbar: a whole Chromium draws its own for each page, unseen, in a process more."""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
TIMEOUT_MS = 60_000
GATEWAY_DOWN = (
    "ERR_CONNECTION_CLOSED",
    "ERR_CONNECTION_REFUSED",
    "ERR_CONNECTION_RESET",
    "ERR_CONTENT_LENGTH_MISMATCH",
    "ERR_EMPTY_RESPONSE",
    "ERR_INCOMPLETE_CHUNKED_ENCODING",
    "ERR_SOCKET_NOT_CONNECTED",
)
"""What Chromium writes to its console while a gateway is away."""
GATEWAY_STARTING = ("503",)
"""What it writes while one that comes back still reads its log."""

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window, for one file: its event loop would be in the way of other tests.

    Missing, it is skipped on a laptop and fails where CI is set.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        missing(f"no browser ({', '.join(NAMES)}): install Debian's chromium-headless-shell to test the page")
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def axe() -> str:
    """The script of axe-core. Missing, it is skipped on a laptop and fails where CI is set."""
    try:
        return axe_core.script()
    except axe_core.NoAxe as error:
        missing(str(error))


@pytest.fixture
def settings() -> dict[str, object]:
    """What a test may give by parametrizing it."""
    return {}


@pytest.fixture
def system(tmp_path: Path, settings: dict[str, object]) -> Iterator[System]:
    started = System(tmp_path / "data", **settings)
    yield started
    started.close()


@pytest.fixture
def trained(system: System) -> System:
    """A system that knows two shapes, and has been wrong once about each."""
    for shape, label in (("bar", "bar"), ("ring", "ring"), ("bar", "bar"), ("ring", "ring"), ("cross", "ring")):
        system.send(shape, label)
    # The learner tells the status a little after the outcomes: a page must not begin with an older one.
    until(lambda: system.client.get("/v1/streams/shapes").json().get("labelled") == 5)
    return system


@pytest.fixture
def open_page(browser: Browser, system: System) -> Iterator[Open]:
    """Opens pages at paths of the system, in windows of any size; ``tolerated`` are errors that the test provokes."""
    with ExitStack() as stack:

        def begin(path: str = "/", tolerated: tuple[str, ...] = (), **settings: object) -> Page:
            settings = {"viewport": {"width": 1280, "height": 900}, **settings}
            context = browser.new_context(**settings)  # type: ignore[arg-type]
            stack.callback(context.close)
            watch = Watch(context, system.url, tolerated)
            stack.callback(watch.check)
            page = context.new_page()
            # A route that is still being answered as the page closes would fail the next test.
            stack.callback(page.unroute_all, behavior="ignoreErrors")
            page.set_default_timeout(TIMEOUT_MS)
            page.goto(system.url + path)
            return page

        yield begin


def hide(page: Page, hidden: bool) -> None:
    """What a browser does as people turn to another tab, or back; without a window, Chromium hides none."""
    page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


class Watch:
    """Collects what must not happen on a page: errors, warnings, and requests to another host."""

    def __init__(self, context: BrowserContext, origin: str, tolerated: tuple[str, ...]) -> None:
        self._origin, self._tolerated = origin, tolerated
        self._faults: list[str] = []
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self._faults.append(f"uncaught: {error.error}"))
        context.on("request", self._on_request)

    def check(self) -> None:
        assert self._faults == []

    def _on_console(self, message: ConsoleMessage) -> None:
        text = f"{message.text} ({message.location.get('url', '')})"
        if message.type in ("error", "warning") and not any(part in text for part in self._tolerated):
            self._faults.append(text)

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self._origin, "blob:" + self._origin)):
            self._faults.append(f"foreign request: {request.url}")
