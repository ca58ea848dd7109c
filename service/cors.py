"""Lets browsers on listed origins call the API; every other origin gets no CORS header at all."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PREFLIGHT_CACHE_SECONDS: Final = 7200  # Chrome keeps an answer no longer
EXPOSED_HEADERS: Final = "X-Request-Id, Retry-After"

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def parse_origin(text: str) -> str:
    """Give an origin as browsers write it: lower case, without a default port.

    Raises:
        ValueError: not scheme://host[:port], or the wildcard, which has no place before data of
            persons.
    """
    parts = urlsplit(text.strip().lower())
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "*" in parts.netloc:
        raise ValueError("not scheme://host[:port]")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("more than scheme://host[:port]")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def cors_headers(
    origins: Collection[str],
) -> Callable[["WSGIEnvironment"], list[tuple[str, str]]]:
    """Make the function that gives the CORS headers for the answer to a request to the API.

    Args:
        origins: those allowed, as `parse_origin` gives them. Requests carry no credentials.
    """
    allowed = frozenset(origins)

    def headers_for(environ: "WSGIEnvironment") -> list[tuple[str, str]]:
        if not allowed:
            return []
        # Also without an Origin: a cache must not hand this answer to a page of another origin.
        headers = [("Vary", "Origin")]
        origin = environ.get("HTTP_ORIGIN")
        if origin is None or origin not in allowed:
            return headers
        headers += [
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", EXPOSED_HEADERS),
        ]
        if environ["REQUEST_METHOD"] == "OPTIONS":
            headers += [
                ("Access-Control-Allow-Methods", "POST"),
                ("Access-Control-Allow-Headers", "Content-Type, X-Request-Id"),
                ("Access-Control-Max-Age", str(PREFLIGHT_CACHE_SECONDS)),
            ]
        return headers

    return headers_for
