"""The registry protocol: reading an image configuration, and copying an image.

ECR's API gives manifests; the labels stand in a blob, which the registry itself hands out. The
same protocol is spoken by ECR, by a local AWS and by a registry of one's own.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from schoolctl.base.denial import Refusal, refusal_of
from schoolctl.base.errors import AccessDeniedError, EngineError
from schoolctl.base.text import is_loopback
from schoolctl.docker.errors import innermost, registry_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from schoolctl.docker.engine import OnProgress
    from schoolctl.model.images import Digest, ImageRef, RegistryLogin, RepositoryUri


_TIMEOUT = urllib3.Timeout(connect=5, read=30)
_RETRIES = urllib3.Retry(connect=0, read=0, status=0, other=0, redirect=3)
_CONNECTIONS = 4
READS_BLOBS = "ecr:GetDownloadUrlForLayer"
_LARGEST_CONFIG_BYTES = 4_000_000
"""The limit that registries themselves put on a manifest; a config blob is smaller still."""
_ACCEPT = (
    "application/vnd.oci.image.index.v1+json,"
    " application/vnd.docker.distribution.manifest.list.v2+json,"
    " application/vnd.oci.image.manifest.v1+json,"
    " application/vnd.docker.distribution.manifest.v2+json"
)
_COPY_TIMEOUT = urllib3.Timeout(connect=5, read=300)
_PIECE_BYTES = 1_000_000
_AT_ONCE = 3
_ATTEMPTS = 3
_MOST_TRIES = 5
_ONCE = urllib3.Retry(0, raise_on_redirect=False)
"""For what is sent piece by piece: it cannot be sent twice."""
_BUSY = (429, 500, 502, 503, 504)
_OUTSIDE = ("foreign", "nondistributable")
"""In the media type of a layer that is kept elsewhere than in the registry."""


def registry_url(registry: str) -> str:
    """Give where a registry answers: HTTPS, but HTTP on this machine, as Docker has it."""
    host = registry.rpartition(":")[0] or registry
    return f"{'http' if is_loopback(host) else 'https'}://{registry}"


def labels_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Give the labels in an image's configuration."""
    labels = (config.get("config") or {}).get("Labels") or {}
    return {str(key): str(value) for key, value in labels.items()}


def read_labels(
    repository: RepositoryUri, config_digest: Digest, login: RegistryLogin
) -> dict[str, str]:
    """Give the labels in an image's configuration blob; the rest is as with `read_config`."""
    return labels_of(read_config(repository, config_digest, login))


def read_config(
    repository: RepositoryUri, config_digest: Digest, login: RegistryLogin
) -> dict[str, Any]:
    """Give an image's configuration: its architecture, its labels, its command.

    Args:
        repository: where the image is.
        config_digest: the digest of its configuration, as its manifest names it.
        login: for the repository's registry.

    Raises:
        AccessDeniedError: the caller may not read it.
        EngineError: the registry does not answer, or not with a configuration.

    Source: OCI distribution specification, "pulling blobs"; OCI image specification, "config".
    """
    url = f"{registry_url(repository.registry)}/v2/{repository.name}/blobs/{config_digest}"
    what = f"could not read what is inside an image of {repository}"
    try:
        # ECR sends on to S3; urllib3 leaves the password out where the host is another.
        answer = pool_for(url).request(
            "GET",
            url,
            headers=login_header(login),
            timeout=_TIMEOUT,
            retries=_RETRIES,
            preload_content=False,
        )
        with closing(answer):
            if answer.status != HTTPStatus.OK:
                raise _refused(what, repository.registry, answer)
            content = answer.read(_LARGEST_CONFIG_BYTES, decode_content=True)
        config: dict[str, Any] = json.loads(content)
        labels_of(config)  # what has another shape is no configuration
    except urllib3.exceptions.HTTPError as error:
        raise EngineError(
            what,
            why=f"{repository.registry}: {innermost(error)}",
            hint="check the network, and `registry` of the environment",
        ) from error
    except (ValueError, AttributeError) as error:
        raise EngineError(what, why=f"{repository.registry} sent no configuration") from error
    return config


def _refused(
    what: str, registry: str, answer: urllib3.BaseHTTPResponse
) -> AccessDeniedError | EngineError:
    why = f"{registry} answered {answer.status} {answer.reason}"
    if refusal_of(answer.status) is not Refusal.FORBIDDEN:
        return EngineError(what, why=why, hint="run it again")
    why = f"{why}: it needs {READS_BLOBS} on the repository"
    hint = f"ask for a policy that allows {READS_BLOBS}"
    return AccessDeniedError(what, action=READS_BLOBS, why=why, hint=hint)


