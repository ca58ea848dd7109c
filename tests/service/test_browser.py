"""The form in a real browser: registering, errors, keyboard, narrow screens, accessibility."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.service.browser import run_chromium
from tests.service.conftest import ADA
from tests.service.server import Server, migrated_sqlite, run_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page, Response

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("service-browser")]

NARROW, WIDE = 320, 1280
NUMBERS = itertools.count(1)
LONG_WORD = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch" * 3
LONG_PROGRAM = (
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" + "x" * 20
)
ARABIC_NAME = "عبد الرحمن (الثالث)"
ARABIC_PROGRAM = "الرياضيات"
# What WCAG 2.2, 1.4.12 lets people set for all text.
TEXT_SPACING = """
* {
  line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important;
}
p { margin-bottom: 2em !important; }
"""
SUCCESS = "Registration Successful!"
TAKEN = "This email is already registered with other details."
# Seen by the page itself, before any of its own scripts run.
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation",
  (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
"""

# The element that has the focus is in the window, and drawn with a ring.
FOCUS_IS_SEEN = """() => {
  const element = document.activeElement;
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  const width = parseFloat(style.outlineWidth);
  const ring = width + parseFloat(style.outlineOffset);
  return box.top >= ring && box.bottom + ring <= innerHeight
    && box.left >= ring && box.right + ring <= innerWidth
    && style.outlineStyle !== "none" && width >= 2;
}"""

WithJs = pytest.mark.parametrize("js", [True, False], ids=["javascript", "no-javascript"])


@dataclass
class Complaints:
    """What the browser found fault with; nothing of it may be."""

    texts: list[str] = field(default_factory=list)

    def console(self, message: ConsoleMessage) -> None:
        # An answer with an error status to the form itself is on purpose; `response` has others.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.texts.append(message.text)

    def response(self, response: Response) -> None:
        if response.status >= 400 and not response.request.is_navigation_request():
            self.texts.append(f"{response.status} {response.url}")

    def error(self, error: object) -> None:
        self.texts.append(str(error))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("form")
    with run_server({**migrated_sqlite(folder), "RATE_LIMIT": "off"}, folder) as running:
        yield running


