"""A stream of features without images: the page says so in each image's place, asks for none, and works as ever."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.system import System


@pytest.fixture
def page(system: System, open_page: Open) -> Page:
    examples = [
        {"features": [kind + number / 50, 1 - kind, 0.1], "id": f"{'ab'[kind]}{number}", "label": ["low", "high"][kind]}
        for number in range(4)
        for kind in (0, 1)
    ]
    examples += [{"features": [0.9, 0.2, 0.1], "id": "open"}]
    answer = system.client.post("/v1/streams/embeddings/examples", json=examples, params={"wait": 60})
    assert answer.status_code == 200, answer.text
    opened = open_page("/#/embeddings")
    expect(opened.locator("#connection")).to_have_text("Live")
    return opened


def test_the_page_shows_examples_without_images_and_corrects_them(page: Page, system: System) -> None:
    tiles = page.locator("#tiles .tile")
    expect(tiles).to_have_count(9)
    expect(page.locator("[data-id=open] .no-image")).to_have_text("no image")
    expect(page.locator("[data-id=open] .label")).to_have_text("high")
    page.locator("[data-id=open]").click()
    dialog = page.locator("#correction")
    expect(dialog.locator(".left .no-image")).to_be_visible()
    expect(dialog.locator("img.portrait")).to_be_hidden()
    expect(dialog.locator(".similar-images .no-image").first).to_have_text("no image")
    dialog.get_by_role("button", name="high", exact=True).click()
    expect(dialog.locator(".outcome")).to_have_text(re.compile("The model took it: learned as “high”"))
    page.keyboard.press("Escape")
    page.get_by_role("radio", name="Uncertain").check()
    expect(page.locator("#gallery-empty")).to_have_text("Nothing uncertain here: every image has its label.")
    system.client.post("/v1/streams/embeddings/examples", json={"features": [0.5, 0.5, 0.1], "id": "new"})
    expect(page.locator("[data-id=new] .no-image")).to_have_text("no image")
    expect(page.locator(".tile img:visible")).to_have_count(0)
