"""Reads request bodies within limits of size, time and shape."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from werkzeug.http import parse_options_header
from werkzeug.sansio.utils import get_content_length

from service.errors import ServiceError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_BODY_BYTES: Final = 16 * 1024
BODY_DEADLINE_SECONDS: Final = 5.0
MAX_FORM_FIELDS: Final = 20

ReadGuard = Callable[["WSGIEnvironment"], AbstractContextManager[None]]
"""What a WSGI server adds around reading a body: a total deadline, and its own errors as ours."""


class UnreadableBodyError(ServiceError):
    """The body could not be read or understood."""

    def __init__(
        self,
        message: str,
        code: str = "invalid_body",
        status: HTTPStatus = HTTPStatus.BAD_REQUEST,
    ) -> None:
        super().__init__(status, code, message)


def unguarded(_environ: "WSGIEnvironment") -> AbstractContextManager[None]:
    """Read without a deadline: for servers that hand over whole bodies, and for tests."""
    return nullcontext()


def read_body(environ: "WSGIEnvironment", content_type: str, guard: ReadGuard) -> bytes:
    """Read the whole body of a request.

    Args:
        environ: the request; its body must not have been touched.
        content_type: the media type that is asked for; a charset other than UTF-8 is refused.
        guard: the server's own limits on reading.

    Raises:
        ServiceError: 415 for another type or a content encoding, 413 above MAX_BODY_BYTES (also
            when the body is chunked), 408 when it took too long, 400 when it ended early.
    """
    _check_type(environ, content_type)
    coding = environ.get("HTTP_TRANSFER_ENCODING")
    announced = get_content_length(environ.get("CONTENT_LENGTH"), coding)
    if announced is not None and announced > MAX_BODY_BYTES:
        raise _too_large()
    if announced is None and "chunked" not in (coding or "").lower():
        return b""
    # The stream of the server itself: Werkzeug's wrapper cuts a long chunked body short without
    # a word, and the rest would then be judged as broken JSON.
    wanted = MAX_BODY_BYTES + 1 if announced is None else announced
    try:
        with guard(environ):
            body: bytes = environ["wsgi.input"].read(wanted)
    except OSError:
        raise UnreadableBodyError("The connection broke while the body was sent.") from None
    if len(body) > MAX_BODY_BYTES:
        raise _too_large()
    if announced is not None and len(body) < announced:
        raise UnreadableBodyError("The body is shorter than its Content-Length.")
    return body


def parse_json_object(body: bytes) -> dict[str, object]:
    """Parse a body that must be one JSON object, by RFC 8259 and nothing beyond it.

    Raises:
        UnreadableBodyError: not UTF-8, not JSON, NaN or Infinity, nested too deep, a name twice,
            a number too long to read, or something other than an object.
    """
    try:
        value: object = _DECODER.decode(body.decode("utf-8"))
    except RecursionError:
        raise UnreadableBodyError("The JSON is nested too deep.", "invalid_json") from None
    except UnicodeDecodeError:
        raise UnreadableBodyError("The body is not UTF-8.", "invalid_json") from None
    except json.JSONDecodeError as error:
        message = f"The body is not JSON: line {error.lineno}, column {error.colno}."
        raise UnreadableBodyError(message, "invalid_json") from None
    except ValueError as error:
        # Ours from the two hooks, or the interpreter's limit on the digits of a number.
        known = isinstance(error, _NotAllowedError)
        message = str(error) if known else "The JSON has a number that is too long."
        raise UnreadableBodyError(message, "invalid_json") from None
    if not isinstance(value, dict):
        raise UnreadableBodyError("The body must be a JSON object.", "invalid_json")
    return value


def parse_form(body: bytes) -> dict[str, object]:
    """Parse an urlencoded form; a field that is sent twice is refused.

    Raises:
        UnreadableBodyError: not urlencoded UTF-8, too many fields, or a field twice.
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FORM_FIELDS,
        )
    except ValueError:
        raise UnreadableBodyError("The form could not be read.") from None
    values: dict[str, object] = dict(pairs)
    if len(values) != len(pairs):
        raise UnreadableBodyError("The form has a field twice.")
    return values


class _NotAllowedError(ValueError):
    """JSON that Python reads and RFC 8259 does not allow or leaves open."""


def _refuse_constant(name: str) -> object:
    raise _NotAllowedError(f"{name} is not JSON.")


def _unique_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _NotAllowedError("The JSON has a name twice in one object.")
    return values


# Made once: `json.loads` with hooks makes a new decoder for each body.
_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_unique_pairs)


def _check_type(environ: "WSGIEnvironment", content_type: str) -> None:
    if environ.get("CONTENT_TYPE") == content_type and "HTTP_CONTENT_ENCODING" not in environ:
        return  # what nearly every client sends
    media_type, parameters = parse_options_header(environ.get("CONTENT_TYPE"))
    charset = parameters.get("charset", "utf-8").lower()
    if media_type.lower() != content_type or charset not in {"utf-8", "utf8"}:
        message = f"Send the data as {content_type} in UTF-8."
    elif environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        message = "Send the data without a content encoding."
    else:
        return
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    raise UnreadableBodyError(message, "unsupported_media_type", status)


def _too_large() -> UnreadableBodyError:
    message = f"The body is larger than {MAX_BODY_BYTES} bytes."
    return UnreadableBodyError(message, "body_too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
