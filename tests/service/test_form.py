from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from service.body import MAX_BODY_BYTES
from service.ratelimit import RateLimit
from service.validation import Rules
from tests.service.conftest import ADA
from tests.service.server import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.testing import FlaskClient

VOID = {"meta", "link", "input", "br"}


class Page(HTMLParser):
    """The elements of a page; fails on tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def by_id(self, name: str) -> dict[str, str | None]:
        return next(attributes for _, attributes in self.elements if attributes.get("id") == name)


def test_every_input_has_a_label_a_hint_and_a_purpose(client: FlaskClient) -> None:
    page = Page(client.get("/").text)
    labelled = {attributes["for"] for tag, attributes in page.elements if tag == "label"}
    ids = {attributes.get("id") for _, attributes in page.elements}
    assert labelled == set(ADA)
    for name in ADA:
        field = page.by_id(name)
        assert field["name"] == name
        assert field["autocomplete"]
        assert set((field["aria-describedby"] or "").split()) <= ids


def test_the_page_has_no_inline_code_as_its_policy_demands(client: FlaskClient) -> None:
    for response in (client.get("/"), client.post("/", data={}), client.post("/", data=ADA)):
        page = Page(response.text)
        assert not [tag for tag, attributes in page.elements if "style" in attributes]
        assert not [
            name for _, attributes in page.elements for name in attributes if name.startswith("on")
        ]
        assert all(attributes.get("src") for tag, attributes in page.elements if tag == "script")
        assert not [tag for tag, _ in page.elements if tag == "style"]


def test_what_the_page_links_to_is_there(client: FlaskClient) -> None:
    page = Page(client.get("/").text)
    links = [
        attributes.get("href") or attributes.get("src")
        for tag, attributes in page.elements
        if tag in {"link", "script"}
    ]
    assert len(links) == 3
    assert {client.get(str(link)).status_code for link in links} == {200}


def test_a_person_is_registered(client: FlaskClient) -> None:
    response = client.post("/", data=ADA)
    assert response.status_code == 201
    assert response.mimetype == "text/html"
    assert "Registration Successful!" in response.text
    assert client.post("/api/register", json=ADA).status_code == 200


def test_sending_the_form_twice_is_no_error(client: FlaskClient) -> None:
    client.post("/", data=ADA)
    again = client.post("/", data=ADA)
    assert again.status_code == 200
    assert "Registration Successful!" in again.text
    assert "registered already" in again.text


def test_errors_stand_beside_their_fields_and_what_was_typed_stays(client: FlaskClient) -> None:
    response = client.post("/", data={**ADA, "email": "ada(at)example.com", "phone": ""})
    page = Page(response.text)
    assert response.status_code == 400
    assert "<title>Error: " in response.text
    assert page.by_id("name")["value"] == ADA["name"]
    assert "aria-invalid" not in page.by_id("name")
    for name, typed in (("email", "ada(at)example.com"), ("phone", "")):
        field = page.by_id(name)
        assert field["value"] == typed
        assert field["aria-invalid"] == "true"
        assert f"{name}-error" in (field["aria-describedby"] or "").split()
        assert page.by_id(f"{name}-error")
    targets = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    assert targets == ["#email", "#phone"]


def test_a_taken_email_is_an_error_of_its_field(client: FlaskClient) -> None:
    client.post("/", data=ADA)
    response = client.post("/", data={**ADA, "name": "Eve"})
    assert response.status_code == 409
    assert Page(response.text).by_id("email")["aria-invalid"] == "true"


def test_what_was_typed_is_escaped(client: FlaskClient) -> None:
    evil = '"><script>alert(1)</script>'
    response = client.post("/", data={**ADA, "name": evil, "phone": ""})
    assert evil not in response.text
    assert Page(response.text).by_id("name")["value"] == evil


def test_listed_programs_are_offered_and_the_choice_stays(
    make_client: Callable[..., FlaskClient],
) -> None:
    client = make_client(rules=Rules(programs=("Art & Craft", "Mathematics")))
    response = client.post("/", data={**ADA, "name": ""})
    options = [attributes for tag, attributes in Page(response.text).elements if tag == "option"]
    assert len(options) == 3
    assert "<option selected>Mathematics</option>" in response.text
    assert "Art &amp; Craft" in response.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://["},
        {"Origin": "http://\u2100.example"},
        {"Origin": "http://localhost", "Host": "["},
    ],
)
def test_a_post_from_another_site_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post("/", data=ADA, headers=headers)
    assert response.status_code == 403
    assert response.mimetype == "text/html"
    assert client.post("/api/register", json=ADA).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost"},
        {"Origin": "https://localhost:4566"},
    ],
)
def test_a_post_from_our_own_page_is_taken(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.post("/", data=ADA, headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"name=%ff", "application/x-www-form-urlencoded", 400),
        (b"name=\xff", "application/x-www-form-urlencoded", 400),
        (b"name=a&name=b", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"f%d=1" % n for n in range(30)), "application/x-www-form-urlencoded", 400),
        (b"x" * (MAX_BODY_BYTES + 1), "application/x-www-form-urlencoded", 413),
        (b"{}", "application/json", 415),
        (b"", "multipart/form-data; boundary=x", 415),
    ],
)
def test_a_malformed_form_is_answered_with_a_page(
    client: FlaskClient, body: bytes, content_type: str, status: int
) -> None:
    response = client.post("/", data=body, content_type=content_type)
    assert response.status_code == status
    assert response.mimetype == "text/html"
    assert Page(response.text).by_id("summary")


def test_above_the_limit_the_form_keeps_its_page_and_says_when(
    make_client: Callable[..., FlaskClient],
) -> None:
    client = make_client(rate_limit=RateLimit(1, 3600))
    client.post("/", data=ADA)
    response = client.post("/", data=ADA)
    assert response.status_code == 429
    assert response.headers["Retry-After"]
    assert response.mimetype == "text/html"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nope", 404), ("PUT", "/", 405)])
def test_errors_outside_the_api_are_pages(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    response = client.open(path, method=method)
    assert response.status_code == status
    assert response.mimetype == "text/html"
    Page(response.text)


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("state", ["form", "errors"])
def test_the_readme_shows_a_picture_and_says_what_is_on_it(state: str, width: int) -> None:
    name = f"docs/images/{state}-{width}.png"
    shown = re.findall(
        f'<img src="{name}"[^>]* alt="([^"]+)">', (REPOSITORY / "README.md").read_text()
    )
    assert len(shown) == 1
    # A PNG begins with its signature and the length and name of its first chunk, then its width.
    assert int.from_bytes((REPOSITORY / name).read_bytes()[16:20]) == width
