"""The gallery: newest, uncertain and wrong ones, of a class, of a cell of the matrix; paused; bounded."""

import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import GATEWAY_DOWN, GATEWAY_STARTING, Open, hide
from tests.browser.system import System, picture

MOST_TILES = 60
FLOOD = 2_000
FLOOD_MS = 120_000


@pytest.fixture
def page(trained: System, open_page: Open) -> Page:
    opened = open_page("/#/shapes")
    expect(opened.locator("#connection")).to_have_text("Live")
    expect(tiles(opened)).to_have_count(5)
    return opened


def tiles(page: Page) -> Locator:
    return page.locator("#tiles .tile")


def test_right_wrong_and_open_are_told_in_words(page: Page, trained: System) -> None:
    trained.send("bar", id="open")
    expect(page.locator("[data-id=open]")).to_have_accessible_name(
        re.compile(r"Predicted bar, \d+ %\. (It is .*\. )?No label yet\.")
    )
    trained.label("open", "bar")
    expect(page.locator("[data-id=open] .mark")).to_have_text("✓ right")
    trained.label("open", "ring")
    expect(page.locator("[data-id=open] .mark")).to_have_text("✕ is ring")
    expect(page.locator("[data-id=open]")).to_have_accessible_name(re.compile("Wrong: it is ring"))


def test_wrong_ones_are_listed_and_leave_when_corrected(page: Page, trained: System) -> None:
    page.get_by_role("radio", name="Wrong").check()
    expect(tiles(page)).to_have_count(2)
    wrong = tiles(page).first.get_attribute("data-id")
    predicted = tiles(page).first.locator(".label").inner_text()
    trained.label(str(wrong), predicted)
    expect(tiles(page)).to_have_count(1)


def test_uncertain_ones_have_no_label_and_begin_with_the_least_sure(page: Page, trained: System) -> None:
    page.get_by_role("radio", name="Uncertain").check()
    expect(page.locator("#gallery-empty")).to_have_text("Nothing uncertain here: every image has its label.")
    for shape in ("bar", "left", "dot"):
        trained.send(shape)
    expect(tiles(page)).to_have_count(3)
    listed = []
    for params in ({"by": "uncertain", "sample": "false"}, {"by": "random", "sample": "true"}):
        answer = trained.client.get("/v1/streams/shapes/queue", params=params).json()
        listed += [each["id"] for each in answer["examples"]]
    assert [tile.get_attribute("data-id") for tile in tiles(page).all()] == listed


def test_suspects_stand_with_what_the_champion_would_say_and_their_neighbours(page: Page, trained: System) -> None:
    for number in range(6):
        trained.send("bar", id=f"bar-{number}", label="bar")
    trained.send("bar", id="wrong", label="ring")
    page.get_by_role("radio", name="Suspect").check()
    expect(page.locator("[data-id=wrong] .label")).to_have_text("bar")
    expect(page.locator("[data-id=wrong] .mark")).to_contain_text("is ring")
    page.locator("[data-id=wrong]").click()
    expect(page.locator("dialog .left")).to_contain_text("So it is predicted now; when it came: bar.")
    near = page.locator(".similar-images li")
    expect(near.first).to_have_text("bar")
    who = re.compile("bar, labelled by (producer|anonymous) at .*")
    expect(near.first.locator("img")).to_have_attribute("alt", who)
    page.locator("#correction").get_by_role("button", name="bar", exact=True).click()
    expect(page.locator("dialog .verdict")).to_have_text("✓ right: it is “bar”")
    suspects = trained.client.get("/v1/streams/shapes/queue", params={"by": "suspect"}).json()["examples"]
    assert "wrong" not in [example["id"] for example in suspects]