def login_header(login: RegistryLogin) -> dict[str, str]:
    """Give the header that logs a request in."""
    return urllib3.make_headers(basic_auth=f"{login.username}:{login.password.reveal()}")


def platform_of(config: Mapping[str, Any]) -> str:
    """Give the platform in an image's configuration, such as `linux/amd64`."""
    named = (config.get("os"), config.get("architecture"), config.get("variant"))
    return "/".join(str(each) for each in named if each)


def pool_for(url: str) -> urllib3.PoolManager:
    """Make what sends a request, through the proxy and with the authorities of the environment."""
    parts = urlsplit(url)
    authorities = os.environ.get("AWS_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH
    proxy = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
    if proxy is not None:
        return urllib3.ProxyManager(proxy, maxsize=_CONNECTIONS, ca_certs=authorities)
    return urllib3.PoolManager(maxsize=_CONNECTIONS, ca_certs=authorities)


@dataclass(frozen=True)
class Place:
    """A repository, and the login for its registry."""

    repository: RepositoryUri
    login: RegistryLogin


@dataclass
class Copied:
    """What went over, by the digest of each layer or configuration, in bytes."""

    sent: dict[str, int] = field(default_factory=dict)
    reused: dict[str, int] = field(default_factory=dict)


def copy_image(
    source: Place, target: Place, image: ImageRef, digest: Digest, on_progress: OnProgress
) -> Copied:
    """Copy the image or index `digest` to the target, and give it the tag of `image`.

    Raises:
        EngineError: a registry refused or went away; nothing has the tag then. What arrived stays,
            and is not sent again.
    """
    copy = _Copy(source, target, f"could not copy {digest} to {image}", on_progress)
    copy.manifest(str(digest), str(image.tag))
    return copy.copied


class _Copy:
    """One copy under way."""

    def __init__(self, source: Place, target: Place, what: str, on_progress: OnProgress) -> None:
        self.copied = Copied()
        self._what = what
        self._source = _Registry(source, what)
        self._target = _Registry(target, what)
        self._same = source.repository.registry == target.repository.registry
        self._name = source.repository.name
        self._tell = on_progress
        self._stopped = threading.Event()

    def manifest(self, digest: str, reference: str) -> None:
        """Bring a manifest over, after all that it names."""
        content, media_type = self._source.manifest(digest)
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise EngineError(self._what, why=f"the source gave something else under {digest}")
        told = json.loads(content)
        for child in told.get("manifests", ()):
            self.manifest(str(child["digest"]), str(child["digest"]))
        named = [told["config"], *told.get("layers", ())] if "config" in told else []
        self._blobs(
            {
                str(each["digest"]): int(each["size"])
                for each in named
                if not any(word in str(each.get("mediaType", "")) for word in _OUTSIDE)
            }
        )
        self._target.put_manifest(reference, content, media_type, digest)

    def _blobs(self, sizes: dict[str, int]) -> None:
        pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="copy")
        try:
            under_way = [
                pool.submit(self._blob, digest, length)
                for digest, length in sizes.items()
                if digest not in self.copied.sent and digest not in self.copied.reused
            ]
            for each in under_way:
                each.result()
        finally:
            # After a failure or Ctrl-C, those under way end with their next piece.
            self._stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)
            self._stopped.clear()

    def _blob(self, digest: str, length: int) -> None:
        name = digest.removeprefix("sha256:")[:12]
        if self._target.has(digest):
            self.copied.reused[digest] = length
            self._tell(name, "Layer already exists", None, None)
            return
        mounted = self._bring_at_last(digest, length, name)
        into = self.copied.reused if mounted else self.copied.sent
        into[digest] = length
        self._tell(name, "Mounted" if mounted else "Pushed", length, length)

    def _bring_at_last(self, digest: str, length: int, name: str) -> bool:
        left = _ATTEMPTS
        while True:
            try:
                return self._bring(digest, length, name)
            except urllib3.exceptions.HTTPError as error:
                left -= 1
                if not left or self._stopped.is_set():
                    raise registry_error(self._what, innermost(error)) from error

    def _bring(self, digest: str, length: int, name: str) -> bool:
        """Bring a blob over; says whether it was mounted instead of sent."""
        place = self._target.begin(digest, self._name if self._same else "")
        if place is None:
            return True
        with closing(self._source.blob(digest)) as answer:
            self._target.upload(place, digest, length, self._pieces(answer, digest, length, name))
        return False

    def _pieces(
        self, answer: urllib3.BaseHTTPResponse, digest: str, length: int, name: str
    ) -> Iterator[bytes]:
        found, done = hashlib.sha256(), 0
        for piece in answer.stream(_PIECE_BYTES, decode_content=False):
            if self._stopped.is_set():
                raise urllib3.exceptions.HTTPError("stopped")
            found.update(piece)
            done += len(piece)
            self._tell(name, "Pushing", done, length)
            yield piece
        if f"sha256:{found.hexdigest()}" != digest:
            raise urllib3.exceptions.HTTPError(
                f"{digest} arrived damaged, {done} of {length} bytes"
            )


