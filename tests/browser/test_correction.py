"""Correcting a prediction: with the keyboard alone, with a new class, with a label taken back, too late."""

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import GATEWAY_DOWN, GATEWAY_STARTING, Open
from tests.browser.system import System, picture


@pytest.fixture
def unlabelled(trained: System) -> str:
    """The id of an image without a label."""
    return trained.send("dot")


@pytest.fixture
def page(unlabelled: str, open_page: Open) -> Page:
    opened = open_page("/#/shapes")
    expect(opened.locator("#connection")).to_have_text("Live")
    expect(opened.locator(f"[data-id='{unlabelled}']")).to_be_visible()
    expect(opened.locator("#try .choice")).to_have_count(2)
    return opened


def test_with_the_keyboard_alone(page: Page, trained: System, unlabelled: str) -> None:
    page.locator("#filters button").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    page.keyboard.press("Home")
    expect(page.locator(f"[data-id='{unlabelled}']")).to_be_focused()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Predicted")
    expect(dialog).to_be_visible()
    expect(dialog.locator(".model-predictions div")).to_have_count(2)
    page.keyboard.press("2")
    expect(dialog.locator(".outcome")).to_have_text("The model took it: learned as “ring”.")
    page.keyboard.press("1")
    expect(dialog.locator(".outcome")).to_have_text(re.compile("Corrected from “ring” to “bar”, "))
    expect(dialog.locator(".verdict")).to_have_text(re.compile("it is “bar”"))
    page.keyboard.press("ArrowRight")
    expect(dialog.locator(".verdict")).to_have_text("✕ wrong: it is “ring”")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator(f"[data-id='{unlabelled}']")).to_be_focused()
    assert trained.truth(unlabelled) == "bar"


def test_enter_never_gives_an_image_the_class_of_the_one_before(page: Page, trained: System) -> None:
    dialog = page.locator("#correction")
    for shape in ("bar", "ring"):
        trained.send(shape, id=f"a-{shape}")
        expect(page.locator(f"[data-id=a-{shape}]")).to_be_visible()
    page.locator("[data-id=a-ring]").click()
    dialog.get_by_placeholder("another class").fill("half a wo")
    dialog.locator(".choice").first.focus()  # bar
    page.keyboard.press("ArrowRight")
    expect(dialog.locator(".facts")).to_contain_text("a-bar")
    page.keyboard.press("ArrowLeft")
    expect(dialog.locator(".facts")).to_contain_text("a-ring")
    expect(dialog.get_by_placeholder("another class")).to_have_value("")
    page.keyboard.press("Enter")
    expect(dialog.locator(".outcome")).to_have_text("The model took it: learned as “ring”.")
    assert trained.truth("a-ring") == "ring"


def test_enter_labels_nothing_where_the_image_has_no_class_yet(system: System, open_page: Open) -> None:
    system.send("ring", id="unknown")
    system.send("bar", "bar", id="known")
    page = open_page("/#/shapes")
    page.locator("[data-id=known]").click()
    expect(page.locator("#correction .choice").first).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#correction .facts")).to_contain_text("unknown")
    page.keyboard.press("Enter")
    expect(page.locator("#correction .outcome")).to_have_text("")
    page.keyboard.press("1")
    expect(page.locator("#correction .outcome")).to_have_text("The model took it: learned as “bar”.")
    assert system.truth("unknown") == "bar"


HOLD_FRAMES = """(() => {
    const [requestFrame, waiting] = [requestAnimationFrame, []];
    window.requestAnimationFrame = (run) => waiting.push(run);
    window.runFrames = () => {
        window.requestAnimationFrame = requestFrame;
        waiting.forEach((run) => requestFrame(run));
    };
})()"""


def open_before_classes(system: System, open_page: Open, id: str) -> Page:
    """A page that shows an image in the dialog and does not know the classes yet; ``runFrames()`` lets them come."""
    page = open_page("/healthz")
    page.add_init_script(HOLD_FRAMES)
    page.goto(system.url + "/#/shapes")
    page.locator(f"[data-id={id}]").click()
    return page


@pytest.fixture
def quick(system: System, open_page: Open) -> Page:
    """The first picture of a stream, opened before the page knows the classes."""
    system.send("bar", "bar", id="quick")
    return open_before_classes(system, open_page, "quick")


