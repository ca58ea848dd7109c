"""Answers in JSON, and what Flask answers when something goes wrong."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from flask import Flask, Response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from service.errors import ServiceError, UnexpectedError
from service.exchange import API_PREFIX, Exchange, exchange_of
from service.logs import LOGGER

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

JSON_PATHS: Final = frozenset({"/api", "/healthz", "/openapi.json"})

_JSON_TYPE: Final = "application/json; charset=utf-8"
_STATUS_LINES: Final = {status: f"{status.value} {status.phrase}" for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """An answer in JSON that can go out with Flask and without."""

    status: HTTPStatus
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    def start(self, start_response: "StartResponse") -> Iterable[bytes]:
        """Give the answer to a WSGI server."""
        length = ("Content-Length", str(len(self.body)))
        headers = [("Content-Type", _JSON_TYPE), length, *self.headers]
        start_response(_STATUS_LINES[self.status], headers)
        return (self.body,)

    def response(self) -> Response:
        """Give the answer to Flask."""
        return Response(self.body, self.status, self.headers, content_type=_JSON_TYPE)


def json_answer(payload: object, status: HTTPStatus = HTTPStatus.OK) -> JsonAnswer:
    """Make a JSON answer, in ASCII: whatever text came in can go out."""
    return JsonAnswer(status, json.dumps(payload).encode() + b"\n")


def json_error(error: ServiceError, exchange: Exchange) -> JsonAnswer:
    """Make the answer of the API for an error, and note it for the log."""
    exchange.outcome = error.code
    payload = {
        "error": {
            "code": error.code,
            "message": error.message,
            "fields": error.fields,
            "request_id": exchange.request_id,
        },
    }
    body = json.dumps(payload).encode() + b"\n"
    return JsonAnswer(error.status, body, tuple(error.headers.items()))


def unexpected(error: Exception, exchange: Exchange) -> ServiceError:
    """Log an error that nobody expected, and give the one that the client may see."""
    fields = {"request_id": exchange.request_id}
    LOGGER.error("unexpected error", exc_info=error, extra={"fields": fields})
    return UnexpectedError()


def wants_json(path: str) -> bool:
    """Say whether errors of a path are JSON: the API's are, a person's are pages."""
    return path in JSON_PATHS or path.startswith(API_PREFIX)


def install(app: Flask) -> None:
    """Have an application note its routes for the log, and answer errors as we do."""

    @app.before_request
    def note_route() -> None:
        if request.url_rule is not None:
            exchange_of(request.environ).route = request.url_rule.rule

    app.register_error_handler(ServiceError, _answer_service_error)
    app.register_error_handler(HTTPException, _answer_http_exception)
    app.register_error_handler(Exception, _answer_unexpected)


def _answer_service_error(error: ServiceError) -> Response:
    """Make the answer for an error: JSON under /api, a page elsewhere."""
    exchange = exchange_of(request.environ)
    if wants_json(request.path):
        return json_error(error, exchange).response()
    exchange.outcome = error.code
    page = render_template("error.html", error=error, request_id=exchange.request_id)
    return Response(page, error.status, error.headers)


def _answer_http_exception(error: HTTPException) -> ResponseReturnValue:
    """Answer what Flask itself refuses: unknown paths, methods, malformed requests."""
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        # A redirect of the router is a response already.
        return error.get_response()
    status = HTTPStatus(error.code)
    message = {
        HTTPStatus.NOT_FOUND: "There is nothing at this address.",
        HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take that method.",
    }.get(status, "The request could not be understood.")
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    code = status.phrase.lower().replace(" ", "_").replace("-", "_")
    return _answer_service_error(ServiceError(status, code, message, headers=headers))


def _answer_unexpected(error: Exception) -> Response:
    return _answer_service_error(unexpected(error, exchange_of(request.environ)))