@pytest.fixture(scope="module")
def without_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give a server that offers a list of programs, and whose database has no table."""
    folder = tmp_path_factory.mktemp("away")
    environ = {
        "DATABASE_URL": f"sqlite:///{folder / 'empty.db'}",
        "PROGRAMS": json.dumps(["Art & Craft", "Mathematics", LONG_PROGRAM, ARABIC_PROGRAM]),
        "RATE_LIMIT": "off",
    }
    with run_server(environ, folder, health=503) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_chromium() as running:
        yield running


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Give a function that opens a page; fails in the end if the browser complained of one."""
    complaints = Complaints()
    contexts = []

    def open_page(
        server: Server,
        *,
        js: bool = True,
        width: int = WIDE,
        height: int = 720,
        **options: Any,
    ) -> Page:
        context = browser.new_context(
            java_script_enabled=js, viewport={"width": width, "height": height}, **options
        )
        contexts.append(context)
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.add_init_script(REPORT_VIOLATIONS)
        page.on("console", complaints.console)
        page.on("pageerror", complaints.error)
        page.on("response", complaints.response)
        page.goto(server.url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints.texts == []


def someone() -> dict[str, str]:
    """Give a person whom no other test registers."""
    return {**ADA, "email": f"someone{next(NUMBERS)}@example.com"}


def fill(page: Page, values: dict[str, str]) -> None:
    for name, value in values.items():
        page.locator(f"#{name}").fill(value)


def send(page: Page, values: dict[str, str]) -> None:
    fill(page, values)
    page.get_by_role("button", name="Register").click()


def typed(page: Page) -> dict[str, str]:
    return {name: page.locator(f"#{name}").input_value() for name in ADA}


@WithJs
def test_a_person_registers_and_sends_the_same_again(
    open_page: Callable[..., Page], server: Server, *, js: bool
) -> None:
    person = someone()
    page = open_page(server, js=js)
    send(page, person)
    expect(page.get_by_role("heading", name=SUCCESS)).to_be_visible()
    reference = page.locator("code").inner_text()
    answers = page.get_by_role("definition").all_inner_texts()
    assert answers == list(person.values())
    page.get_by_role("link", name="Register another person").click()
    send(page, person)
    expect(page.get_by_role("heading", name=SUCCESS)).to_be_visible()
    expect(page.get_by_text("registered already")).to_be_visible()
    assert page.locator("code").inner_text() == reference


@WithJs
def test_errors_stand_at_their_fields_and_the_first_has_the_focus(
    open_page: Callable[..., Page], server: Server, *, js: bool
) -> None:
    wrong = {**someone(), "email": "ada(at)example.com", "phone": "020", "program": ""}
    page = open_page(server, js=js)
    send(page, wrong)
    expect(page).to_have_title("Error: Register")
    expect(page.locator("#email")).to_be_focused()
    assert typed(page) == wrong
    expect(page.locator("#name")).not_to_have_attribute("aria-invalid", "true")
    for name in ("email", "phone", "program"):
        expect(page.locator(f"#{name}")).to_have_accessible_description(
            re.compile("Error: (Enter|Start) ")
        )
        places = [
            page.locator(selector).evaluate("element => element.getBoundingClientRect().y")
            for selector in (f"label[for={name}]", f"#{name}-error", f"#{name}")
        ]
        assert places == sorted(places)
    page.get_by_role("link", name="Start the phone number").click()
    expect(page.locator("#phone")).to_be_focused()
    send(page, someone())
    expect(page.get_by_role("heading", name=SUCCESS)).to_be_visible()


@WithJs
def test_a_taken_email_is_said_at_the_email(
    open_page: Callable[..., Page], server: Server, *, js: bool
) -> None:
    person = someone()
    assert server.register(person).status_code == 201
    page = open_page(server, js=js)
    send(page, {**person, "name": "Eve"})
    expect(page.locator("#email-error")).to_contain_text(TAKEN)
    expect(page.locator("#email")).to_be_focused()
    assert typed(page)["name"] == "Eve"


@WithJs
def test_without_its_database_the_form_says_so_and_keeps_what_was_typed(
    open_page: Callable[..., Page], without_database: Server, *, js: bool
) -> None:
    person = {**someone(), "program": "Art & Craft"}
    page = open_page(without_database, js=js)
    page.locator("#program").select_option(person["program"])
    send(page, {name: person[name] for name in ("name", "email", "phone")})
    expect(page.get_by_role("alert")).to_contain_text("Please try again shortly.")
    assert typed(page) == person
    if js:
        expect(page.get_by_role("alert")).to_be_focused()


def test_the_keyboard_alone_is_enough(open_page: Callable[..., Page], server: Server) -> None:
    page = open_page(server)
    person = someone()
    for name in ("name", "email", "phone", "program"):
        page.keyboard.press("Tab")
        expect(page.locator(f"#{name}")).to_be_focused()
        page.keyboard.type("" if name == "phone" else person[name])
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Register")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#phone")).to_be_focused()
    page.keyboard.type(person["phone"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=SUCCESS)).to_be_visible()