def test_the_focus_comes_to_the_class_of_a_picture_that_was_opened_before_the_classes_came(quick: Page) -> None:
    expect(quick.locator("#correction .choices")).to_be_focused()
    quick.evaluate("runFrames()")
    expect(quick.locator("#correction .choice").first).to_be_focused()


def test_a_class_is_offered_only_once_its_key_works(trained: System, unlabelled: str, open_page: Open) -> None:
    """The probabilities of the prediction name classes before the status does, but not which keys these will have."""
    page = open_before_classes(trained, open_page, f"'{unlabelled}'")
    choices, outcome = page.locator("#correction .choice"), page.locator("#correction .outcome")
    expect(page.locator("#correction .bars li")).to_have_count(2)
    expect(choices).to_have_count(0)
    page.keyboard.press("1")
    expect(page.locator("#correction").get_by_placeholder("another class")).to_have_value("")
    page.evaluate("runFrames()")
    expect(choices).to_have_text(["bar1", "ring2"])
    expect(outcome).to_have_text("")
    page.keyboard.press("1")
    expect(outcome).to_have_text("The model took it: learned as “bar”.")


def test_what_is_being_typed_keeps_the_focus_as_the_classes_come(quick: Page) -> None:
    field = quick.locator("#correction").get_by_placeholder("another class")
    field.press_sequentially("bolt")
    quick.evaluate("runFrames()")
    expect(quick.locator("#correction .choice").first).to_be_visible()
    expect(field).to_be_focused()
    expect(field).to_have_value("bolt")


def test_keys_stay_with_their_class_as_classes_come(page: Page, unlabelled: str) -> None:
    dialog = page.locator("#correction")
    page.locator(f"[data-id='{unlabelled}']").click()
    expect(dialog.locator(".choice")).to_have_text(["bar1", "ring2"])
    dialog.get_by_placeholder("another class").fill("apple")
    page.keyboard.press("Enter")
    expect(dialog.locator(".choice")).to_have_text(["bar1", "ring2", "apple3"])
    page.keyboard.press("2")
    expect(dialog.locator(".outcome")).to_contain_text("to “ring”")
    page.keyboard.press("3")
    expect(dialog.locator(".outcome")).to_contain_text("to “apple”")
    expect(page.locator("#try .choice")).to_have_text(["bar1", "ring2", "apple3"])


def test_undo_goes_back_as_far_as_the_session_and_names_the_image(page: Page, trained: System, unlabelled: str) -> None:
    trained.send("dot", id="second")
    dialog, notices = page.locator("#correction"), page.locator("#notices")
    page.locator("[data-id=second]").click()
    page.keyboard.press("1")
    expect(dialog.locator(".outcome")).to_contain_text("learned as “bar”")
    page.keyboard.press("ArrowRight")
    expect(dialog.locator(".facts")).to_contain_text(unlabelled)
    for key, said in (("2", "learned as “ring”"), ("1", "Corrected from “ring” to “bar”")):
        page.keyboard.press(key)
        expect(dialog.locator(".outcome")).to_contain_text(said)
    undo = dialog.get_by_role("button", name="Undo", exact=True)
    expect(undo).to_have_attribute("title", f"Image {unlabelled}: from “bar” back to “ring”")
    page.keyboard.press("u")
    expect(notices).to_contain_text(f"Image {unlabelled}: Undone. Corrected from “bar” to “ring”")
    page.keyboard.press("u")
    expect(notices).to_contain_text(f"Image {unlabelled}: Undone. Label taken back")
    page.keyboard.press("u")
    expect(notices).to_contain_text("Image second: Undone. Label taken back")
    page.keyboard.press("u")
    expect(notices).to_contain_text("Nothing to undo.")
    assert (trained.truth("second"), trained.truth(unlabelled)) == (None, None)


