"""The product as a newcomer has it: `prequel up`, a folder of digits, the page; drawn, corrected, restarted."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import GATEWAY_DOWN, GATEWAY_STARTING, Watch
from tests.browser.strokes import DIGITS, draw
from tests.browser.system import until
from tests.e2e.processes import scanned
from tests.servers import plain_http
from tests.servers.ports import free_port

IMAGES = 500
READ_RIGHT = 7
TIMEOUT_MS = 120_000


class Product:
    """`prequel up` in a process of its own; started again, it has its port and its data again."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()  # it is started again on it
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        data = str(self._folder / "data")
        process = self._process = subprocess.Popen(
            [sys.executable, "-m", "services", "up", "--data", data, "--port", str(self._port)],
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment(),
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line
        self.url = found[0]

    def ready(self) -> bool:
        try:
            return plain_http.get(f"{self.url}/readyz", timeout=20).status_code == 200
        except httpx.TransportError:
            return False

    def run(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "services", *arguments]
        ended = subprocess.run(command, env=self._environment(), timeout=300, text=True, capture_output=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr

    def stop(self) -> None:
        """Raises AssertionError where it does not end cleanly."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.communicate(timeout=60)
            assert self._process.returncode == 0
            self._process = None

    def _environment(self) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PREQUEL_")}
        return environment | {"TF_CPP_MIN_LOG_LEVEL": "3"}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    started = Product(tmp_path_factory.mktemp("product"))
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scanned digits in one folder a class, as anyone's own pictures would be."""
    return scanned(tmp_path_factory.mktemp("digits"), IMAGES)


@pytest.fixture
def page(browser: Browser, product: Product) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    watch = Watch(context, product.url, (*GATEWAY_DOWN, *GATEWAY_STARTING))
    opened = context.new_page()
    opened.set_default_timeout(TIMEOUT_MS)
    opened.goto(product.url)
    yield opened
    context.close()
    watch.check()


def test_a_newcomers_first_minutes(page: Page, product: Product, folder: Path) -> None:
    expect(page.get_by_role("heading", name="No stream yet")).to_be_visible()
    arguments = ["--stream", "digits", "--labels", "folder", "--label-delay", "5", "--shuffle", "1"]
    product.run("stream", str(folder), *arguments, "--url", product.url)
    expect(page.locator(".figure.images .value")).to_have_text(str(IMAGES), timeout=TIMEOUT_MS)
    expect(page.locator(".figure.labelled .value")).to_have_text(str(IMAGES), timeout=TIMEOUT_MS)
    assert float(page.locator(".figure.accuracy .value").inner_text().removesuffix(" %")) > 80
    expect(page.locator("#try .choice")).to_have_count(10)

    right = [digit for digit in DIGITS if read(page, digit) == digit]
    assert len(right) >= READ_RIGHT, f"only {right} were read right"

    teach_a_new_sign(page)
    product.stop()
    expect(page.locator("#connection")).to_have_text(re.compile("Lost"), timeout=TIMEOUT_MS)
    product.start()
    expect(page.locator("#connection")).to_have_text("Live", timeout=TIMEOUT_MS)
    expect(page.locator("#try .choice")).to_have_count(11)
    until(product.ready, 120)
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator(".headline strong")).to_have_text("roof", timeout=TIMEOUT_MS)


def read(page: Page, digit: str) -> str:
    """What the model reads in a drawing of a digit."""
    page.get_by_role("button", name="Clear").click()
    draw(page, *DIGITS[digit])
    page.get_by_role("button", name="Ask now").click()
    expect(page.locator(".headline")).to_contain_text("It looks like", timeout=TIMEOUT_MS)
    return page.locator(".headline strong").inner_text()


def teach_a_new_sign(page: Page) -> None:
    """Draw what is no digit, and name each drawing of it until the model says so itself."""
    field = page.locator("#try").get_by_placeholder("another class")
    for _ in range(6):
        page.get_by_role("button", name="Clear").click()
        draw(page, [(0.1, 0.9), (0.5, 0.1), (0.9, 0.9)], [(0.1, 0.9), (0.9, 0.9)])
        expect(page.locator(".headline")).to_contain_text("It looks like", timeout=TIMEOUT_MS)
        field.fill("roof")
        field.press("Enter")
        expect(page.locator("#try .outcome")).to_contain_text("learned as “roof”", timeout=TIMEOUT_MS)
        page.get_by_role("button", name="Ask again").click()
        expect(page.locator(".headline")).to_contain_text("It looks like", timeout=TIMEOUT_MS)
        if page.locator(".headline strong").inner_text() == "roof":
            return
    raise AssertionError("the model did not take it")
