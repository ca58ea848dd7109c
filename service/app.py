"""Puts the service together: create_app(settings) -> a Flask application."""

import json
import threading
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flask import Flask, Response
from werkzeug.middleware.proxy_fix import ProxyFix

from service.body import ReadGuard, unguarded
from service.cors import cors_headers
from service.db import Database, make_engine
from service.errors import DatabaseUnavailableError
from service.exchange import around
from service.form import form_blueprint
from service.ratelimit import RateLimiter
from service.registration import Registrar, api_blueprint, straight
from service.settings import MySqlSettings, PoolSize, Settings
from service.users import Registrations
from service.web import install, json_answer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

STATIC_CACHE_SECONDS: Final = 300
OPENAPI: Final = Path(__file__).parent / "openapi.json"


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    guard: ReadGuard = unguarded,
) -> Flask:
    """Make the application.

    Args:
        settings: as `load_settings` gives them.
        database: for a caller that has checked it already; made from the settings otherwise.
        guard: the limits that the WSGI server can put on reading bodies.

    Returns:
        The application. It has not talked to the database yet, unless `database` has.
    """
    if database is None:
        database = Database(make_engine(settings.database, time.monotonic), time.monotonic)
    limiter = None
    if settings.rate_limit is not None:
        limiter = RateLimiter(settings.rate_limit, time.monotonic)
    app = Flask(__name__)
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = STATIC_CACHE_SECONDS
    # `/api//register` is no address here. Werkzeug would answer it with a redirect in HTML.
    app.url_map.merge_slashes = False
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    install(app)
    pool = settings.database.pool if isinstance(settings.database, MySqlSettings) else PoolSize()
    registrations = Registrations(database, pool.size)
    registrar = Registrar(registrations, settings.rules, limiter, guard)
    app.register_blueprint(api_blueprint(registrar))
    app.register_blueprint(form_blueprint(registrar))
    _add_health(app, database)
    _add_openapi(app)
    app.wsgi_app = _surrounded(app.wsgi_app, registrar, settings)  # type: ignore[method-assign,assignment]  # Flask's documented way to add middleware
    return app


def _surrounded(
    application: "WSGIApplication", registrar: Registrar, settings: Settings
) -> "WSGIApplication":
    application = straight(registrar, application)
    if settings.trusted_proxies:
        # The load balancer appends the client to X-Forwarded-For; what stands before it is the
        # client's own invention. Host stays as it is.
        hops = settings.trusted_proxies
        application = ProxyFix(application, x_for=hops, x_proto=hops)
    return around(application, cors_headers(settings.cors_origins))


def _add_health(app: Flask, database: Database) -> None:
    checking = threading.Lock()

    @app.get("/healthz")
    def healthz() -> Response:
        """Say whether load balancers should send requests here.

        Once the database has answered, the answer stays yes: replacing every task would not
        bring a database back. Before that, the question itself asks the database, one at a time.
        """
        if not database.answered and checking.acquire(blocking=False):
            try:
                database.check()
            except DatabaseUnavailableError:
                pass  # logged where it happened
            finally:
                checking.release()
        if database.answered:
            return json_answer({"status": "ok"}).response()
        return json_answer({"status": "starting"}, HTTPStatus.SERVICE_UNAVAILABLE).response()


def _add_openapi(app: Flask) -> None:
    document = json.loads(OPENAPI.read_text(encoding="utf-8"))

    @app.get("/openapi.json")
    def openapi() -> Response:
        return json_answer(document).response()
