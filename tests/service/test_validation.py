from __future__ import annotations

import unicodedata

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from service.validation import (
    MAX_EMAIL,
    MAX_NAME,
    MAX_PROGRAM,
    FieldErrors,
    Registration,
    Rules,
    parse_registration,
)
from tests.service.conftest import ADA

ANYWHERE = Rules()
BRITAIN = Rules(phone_region="GB")


def accept(rules: Rules = ANYWHERE, **changes: object) -> Registration:
    result = parse_registration({**ADA, **changes}, rules)
    assert isinstance(result, Registration), result
    return result


def refuse(rules: Rules = ANYWHERE, **changes: object) -> dict[str, str]:
    result = parse_registration({**ADA, **changes}, rules)
    assert isinstance(result, FieldErrors), result
    return result.messages


@pytest.mark.parametrize(
    "name",
    [
        "X",
        "x" * MAX_NAME,
        "O'Brien",
        "'; DROP TABLE users; --",
        "<script>alert(1)</script>",
        "=cmd()|' /C calc'!A0",
        "李小龍",
        "محمد",
        "\u0646\u0627\u0645\u200c\u062e\u0627\u0646",
        "👩‍👩‍👧‍👦 Family",
        "Zoe\u0301".replace("e\u0301", "é"),
        "𠮷野家",
    ],
)
def test_a_legal_name_is_kept_as_it_is(name: str) -> None:
    assert accept(name=name).name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "\u200b",
        "\u200d\u200d",
        "\x00",
        "Ada\x00",
        "\x1fAda",
        "Ada\r\nLovelace",
        "Ada\tLovelace",
        "Ada\u2028Lovelace",
        "\x85Ada",
        "evil\u202egnp.exe",
        "\ud800",
        "Ada\uffff",
        "Ada\U0001fffe",
        "x" * (MAX_NAME + 1),
        None,
        7,
        True,
        ["Ada"],
        {"first": "Ada"},
    ],
)
def test_a_name_that_is_no_line_of_text_is_refused(name: object) -> None:
    assert list(refuse(name=name)) == ["name"]


def test_text_is_stored_in_nfc_without_the_spaces_around_it() -> None:
    registration = accept(name=" \u00a0Zoe\u0308 \n", program="\tCafe\u0301 ")
    assert (registration.name, registration.program) == ("Zoë", "Café")


def test_the_length_is_that_of_the_normalised_text() -> None:
    assert accept(name="e\u0301" * MAX_NAME).name == "é" * MAX_NAME


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        (" ada@example.com ", "ada@example.com"),
        ("ada+school@example.com", "ada+school@example.com"),
        ("ada@bücher.example.com", "ada@xn--bcher-kva.example.com"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)
def test_an_email_is_stored_in_its_normal_form(typed: str, stored: str) -> None:
    assert accept(email=typed).email == stored


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ada",
        "ada@",
        "@example.com",
        "ada@example",
        "ada@@example.com",
        "ada @example.com",
        "ada@exa mple.com",
        "ada@example..com",
        "ada.@example.com",
        "Ada <ada@example.com>",
        "ada@example.com, eve@example.com",
        "ada@[127.0.0.1]",
        '"a b"@example.com',
        "ada@localhost",
        "jörg@example.com",
        "ada@example.com\r\nBcc: eve@example.com",
        "a" * 65 + "@example.com",
        "a@" + "b" * MAX_EMAIL + ".com",
        5,
    ],
)
def test_what_is_no_email_is_refused(email: object) -> None:
    assert list(refuse(email=email)) == ["email"]


@pytest.mark.parametrize(
    ("rules", "typed", "stored"),
    [
        (ANYWHERE, "+44 20 7946 0958", "+442079460958"),
        (ANYWHERE, "+44 (0)20 7946-0958", "+442079460958"),
        (ANYWHERE, "+٤٤٢٠٧٩٤٦٠٩٥٨", "+442079460958"),
        (ANYWHERE, "\uff0b442079460958", "+442079460958"),
        (ANYWHERE, "+1 (212) 555-0123", "+12125550123"),
        (BRITAIN, "020 7946 0958", "+442079460958"),
        (BRITAIN, "0044 20 7946 0958", "+442079460958"),
        (BRITAIN, "+1 212.555.0123", "+12125550123"),
    ],
)
def test_a_phone_number_is_stored_as_e164(rules: Rules, typed: str, stored: str) -> None:
    assert accept(rules, phone=typed).phone == stored


