"""The page as a whole: it comes to life, follows its stream, survives a restart, and lets no label run."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import GATEWAY_DOWN, GATEWAY_STARTING, Open, hide
from tests.browser.system import System, until

NO_VALUE = "\N{EN DASH}"
HOSTILE = "<img src=x onerror=document.title='owned'>"


def figure(page: Page, name: str) -> str:
    return page.locator(f".figure.{name} .value").inner_text()


def test_says_what_to_type_and_comes_to_life_with_the_first_image(system: System, open_page: Open) -> None:
    page = open_page()
    expect(page.get_by_role("heading", name="No stream yet")).to_be_visible()
    expect(page.get_by_text(f"prequel stream digits --stream digits --url {system.url}", exact=True)).to_be_visible()
    system.send("bar", "bar")
    expect(page.locator(".figure.images .value")).to_have_text("1")
    expect(page.get_by_role("heading", name="No stream yet")).to_be_hidden()
    expect(page.locator("#picker")).to_have_value("shapes")


def test_figures_are_the_gateways(trained: System, open_page: Open) -> None:
    page = open_page()
    expect(page.locator(".figure.images .value")).to_have_text("5")
    status = trained.client.get("/v1/streams/shapes").json()
    champion = status["models"][status["champion"]]
    assert figure(page, "labelled") == str(status["labelled"])
    assert figure(page, "pending") == str(status["pending"])
    assert figure(page, "accuracy") == f"{champion['accuracy']:.1%}".replace("%", " %")
    assert figure(page, "kappa") == f"{champion['kappa']:.3f}"
    expect(page.locator("#facts")).to_have_text(f"backbone pixels-8 · position {status['position']}")
    expect(page.locator("#models tbody th")).to_have_text(["nearestchampion", "softmaxnot told apart"])
    expect(page).to_have_title(re.compile(r"shapes · Prequel"))


def test_follows_the_stream_without_reloading(trained: System, open_page: Open) -> None:
    page = open_page()
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator(".figure.images .value")).to_have_text("5")
    trained.send("dot", "dot")
    expect(page.locator(".figure.images .value")).to_have_text("6")
    expect(page.locator(".matrix tbody th")).to_have_text(["bar", "dot", "ring"])
    expect(page.locator(".classes tbody th")).to_have_text(["bar", "dot", "ring"])
    expect(page.locator("#chart")).to_have_attribute("aria-label", re.compile("after 5 scored images: nearest"))


def test_streams_are_chosen_and_kept_in_the_address(trained: System, open_page: Open) -> None:
    trained.send("dot", "dot", stream="other")
    page = open_page("/#/other")
    expect(page.locator(".figure.images .value")).to_have_text("1")
    page.locator("#picker").select_option("shapes")
    expect(page.locator(".figure.images .value")).to_have_text("5")
    assert page.url.endswith("#/shapes")
    page.go_back()
    expect(page.locator(".figure.images .value")).to_have_text("1")


def test_opens_on_the_stream_that_was_looked_at_last_or_else_the_newest(trained: System, open_page: Open) -> None:
    trained.send("dot", "dot", stream="aaa")
    trained.send("dot", "dot", stream="newest")
    until(lambda: len(trained.client.get("/v1/streams").json()["streams"]) == 3)
    page = open_page()
    expect(page.locator("#picker")).to_have_value("newest")
    page.locator("#picker").select_option("shapes")
    expect(page.locator(".figure.images .value")).to_have_text("5")
    trained.send("dot", stream="aaa")
    until(lambda: trained.client.get("/v1/streams/aaa").json()["images"] == 2)
    page.goto("about:blank")
    page.goto(trained.url)
    expect(page.locator("#picker")).to_have_value("shapes")
    page.evaluate("localStorage.setItem('prequel.stream', 'gone')")
    page.goto("about:blank")
    page.goto(trained.url)
    expect(page.locator("#picker")).to_have_value("aaa")


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_names_can_be_read_whatever_their_length(system: System, open_page: Open, width: int) -> None:
    long = "northern white-breasted hedgehog (Erinaceus roumanicus)"
    for _ in range(2):
        system.send("bar", "dog")
        system.send("ring", long)
    page = open_page("/#/shapes", viewport={"width": width, "height": 900})
    expect(page.locator(".matrix tbody tr")).to_have_count(2)
    page.locator("#tiles .tile").first.click()
    expect(page.locator("#correction .choice")).to_have_count(2)
    cut = page.evaluate(
        """() => [...document.querySelectorAll(".label, .mark, .choice span, dd, h2, .verdict, th, .facts")]
            .filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== "inline"
                || getComputedStyle(one).textOverflow === "ellipsis")
            .map((one) => `${one.className} ${one.textContent}`)"""
    )
    assert cut == []
    assert page.locator("#tiles .label", has_text="dog").first.inner_text() == "dog"
    assert sideways(page) == 0


def test_the_skip_link_moves_the_focus_and_keeps_the_stream(trained: System, open_page: Open) -> None:
    page = open_page("/#/shapes")
    expect(page.locator("#tiles .tile")).to_have_count(5)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    expect(page).to_have_url(re.compile("#/shapes$"))
    expect(page.locator("#picker")).to_have_value("shapes")
    expect(page.locator("#tiles .tile")).to_have_count(5)


def test_an_address_that_names_no_stream_is_as_none(trained: System, open_page: Open) -> None:
    page = open_page("/#/%")
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#picker")).to_have_value("shapes")


def test_a_stream_can_be_named_before_it_exists(system: System, open_page: Open) -> None:
    page = open_page(tolerated=("404",))
    page.get_by_role("button", name="name a stream").click()
    page.get_by_role("textbox", name="Name").fill("Bad Name")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#ask")).to_be_visible()
    page.get_by_role("textbox", name="Name").fill("mine")
    page.keyboard.press("Enter")
    expect(page.locator("#connection")).to_have_text("Waiting for the first image")
    system.send("bar", stream="mine")
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#tiles .tile")).to_have_count(1)


def test_reconnects_after_a_restart_and_shows_what_it_missed(trained: System, open_page: Open) -> None:
    page = open_page(tolerated=(*GATEWAY_DOWN, *GATEWAY_STARTING))
    expect(page.locator("#connection")).to_have_text("Live")
    trained.close_gateway()
    expect(page.locator("#connection")).to_have_text(re.compile("Lost at .*; trying again"))
    trained.open_gateway()
    trained.send("dot", "dot", id="while-away")
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator(".figure.images .value")).to_have_text("6")
    expect(page.locator("[data-id=while-away]")).to_be_visible()


def test_a_stream_that_is_deleted_leaves_the_page_and_may_begin_again(trained: System, open_page: Open) -> None:
    page = open_page("/#/shapes", tolerated=("404",))
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator(".tile")).to_have_count(5)
    assert trained.client.delete("/v1/streams/shapes", params={"wait": 10}).status_code == 200
    expect(page.locator("#notices")).to_contain_text("Stream shapes was deleted")
    expect(page.locator("#connection")).to_have_text("Waiting for the first image")
    expect(page.locator(".tile")).to_have_count(0)
    expect(page.locator(".figure.images .value")).to_have_text(NO_VALUE)
    trained.send("dot", "dot")
    expect(page.locator(".figure.images .value")).to_have_text("1")
    expect(page.locator(".tile")).to_have_count(1)


def test_a_stream_that_is_deleted_before_the_page_listens_leaves_it_too(trained: System, open_page: Open) -> None:
    page = open_page("/healthz", tolerated=("404",))
    paused_routes: list[Route] = []
    page.route("**/v1/streams/shapes/events", lambda route: paused_routes.append(route))
    with page.expect_request("**/v1/streams/shapes/events"):
        page.goto(trained.url + "/#/shapes")
    expect(page.locator(".figure.images .value")).to_have_text("5")
    trained.client.delete("/v1/streams/shapes", params={"wait": 10})
    paused_routes[0].continue_()
    expect(page.locator("#connection")).to_have_text("Waiting for the first image")
    expect(page.locator(".tile")).to_have_count(0)
    expect(page.locator(".figure.images .value")).to_have_text(NO_VALUE)


@pytest.mark.parametrize("begins_again", [True, False])
def test_a_page_that_missed_a_deletion_shows_nothing_of_it(
    trained: System, open_page: Open, *, begins_again: bool
) -> None:
    page = open_page("/#/shapes", tolerated=("404",))
    expect(page.locator(".tile")).to_have_count(5)
    hide(page, True)
    trained.client.delete("/v1/streams/shapes", params={"wait": 10})
    if begins_again:
        trained.send("dot", "dot")
    hide(page, False)
    expect(page.locator(".tile")).to_have_count(int(begins_again))
    expect(page.locator(".figure.images .value")).to_have_text("1" if begins_again else NO_VALUE)


def test_a_hidden_page_keeps_no_connection_and_catches_up_when_it_is_seen(trained: System, open_page: Open) -> None:
    page = open_page("/healthz")
    paused_routes: list[Route] = []
    page.route("**/v1/streams/shapes/events", lambda route: paused_routes.append(route), times=1)
    with page.expect_request("**/v1/streams/shapes/events"):
        page.goto(trained.url + "/#/shapes")
    expect(page.locator("#tiles .tile")).to_have_count(5)
    # The connection makes the page fetch once more: what is fetched after it is hidden would show what came since.
    with page.expect_event("requestfinished", lambda request: "/shapes/predictions" in request.url):
        paused_routes[0].continue_()
    expect(page.locator("#connection")).to_have_text("Live")
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/events")):
        hide(page, True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/shapes") else None)
    trained.send("dot", "dot", id="while-hidden")
    expect(page.locator("[data-id=while-hidden]")).to_have_count(0)
    assert len(asked) <= 1, "it asks on and on while nobody sees it"
    hide(page, False)
    expect(page.locator("[data-id=while-hidden]")).to_be_visible()
    expect(page.locator(".figure.images .value")).to_have_text("6")
    expect(page.locator("#connection")).to_have_text("Live")


def test_labels_are_text_whatever_they_hold(system: System, open_page: Open) -> None:
    system.send("bar", HOSTILE)
    system.send("ring", '"><script>document.title="owned"</script>')
    wrong = system.send("bar")
    system.label(wrong, "</style><b>bold</b>")
    page = open_page()
    expect(page.locator(f"[data-id='{wrong}'] .label")).to_have_text(HOSTILE)
    expect(page.locator(".matrix")).to_contain_text("</style><b>bold</b>")
    expect(page.locator(".classes")).to_contain_text(HOSTILE)
    page.locator(f"[data-id='{wrong}']").click()
    expect(page.get_by_role("heading", name=f"Predicted “{HOSTILE}”")).to_be_visible()
    assert page.locator("img[src=x], main b, dialog b, dialog script, main script").count() == 0
    assert "owned" not in page.title()


def test_a_phone_shows_everything_without_scrolling_sideways(system: System, open_page: Open) -> None:
    system.send("bar", "x" * 128)
    for number in range(12):
        system.send("ring", f"a rather long label, number {number}")
    page = open_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    expect(page.locator(".figure.images .value")).to_have_text("13")
    expect(page.locator(".matrix tbody tr")).to_have_count(12)
    assert sideways(page) == 0
    page.locator("#tiles .tile").first.tap()
    expect(page.locator("#correction")).to_be_visible()
    assert sideways(page) == 0
    assert page.evaluate("(([d]) => d.scrollWidth - d.clientWidth)([document.querySelector('#correction')])") == 0


def test_a_matrix_of_many_classes_leaves_room_for_the_table_beside_it(system: System, open_page: Open) -> None:
    for number in range(30):
        system.send("ring", f"class {number:02}")
    page = open_page()
    expect(page.locator(".matrix tbody tr")).to_have_count(29)
    table = page.locator(".card.report").bounding_box()
    assert table is not None
    assert table["width"] >= 420
    assert sideways(page) == 0


def sideways(page: Page) -> int:
    """Pixels that the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
