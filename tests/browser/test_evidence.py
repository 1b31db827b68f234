"""How far the numbers may be trusted: told in words, only when there is something to tell, and labels say why."""

import json
import re
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser import axe_core
from tests.browser.conftest import Open
from tests.browser.system import System, until

TOLD = {
    "label_order": {"mixed": True, "text": "The newest 200 labels come mixed."},
    "feature_drift": 14.2,
    "feature_drift_threshold": 9.0,
    "feature_drifts": [{"scored": 3, "images": 4, "score": 14.2}],
    "verdicts": {"softmax": {"verdict": "better", "text": "softmax has been better than nearest."}},
    "random_sample": {"labelled": 64, "accuracy": 0.921, "interval": [0.84, 0.97]},
    "label_reasons": {"producer": 1, "uncertain": 2, "random": 64},
    "sets": {"level": 0.9, "coverage": 0.904, "mean_size": 1.37, "scored": 500},
}
"""Parts of a status as a long stream has them: here they would take thousands of images."""

IN_ORDER = {
    "label_order": {"mixed": False, "text": "Labels come class after class: the newest 40 are all of one class."},
    "verdicts": {"softmax": {"verdict": "silent", "text": "softmax is not compared with nearest."}},
}

CALM = {
    "feature_drift": 1.0,
    "feature_drifts": [],
    "verdicts": {"softmax": {"verdict": "open", "text": "softmax and nearest cannot be told apart."}},
    "random_sample": None,
    "label_reasons": {"producer": 67},
}

CURVE = {
    "nearest": [{"confidence": 0.5, "accuracy": 0.4, "count": 100}, {"confidence": 0.9, "accuracy": 0.9, "count": 300}],
    "softmax": [{"confidence": 0.8, "accuracy": 0.3, "count": 400}],
}


@pytest.fixture
def told(trained: System, open_page: Open) -> Callable[..., Page]:
    """Opens the page on a stream whose status has these parts too; events do not come, for they would not have them."""

    def begin(*parts: dict[str, Any], **look: Any) -> Page:
        def tell(route: Route) -> None:
            status = route.fetch().json()
            for part in parts:
                status |= part
            for model, error in (("nearest", 0.025), ("softmax", 0.5)):
                status["models"][model] |= {"interval": [0.31, 0.842], "calibration_error": error}
            route.fulfill(json=status)

        page = open_page("/#/shapes", tolerated=("ERR_FAILED",), **look)
        page.route("**/v1/streams/shapes", tell)
        page.route("**/v1/streams/shapes/events", lambda route: route.abort())
        page.route("**/v1/streams/shapes/reliability", lambda route: route.fulfill(json={"models": CURVE}))
        page.reload()
        expect(page.locator(".figure.images .value")).to_have_text("5")
        return page

    return begin


def test_what_to_know_stands_above_all_numbers(told: Callable[..., Page]) -> None:
    page = told(TOLD)
    expect(page.locator("#alerts li strong")).to_have_text(["The images have changed.", "softmax does better."])
    expect(page.locator("#alerts li").last).to_contain_text("Nothing changes by itself")
    assert page.locator("#alerts").bounding_box()["y"] < page.locator("#figures").bounding_box()["y"]  # type: ignore[index]
    expect(page.locator("#chart")).to_have_attribute("aria-label", re.compile(r"The images changed: at 3\."))
    expect(page.locator(".chart-legend")).to_be_visible()


def test_what_flatters_is_said(told: Callable[..., Page]) -> None:
    page = told(TOLD, IN_ORDER)
    expect(page.locator("#alerts li")).to_have_text(
        "Accuracy looks better than it is. Labels come class after class: the newest 40 are all of one class. "
        "The figures below say little about the other classes."
    )
    expect(page.locator("#models .badge:visible")).to_have_text(["champion", "not judged now"])


def test_nothing_is_told_where_all_is_well(told: Callable[..., Page]) -> None:
    page = told(TOLD, CALM)
    expect(page.locator("#models .badge:visible")).to_have_text(["champion", "not told apart"])
    expect(page.locator("#alerts li")).to_have_count(0)
    expect(page.locator(".chart-legend")).to_be_hidden()
    expect(page.get_by_role("heading", name="Which accuracy is which?")).to_be_hidden()
    expect(page.locator(".figure.random")).to_be_hidden()
    expect(page.locator(".figure.kappa")).to_be_visible()


def test_accuracy_comes_with_its_interval_and_the_honest_one_beside_it(told: Callable[..., Page]) -> None:
    page = told(TOLD)
    expect(page.locator(".figure.accuracy .note")).to_have_text(
        "31.0 to 84.2 % with 95 % certainty; each image scored before it is learned"
    )
    expect(page.locator(".figure.random .value")).to_have_text("92.1 %")
    expect(page.locator(".figure.random .note")).to_have_text("64 labels: 84.0 to 97.0 %")
    expect(page.locator(".figure.kappa")).to_be_hidden()