@pytest.mark.parametrize(
    ("rules", "phone"),
    [
        (ANYWHERE, ""),
        (ANYWHERE, "020 7946 0958"),
        (ANYWHERE, "+44"),
        (ANYWHERE, "+44 20 7946"),
        (ANYWHERE, "+999 123456789"),
        (ANYWHERE, "+4" * 30),
        (ANYWHERE, "1" * 40),
        (ANYWHERE, "+1 800 FLOWERS"),
        (ANYWHERE, "+44 20 7946 0958 ext 12"),
        (ANYWHERE, "+44 20 7946 0958;ext=12"),
        (ANYWHERE, "tel:+442079460958"),
        (ANYWHERE, "+1 5550123"),
        (ANYWHERE, 442079460958),
        (BRITAIN, "7946"),
        (BRITAIN, "+"),
    ],
)
def test_what_is_no_phone_number_is_refused(rules: Rules, phone: object) -> None:
    assert list(refuse(rules, phone=phone)) == ["phone"]


def test_any_program_will_do_where_none_are_listed() -> None:
    assert accept(program="Basket weaving").program == "Basket weaving"
    assert "program" in refuse(program="x" * (MAX_PROGRAM + 1))


def test_a_listed_program_is_stored_as_the_list_spells_it() -> None:
    rules = Rules(programs=("Computer Science", "Straße"))
    assert accept(rules, program="computer science").program == "Computer Science"
    assert accept(rules, program="STRASSE").program == "Straße"


def test_a_program_that_is_not_on_the_list_is_refused() -> None:
    assert list(refuse(Rules(programs=("Mathematics",)), program="Alchemy")) == ["program"]


def test_every_problem_is_reported_at_once_in_the_order_of_the_form() -> None:
    result = parse_registration({"nmae": "Ada", "email": "x"}, ANYWHERE)
    assert isinstance(result, FieldErrors)
    assert list(result.messages) == ["name", "email", "phone", "program", "nmae"]


def test_many_unknown_fields_do_not_make_a_long_answer() -> None:
    many = {f"field{number}" * 50: "" for number in range(1000)}
    result = parse_registration({**ADA, **many}, ANYWHERE)
    assert isinstance(result, FieldErrors)
    assert len(result.messages) == 10


def test_a_registration_does_not_show_personal_data_when_printed() -> None:
    shown = repr(accept())
    assert not any(ADA[field] in shown for field in ("name", "email", "phone"))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
TEXTS = st.text(st.characters(codec=None), max_size=300)


@given(st.dictionaries(st.sampled_from([*ADA, "x"]) | st.text(), JSON_VALUES | TEXTS))
def test_any_values_give_a_registration_or_an_error_and_nothing_else(
    values: dict[str, object],
) -> None:
    assert isinstance(parse_registration(values, BRITAIN), Registration | FieldErrors)


@given(name=TEXTS, program=TEXTS)
def test_what_is_accepted_fits_its_column_and_is_accepted_again_unchanged(
    name: str, program: str
) -> None:
    first = parse_registration({**ADA, "name": name, "program": program}, ANYWHERE)
    if isinstance(first, Registration):
        again = {field: getattr(first, field) for field in ADA}
        assert parse_registration(again, ANYWHERE) == first
        assert 0 < len(first.name) <= MAX_NAME
        assert 0 < len(first.program) <= MAX_PROGRAM
        first.name.encode()
        assert unicodedata.is_normalized("NFC", first.name)


@given(st.emails())
def test_an_accepted_email_is_ascii_and_normal(email: str) -> None:
    first = parse_registration({**ADA, "email": email}, ANYWHERE)
    if isinstance(first, Registration):
        assert first.email.isascii()
        assert len(first.email) <= MAX_EMAIL
        assert parse_registration({**ADA, "email": first.email}, ANYWHERE) == first


@given(st.text("+0123456789 ()-.", max_size=30))
def test_an_accepted_phone_number_is_e164_and_normal(phone: str) -> None:
    first = parse_registration({**ADA, "phone": phone}, BRITAIN)
    if isinstance(first, Registration):
        assert first.phone.startswith("+")
        assert first.phone[1:].isdigit()
        assert len(first.phone) <= 20
        assert parse_registration({**ADA, "phone": first.phone}, ANYWHERE) == first


@given(
    local=st.text("aZ0_+-.!@ é", min_size=1, max_size=70),
    domain=st.sampled_from(["example.org", "EXAMPLE.org", "münchen.de", "a..b", "-a.de", "local"]),
)
def test_a_plain_address_is_judged_as_the_library_judges_it(local: str, domain: str) -> None:
    address = f"{local}@{domain}"
    try:
        wanted = validate_email(
            address.strip(), check_deliverability=False, allow_smtputf8=False, strict=True
        ).ascii_email
    except EmailNotValidError:
        wanted = None
    found = parse_registration({**ADA, "email": address}, ANYWHERE)
    if wanted is None:
        assert isinstance(found, FieldErrors)
    else:
        assert isinstance(found, Registration)
        assert found.email == wanted.lower()
