"""Who may see the page and whom it serves: API keys, people who use no mouse, eyes that need contrast."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import GATEWAY_DOWN, GATEWAY_STARTING, Open
from tests.browser.system import System

KEY = "a-key-of-our-own"
STYLE = Path(__file__).parents[2] / "services" / "gateway" / "web" / "style.css"
READ = {
    "ground": ["ink", "muted"],
    "surface": ["ink", "muted", "accent", "good", "bad"],
    "raised": ["ink", "muted"],
    "accent": ["accent-ink"],
    "accent-soft": ["ink", "accent"],
    "good-soft": ["good"],
    "bad-soft": ["bad"],
}
"""What text of which colours stands on."""


@pytest.mark.parametrize("settings", [{"api_keys": KEY}])
def test_asks_once_for_the_key_and_keeps_it_as_a_cookie(trained: System, open_page: Open) -> None:
    page = open_page("/#/shapes", tolerated=("401",))
    expect(page.get_by_role("dialog", name="API key")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_label("Key", exact=True).fill("another")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("this is not one of the gateway's API keys")
    page.get_by_label("Key", exact=True).fill(KEY)
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#tiles .tile")).to_have_count(5)
    expect(page.locator("#tiles img").first).to_have_js_property("naturalWidth", 32)
    page.reload()
    expect(page.locator("#tiles .tile")).to_have_count(5)
    expect(page.locator("#ask")).to_be_hidden()
    assert (
        page.evaluate("document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage })")
        == '{"prequel.stream":"shapes"}'
    )


@pytest.mark.parametrize("settings", [{"api_keys": KEY}])
def test_a_key_that_cannot_be_checked_is_said_and_can_be_given_again(trained: System, open_page: Open) -> None:
    page = open_page("/#/shapes", tolerated=("401", *GATEWAY_DOWN, *GATEWAY_STARTING))
    page.get_by_label("Key", exact=True).fill(KEY)
    trained.close_gateway()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The gateway cannot be reached")
    trained.open_gateway()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#connection")).to_have_text("Live")


def test_everything_to_press_has_a_name_and_every_image_a_text(trained: System, open_page: Open) -> None:
    page = open_page("/#/shapes")
    expect(page.locator("#tiles .tile")).to_have_count(5)
    page.locator("#tiles .tile").first.click()
    for control in page.locator(":is(button, select, input, canvas.drawing):visible").all():
        expect(control).to_have_accessible_name(re.compile(r"\S"))
    assert page.locator("img:not([alt])").count() == 0


def test_the_keyboard_reaches_every_part_in_reading_order(trained: System, open_page: Open) -> None:
    page = open_page("/#/shapes")
    expect(page.locator(".matrix td.hit").first).to_be_visible()
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.closest('.skip, .top, section')?.classList.value"))
    parts = list(dict.fromkeys(reached))
    cards = ["card curve", "card try", "card gallery", "card trust", "card confusion"]
    assert parts[:7] == ["skip", "top", *cards]


def test_the_question_mark_lists_the_keys(trained: System, open_page: Open) -> None:
    page = open_page("/#/shapes")
    expect(page.locator("#connection")).to_have_text("Live")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("undo the last label, then the one before it")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_hidden()


def test_stands_still_for_those_who_want_less_motion(trained: System, open_page: Open) -> None:
    page = open_page("/#/shapes", reduced_motion="reduce")
    expect(page.locator("#connection")).to_have_text("Live")
    assert page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_wcag_aa_asks_for(scheme: str) -> None:
    blocks = re.findall(r":root \{(.*?)\}", STYLE.read_text(), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", blocks[0] + (blocks[1] if scheme == "dark" else "")))
    pairs = [(ink, paper) for paper, inks in READ.items() for ink in inks]
    ratios = {(ink, paper): contrast(colours[ink], colours[paper]) for ink, paper in pairs}
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < 4.5} == {}


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio of two colours written #rrggbb."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
