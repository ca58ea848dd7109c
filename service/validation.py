"""Decides whether submitted values are a registration. Pure: no network, clock or environment."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import phonenumbers
from email_validator import EmailNotValidError, validate_email

FIELDS: Final = ("name", "email", "phone", "program")
MAX_NAME: Final = 255
MAX_EMAIL: Final = 254  # RFC 5321: what fits into an SMTP path
MAX_LOCAL_PART: Final = 64  # likewise: what stands before the @
MAX_PHONE: Final = 40  # as typed; E.164 itself is shorter
MAX_PROGRAM: Final = 100
MAX_REPORTED_UNKNOWN: Final = 10

# Spaces that pasting leaves around a value. Not str.strip(): that would also drop \x1c to \x1f,
# which are control characters and get refused.
_EDGES: Final = " \t\r\n\u00a0\u202f\u3000"
_BIDI_CONTROLS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_INVISIBLE: Final = frozenset("CZ")
_PLAIN_LOCAL_PART: Final = re.compile(r"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*")
_PHONE_CHARACTERS: Final = re.compile(r"[\d+\uff0b\s().\-/\u2010-\u2015]*")

_NAME_PROBLEM: Final = "Enter your name."
_EMAIL_PROBLEM: Final = "Enter an email address like name@example.com."
_PROGRAM_PROBLEM: Final = "Enter the program you are registering for."


@dataclass(frozen=True, slots=True)
class Rules:
    """What a deployment decides about registrations.

    Attributes:
        phone_region: ISO 3166 code by which numbers without a country code are read; None refuses
            them.
        programs: the programs on offer; empty means that any text will do.
    """

    phone_region: str | None = None
    programs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Registration:
    """One person's registration in its normal form: NFC text, ASCII email, E.164 phone."""

    name: str = field(repr=False)
    email: str = field(repr=False)
    phone: str = field(repr=False)
    program: str


@dataclass(frozen=True, slots=True)
class FieldErrors:
    """Why values were refused: a sentence for each field, in the order of the form."""

    messages: dict[str, str]


class _RefusedError(ValueError):
    """One value is no good; the text says so to the person who typed it."""


def parse_registration(values: Mapping[str, object], rules: Rules) -> Registration | FieldErrors:
    """Turn submitted values into a Registration, or say what is wrong with each field.

    Args:
        values: as parsed from JSON or from the form; anything may be in it. A key that is no
            field of a registration is an error: what would be dropped should be noticed.
        rules: what this deployment accepts.

    Returns:
        The registration, or every problem at once.
    """
    parsers: dict[str, Callable[[str], str]] = {
        "name": _parse_name,
        "email": _parse_email,
        "phone": lambda text: _parse_phone(text, rules.phone_region),
        "program": lambda text: _parse_program(text, rules.programs),
    }
    parsed: dict[str, str] = {}
    problems: dict[str, str] = {}
    for name, parse in parsers.items():
        try:
            parsed[name] = parse(_text(values.get(name)))
        except _RefusedError as refused:
            problems[name] = str(refused)
    unknown = [key for key in values if key not in parsers]
    for key in unknown[:MAX_REPORTED_UNKNOWN]:
        problems[key[:64]] = "This field is not known here."
    return FieldErrors(problems) if problems else Registration(**parsed)


def _text(value: object) -> str:
    """Give the text of a submitted value, without the spaces around it, in NFC."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _RefusedError("This must be text.")
    return unicodedata.normalize("NFC", value).strip(_EDGES)


def _single_line(text: str, empty: str, maximum: int) -> str:
    """Refuse what has no place in one line of text, and text that shows nothing."""
    if not text:
        raise _RefusedError(empty)
    if text.isprintable() and not text.isspace():
        # None of what is refused below is printable.
        if len(text) > maximum:
            raise _RefusedError(f"Use at most {maximum} characters.")
        return text
    for character in text:
        if unicodedata.category(character) in _REFUSED_CATEGORIES or character in _BIDI_CONTROLS:
            raise _RefusedError("Remove the control characters.")
        # The last two code points of each plane are set aside for ever and stand for nothing.
        if ord(character) & 0xFFFE == 0xFFFE:  # noqa: PLR2004 - a bit pattern, not a number
            raise _RefusedError("Remove the characters that are not text.")
    # The length is that of the stored text, so that it always fits its column.
    if len(text) > maximum:
        raise _RefusedError(f"Use at most {maximum} characters.")
    if all(unicodedata.category(character)[0] in _INVISIBLE for character in text):
        raise _RefusedError(empty)
    return text


def _parse_name(text: str) -> str:
    return _single_line(text, _NAME_PROBLEM, MAX_NAME)


def _parse_email(text: str) -> str:
    """Give the address in lower case, its domain in ASCII: what the unique key compares.

    The part before the @ is case sensitive by RFC 5321 and at no provider in use, and people
    type it either way.
    """
    _single_line(text, _EMAIL_PROBLEM, MAX_EMAIL)
    local, _, domain = text.partition("@")
    if len(local) <= MAX_LOCAL_PART and _PLAIN_LOCAL_PART.fullmatch(local):
        # Nothing to judge before the @. After it, people share few domains.
        address = f"{local}{_plain_domain(domain)}"
    else:
        address = _checked_email(text)
    if len(address) > MAX_EMAIL:
        raise _RefusedError(_EMAIL_PROBLEM)
    return address.lower()


@lru_cache(maxsize=1024)
def _plain_domain(domain: str) -> str:
    """Give a domain in ASCII, with the @ before it; refuse what is none."""
    return _checked_email(f"a@{domain}").removeprefix("a")


def _checked_email(text: str) -> str:
    try:
        address = validate_email(
            text,
            check_deliverability=False,
            allow_smtputf8=False,
            strict=True,
        )
    except EmailNotValidError:
        # The library's own sentences speak of atoms and labels.
        raise _RefusedError(_EMAIL_PROBLEM) from None
    if address.ascii_email is None:
        raise _RefusedError(_EMAIL_PROBLEM)
    return address.ascii_email


def _parse_phone(text: str, region: str | None) -> str:
    """Give the number in E.164.

    A number is accepted when its length is possible in its country. Whether its range is in use
    is not asked: that table ages inside an image, and a person with a new number must not be
    locked out by it.
    """
    example = "like +44 20 7946 0958" if region is None else "with its area code"
    problem = f"Enter a phone number {example}."
    _single_line(text, problem, MAX_PHONE)
    if not _PHONE_CHARACTERS.fullmatch(text):
        raise _RefusedError("Use only digits, spaces and + ( ) . - / in a phone number.")
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        if error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE:
            raise _RefusedError(
                "Start the phone number with + and the country code, like +44 20 7946 0958.",
            ) from None
        raise _RefusedError(problem) from None
    # The strict reading: `is_possible_number` lets numbers without their area code pass.
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise _RefusedError(problem)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _parse_program(text: str, programs: tuple[str, ...]) -> str:
    if not programs:
        return _single_line(text, _PROGRAM_PROBLEM, MAX_PROGRAM)
    for program in programs:
        if program.casefold() == text.casefold():
            return program
    raise _RefusedError("Choose one of the programs on offer.")