def test_undo_does_not_take_back_what_somebody_else_said_since(page: Page, trained: System, unlabelled: str) -> None:
    page.locator(f"[data-id='{unlabelled}']").click()
    page.keyboard.press("1")
    expect(page.locator("#correction .outcome")).to_contain_text("learned as “bar”")
    trained.label(unlabelled, "ring")
    page.keyboard.press("u")
    notices = page.locator("#notices")
    expect(notices).to_contain_text("Not undone: after you labelled it “bar”, somebody else changed it to “ring”.")
    assert trained.truth(unlabelled) == "ring"
    notices.get_by_role("button", name="Back to no label anyway").click()
    expect(notices).to_contain_text("Undone. Label taken back")
    assert trained.truth(unlabelled) is None


def test_the_outcome_tells_whether_every_model_corrected_exactly(page: Page, unlabelled: str) -> None:
    page.locator(f"[data-id='{unlabelled}']").click()
    page.locator("#correction").get_by_role("button", name="bar").click()
    expect(page.locator("#correction .outcome")).to_contain_text("learned as")
    page.locator("#correction").get_by_role("button", name="ring").click()
    expect(page.locator("#correction .outcome")).to_have_text(
        "Corrected from “bar” to “ring”, as far as its models can unlearn."
    )
    page.locator("#correction").get_by_role("button", name="ring").click()
    expect(page.locator("#correction .outcome")).to_have_text("It already was “ring”: nothing changed.")


def test_a_new_class_a_retraction_and_undo(page: Page, trained: System, unlabelled: str) -> None:
    page.locator(f"[data-id='{unlabelled}']").click()
    field = page.locator("#correction").get_by_placeholder("another class")
    field.fill("dot 2 u")
    field.press("Enter")
    expect(page.locator("#correction .outcome")).to_contain_text("learned as “dot 2 u”")
    expect(page.locator("#correction .choice[aria-pressed=true]")).to_contain_text("dot 2 u")
    page.get_by_role("button", name="Take the label back").click()
    expect(page.locator("#correction .outcome")).to_contain_text("Label taken back")
    expect(page.locator("#correction .verdict")).to_have_text("no label yet")
    assert trained.truth(unlabelled) is None
    page.locator("#correction").get_by_role("button", name="Undo", exact=True).click()
    expect(page.locator("#correction #notices")).to_contain_text("Undone. The model took it: learned as “dot 2 u”.")
    assert trained.truth(unlabelled) == "dot 2 u"


def test_keys_work_on_after_a_button_that_is_of_no_more_use(page: Page, unlabelled: str) -> None:
    dialog = page.locator("#correction")
    page.locator(f"[data-id='{unlabelled}']").click()
    page.keyboard.press("2")
    expect(dialog.locator(".outcome")).to_contain_text("learned as “ring”")
    dialog.get_by_role("button", name="Take the label back").click()
    expect(dialog.locator(".outcome")).to_contain_text("Label taken back")
    page.keyboard.press("1")
    expect(dialog.locator(".outcome")).to_contain_text("learned as “bar”")
    following = dialog.get_by_role("button", name="Next")
    for _ in range(5):
        following.click()
    expect(following).to_be_disabled()
    page.keyboard.press("ArrowLeft")
    expect(following).to_be_enabled()


def test_a_label_of_somebody_else_shows_while_the_dialog_is_open(page: Page, trained: System, unlabelled: str) -> None:
    page.locator(f"[data-id='{unlabelled}']").click()
    expect(page.locator("#correction .verdict")).to_have_text("no label yet")
    trained.label(unlabelled, "bar")
    expect(page.locator("#correction .verdict")).to_contain_text("it is “bar”")
    expect(page.locator(f"[data-id='{unlabelled}'] .mark")).to_have_text(re.compile("✓ right|✕ is bar"))


def test_a_label_of_one_stream_touches_nothing_of_another(trained: System, open_page: Open) -> None:
    for stream in ("shapes", "other"):
        trained.send("dot", stream=stream, id="same")
    page = open_page("/#/shapes")
    expect(page.locator("#connection")).to_have_text("Live")
    page.locator("[data-id=same]").click()
    expect(page.locator("#correction .choice")).to_have_count(2)
    paused_routes: list[Route] = []
    page.route("**/shapes/labels?*", lambda route: paused_routes.append(route))
    with page.expect_request("**/shapes/labels?*"):
        page.keyboard.press("1")
    page.evaluate("location.hash = '#/other'")
    expect(page.locator("#correction")).to_be_hidden()
    expect(page.locator(".figure.images .value")).to_have_text("1")
    with page.expect_response("**/shapes/labels?*"):
        paused_routes[0].continue_()
    page.keyboard.press("u")
    expect(page.locator("#notices")).to_contain_text("Nothing to undo.")
    expect(page.locator("[data-id=same] .mark")).to_have_text("no label")
    assert (trained.truth("same"), trained.truth("same", stream="other")) == ("bar", None)


