"""axe-core finds nothing on any view: wide and narrow, light and dark."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe_core
from tests.browser.conftest import GATEWAY_DOWN, Open
from tests.browser.strokes import draw
from tests.browser.system import System

LOOKS = [
    (1280, "dark"),
    (320, "light"),
    pytest.param(1280, "light", marks=pytest.mark.soak),
    pytest.param(320, "dark", marks=pytest.mark.soak),
]
"""Each width and each scheme in every run, all pairs of them in the long one."""


def opened(open_page: Open, path: str, width: int, scheme: str) -> Page:
    # Without motion, so that no colour is caught half way.
    look = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme, "reduced_motion": "reduce"}
    return open_page(path, tolerated=("404", *GATEWAY_DOWN), **look)


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_of_a_stream_at_work(trained: System, open_page: Open, axe: str, width: int, scheme: str) -> None:
    trained.send("bar", "a class with a rather long name, as people have them")
    page = opened(open_page, "/#/shapes", width, scheme)
    expect(page.locator(".matrix td.hit").first).to_be_attached()
    expect(page.locator("#chart .uplot")).to_be_visible()
    found = {"board": axe_core.findings(page, axe)}
    draw(page, [(0.5, 0.1), (0.5, 0.9)])
    expect(page.locator(".headline")).to_contain_text("It looks like")
    page.get_by_role("button", name="Add to the stream").click()
    expect(page.locator("#try .outcome")).to_contain_text("Added to the stream")
    page.get_by_role("button", name="Pause").click()
    found["tried"] = axe_core.findings(page, axe)
    page.get_by_role("radio", name="Upload").check()
    found["upload"] = axe_core.findings(page, axe)
    page.locator("#tiles .tile").first.click()
    page.locator("#correction .choice").first.click()
    expect(page.locator("#correction .outcome")).to_have_text(re.compile(r"\."))
    page.keyboard.press("u")
    expect(page.locator("#notices .notice")).to_be_visible()
    found["correction"] = axe_core.findings(page, axe)
    page.keyboard.press("Escape")
    page.locator("body").press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    found["shortcuts"] = axe_core.findings(page, axe)
    page.keyboard.press("Escape")
    trained.close_gateway()
    expect(page.locator("#connection")).to_have_text(re.compile("Lost"))
    found["lost"] = axe_core.findings(page, axe)
    trained.open_gateway()
    assert {view: each for view, each in found.items() if each} == {}


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_of_the_first_moments(system: System, open_page: Open, axe: str, width: int, scheme: str) -> None:
    page = opened(open_page, "/", width, scheme)
    expect(page.get_by_role("heading", name="No stream yet")).to_be_visible()
    found = {"welcome": axe_core.findings(page, axe)}
    page.get_by_role("button", name="name a stream").click()
    found["question"] = axe_core.findings(page, axe)
    page.get_by_role("textbox", name="Name").fill("fresh")
    page.keyboard.press("Enter")
    expect(page.locator("#connection")).to_have_text("Waiting for the first image")
    found["absent"] = axe_core.findings(page, axe)
    assert {view: each for view, each in found.items() if each} == {}
