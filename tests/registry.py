"""A registry that speaks enough of the protocol for any engine, demands a login, and can fail.

Small, so that the tests need no package beside Python; what it checks is what ECR checks: the
login on every request, the digest of every blob, that the repository exists, tags that stay.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import threading
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>blobs/uploads|blobs|manifests)/(?P<rest>[^/]*)")
EXPIRED = "Your authorization token has expired. Reauthenticate and try again."


def digest_of(content: bytes) -> str:
    """Give the digest of a blob or manifest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class Registry:
    """A registry on a free port of this machine.

    Attributes:
        password: what the user AWS must send.
        repositories: the names there are; None takes any.
        immutable: whether a tag stays where it is.
        blobs: by digest.
        manifests: by name and digest, with the media type.
        tags: by name and tag.
        on_manifest: told of each manifest: name, tag, content, media type.
        holders: the repositories that have a blob; a blob that is not named is in all of them.
        mounts: whether a blob can be mounted from another repository.
        cuts: how many answers with a blob of more than a byte break off in the middle.
        refuses: a method, and with what status, code and words it is refused.
        expires_after: how many requests with the right login are answered before it has expired.
    """

    password: str = "secret"
    repositories: set[str] | None = None
    immutable: bool = False
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[bytes, str]] = field(default_factory=dict)
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    on_manifest: Callable[[str, str, str, str], None] | None = None
    expires_after: int | None = None
    holders: dict[str, set[str]] = field(default_factory=dict)
    mounts: bool = True
    cuts: int = 0
    refuses: tuple[str, int, str, str] | None = None
    requests: list[str] = field(default_factory=list)
    uploads: dict[str, bytearray] = field(default_factory=dict)

    def start(self) -> None:
        """Begin to answer."""
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.registry = self  # type: ignore[attr-defined]  # the handler finds us here
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    @property
    def host(self) -> str:
        """The registry's name in an image reference."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def put_manifest(self, name: str, reference: str, content: bytes, media_type: str) -> str:
        """Take a manifest under a tag or digest; gives its digest, or raises `Refused`."""
        digest = digest_of(content)
        tag = "" if reference.startswith("sha256:") else reference
        if tag and self.immutable and self.tags.get((name, tag), digest) != digest:
            raise Refused(400, "TAG_INVALID", f"The image tag '{tag}' already exists in the"
                          f" '{name}' repository and cannot be overwritten because the tag is"
                          " immutable.")  # fmt: skip
        self.manifests[name, digest] = (content, media_type)
        if tag:
            self.tags[name, tag] = digest
        if self.on_manifest is not None:
            self.on_manifest(name, tag, content.decode(), media_type)
        return digest

    def manifest(self, name: str, reference: str) -> tuple[bytes, str] | None:
        """Give a manifest by tag or digest."""
        return self.manifests.get((name, self.tags.get((name, reference), reference)))

    def check_method(self, method: str) -> None:
        """Raise `Refused` where the method is refused."""
        if self.refuses is not None and self.refuses[0] == method:
            raise Refused(*self.refuses[1:])

    def check_login(self, header: str | None) -> None:
        """Raise `Refused` unless the header is of the right login."""
        if header is None:
            raise Refused(401, "UNAUTHORIZED", "authentication required")
        sent = base64.b64decode(header.removeprefix("Basic ")).decode()
        if self.expires_after is not None:
            self.expires_after -= 1
        if sent != f"AWS:{self.password}" or (self.expires_after or 0) < 0:
            raise Refused(403, "DENIED", EXPIRED)


class Refused(Exception):  # noqa: N818  # a registry's answer
    """An answer that refuses the request."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave out clients that hang up: an engine does, once it has what it wants."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def registry(self) -> Registry:
        found: Registry = self.server.registry  # type: ignore[attr-defined]  # set by Registry.start
        return found

    def log_message(self, *args: Any) -> None:
        """Say nothing: the tests' output is their own."""

    def _handle(self) -> None:
        body = self._body()
        self.registry.requests.append(f"{self.command} {self.path}")
        try:
            self.registry.check_login(self.headers.get("Authorization"))
            self.registry.check_method(self.command)
            self._route(urlsplit(self.path).path, body)
        except Refused as refused:
            self._answer(refused.status, refused.body, {
                "Content-Type": "application/json",
                **({"Www-Authenticate": 'Basic realm="test"'} if refused.status == 401 else {}),
            })  # fmt: skip

    do_GET = _handle  # noqa: N815  # the names that http.server calls
    do_HEAD = _handle  # noqa: N815
    do_POST = _handle  # noqa: N815
    do_PATCH = _handle  # noqa: N815
    do_PUT = _handle  # noqa: N815

    def _route(self, path: str, body: bytes) -> None:
        if path in {"/v2", "/v2/"}:
            self._answer(200, b"{}")
            return
        found = _PATH.fullmatch(path)
        if found is None:
            raise Refused(404, "UNSUPPORTED", path)
        name, rest = found["name"], found["rest"]
        if self.registry.repositories is not None and name not in self.registry.repositories:
            raise Refused(404, "NAME_UNKNOWN", f"The repository with name '{name}' does not exist")
        match found["kind"]:
            case "blobs":
                self._blob(name, rest)
            case "blobs/uploads":
                self._upload(name, rest, body)
            case _:
                self._manifest(name, rest, body)

    def _blob(self, name: str, digest: str) -> None:
        content = self.registry.blobs.get(digest)
        if content is None or not self._has(name, digest):
            raise Refused(404, "BLOB_UNKNOWN", digest)
        headers = {"Docker-Content-Digest": digest}
        if self.registry.cuts and self.command == "GET" and not content.startswith(b"{"):
            self.registry.cuts -= 1
            self._answer(200, content, {**headers, "Connection": "close"}, cut=True)
            return
        self._answer(200, content, headers)

    def _has(self, name: str, digest: str) -> bool:
        return name in self.registry.holders.get(digest, {name})

    def _upload(self, name: str, upload: str, body: bytes) -> None:
        uploads = self.registry.uploads
        mount = parse_qs(urlsplit(self.path).query).get("mount", [""])[0]
        if mount and self.registry.mounts and mount in self.registry.blobs:
            self.registry.holders.setdefault(mount, set()).add(name)
            self._answer(201, b"", {"Docker-Content-Digest": mount})
            return
        if self.command == "POST":
            upload = uuid.uuid4().hex
            uploads[upload] = bytearray()
        uploads[upload].extend(body)
        where = {"Location": f"/v2/{name}/blobs/uploads/{upload}", "Docker-Upload-UUID": upload}
        if self.command != "PUT":
            size = len(uploads[upload])
            self._answer(202, b"", {**where, "Range": f"0-{max(0, size - 1)}"})
            return
        digest = parse_qs(urlsplit(self.path).query)["digest"][0]
        content = bytes(uploads.pop(upload))
        if digest_of(content) != digest:
            raise Refused(400, "DIGEST_INVALID", digest)
        self.registry.blobs[digest] = content
        if digest in self.registry.holders:
            self.registry.holders[digest].add(name)
        self._answer(201, b"", {"Docker-Content-Digest": digest})

    def _manifest(self, name: str, reference: str, body: bytes) -> None:
        if self.command == "PUT":
            media_type = self.headers.get("Content-Type", "")
            digest = self.registry.put_manifest(name, reference, body, media_type)
            self._answer(201, b"", {"Docker-Content-Digest": digest})
            return
        found = self.registry.manifest(name, reference)
        if found is None:
            raise Refused(404, "MANIFEST_UNKNOWN", f"manifest {reference} unknown")
        content, media_type = found
        headers = {"Content-Type": media_type, "Docker-Content-Digest": digest_of(content)}
        self._answer(200, content, headers)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = bytearray()
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(body)

    def _answer(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, *, cut: bool = False
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection |= cut
