"""The API: POST /api/register."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from uuid import uuid4

from flask import Blueprint, Response, request

from service.body import ReadGuard, parse_json_object, read_body
from service.errors import InvalidFieldsError, RateLimitedError
from service.ratelimit import RateLimiter
from service.users import Outcome, Registered, Registrations
from service.validation import FieldErrors, Rules, parse_registration
from service.web import json_response, set_outcome

MESSAGES: Final = {
    Outcome.CREATED: "User created",
    Outcome.REPEATED: "User already registered",
}
STATUSES: Final = {Outcome.CREATED: HTTPStatus.CREATED, Outcome.REPEATED: HTTPStatus.OK}


@dataclass(frozen=True, slots=True)
class Registrar:
    """Takes registrations; the API and the form are two doors to it."""

    registrations: Registrations
    rules: Rules
    limiter: RateLimiter | None
    guard: ReadGuard

    def check_rate(self) -> None:
        """Count the current request against its client.

        Raises:
            RateLimitedError: the client sent too many.
        """
        wait = self.limiter.take(request.remote_addr or "") if self.limiter is not None else 0
        if wait:
            raise RateLimitedError(wait)

    def body(self, content_type: str) -> bytes:
        """Read the current request's body.

        Raises:
            ServiceError: as `read_body` does.
        """
        return read_body(request, content_type, self.guard)

    def register(self, values: Mapping[str, object]) -> Registered:
        """Check and store submitted values.

        Raises:
            InvalidFieldsError: they are no registration.
            EmailTakenError: the email is there with other data.
            DatabaseUnavailableError: nothing is known to be stored.
        """
        registration = parse_registration(values, self.rules)
        if isinstance(registration, FieldErrors):
            raise InvalidFieldsError(registration.messages)
        registered = self.registrations.add(registration, str(uuid4()))
        set_outcome(registered.outcome.value)
        return registered


def api_blueprint(registrar: Registrar) -> Blueprint:
    """Make the blueprint of the API."""
    blueprint = Blueprint("api", __name__, url_prefix="/api")

    def post() -> Response:
        registrar.check_rate()
        values = parse_json_object(registrar.body("application/json"))
        registered = registrar.register(values)
        payload = {"id": registered.id, "message": MESSAGES[registered.outcome]}
        return json_response(payload, STATUSES[registered.outcome])

    def options() -> Response:
        # The answer to a preflight; the CORS headers are added to every answer of the API.
        response = Response(status=HTTPStatus.NO_CONTENT, headers={"Allow": "OPTIONS, POST"})
        del response.headers["Content-Type"]  # HTML, by Flask's default; there is nothing to read
        return response

    _add(blueprint, "POST", post)
    _add(blueprint, "OPTIONS", options)
    return blueprint


def _add(blueprint: Blueprint, method: str, view: Callable[[], Response]) -> None:
    blueprint.add_url_rule(
        "/register",
        endpoint=method.lower(),
        view_func=view,
        methods=[method],
        provide_automatic_options=False,
    )
