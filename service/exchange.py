"""What every request goes through, whoever answers it: its id, its log line, common headers."""

import os
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from service.logs import log_request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

API_PREFIX: Final = "/api/"

Headers = list[tuple[str, str]]

_KEY: Final = "service.exchange"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_TRACE_ID: Final = re.compile(r"[A-Za-z0-9=;:-]{1,200}")
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
_NO_STORE: Final = ("Cache-Control", "no-store")
_HSTS: Final = ("Strict-Transport-Security", "max-age=63072000; includeSubDomains")


@dataclass(slots=True)
class Exchange:
    """One request and its answer.

    Attributes:
        request_id: the client's own, or a new one; in header, body and log.
        started: when it began, on the clock of `time.perf_counter`.
        route: the address as the service knows it; None for one that it does not know.
        outcome: what became of it, in one word.
    """

    request_id: str
    started: float
    route: str | None = None
    outcome: str | None = None


def exchange_of(environ: "WSGIEnvironment") -> Exchange:
    """Give the exchange that a request belongs to."""
    exchange: Exchange = environ[_KEY]
    return exchange


def new_request_id() -> str:
    """Make the id of a request that brings none: 32 hexadecimal digits."""
    return os.urandom(16).hex()


def around(
    application: "WSGIApplication", cors_headers: Callable[["WSGIEnvironment"], Headers]
) -> "WSGIApplication":
    """Put request ids, the log and the common headers around an application.

    At this level, and not in Flask's hooks: it holds for answers that Flask has no part in, and
    takes a tenth of the time.
    """

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else new_request_id()
        exchange = environ[_KEY] = Exchange(request_id, time.perf_counter())

        def start(status: str, headers: Headers, *error: object) -> object:
            headers = [*headers, ("X-Request-Id", request_id), *_HEADERS]
            if not any(name == "Cache-Control" for name, _ in headers):
                headers.append(_NO_STORE)
            if environ["wsgi.url_scheme"] == "https":
                headers.append(_HSTS)
            if environ["PATH_INFO"].startswith(API_PREFIX):
                headers += cors_headers(environ)
            _log(environ, exchange, int(status[:3]))
            return start_response(status, headers, *error)  # type: ignore[arg-type]  # passed on as it came

        return application(environ, start)  # type: ignore[arg-type]  # the same signature, written shorter

    return answer


def _log(environ: "WSGIEnvironment", exchange: Exchange, status: int) -> None:
    """Write the request's log line: no body, no address, no query, and the route, not the path."""
    route = exchange.route
    if route == "/healthz" and status == HTTPStatus.OK:
        return  # several a minute from each node of the load balancer
    fields: dict[str, object] = {
        "request_id": exchange.request_id,
        "method": environ["REQUEST_METHOD"] if route is not None else None,
        "route": route,
        "status": status,
        "duration_ms": round((time.perf_counter() - exchange.started) * 1000, 1),
        "outcome": exchange.outcome,
    }
    trace = environ.get("HTTP_X_AMZN_TRACE_ID", "")
    if _TRACE_ID.fullmatch(trace):
        fields["trace_id"] = trace
    log_request(fields)
