"""A stream is changed on the page: its models, its classes, and what somebody changed is taken back."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser import axe_core
from tests.browser.conftest import Open
from tests.browser.system import System

REPLAY = {"progress": 0.43, "commands": ["c1"], "models": ["ridge"], "problem": ""}
METRICS = {"scored": 900, "accuracy": 0.95, "interval": [0.93, 0.965], "classes": {}}
RESULT = {
    "champion": "nearest",
    "labelled": 900,
    "notes": ["The log begins after the stream."],
    "models": {"nearest": METRICS, "softmax": METRICS, "ridge": {**METRICS, "accuracy": 0.99, "interval": None}},
    "verdicts": {"ridge": {"verdict": "better", "text": "ridge has been better."}},
}
RUNNING = {"id": "b2", "status": "running", "progress": 0.25, "models": ["slda"], "why": ""}
DONE = {"id": "b1", "status": "done", "progress": 1.0, "models": ["softmax", "ridge"], "why": ""}
LOOK = {"reduced_motion": "reduce"}


@pytest.fixture
def page(trained: System, open_page: Open) -> Page:
    opened = open_page("/#/shapes", tolerated=("422",), **LOOK)
    expect(opened.locator("#class-changes select option")).to_have_text(["bar", "ring"])
    return opened


def history(page: Page) -> Any:
    return page.locator("#history li .what > :first-child")


def test_a_class_is_renamed_by_keyboard_and_named_so_from_then_on(page: Page, trained: System) -> None:
    page.locator("#class-changes select").select_option("bar")
    page.get_by_role("button", name="Rename").press("Enter")
    expect(page.get_by_role("dialog", name="Rename “bar”")).to_be_visible()
    page.keyboard.type("pole")
    page.keyboard.press("Enter")
    expect(page.locator("#notices .notice")).to_contain_text("“bar” is called “pole” now.")
    expect(page.locator("#class-changes select option")).to_have_text(["pole", "ring"])
    expect(page.locator("#report tbody th")).to_have_text(["pole", "ring"])
    expect(history(page)).to_have_text(["page renamed “bar” to “pole”"])
    assert trained.client.get("/v1/streams/shapes").json()["labels"] == ["pole", "ring"]


def test_what_was_changed_is_taken_back(page: Page) -> None:
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("New name").fill("pole")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Undo: renamed “bar” to “pole”").click()
    expect(page.locator("#class-changes select option")).to_have_text(["bar", "ring"])
    expect(history(page)).to_have_text(["page took back: renamed “bar” to “pole”", "page renamed “bar” to “pole”"])
    expect(page.locator("#history li.undone .muted")).to_contain_text("taken back")
    expect(page.get_by_role("button", name=re.compile("^Undo:"))).to_have_count(0)


def test_a_name_that_is_there_makes_two_classes_one_but_asks_first(page: Page, trained: System) -> None:
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("New name").fill("ring")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Merge “bar” into “ring”?")
    expect(dialog).to_contain_text(re.compile(r"There is a class “ring”: \d scored images of “bar” will be of it\."))
    dialog.get_by_role("button", name="Cancel").click()
    assert trained.client.get("/v1/streams/shapes/history").json()["commands"] == []
    page.get_by_role("button", name="Merge").click()
    expect(page.get_by_label("Into").locator("option")).to_have_text(["ring"])
    page.get_by_role("dialog").get_by_role("button", name="Merge").click()
    expect(history(page)).to_have_text(["page merged “bar” into “ring”"])


def test_a_class_is_deleted_only_after_a_question(page: Page, trained: System, axe: str) -> None:
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete “bar”?")
    expect(dialog).to_contain_text(re.compile(r"The labels of \d scored images will be taken back"))
    assert axe_core.findings(page, axe) == []
    page.keyboard.press("Escape")
    assert trained.client.get("/v1/streams/shapes/history").json()["commands"] == []
    page.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(history(page)).to_have_text(["page deleted the class “bar”"])


def test_another_model_answers_and_one_goes(page: Page) -> None:
    names = page.locator("#model-changes li strong")
    expect(names).to_have_text(["nearest", "softmax"])
    page.get_by_role("button", name="Promote softmax").click()
    expect(page.locator("#notices .notice")).to_contain_text("softmax answers now.")
    expect(names).to_have_text(["softmax", "nearest"])
    expect(page.locator("#model-changes li").first).to_contain_text("champion")
    page.get_by_role("button", name="Remove nearest").click()
    page.get_by_role("dialog", name="Remove the model?").get_by_role("button", name="Remove").click()
    expect(names).to_have_text(["softmax"])


def test_why_nothing_was_changed_is_told(page: Page) -> None:
    page.get_by_label("Another model").fill("softmax")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#notices .notice.bad")).to_have_text(
        re.compile("Nothing was changed: the stream has model softmax already")
    )
    page.get_by_label("Another model").fill("rigde")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#notices .notice.bad")).to_contain_text("did you mean ridge?")
    expect(page.locator("#history li.refused .muted")).to_contain_text("refused: the stream has model softmax already")


def test_how_far_a_replay_is_and_what_was_tried_on_the_past(trained: System, open_page: Open, axe: str) -> None:
    def tell(route: Route) -> None:
        route.fulfill(json=route.fetch().json() | {"catching_up": REPLAY})

    given: list[Any] = []

    def backtests(route: Route) -> None:
        if route.request.method == "POST":
            given.append(route.request.post_data_json)
        route.fulfill(json={"stream": "shapes", "backtests": [RUNNING, DONE]})

    page = open_page("/#/shapes", tolerated=("ERR_FAILED",), **LOOK)
    page.route("**/v1/streams/shapes", tell)
    page.route("**/v1/streams/shapes/events", lambda route: route.abort())
    page.route("**/v1/streams/shapes/backtests", backtests)
    page.route("**/v1/streams/shapes/backtests/b1", lambda route: route.fulfill(json={**DONE, "result": RESULT}))
    page.reload()
    expect(page.locator(".replay")).to_have_text("Catching up, 43 %: ridge will join.")
    expect(page.locator(".replay progress")).to_have_js_property("value", 0.43)
    expect(page.locator("#backtests .what > :first-child")).to_have_text(
        ["slda: running, 25 %", "softmax, ridge: done"]
    )
    rows = page.locator("#backtests tbody tr")
    expect(rows.first).to_have_text(re.compile(r"nearest95\.0 %93\.0 to 96\.5 %champion$"))
    expect(rows.last).to_contain_text("better")
    expect(rows.get_by_role("button")).to_have_text(["Promote", "Add"])
    expect(page.locator("#backtests")).to_contain_text("The log begins after the stream.")
    assert axe_core.findings(page, axe) == []
    page.get_by_label("Another model").fill("mix(slda, ncm)")
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.get_by_role("button", name="Try on the past").click()
    assert given == [{"models": "mix(slda, ncm)"}]


def test_the_curve_says_how_sure_it_is(page: Page, trained: System) -> None:
    for _ in range(3):
        trained.send("bar", "bar")
    interval = re.compile(r"nearest \d[\d.]* % \([\d.]+ to [\d.]+ %\), softmax \d[\d.]* % \(")
    expect(page.locator("#chart")).to_have_attribute("aria-label", interval)
    points = trained.client.get("/v1/streams/shapes/curve").json()["points"]
    assert all(
        low <= point["accuracy"]["nearest"] <= high for point in points for low, high in [point["interval"]["nearest"]]
    )
