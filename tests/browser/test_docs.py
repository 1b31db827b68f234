"""Swagger UI at /docs runs under its policy without a network, and its calls work with a key and without."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.conftest import Open
from tests.browser.system import System, picture

KEY = "a-key-of-our-own"
LIST_STREAMS = "#operations-streams-list_streams_v1_streams_get"


def execute(page: Page, call: str) -> Request:
    """Open a call, try it out and execute it; the request that the browser sends."""
    block = page.locator(call)
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    with page.expect_request(lambda request: request.url.endswith("/v1/streams")) as sent:
        block.get_by_role("button", name="Execute").click()
    answer = block.locator(".live-responses-table tbody")
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    expect(answer.locator(".response-col_description")).to_contain_text('"shapes"')
    return sent.value


def test_a_call_is_tried_out_without_keys(trained: System, open_page: Open) -> None:
    page = open_page("/docs")
    expect(page.get_by_role("heading", name="Prequel: HTTP calls")).to_be_visible()
    assert execute(page, LIST_STREAMS).header_value("x-api-key") is None


def test_an_image_is_sent(trained: System, open_page: Open, tmp_path: Path) -> None:
    page, file = open_page("/docs"), tmp_path / "bar.png"
    file.write_bytes(picture("bar"))
    block = page.locator("#operations-images-send_images_v1_streams__stream__images_post")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_placeholder("stream").fill("shapes")
    block.locator("input[type=file]").set_input_files(file)
    block.get_by_role("button", name="Execute").click()
    expect(block.locator(".live-responses-table tbody .response-col_status")).to_contain_text("202")


@pytest.mark.parametrize("settings", [{"api_keys": KEY}])
def test_a_call_is_tried_out_with_the_key(trained: System, open_page: Open) -> None:
    page = open_page("/", tolerated=("401",))
    page.get_by_label("Key", exact=True).fill(KEY)
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#connection")).to_have_text("Live")
    page.goto(trained.url + "/docs")
    page.get_by_role("button", name="Authorize").click()
    dialog = page.locator(".modal-ux")
    scheme = dialog.locator(".auth-container").filter(has_text="X-API-Key")
    scheme.locator("input").fill(KEY)
    scheme.get_by_role("button", name="Apply credentials").click()
    scheme.get_by_role("button", name="Close").click()
    page.context.clear_cookies()
    assert execute(page, LIST_STREAMS).header_value("x-api-key") == KEY