def test_the_random_sample_and_what_models_dispute_are_lists_of_their_own(page: Page, trained: System) -> None:
    for _ in range(12):
        trained.send("bar")
    page.get_by_role("radio", name="Random").check()
    drawn = trained.client.get("/v1/streams/shapes/queue", params={"by": "random", "sample": "true"}).json()["examples"]
    expect(tiles(page)).to_have_count(len(drawn))
    page.get_by_role("radio", name="Disputed").check()
    disputed = trained.client.get("/v1/streams/shapes/queue", params={"by": "disagreement", "sample": "false"}).json()
    expect(tiles(page)).to_have_count(len(disputed["examples"]))


def test_of_a_class_live_too(page: Page, trained: System) -> None:
    page.get_by_label("Only those predicted as").select_option("ring")
    expect(tiles(page)).to_have_count(1)
    trained.send("bar", id="not-this")
    trained.send("ring", id="this")
    expect(page.locator("[data-id=this]")).to_be_visible()
    expect(page.locator("[data-id=not-this]")).to_have_count(0)


def test_a_cell_of_the_matrix_leads_to_its_images(page: Page) -> None:
    cell = page.get_by_role("cell", name="2 of ring predicted as bar")
    expect(cell).to_have_text("2")
    cell.click()
    expect(tiles(page)).to_have_count(2)
    expect(page.get_by_label("Only those predicted as")).to_have_value("=bar")
    expect(page.get_by_label("Only those that are")).to_have_value("=ring")
    page.locator(".matrix td.hit").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Only those predicted as")).to_have_value("=ring")


def test_a_challengers_cell_leads_to_what_the_challenger_predicted(page: Page, trained: System) -> None:
    page.locator("#confusion-model").select_option("softmax")
    of_softmax = trained.client.get("/v1/streams/shapes/confusion", params={"model": "softmax"}).json()
    expect(page.locator(".matrix tbody td")).to_have_text(cells(of_softmax))
    cell = page.locator(".matrix td.miss").first
    counted = int(cell.inner_text())
    truth, predicted = re.findall(r"of (\w+) predicted as (\w+)", str(cell.get_attribute("title")))[0]
    cell.click()
    expect(page.get_by_label("Predicted by", exact=True)).to_have_value("softmax")
    expect(tiles(page)).to_have_count(counted)
    expect(tiles(page).locator(".label")).to_have_text([predicted] * counted)
    expect(tiles(page).locator(".mark")).to_have_text([f"✕ is {truth}"] * counted)
    expect(page.locator("#gallery-note")).to_contain_text("As softmax predicted them.")


def test_pause_stops_the_gallery_until_resumed(page: Page, trained: System) -> None:
    page.get_by_role("button", name="Pause").click()
    trained.send("bar", id="paused")
    expect(page.locator("#gallery-note")).to_have_text("Held still while you look: 1 new.")
    expect(page.locator("[data-id=paused]")).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("[data-id=paused]")).to_be_visible()


def test_a_filter_chosen_while_it_is_paused_is_shown(page: Page, trained: System) -> None:
    page.get_by_role("button", name="Pause").click()
    page.get_by_label("Only those predicted as").select_option("ring")
    expect(tiles(page)).to_have_count(1)
    trained.send("ring", id="paused")
    expect(page.locator("#gallery-note")).to_have_text("Held still while you look: 1 new.")
    expect(tiles(page)).to_have_count(1)
    page.get_by_role("button", name="Resume").click()
    expect(tiles(page)).to_have_count(2)


def test_what_was_missed_while_it_was_paused_is_fetched_when_it_resumes(trained: System, open_page: Open) -> None:
    page = open_page("/#/shapes", tolerated=(*GATEWAY_DOWN, *GATEWAY_STARTING))
    expect(page.locator("#connection")).to_have_text("Live")
    expect(tiles(page)).to_have_count(5)
    page.get_by_role("button", name="Pause").click()
    trained.close_gateway()
    expect(page.locator("#connection")).to_have_text(re.compile("Lost at"))
    trained.open_gateway()
    trained.send("bar", id="missed")
    expect(page.locator("#connection")).to_have_text("Live")
    expect(tiles(page)).to_have_count(5)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("[data-id=missed]")).to_be_visible()


