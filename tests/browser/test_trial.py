"""Trying the model: draw or upload, see what it says, with nothing recorded; add it, teach it, ask again."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from prequel.shared.log.base import EXAMPLES, IMAGES, PREDICTIONS
from tests.browser.conftest import Open
from tests.browser.strokes import Points, draw
from tests.browser.system import System, picture

BAR: Points = [(0.5, 0.1), (0.5, 0.9)]
CORNER: Points = [(0.15, 0.15), (0.15, 0.85), (0.85, 0.85)]


def share(page: Page, label: str) -> float:
    """The probability that the bars show of a class, in per cent."""
    row = page.locator("#try .bars li").filter(has=page.locator(f".label[title='{label}']"))
    return float(row.locator(".value").inner_text().removesuffix(" %"))


@pytest.fixture
def page(trained: System, open_page: Open) -> Page:
    opened = open_page("/#/shapes")
    expect(opened.locator("#connection")).to_have_text("Live")
    expect(opened.locator("#try .choice")).to_have_count(2)
    return opened


def test_a_drawing_is_answered_as_the_pen_is_lifted(page: Page) -> None:
    draw(page, BAR)
    expect(page.locator(".headline")).to_have_text(re.compile(r"It looks like bar \d+ % sure"))
    assert share(page, "bar") >= share(page, "ring")
    assert sum(share(page, each) for each in ("bar", "ring")) == pytest.approx(100, abs=2)


def test_a_new_class_is_taught_and_known_from_then_on(page: Page, trained: System) -> None:
    draw(page, CORNER)
    expect(page.locator(".headline strong")).to_have_text(re.compile("bar|ring"))
    field = page.locator("#try").get_by_placeholder("another class")
    field.fill("corner")
    field.press("Enter")
    expect(page.locator("#try .outcome")).to_contain_text("The model took it: learned as “corner”.")
    expect(page.locator("#try .choice[aria-pressed=true]")).to_have_text(re.compile("^corner"))
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator(".headline strong")).to_have_text("corner")
    expect(page.locator("#try .bars li.moved")).to_have_count(3)
    assert share(page, "corner") > max(share(page, "bar"), share(page, "ring"))
    assert set(trained.client.get("/v1/streams/shapes").json()["labels"]) == {"bar", "corner", "ring"}


def test_number_keys_teach_and_undo_takes_back(page: Page, trained: System) -> None:
    draw(page, BAR)
    expect(page.locator(".headline strong")).to_have_text("bar")
    page.keyboard.press("2")
    expect(page.locator("#try .outcome")).to_contain_text("learned as “ring”")
    page.keyboard.press("1")
    expect(page.locator("#try .outcome")).to_contain_text("Corrected from “ring” to “bar”")
    page.keyboard.press("u")
    expect(page.locator("#notices")).to_contain_text("Undone. Corrected from “bar” to “ring”")
    newest = trained.client.get("/v1/streams/shapes/predictions", params={"limit": "1"}).json()["predictions"][0]
    assert newest["truth"] == "ring"
    page.keyboard.press("c")
    expect(page.locator(".headline strong")).to_be_hidden()
    expect(page.locator("#try .choice").first).to_be_disabled()


def test_number_keys_teach_after_a_click_on_a_blank_part_of_the_page(page: Page) -> None:
    draw(page, BAR)
    expect(page.locator(".headline strong")).to_have_text("bar")
    page.locator("#curve-title").click()
    page.keyboard.press("2")
    expect(page.locator("#try .outcome")).to_contain_text("learned as “ring”")


def test_for_small_pictures_the_drawing_is_cut_out_and_coarse(page: Page, trained: System) -> None:
    draw(page, [(0.1, 0.1), (0.1, 0.3)])
    expect(page.locator(".headline strong")).to_have_text("bar")
    add(page)
    sent = newest_image(trained)
    assert sent.size == (32, 32)
    cells = np.asarray(sent.convert("L").resize((8, 8), Image.Resampling.BOX), float)
    assert cells[:, :2].max() < 20
    assert cells[:, 6:].max() < 20
    assert cells[:, 3:5].min() > 60


def test_for_large_pictures_the_drawing_stays_sharp(system: System, open_page: Open) -> None:
    system.send("bar", "bar", side=300)
    page = open_page("/#/shapes")
    expect(page.locator("#try .choice")).to_have_count(1)
    draw(page, BAR)
    expect(page.locator(".headline strong")).to_have_text("bar")
    add(page)
    assert newest_image(system).size == (256, 256)


def test_a_trial_records_nothing_until_it_is_asked_to(page: Page, trained: System, tmp_path: Path) -> None:
    ends = {topic: trained.log.bounds(topic) for topic in (IMAGES, EXAMPLES, PREDICTIONS)}
    draw(page, BAR)
    expect(page.locator(".headline")).to_contain_text("It looks like")
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator("#try .bars li.moved")).to_have_count(2)
    (tmp_path / "one.png").write_bytes(picture("ring"))
    page.locator("#try input[type=file]").set_input_files(tmp_path / "one.png")
    expect(page.locator(".headline strong")).to_have_text("ring")
    assert {topic: trained.log.bounds(topic) for topic in ends} == ends
    add(page)
    assert trained.log.bounds(IMAGES)[0].end == ends[IMAGES][0].end + 1
    expect(page.get_by_role("button", name="Add to the stream")).to_be_disabled()
    expect(page.locator("#tiles .tile")).to_have_count(6)


def test_a_class_chosen_for_one_picture_is_not_of_the_next(page: Page, trained: System) -> None:
    draw(page, BAR)
    expect(page.locator(".headline strong")).to_have_text("bar")
    page.locator("#try .choice").last.click()
    expect(page.locator("#try .outcome")).to_contain_text("learned as “ring”")
    page.locator("#try").get_by_placeholder("another class").fill("half a wo")
    paste(page, picture("dot"))
    expect(page.locator("#try .outcome")).to_have_text("")
    expect(page.locator(".headline strong")).to_have_text(re.compile("bar|ring"))
    expect(page.get_by_role("button", name="Add to the stream")).to_be_enabled()
    expect(page.locator("#try").get_by_placeholder("another class")).to_have_value("")
    page.keyboard.press("Enter")
    page.keyboard.press("c")
    expect(page.locator(".headline strong")).to_be_hidden()
    status = trained.client.get("/v1/streams/shapes").json()
    assert (status["images"], status["labels"]) == (6, ["bar", "ring"])


def add(page: Page) -> None:
    """Ask for the picture to be recorded."""
    page.get_by_role("button", name="Add to the stream").click()
    expect(page.locator("#try .outcome")).to_contain_text("Added to the stream as image")


def newest_image(system: System) -> Image.Image:
    """The image that was sent last, as the log gives it back."""
    newest = system.client.get("/v1/streams/shapes/predictions", params={"limit": "1"}).json()["predictions"][0]
    sent = system.client.get(f"/v1/streams/shapes/images/{newest['id']}").content
    return Image.open(io.BytesIO(sent))


def test_touch_draws_too(trained: System, open_page: Open) -> None:
    page = open_page("/#/shapes", viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    expect(page.locator("#try .choice")).to_have_count(2)
    page.locator("canvas.drawing").scroll_into_view_if_needed()
    page.locator("canvas.drawing").tap()
    expect(page.locator(".headline")).to_contain_text("It looks like")


def test_uploads_several_pictures_and_names_the_one_that_is_none(
    trained: System, open_page: Open, tmp_path: Path
) -> None:
    page = open_page("/#/shapes", tolerated=("422",))
    expect(page.locator("#try .choice")).to_have_count(2)
    files = {"one.png": picture("ring", shade=240), "two.png": picture("bar", shade=240), "three.png": b"no image"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    page.locator("#try input[type=file]").set_input_files([tmp_path / name for name in files])
    queue = page.locator(".uploads .tile")
    expect(queue).to_have_count(3)
    expect(page.locator(".uploads .tile", has=page.get_by_alt_text("one.png"))).to_have_text("ring")
    expect(page.locator(".uploads .tile", has=page.get_by_alt_text("two.png"))).to_have_text("bar")
    expect(page.locator(".uploads .tile", has=page.get_by_alt_text("three.png"))).to_have_text("no answer")
    page.locator(".uploads .tile", has=page.get_by_alt_text("three.png")).click()
    expect(page.locator(".headline")).to_contain_text("send a JPEG or PNG")
    page.locator(".uploads .tile", has=page.get_by_alt_text("one.png")).click()
    expect(page.locator(".headline strong")).to_have_text("ring")


def test_a_picture_can_be_pasted(page: Page) -> None:
    paste(page, picture("ring"))
    expect(page.locator(".headline strong")).to_have_text("ring")


def test_a_picture_without_a_stream_is_told_what_to_do(system: System, open_page: Open) -> None:
    page = open_page()
    expect(page.get_by_role("heading", name="No stream yet")).to_be_visible()
    paste(page, picture("ring"))
    expect(page.locator("#notices")).to_contain_text("there is no stream yet. Name one first")


def paste(page: Page, data: bytes) -> None:
    page.evaluate(
        """async (bytes) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "pasted.png", { type: "image/png" }));
            document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
        }""",
        list(data),
    )


def test_waits_with_words_for_an_extractor_that_stands_still(page: Page, trained: System) -> None:
    draw(page, BAR)
    expect(page.locator(".headline strong")).to_have_text("bar")
    trained.extractor.open.clear()
    page.get_by_role("button", name="Add to the stream").click()
    expect(page.locator("#try .outcome")).to_contain_text("Safely written. The prediction takes longer than usual")
    trained.extractor.open.set()
    expect(page.locator("#try .outcome")).to_contain_text("Added to the stream as image")


def test_a_picture_tried_while_the_gateway_is_away_is_answered_once_it_is_back(
    trained: System, open_page: Open, tmp_path: Path
) -> None:
    page = open_page("/#/shapes", tolerated=("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE", "ERR_EMPTY_RESPONSE", "503"))
    expect(page.locator("#connection")).to_have_text("Live")
    trained.close_gateway()
    expect(page.locator("#connection")).to_contain_text("Lost")
    files = {"one.png": picture("ring", shade=240), "two.png": picture("bar", shade=240)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    page.locator("#try input[type=file]").set_input_files([tmp_path / name for name in files])
    expect(page.locator(".uploads .tile", has_text="no answer")).to_have_count(2)
    expect(page.locator(".headline")).to_contain_text("The gateway cannot be reached.")
    trained.open_gateway()
    expect(page.locator("#connection")).to_have_text("Live")
    for name, label in (("one.png", "ring"), ("two.png", "bar")):
        expect(page.locator(".uploads .tile", has=page.get_by_alt_text(name))).to_have_text(label)
    expect(page.locator(".headline")).to_contain_text("It looks like")


def test_the_first_picture_of_a_stream_asks_for_its_first_class(system: System, open_page: Open) -> None:
    page = open_page("/#/fresh", tolerated=("404",))
    draw(page, BAR)
    expect(page.locator(".headline")).to_contain_text("this stream has no picture")
    page.locator("#try").get_by_placeholder("another class").fill("bar")
    page.locator("#try").get_by_role("button", name="Teach").click()
    expect(page.locator("#try .choice")).to_have_text(["bar1"])
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator(".headline strong")).to_have_text("bar")


def test_pictures_of_one_stream_never_go_to_another(trained: System, open_page: Open, tmp_path: Path) -> None:
    trained.send("dot", "dot", stream="other")
    page = open_page("/#/shapes")
    expect(page.locator("#try .choice")).to_have_count(2)
    (tmp_path / "one.png").write_bytes(picture("ring", shade=200))
    page.locator("#try input[type=file]").set_input_files(tmp_path / "one.png")
    expect(page.locator(".headline strong")).to_have_text("ring")
    trained.extractor.open.clear()
    with page.expect_request("**/shapes/images?*"):
        page.get_by_role("button", name="Add to the stream").click()
    page.locator("#picker").select_option("other")
    expect(page.locator(".uploads .tile")).to_have_count(0)
    expect(page.get_by_role("button", name="Add to the stream")).to_be_disabled()
    with page.expect_response("**/shapes/images?*"):
        trained.extractor.open.set()
    page.locator("#try input[type=file]").set_input_files(tmp_path / "one.png")
    expect(page.locator(".headline strong")).to_have_text("dot")
    expect(page.locator("#try .outcome")).to_have_text("")
    got = [trained.client.get(f"/v1/streams/{each}/predictions").json()["predictions"] for each in ("shapes", "other")]
    assert list(map(len, got)) == [5 + 1, 1]
