"""moto's server with one repository of many images, in a process of its own.

`python -m benchmarks.moto_ecr PORT COUNT` serves it; `POST /fill` makes the repository anew. moto
answers DescribeImages with all images at once, where ECR gives pages: of 100, or of as many as
`maxResults` says, at most 1000. That is added here.

It takes a fifth of a millisecond for each image of an answer, two seconds for all, whoever asks:
most of the time of both sides, and none of their doing. So it makes the answer to a question once,
and gives it again until the repository changes.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import sys
from threading import Lock
from typing import TYPE_CHECKING, Any

from moto.ecr.models import Image, ecr_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ACCOUNT = "123456789012"
REGION = "us-east-1"
REPOSITORY = "schoolapp-backend"
_PAGE, _LARGEST_PAGE = 100, 1000
_MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"


class Served:
    """moto, one request at a time, as its lists do not survive two deletions at once."""

    def __init__(self, images: int) -> None:
        self._images = images
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = Lock()
        self._answers: dict[bytes, tuple[list[Any], bytes]] = {}

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer a request. WSGI."""
        with self._lock:
            if environ["PATH_INFO"] == "/fill":
                self._answers.clear()
                fill(self._images)
                start_response("204 No Content", [])
                return []
            if environ.get("HTTP_X_AMZ_TARGET", "").endswith(".DescribeImages"):
                body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
                if body not in self._answers:
                    self._answers[body] = self._page(environ, body)
                head, answer = self._answers[body]
                start_response(*head)
                return [answer]
            if environ.get("HTTP_X_AMZ_TARGET", "").endswith(".BatchDeleteImage"):
                self._answers.clear()
            return list(self._moto(environ, start_response))

    def _page(self, environ: dict[str, Any], body: bytes) -> tuple[list[Any], bytes]:
        """Have moto answer of one page alone; gives status and headers, and the text."""
        environ["wsgi.input"] = io.BytesIO(body)
        asked = json.loads(body)
        begin = int(asked.get("nextToken", 0))
        end = begin + min(asked.get("maxResults", _PAGE), _LARGEST_PAGE)
        repository = ecr_backends[ACCOUNT][REGION].repositories[REPOSITORY]
        images, repository.images = repository.images, repository.images[begin:end]
        head: list[Any] = []
        answer = b"".join(self._moto(environ, lambda *given: head.extend(given)))
        repository.images = images
        if end < len(images):
            answer = answer.rstrip()[:-1] + f', "nextToken": "{end}"}}'.encode()
        length = [("Content-Length", str(len(answer)))]
        kept = [each for each in head[1] if each[0].lower() != "content-length"]
        return [head[0], kept + length], answer


def fill(images: int) -> None:
    """Make the repository anew, with as many images, each with a tag.

    Put in by hand: PutImage compares each image with all others.
    """
    ecr = ecr_backends[ACCOUNT][REGION]
    if REPOSITORY not in ecr.repositories:
        ecr.create_repository(REPOSITORY, ACCOUNT, {}, {}, "IMMUTABLE", [])
    found = ecr.repositories[REPOSITORY].images
    found.clear()
    for number in range(images):
        config = {"digest": f"sha256:{number:064x}", "size": 250_000_000}
        manifest = json.dumps({"config": config, "layers": []})
        digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
        tag = f"2026-{number:05}"
        found.append(Image(ACCOUNT, tag, manifest, REPOSITORY, _MEDIA_TYPE, digest))


def main() -> None:
    """Serve until the process is ended, saying nothing of each request."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    port, images = map(int, sys.argv[1:])
    fill(images)
    run_simple("127.0.0.1", port, Served(images), threaded=True)


if __name__ == "__main__":
    main()
