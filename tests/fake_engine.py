"""An engine without a daemon: builds, pushes to a real registry, pulls, and fails as Docker does.

It keeps state, and passes the contract tests of the real one (tests/docker/test_engine.py).
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from schoolctl.docker.engine import BuildRequest, EngineInfo, LocalImage, PushResult
from schoolctl.docker.errors import build_error, registry_error
from schoolctl.model.images import Builder, BuilderChoice, BuilderKind, Digest
from tests.registry import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from schoolctl.docker.engine import OnProgress
    from schoolctl.model.images import ImageRef, RegistryLogin

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass
class FakeEngine:
    """An engine whose images have one layer of the context's content on one of the base.

    Attributes:
        base_platform: what every image turns out to be for; None: what was asked for.
        builds: what was built, in order.
        pushes: what was pushed, in order.
        fails_to_build: the last words of a build that fails; empty for one that does not.
    """

    base_platform: str | None = None
    fails_to_build: str = ""
    builds: list[BuildRequest] = field(default_factory=list)
    pushes: list[ImageRef] = field(default_factory=list)
    _images: dict[str, LocalImage] = field(default_factory=dict)
    _contents: dict[str, bytes] = field(default_factory=dict)

    def info(self) -> EngineInfo:
        return EngineInfo("28.0.0", "unix:///var/run/fake.sock", "/var/lib/docker")

    def image(self, reference: str) -> LocalImage | None:
        return self._images.get(reference)

    def tag(self, image_id: str, reference: ImageRef) -> None:
        found = next(each for each in self._images.values() if each.id == image_id)
        self._images[str(reference)] = found

    def builder(self, choice: BuilderChoice) -> Builder:
        if choice is BuilderChoice.CLASSIC:
            return Builder(BuilderKind.CLASSIC)
        return Builder(BuilderKind.BUILDKIT, "docker")

    def build(self, request: BuildRequest, on_line: Callable[[str], None]) -> LocalImage:
        self.builds.append(request)
        on_line("Step 1/1 : COPY . /")
        if self.fails_to_build:
            raise build_error(f"could not build {request.image}", self.fails_to_build)
        platform = self.base_platform or request.platform
        content = request.context.fingerprint(build_args=request.build_args, platform=platform)
        layers = [b"the base", content.encode()]
        names = tuple(digest_of(each) for each in layers)
        config = {
            "architecture": platform.partition("/")[2],
            "os": "linux",
            "config": {"Labels": dict(request.labels)},
            "rootfs": {"type": "layers", "diff_ids": names},
        }
        raw = json.dumps(config, sort_keys=True).encode()
        self._contents |= {digest_of(each): each for each in (*layers, raw)}
        image = LocalImage(digest_of(raw), platform, 21, request.labels, names, ())
        self._images[str(request.image)] = image
        if platform != request.platform:
            raise build_error(
                f"the image was built for {platform}, and the tasks run on {request.platform}", ""
            )
        return image

    def push(self, image: ImageRef, login: RegistryLogin, on_progress: OnProgress) -> PushResult:
        what = f"could not push {image}"
        local = self._images.get(str(image))
        if local is None:
            raise registry_error(what, f"An image does not exist locally with the tag: {image}")
        there = _Client(what, image, login)
        sent = []
        for digest in (*local.layers, local.id):
            if there.has(f"blobs/{digest}"):
                on_progress(digest[7:19], "Layer already exists", None, None)
                continue
            there.upload(digest, self._contents[digest])
            if digest != local.id:
                on_progress(digest[7:19], "Pushed", None, len(self._contents[digest]))
                sent.append(digest[7:19])
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": {"digest": local.id, "size": len(self._contents[local.id])},
                "layers": [
                    {"digest": each, "size": len(self._contents[each])} for each in local.layers
                ],
            }
        ).encode()
        there.put(f"manifests/{image.tag}", manifest, MANIFEST_TYPE)
        self.pushes.append(image)
        pushed = Digest(digest_of(manifest))
        self._images[str(image)] = replace(local, digests=(*local.digests, pushed))
        return PushResult(pushed, tuple(sent))

    def pull(self, image: ImageRef, login: RegistryLogin, on_progress: OnProgress) -> LocalImage:
        there = _Client(f"could not pull {image}", image, login)
        raw = there.get(f"manifests/{image.digest or image.tag}")
        manifest = json.loads(raw)
        config = json.loads(there.get(f"blobs/{manifest['config']['digest']}"))
        for each in manifest["layers"]:
            there.get(f"blobs/{each['digest']}")
            on_progress(each["digest"][7:19], "Pull complete", None, None)
        pulled = LocalImage(
            manifest["config"]["digest"],
            f"{config['os']}/{config['architecture']}",
            sum(each["size"] for each in manifest["layers"]),
            config["config"].get("Labels") or {},
            tuple(config["rootfs"]["diff_ids"]),
            (Digest(digest_of(raw)),),
        )
        self._images[str(image)] = pulled
        return pulled


class _Client:
    """A client of the registry protocol; what it is refused, it says in Docker's words."""

    def __init__(self, what: str, image: ImageRef, login: RegistryLogin) -> None:
        self._what = what
        self._image = image
        pair = f"{login.username}:{login.password.reveal()}".encode()
        self._headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        self._ask("GET", "")  # as Docker begins: is the login right?

    def has(self, path: str) -> bool:
        return self._ask("HEAD", path, allowed={404})[0] == 200

    def get(self, path: str) -> bytes:
        return self._ask("GET", path)[1]

    def put(self, path: str, content: bytes, media_type: str) -> None:
        self._ask("PUT", path, content, {"Content-Type": media_type})

    def upload(self, digest: str, content: bytes) -> None:
        _, _, where = self._ask("POST", "blobs/uploads/")
        upload = urlsplit(where).path.rpartition("/")[2]
        self._ask("PUT", f"blobs/uploads/{upload}?digest={digest}", content)

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        allowed: set[int] | frozenset[int] = frozenset(),
    ) -> tuple[int, bytes, str]:
        repository = self._image.repository
        connection = HTTPConnection(repository.registry, timeout=10)
        url = f"/v2/{repository.name}/{path}" if path else "/v2/"
        try:
            connection.request(method, url, body, {**self._headers, **(headers or {})})
            answer = connection.getresponse()
            content = answer.read()
        except OSError as error:
            raise registry_error(self._what, f"dial tcp {repository.registry}: {error}") from error
        finally:
            connection.close()
        if answer.status >= 400 and answer.status not in allowed:
            said = json.loads(content)["errors"][0] if content else {"message": answer.reason}
            prefix = {401: "no basic auth credentials", 403: "denied"}.get(answer.status, "")
            raise registry_error(self._what, f"{prefix}: {said['message']}".removeprefix(": "))
        return answer.status, content, answer.headers.get("Location", "")
