"""moto's server in a process of its own, which counts the calls of each operation.

`python -m benchmarks.moto_counting PORT` serves it; `GET /calls` gives the counts as JSON.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Counting:
    """moto, and how often each operation of the JSON protocol was called."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._calls: Counter[str] = Counter()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer a request. WSGI."""
        if environ["PATH_INFO"] == "/calls":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(self._calls).encode()]
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if target:
            self._calls[target.rpartition(".")[2]] += 1
        return list(self._moto(environ, start_response))


def main() -> None:
    """Serve until the process is ended, saying nothing of each request."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    run_simple("127.0.0.1", int(sys.argv[1]), Counting(), threaded=True)


if __name__ == "__main__":
    main()