def test_a_prediction_that_is_fetched_while_its_image_loads_is_shown_once(page: Page, trained: System) -> None:
    paused_routes: list[Route] = []
    page.route("**/images/slow?*", lambda route: paused_routes.append(route))
    with page.expect_request("**/images/slow?*"):
        trained.send("bar", id="slow")
    for hidden in (True, False):
        hide(page, hidden)
    expect(page.locator("[data-id=slow]")).to_have_count(1)
    trained.send("ring", id="after")
    expect(page.locator("[data-id=after]")).to_be_visible()
    expect(page.locator("[data-id=slow]")).to_have_count(1)
    for route in paused_routes:
        route.continue_()


def test_what_comes_while_an_older_list_is_fetched_stays(page: Page, trained: System) -> None:
    """The list as it was before a prediction and a label comes after both: on a slow machine, or a slow network."""
    asked: list[Route] = []
    page.route("**/v1/streams/shapes/predictions?*", lambda route: asked.append(route), times=1)
    with page.expect_request("**/v1/streams/shapes/predictions?*"):
        hide(page, True)
        hide(page, False)
    expect(page.locator("#connection")).to_have_text("Live")
    older = asked[0].fetch()
    *kept, labelled, left_out = older.json()["predictions"]
    mark = page.locator(f"[data-id='{labelled['id']}'] .mark")
    before = mark.inner_text()
    trained.send("dot", id="meanwhile")
    trained.label(labelled["id"], "dot" if labelled["truth"] != "dot" else "bar")
    expect(mark).not_to_have_text(before)
    corrected = mark.inner_text()
    asked[0].fulfill(response=older, json={**older.json(), "predictions": [*kept, labelled]})
    expect(page.locator(f"[data-id='{left_out['id']}']")).to_have_count(0)
    expect(page.locator("[data-id=meanwhile]")).to_be_visible()
    expect(mark).to_have_text(corrected)


def test_another_models_matrix_and_classes_can_be_shown(page: Page, trained: System) -> None:
    counts = page.locator(".matrix tbody td")
    of_nearest = trained.client.get("/v1/streams/shapes/confusion").json()
    of_softmax = trained.client.get("/v1/streams/shapes/confusion", params={"model": "softmax"}).json()
    assert of_nearest["rows"] != of_softmax["rows"]
    expect(counts).to_have_text(cells(of_nearest))
    page.locator("#confusion-model").select_option("softmax")
    expect(counts).to_have_text(cells(of_softmax))


def test_a_flood_leaves_the_page_small_and_quick(page: Page, trained: System) -> None:
    """2,000 predictions as fast as the system makes them: a bounded page that still answers within a second."""
    page.evaluate(
        "new PerformanceObserver((list) => list.getEntries().forEach((task) =>"
        " (window.slowest = Math.max(window.slowest, task.duration)))).observe({ type: 'longtask' })"
    )
    # What is measured is wall time: on a busy machine the page alone may have stood still, so it may try again.
    quick = any(slowest(page, trained, turn) < 1_000 for turn in (1, 2, 3))
    assert tiles(page).count() <= MOST_TILES
    assert page.evaluate("document.querySelectorAll('*').length") < 2_500
    assert quick


def slowest(page: Page, trained: System, turn: int) -> float:
    """Milliseconds that the page stood still for at most during a flood."""
    for _ in range(FLOOD // 100):
        files = [("file", ("a.png", picture("ring", shade=200), "image/png"))] * 100
        trained.client.post("/v1/streams/shapes/images", files=files)
    page.evaluate("window.slowest = 0")
    expect(page.locator(".figure.images .value")).to_have_text(f"{5 + turn * FLOOD:,}", timeout=FLOOD_MS)
    return float(page.evaluate("window.slowest"))


def cells(matrix: dict[str, list[list[int]]]) -> list[str]:
    """What the page writes into the matrix: nothing for 0, labels in order."""
    labels: list[str] = matrix["labels"]  # type: ignore[assignment]
    order = [labels.index(label) for label in sorted(labels)]
    return [str(matrix["rows"][row][column] or "") for row in order for column in order]