def test_a_second_press_of_the_button_sends_nothing(
    open_page: Callable[..., Page], server: Server
) -> None:
    page = open_page(server)
    fill(page, someone())
    # Pressed by a script: playwright's own hand waits until the first press has led somewhere.
    held_back = page.evaluate("""() => {
      const held_back = [];
      window.addEventListener("submit", (event) => held_back.push(event.defaultPrevented));
      const button = document.querySelector("button");
      button.click();
      button.click();
      return [...held_back, button.textContent];
    }""")
    assert held_back == [False, True, "Sending…"]
    expect(page.get_by_text("Thank you")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_paper_the_confirmation_is_dark_on_light_and_alone(
    open_page: Callable[..., Page], server: Server, scheme: Literal["light", "dark"]
) -> None:
    page = open_page(server, color_scheme=scheme)
    send(page, someone())
    expect(page.get_by_text("Thank you")).to_be_visible()
    page.emulate_media(media="print", color_scheme=scheme)
    expect(page.locator("code")).to_have_css("color", "rgb(0, 0, 0)")
    expect(page.locator(".success")).to_have_css("background-color", "rgb(238, 248, 241)")
    expect(page.locator("html")).to_have_css("color-scheme", "light")
    expect(page.get_by_role("link", name="Register another person")).to_be_hidden()


def test_back_from_the_next_page_the_form_can_be_sent_again(
    open_page: Callable[..., Page], server: Server
) -> None:
    page = open_page(server)
    send(page, someone())
    expect(page.get_by_text("Thank you")).to_be_visible()
    page.go_back()
    send(page, someone())
    expect(page.get_by_text("Thank you")).to_be_visible()


def hidden_at_the_side(page: Page) -> int:
    """Give how many pixels can only be reached by scrolling sideways."""
    script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    return int(page.evaluate(script))


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_nothing_needs_scrolling_sideways(
    open_page: Callable[..., Page], server: Server, width: int
) -> None:
    page = open_page(server, width=width)

    assert hidden_at_the_side(page) == 0
    send(page, {**dict.fromkeys(ADA, LONG_WORD), "name": ""})
    expect(page.locator("#summary")).to_be_visible()
    assert hidden_at_the_side(page) == 0
    send(page, someone())
    expect(page.get_by_text("Thank you")).to_be_visible()
    assert hidden_at_the_side(page) == 0
    page.goto(f"{server.url}/nothing-here")
    assert hidden_at_the_side(page) == 0


def test_at_400_percent_every_stop_of_the_keyboard_is_seen_whole_with_its_focus(
    open_page: Callable[..., Page], without_database: Server
) -> None:
    """A window of 1280 by 1024 has room for 320 by 256 then."""
    page = open_page(without_database, width=NARROW, height=256, device_scale_factor=4)
    send(page, {"name": "Ada", "email": "ada"})
    expect(page.locator("#email")).to_be_focused()
    stops = []
    for _ in range(8):
        stops.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        if stops[-1] != "BODY":
            assert page.evaluate(FOCUS_IS_SEEN), stops
        page.keyboard.press("Tab")
    assert stops[:4] == ["email", "phone", "program", "BUTTON"]
    assert hidden_at_the_side(page) == 0


@WithJs
def test_a_name_from_right_to_left_is_shown_so_and_an_address_never_is(
    open_page: Callable[..., Page], server: Server, *, js: bool
) -> None:
    page = open_page(server, js=js)
    person = {**someone(), "name": ARABIC_NAME, "program": ARABIC_PROGRAM}
    fill(page, person)
    rightwards = [
        page.locator(f"#{name}").evaluate("field => getComputedStyle(field).direction")
        for name in person
    ]
    assert rightwards == ["rtl", "ltr", "ltr", "rtl"]
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("definition").first).to_have_text(ARABIC_NAME)
    expect(page.get_by_role("definition").first).to_have_css("direction", "rtl")


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_long_programs_and_wide_text_spacing_widen_nothing(
    open_page: Callable[..., Page], without_database: Server, width: int
) -> None:
    page = open_page(without_database, width=width, bypass_csp=True)
    page.add_style_tag(content=TEXT_SPACING)
    page.locator("#program").select_option(LONG_PROGRAM)
    assert hidden_at_the_side(page) == 0
    send(page, {"name": LONG_WORD})
    page.add_style_tag(content=TEXT_SPACING)
    expect(page.locator("#program")).to_have_value(LONG_PROGRAM)
    assert hidden_at_the_side(page) == 0
    cut_off = page.evaluate("""() => [...document.querySelectorAll("p, li, label, button, h1, h2")]
      .filter((each) => !each.closest(".unseen"))
      .filter((each) => each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0)
      .map((each) => each.textContent)""")
    assert cut_off == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_no_page_has_a_fault_that_axe_finds(
    open_page: Callable[..., Page],
    server: Server,
    without_database: Server,
    scheme: str,
    width: int,
) -> None:
    page = open_page(server, width=width, color_scheme=scheme)
    faults = {"form": faults_of(page)}
    send(page, {**dict.fromkeys(ADA, ""), "name": "Ada"})
    expect(page.locator("#summary")).to_be_visible()
    faults["errors"] = faults_of(page)
    send(page, someone())
    expect(page.get_by_text("Thank you")).to_be_visible()
    faults["success"] = faults_of(page)
    page.goto(f"{server.url}/nothing-here")
    faults["error page"] = faults_of(page)
    page.goto(without_database.url)
    faults["list of programs"] = faults_of(page)
    assert not any(faults.values()), faults


def faults_of(page: Page) -> list[str]:
    """Let axe judge the page by all of its rules; gives what it found, in words."""
    result = Axe().run(page).response
    assert len(result["passes"]) > 5  # it did look
    return [
        f"{fault['impact']}: {fault['help']}: {node['html']}"
        for fault in result["violations"]
        for node in fault["nodes"]
    ]