def test_verdicts_stand_beside_the_challengers(told: Callable[..., Page]) -> None:
    page = told(TOLD)
    expect(page.locator("#models .badge:visible")).to_have_text(["champion", "better lately"])
    expect(page.locator("#models-note")).to_contain_text("softmax has been better than nearest.")
    expect(page.locator("#models tbody tr").last).to_contain_text("50.0 %")


def test_the_reliability_of_the_model_that_is_shown(told: Callable[..., Page]) -> None:
    page = told(TOLD)
    trust = page.locator("#trust")
    expect(trust).to_contain_text("On average nearest is 80.0 % sure and 77.5 % right: you can take it at its word.")
    expect(trust.get_by_role("img")).to_have_attribute("aria-label", re.compile("off by 2.5 %"))
    expect(trust.locator(".dot")).to_have_count(2)
    trust.get_by_text("The curve as a table").click()
    expect(trust.locator("tbody tr")).to_have_text(["50 %40 %100", "90 %90 %300"])
    expect(trust).to_contain_text(
        "It was among them for 90.4 % of the newest 500 labels, with 1.37 classes on average."
    )
    expect(trust).to_contain_text("score 14.2, alarm above 9.0")
    expect(trust).to_contain_text("64 are of images drawn at random")
    page.locator("#confusion-model").select_option("softmax")
    expect(trust).to_contain_text("On average softmax is 80.0 % sure and 30.0 % right: it is too sure.")
    expect(trust.locator(".dot")).to_have_count(1)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (320, "dark")])
def test_axe_finds_nothing_where_all_is_told(told: Callable[..., Page], axe: str, width: int, scheme: str) -> None:
    page = told(TOLD, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
    page.get_by_text("The curve as a table").click()
    expect(page.locator("#alerts li")).to_have_count(2)
    assert axe_core.findings(page, axe) == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_sets_stand_beside_predictions_that_are_not_sure(trained: System, open_page: Open) -> None:
    sets = {"two": ["bar", "ring"], "one": ["bar"]}

    def tell(route: Route) -> None:
        answer = route.fetch().json()
        for prediction in answer["predictions"]:
            if prediction["id"] in sets:
                found = sets[prediction["id"]]
                prediction |= {"label": "bar", "set": found, "set_level": 0.9, "set_size": len(found)}
        route.fulfill(json=answer)

    for id in sets:
        trained.send("bar", id=id)
    page = open_page("/#/shapes")
    page.route("**/predictions?*", tell)
    page.reload()
    expect(page.locator("[data-id=two] .alternatives")).to_have_text("or ring")
    expect(page.locator("[data-id=two]")).to_have_accessible_name(
        re.compile("Predicted bar, .* It is “bar” or “ring”, with 90 % certainty. No label yet.")
    )
    expect(page.locator("[data-id=one] .alternatives")).to_be_hidden()
    page.locator("[data-id=two]").click()
    expect(page.locator("#correction .set")).to_have_text("It is “bar” or “ring”, with 90 % certainty.")


def test_labels_say_how_their_images_were_chosen(trained: System, open_page: Open) -> None:
    def listed(by: str, sample: str) -> list[object]:
        params = {"by": by, "sample": sample}
        return list(trained.client.get("/v1/streams/shapes/queue", params=params).json()["examples"])

    # Different ones: nearly equal images are one in the list.
    for shape, shade in product(("dot", "left", "low", "cross", "bar", "ring"), (250, 130, 60)):
        if listed("random", "true") and len(listed("uncertain", "false")) >= 4:
            break
        trained.send(shape, shade=shade)
    page = open_page("/#/shapes")
    with page.expect_response(re.compile("/queue.*by=random")) as drawn:
        page.get_by_role("radio", name="Uncertain").check()
    first = drawn.value.json()["examples"][0]["id"]
    tiles = page.locator("#tiles .tile")
    expect(tiles).to_have_count(len(listed("random", "true")) + len(listed("uncertain", "false")))
    expect(page.locator("#gallery-note")).to_contain_text("Every fifth is drawn at random")
    assert tiles.nth(4).get_attribute("data-id") == first
    uncertain = str(tiles.first.get_attribute("data-id"))
    assert given(page, first, "bar") == "random"
    assert given(page, uncertain, "bar") == "uncertain"
    until(lambda: trained.truth(uncertain) == "bar")
    trained.send("ring", id="seen")
    page.get_by_role("radio", name="Newest").check()
    assert given(page, uncertain, "ring") == "correction"
    assert given(page, "seen", "ring") is None


def given(page: Page, id: str, label: str) -> object:
    """Label an image in the dialog; why, as the page told the gateway."""
    page.locator(f"[data-id='{id}']").click()
    with page.expect_request(re.compile("/labels")) as sent:
        page.locator("#correction .choice", has_text=label).click()
    expect(page.locator("#correction .outcome")).to_have_text(re.compile("learned|Corrected"))
    page.keyboard.press("Escape")
    return json.loads(sent.value.post_data or "{}").get("why")