def test_nothing_moves_while_the_dialog_is_open(page: Page, trained: System, unlabelled: str) -> None:
    page.locator(f"[data-id='{unlabelled}']").click()
    expect(page.locator("#correction")).to_be_visible()
    trained.send("low", id="later")
    expect(page.locator("#gallery-note")).to_have_text("Held still while you look: 1 new.")
    expect(page.locator("#tiles .tile").first).to_have_attribute("data-id", unlabelled)
    page.keyboard.press("Escape")
    page.locator("h2#curve-title").click()
    page.evaluate("document.activeElement.blur()")
    expect(page.locator("#tiles .tile").first).to_have_attribute("data-id", "later")


def test_a_label_that_cannot_be_sent_is_said_and_can_be_sent_again(
    trained: System, open_page: Open, unlabelled: str
) -> None:
    page = open_page("/#/shapes", tolerated=(*GATEWAY_DOWN, *GATEWAY_STARTING))
    expect(page.locator("#connection")).to_have_text("Live")
    page.locator(f"[data-id='{unlabelled}']").click()
    expect(page.locator("#correction .choice")).to_have_count(2)
    trained.close_gateway()
    page.locator("#correction .choice").first.click()
    expect(page.locator("#correction .outcome")).to_contain_text("Not sent. The gateway cannot be reached")
    trained.open_gateway()
    page.locator("#correction .choice").first.click()
    expect(page.locator("#correction .outcome")).to_contain_text("learned as “bar”")
    assert trained.truth(unlabelled) == "bar"


@pytest.mark.parametrize("settings", [{"window": 2}])
def test_a_label_that_comes_too_late_is_said(system: System, open_page: Open) -> None:
    early = system.send("bar", id="early")
    for shape in ("ring", "dot", "low"):
        system.send(shape, shape)
    page = open_page("/#/shapes")
    page.locator(f"[data-id='{early}']").click()
    page.locator("#correction .choice").first.click()
    expect(page.locator("#correction .outcome")).to_have_text(
        "Too late: the image has left the window of the learner. Nothing changed."
    )
    expect(page.locator("#correction .verdict")).to_have_text("no label yet")


def test_of_many_classes_the_likeliest_come_first(trained: System, open_page: Open, unlabelled: str) -> None:
    for number in range(60):
        trained.send("low", f"class {number:02}", shade=4 * number)
    trained.send("dot", "the dot")
    trained.send("dot", id="again", shade=250)
    page = open_page("/#/shapes")
    page.locator("[data-id=again]").click()
    choices = page.locator("#correction .choice")
    expect(choices.first).to_have_text("the dot1")
    expect(choices).to_have_count(40)
    expect(page.locator("#correction .bars li")).to_have_count(10)
    assert page.locator("#correction datalist option").count() == 23
    page.keyboard.press("1")
    expect(page.locator("#correction .outcome")).to_contain_text("learned as “the dot”")


def test_what_no_browser_shows_is_shown_as_a_thumbnail_with_what_came_with_it(page: Page, trained: System) -> None:
    """A TIFF: the dialog asks for the whole image first, and for its largest thumbnail where that does not show."""
    file = io.BytesIO()
    Image.open(io.BytesIO(picture("dot"))).save(file, "TIFF")
    headers = {"Content-Type": "image/tiff", "ce-id": "scan-1", "ce-camera": "north"}
    sent = trained.client.post("/v1/streams/shapes/images?wait=60", content=file.getvalue(), headers=headers)
    assert sent.status_code == 200, sent.text
    page.locator("[data-id='scan-1']").click()
    image = page.locator("#correction img.portrait")
    expect(image).to_have_attribute("src", re.compile(r"scan-1\?size=1024"))
    expect(image).to_have_js_property("naturalWidth", 32)
    expect(page.locator("#correction .facts")).to_contain_text("camera: north")
