"""Lets browsers on listed origins call the API; every other origin gets no CORS header at all."""

from collections.abc import Callable, Collection
from typing import Final
from urllib.parse import urlsplit

from flask import Request, Response

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


def cors_headers(origins: Collection[str]) -> Callable[[Request, Response], None]:
    """Make the function that adds CORS headers to an answer of the API.

    Args:
        origins: those allowed, as `parse_origin` gives them. Requests carry no credentials.
    """
    allowed = frozenset(origins)

    def add(request: Request, response: Response) -> None:
        if not allowed:
            return
        # Also without an Origin: a cache must not hand this answer to a page of another origin.
        response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin is None or origin not in allowed:
            return
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = "POST"
            response.headers["Access-Control-Allow-Headers"] = "Content-Type, X-Request-Id"
            response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_CACHE_SECONDS)

    return add
