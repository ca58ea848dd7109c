"""The registration form: GET / and POST /, pages that need no JavaScript."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, Request, Response, render_template, request

from service.body import parse_form
from service.errors import ServiceError
from service.exchange import exchange_of
from service.registration import STATUSES, Registrar
from service.users import Outcome
from service.validation import FIELDS, MAX_EMAIL, MAX_NAME, MAX_PHONE, MAX_PROGRAM

_LIMITS: Final = {"name": MAX_NAME, "email": MAX_EMAIL, "phone": MAX_PHONE, "program": MAX_PROGRAM}


def form_blueprint(registrar: Registrar) -> Blueprint:
    """Make the blueprint of the form."""
    blueprint = Blueprint("form", __name__)

    @blueprint.get("/")
    def show() -> Response:
        return _page(registrar, {}, None)

    @blueprint.post("/")
    def submit() -> Response:
        if not is_same_site(request):
            raise ServiceError(
                HTTPStatus.FORBIDDEN,
                "cross_site",
                "This form can only be sent from its own page.",
            )
        values: Mapping[str, object] = {}
        try:
            body = registrar.body(request.environ, "application/x-www-form-urlencoded")
            values = parse_form(body)
            registered = registrar.register(request.environ, values)
        except ServiceError as error:
            # The page again, with what was typed and the errors beside their fields.
            exchange_of(request.environ).outcome = error.code
            return _page(registrar, values, error)
        # Not a redirect: it would have to carry the outcome. Reloading this page sends the same
        # data again, which is answered with the same registration.
        page = render_template(
            "registered.html",
            repeated=registered.outcome is Outcome.REPEATED,
            values={name: str(values[name]) for name in FIELDS},
            reference=registered.id,
        )
        return Response(page, STATUSES[registered.outcome])

    return blueprint


def is_same_site(request: Request) -> bool:
    """Say whether a form was sent from our own page, or from no page at all.

    Works without a session or a key that tasks would have to share. Browsers say where a request
    comes from and pages cannot change it: in Sec-Fetch-Site where they trust the connection
    (HTTPS, localhost), else in Origin. Programs send neither, and act for nobody but themselves.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    # Hosts alone: a load balancer on port 80 or 443 drops the port from Host.
    host = _host_of(origin)
    return host is not None and host == _host_of(f"//{request.host}")


def _host_of(url: str) -> str | None:
    """Give the host of a URL, or None where it has none, or none that can be read."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _page(
    registrar: Registrar, values: Mapping[str, object], error: ServiceError | None
) -> Response:
    page = render_template(
        "form.html",
        values={name: str(values.get(name, "")) for name in FIELDS},
        fields=error.fields if error else {},
        problem=error.message if error else None,
        programs=registrar.rules.programs,
        phone_region=registrar.rules.phone_region,
        limits=_LIMITS,
    )
    response = Response(page, error.status if error else HTTPStatus.OK)
    if error:
        response.headers.update(error.headers)
    return response