def _patient(redirects: int) -> urllib3.Retry:
    return urllib3.Retry(
        _MOST_TRIES,
        connect=2,
        read=2,
        status=2,
        other=0,
        redirect=redirects,
        status_forcelist=_BUSY,
        allowed_methods=None,
        backoff_factor=0.3,
        raise_on_status=False,
        raise_on_redirect=False,
    )


class _Registry:
    """The requests of a copy, to one of its two registries."""

    def __init__(self, place: Place, what: str) -> None:
        self._repository = place.repository
        self._header = login_header(place.login)
        self._what = what
        self._root = f"{registry_url(self._repository.registry)}/v2/{self._repository.name}/"
        self._pool = pool_for(self._root)

    def manifest(self, digest: str) -> tuple[bytes, str]:
        """Give a manifest as it is, and its media type."""
        answer = self._ask("GET", f"manifests/{digest}", headers={"Accept": _ACCEPT})
        return answer.data, answer.headers.get("Content-Type", "")

    def put_manifest(self, reference: str, content: bytes, media_type: str, digest: str) -> None:
        """Put a manifest under a tag or its digest."""
        headers = {"Content-Type": media_type}
        answer = self._ask("PUT", f"manifests/{reference}", headers=headers, body=content)
        there = answer.headers.get("Docker-Content-Digest", digest)
        if there != digest:
            raise EngineError(self._what, why=f"{self._repository} calls {digest} {there}")

    def has(self, digest: str) -> bool:
        """Say whether a blob is there."""
        answer = self._ask(
            "HEAD",
            f"blobs/{digest}",
            fine=(HTTPStatus.NOT_FOUND, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN),
        )
        if refusal_of(answer.status) is not None:
            # The reason stands in a body, and HEAD gets none.
            self.blob(digest).close()
        return answer.status == HTTPStatus.OK

    def blob(self, digest: str) -> urllib3.BaseHTTPResponse:
        """Open a blob; ECR sends on to S3, which gets no password."""
        return self._ask("GET", f"blobs/{digest}", redirects=3, preload_content=False)

    def begin(self, digest: str, mount_from: str) -> str | None:
        """Begin an upload: gives where to, or None where the blob could be mounted instead."""
        path = "blobs/uploads/"
        if mount_from:
            path += f"?mount={digest}&from={mount_from}"
        answer = self._ask("POST", path)
        return None if answer.status == HTTPStatus.CREATED else self._location(answer)

    def upload(self, place: str, digest: str, length: int, pieces: Iterator[bytes]) -> None:
        """Send a blob to where an upload was begun."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(length)}
        answer = self._ask("PATCH", place, headers=headers, body=pieces)
        there = self._location(answer)
        self._ask("PUT", f"{there}{'&' if '?' in there else '?'}digest={digest}")

    def _location(self, answer: urllib3.BaseHTTPResponse) -> str:
        return urljoin(self._root, answer.headers.get("Location", ""))

    def _ask(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        fine: tuple[HTTPStatus, ...] = (),
        redirects: int = 0,
        body: bytes | Iterator[bytes] | None = None,
        preload_content: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        url = urljoin(self._root, path)
        login = self._header if urlsplit(url).netloc == urlsplit(self._root).netloc else {}
        is_blob = body is not None and not isinstance(body, bytes)
        try:
            answer = self._pool.request(
                *(method, url),
                headers={**login, **(headers or {})},
                timeout=_COPY_TIMEOUT,
                retries=_ONCE if is_blob else _patient(redirects),
                body=body,
                preload_content=preload_content,
            )
        except urllib3.exceptions.HTTPError as error:
            if is_blob:
                raise  # it is read and sent anew
            raise registry_error(self._what, innermost(error), self._repository) from error
        if answer.status >= HTTPStatus.BAD_REQUEST and answer.status not in fine:
            raise registry_error(self._what, self._said(answer), self._repository)
        return answer

    def _said(self, answer: urllib3.BaseHTTPResponse) -> str:
        """Give the registry's reason in the words that an engine would use for it."""
        told = f"{self._repository.registry} answered {answer.status} {answer.reason}"
        try:
            error = json.loads(answer.data)["errors"][0]
        except (ValueError, LookupError, TypeError):
            return told
        code = str(error.get("code", "")).lower().replace("_", " ")
        return f"{code}: {error.get('message', '')} ({told})"
