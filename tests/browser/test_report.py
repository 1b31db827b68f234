"""The report of an evaluation in a browser: it asks for nothing, fits every width, and axe-core finds nothing."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from prequel.services.offline.report.pictures import SourcePictures
from prequel.services.offline.report.writing import write_report
from prequel.shared.images.limits import ImageLimits
from tests.browser import axe_core
from tests.offline.report.evaluations import evaluate, random_examples

LOOKS = [(1280, "dark"), (390, "light")]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two models and four classes, one of them with a long name, and pictures of some mistakes."""
    classes = ["cat", "dog", "bird", "a class with a rather long name, as people have them"]
    names = [f"digits/{row:04}.png" if row % 2 else "" for row in range(300)]
    evaluation = evaluate(random_examples(classes, 300, names=names), "ncm,slda", held_out=True)
    pictures = SourcePictures("", ImageLimits(2**24, 2**24))
    page, *_ = write_report(evaluation, tmp_path_factory.mktemp("report"), pictures)
    pictures.close()
    return page


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_of_the_report(browser: Browser, axe: str, report: Path, width: int, scheme: str) -> None:
    # Without the rule against scripts: axe-core is one.
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]  # a Literal
        bypass_csp=True,
    )
    faults: list[str] = []
    context.on("console", lambda message: faults.append(message.text))
    context.on("request", lambda request: faults.append(request.url) if not allowed(request.url, report) else None)
    try:
        page = context.new_page()
        page.goto(report.as_uri())
        assert shown_pictures(page) > 1
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert axe_core.findings(page, axe) == []
    finally:
        context.close()
    assert faults == []


def allowed(url: str, report: Path) -> bool:
    return url == report.as_uri() or url.startswith("data:image/")


def shown_pictures(page: Page) -> int:
    found: int = page.evaluate("[...document.images].filter(image => image.naturalWidth > 0).length")
    return found
