"""The API: POST /api/register."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from flask import Blueprint, Response, request

from service.body import ReadGuard, parse_json_object, read_body
from service.errors import InvalidFieldsError, RateLimitedError, ServiceError
from service.exchange import API_PREFIX, exchange_of
from service.ratelimit import RateLimiter
from service.users import Outcome, Registered, Registrations
from service.validation import FieldErrors, Rules, parse_registration
from service.web import JsonAnswer, json_answer, json_error, unexpected

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH: Final = f"{API_PREFIX}register"
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

    def body(self, environ: "WSGIEnvironment", content_type: str) -> bytes:
        """Count a request against its client, and read its body.

        Raises:
            RateLimitedError: the client sent too many.
            ServiceError: as `read_body` does.
        """
        if self.limiter is not None:
            wait = self.limiter.take(environ.get("REMOTE_ADDR") or "")
            if wait:
                raise RateLimitedError(wait)
        return read_body(environ, content_type, self.guard)

    def register(self, environ: "WSGIEnvironment", values: Mapping[str, object]) -> Registered:
        """Check and store the values that a request submitted.

        Raises:
            InvalidFieldsError: they are no registration.
            EmailTakenError: the email is there with other data.
            DatabaseUnavailableError: nothing is known to be stored.
        """
        registration = parse_registration(values, self.rules)
        if isinstance(registration, FieldErrors):
            raise InvalidFieldsError(registration.messages)
        registered = self.registrations.add(registration, str(uuid4()))
        exchange_of(environ).outcome = registered.outcome.value
        return registered

    def answer(self, environ: "WSGIEnvironment") -> JsonAnswer:
        """Answer POST /api/register, whatever comes of it."""
        try:
            values = parse_json_object(self.body(environ, "application/json"))
            registered = self.register(environ, values)
        except ServiceError as error:
            return json_error(error, exchange_of(environ))
        except Exception as error:  # noqa: BLE001 - what Flask does with its views
            exchange = exchange_of(environ)
            return json_error(unexpected(error, exchange), exchange)
        payload = {"id": registered.id, "message": MESSAGES[registered.outcome]}
        return json_answer(payload, STATUSES[registered.outcome])


def straight(registrar: Registrar, application: "WSGIApplication") -> "WSGIApplication":
    """Answer registrations without Flask, whose routing and objects take most of a request.

    Everything else goes to the application, also a POST to an address that only resolves to
    the API's; both ways end in `Registrar.answer`.
    """

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "POST":
            return application(environ, start_response)
        exchange_of(environ).route = PATH
        return registrar.answer(environ).start(start_response)

    return answer


def api_blueprint(registrar: Registrar) -> Blueprint:
    """Make the blueprint of the API."""
    blueprint = Blueprint("api", __name__)

    def post() -> Response:
        return registrar.answer(request.environ).response()

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
        PATH,
        endpoint=method.lower(),
        view_func=view,
        methods=[method],
        provide_automatic_options=False,
    )
