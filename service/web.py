"""What every request goes through: its id, its log line, security headers, and error answers."""

import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from flask import Flask, Request, Response, g, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from service.errors import ServiceError
from service.logs import LOGGER

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

API_PREFIX: Final = "/api/"
JSON_PATHS: Final = frozenset({"/api", "/healthz", "/openapi.json"})

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_TRACE_ID: Final = re.compile(r"[A-Za-z0-9=;:-]{1,200}")
_HSTS: Final = "max-age=63072000; includeSubDomains"
_CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)


_HEADERS: Final = [
    ("Content-Security-Policy", _CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    # Not no-referrer: browsers would then send `Origin: null` with our own form.
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
]


def new_request_id() -> str:
    """Make the id of a request that brings none: 32 hexadecimal digits."""
    return os.urandom(16).hex()


def json_response(payload: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Make a JSON answer, in ASCII: whatever text came in can go out."""
    body = json.dumps(payload) + "\n"
    return Response(body, status, content_type="application/json; charset=utf-8")


def set_outcome(outcome: str) -> None:
    """Note in one word what became of the request, for its log line."""
    g.outcome = outcome


def wants_json(path: str) -> bool:
    """Say whether errors of a path are JSON: the API's are, a person's are pages."""
    return path in JSON_PATHS or path.startswith(API_PREFIX)


def install(app: Flask, add_cors: Callable[[Request, Response], None]) -> None:
    """Put request ids, logging, headers and error answers around an application."""
    app.wsgi_app = _with_headers(app.wsgi_app)  # type: ignore[method-assign,assignment]  # Flask's documented way to add middleware

    @app.before_request
    def begin() -> None:
        given = request.environ.get("HTTP_X_REQUEST_ID", "")
        g.started = time.perf_counter()
        g.request_id = given if _REQUEST_ID.fullmatch(given) else new_request_id()

    @app.after_request
    def finish(response: Response) -> Response:
        _add_headers(response)
        if request.path.startswith(API_PREFIX):
            add_cors(request, response)
        _log_request(response)
        return response

    app.register_error_handler(ServiceError, _answer_service_error)
    app.register_error_handler(HTTPException, _answer_http_exception)
    app.register_error_handler(Exception, _answer_unexpected)


def error_response(error: ServiceError) -> Response:
    """Make the answer for an error: JSON under /api, a page elsewhere."""
    if wants_json(request.path):
        response = json_response(
            {
                "error": {
                    "code": error.code,
                    "message": error.message,
                    "fields": error.fields,
                    "request_id": g.request_id,
                },
            },
            error.status,
        )
    else:
        page = render_template("error.html", error=error, request_id=g.request_id)
        response = Response(page, error.status)
    response.headers.update(error.headers)
    return response


def _answer_service_error(error: ServiceError) -> Response:
    set_outcome(error.code)
    return error_response(error)


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
    LOGGER.error(
        "unexpected error",
        exc_info=error,
        extra={"fields": {"request_id": g.request_id}},
    )
    return _answer_service_error(
        ServiceError(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "internal_error",
            "Something went wrong on our side.",
        ),
    )


def _with_headers(application: "WSGIApplication") -> "WSGIApplication":
    """Add what is the same in every answer, as a list: by name it took a tenth of a request."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: object) -> object:
            return start_response(status, headers + _HEADERS, *error)  # type: ignore[arg-type]  # passed on as it came

        return application(environ, start)  # type: ignore[arg-type]  # the same signature, written shorter

    return answer


def _add_headers(response: Response) -> None:
    headers = response.headers
    headers["X-Request-Id"] = g.request_id
    headers.setdefault("Cache-Control", "no-store")
    if request.is_secure:
        headers["Strict-Transport-Security"] = _HSTS


def _log_request(response: Response) -> None:
    """Write the request's log line: no body, no address, no query, and the route, not the path."""
    rule = request.url_rule.rule if request.url_rule is not None else None
    if rule == "/healthz" and response.status_code == HTTPStatus.OK:
        return  # several a minute from each node of the load balancer
    fields: dict[str, object] = {
        "request_id": g.request_id,
        "method": request.method if rule is not None else None,
        "route": rule,
        "status": response.status_code,
        "duration_ms": round((time.perf_counter() - g.started) * 1000, 1),
        "outcome": g.get("outcome"),
    }
    trace = request.environ.get("HTTP_X_AMZN_TRACE_ID", "")
    if _TRACE_ID.fullmatch(trace):
        fields["trace_id"] = trace
    LOGGER.log(logging.INFO, "request", extra={"fields": fields})
