"""The real engine, behind the Docker SDK and the docker CLI.

The SDK raises nothing for a failed push, pull or build: it is told in the stream, so each item is
read. Logins go with each call and are never stored.
"""

from __future__ import annotations

import tempfile
import warnings
from collections import deque
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import requests
import urllib3
from docker import errors as docker_errors
from docker.credentials.errors import StoreError

from schoolctl.base.errors import EngineError
from schoolctl.docker.builder import build_with_cli, find_builder
from schoolctl.docker.engine import EngineInfo, LocalImage, PushResult
from schoolctl.docker.errors import (
    build_error,
    connection_error,
    innermost,
    registry_error,
    without_docker_config,
)
from schoolctl.model.images import BuilderChoice, BuilderKind, Digest, fits_platform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docker import DockerClient  # noqa: TID251  # the type; it is made in engine.py

    from schoolctl.docker.engine import BuildRequest, OnLine, OnProgress
    from schoolctl.model.images import Builder, ImageRef, RegistryLogin

_SILENCE_SECONDS = 1800
"""A build's step or a push may say nothing for long; an engine that hangs is found out all the
same."""
_LAST_LINES = 15


class DockerEngine:
    """A real engine, by the Docker SDK; builds go to BuildKit through the docker CLI if it can."""

    def __init__(self, client: DockerClient, host: str, environ: Mapping[str, str]) -> None:
        self._client = client
        self._host = host
        self._environ = environ

    def info(self) -> EngineInfo:
        """Give what the engine tells of itself."""
        with self._failures("ask the engine about itself"):
            told = self._client.info()
        return EngineInfo(
            str(told.get("ServerVersion", "")), self._host, str(told.get("DockerRootDir", ""))
        )

    def image(self, reference: str) -> LocalImage | None:
        """Give an image by name or id; None where the engine has none."""
        with self._failures(f"look for image {reference}"):
            try:
                return _local_image(self._client.images.get(reference).attrs)
            except docker_errors.ImageNotFound:
                return None

    def tag(self, image_id: str, reference: ImageRef) -> None:
        """Give an image one more name."""
        with self._failures(f"name an image {reference}"):
            self._client.api.tag(image_id, str(reference.repository), reference.tag)

    def builder(self, choice: BuilderChoice) -> Builder:
        """Find the builder for a choice; an error where the one asked for is not there."""
        return find_builder(self._environ, choice)

    def build(self, request: BuildRequest, on_line: OnLine) -> LocalImage:
        """Build an image and give it its name; another platform than asked for is an error."""
        with tempfile.TemporaryFile() as tar:
            request.context.write_tar(tar)
            tar.seek(0)
            if request.builder.kind is BuilderKind.BUILDKIT:
                build_with_cli(request, tar, self._environ, on_line)
            else:
                self._build_classic(request, tar, on_line)
        built = self.image(str(request.image))
        if built is None:
            raise EngineError(
                f"the build of {request.image} left no image in the engine",
                why=f"{request.builder} reported success, the engine at {self._host} has no image",
                hint="`docker context ls` shows which engine the docker CLI uses",
            )
        _check_platform(built, request)
        return built

    def push(self, image: ImageRef, login: RegistryLogin, on_progress: OnProgress) -> PushResult:
        """Push an image by its tag."""
        what = f"could not push {image}"
        digest = None
        sent: dict[str, None] = {}
        with self._failures(f"push {image}"), self._patience():
            for item in self._client.api.push(
                str(image.repository),
                image.tag,
                stream=True,
                decode=True,
                auth_config=_auth(login),
            ):
                _raise_error(what, item)
                _tell(item, on_progress)
                if item.get("status") == "Pushed":
                    sent[str(item.get("id", ""))] = None
                digest = item.get("aux", {}).get("Digest", digest)
        if digest is None:
            raise EngineError(
                what,
                why="the engine ended the push without naming a digest",
                hint="run it again; if it stays so, look into the engine's log",
            )
        return PushResult(Digest.parse(digest), tuple(sent))

    def pull(self, image: ImageRef, login: RegistryLogin, on_progress: OnProgress) -> LocalImage:
        """Pull an image by its tag or digest."""
        what = f"could not pull {image}"
        with self._failures(f"pull {image}"), self._patience():
            for item in self._client.api.pull(
                str(image.repository),
                tag=str(image.digest or image.tag),
                stream=True,
                decode=True,
                auth_config=_auth(login),
            ):
                _raise_error(what, item)
                _tell(item, on_progress)
        pulled = self.image(str(image))
        if pulled is None:
            raise EngineError(what, why="the engine reported success, but has no such image")
        return pulled

    def _build_classic(self, request: BuildRequest, tar: IO[bytes], on_line: OnLine) -> None:
        what = f"could not build {request.image}"
        last: deque[str] = deque(maxlen=_LAST_LINES)
        with self._failures(f"build {request.image}", build=True), self._patience():
            for item in self._start_classic(request, tar, on_line):
                for line in str(item.get("stream", "")).splitlines():
                    if line.strip():
                        last.append(line)
                        on_line(line)
                if "error" in item:
                    raise build_error(what, str(item["error"]), tuple(last))

    def _start_classic(
        self, request: BuildRequest, tar: IO[bytes], on_line: OnLine
    ) -> Iterator[dict[str, Any]]:
        try:
            # The SDK sends every login that Docker's config.json leads to, for private bases.
            with warnings.catch_warnings(action="ignore"):
                return self._send_classic(request, tar)
        except docker_errors.APIError:
            raise
        except (docker_errors.DockerException, StoreError, ValueError, AttributeError) as error:
            # One that cannot be read, or a store that is not installed, keeps nobody from building.
            on_line(f"building without the logins of Docker's config.json: {error}")
            with without_docker_config() as empty:
                self._client.api.reload_config(str(empty))
                return self._send_classic(request, tar)

    def _send_classic(self, request: BuildRequest, tar: IO[bytes]) -> Iterator[dict[str, Any]]:
        tar.seek(0)
        return self._client.api.build(
            fileobj=tar,
            custom_context=True,
            dockerfile=request.context.dockerfile_name,
            tag=str(request.image),
            platform=request.platform,
            buildargs=dict(request.build_args),
            labels=dict(request.labels),
            rm=True,
            forcerm=True,
            decode=True,
            timeout=_SILENCE_SECONDS,
        )

    @contextmanager
    def _patience(self) -> Iterator[None]:
        # The SDK takes the limit for a push from the client.
        before = self._client.api.timeout
        self._client.api.timeout = _SILENCE_SECONDS
        try:
            yield
        finally:
            self._client.api.timeout = before

    @contextmanager
    def _failures(self, doing: str, *, build: bool = False) -> Iterator[None]:
        """Turn the SDK's errors, and the transport's below it, into ours."""
        what = f"could not {doing}"
        try:
            yield
        except docker_errors.APIError as error:
            said = str(error.explanation or error)
            raise (build_error(what, said) if build else registry_error(what, said)) from error
        except docker_errors.DockerException as error:
            raise EngineError(what, why=str(error)) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # What breaks in the middle of a stream comes up from urllib3 as it is.
            raise connection_error(self._host, innermost(error)) from error


def _auth(login: RegistryLogin) -> dict[str, str]:
    return {"username": login.username, "password": login.password.reveal()}


def _raise_error(what: str, item: Mapping[str, Any]) -> None:
    if "error" in item or "errorDetail" in item:
        detail = item.get("errorDetail") or {}
        raise registry_error(what, str(detail.get("message") or item.get("error")))


def _tell(item: Mapping[str, Any], on_progress: OnProgress) -> None:
    # `Pulling from NAME` stands for the image, everything else with an id for a layer.
    if item.get("id") and not str(item.get("status", "")).startswith("Pulling from"):
        detail = item.get("progressDetail") or {}
        on_progress(
            str(item["id"]), str(item["status"]), detail.get("current"), detail.get("total")
        )


def _local_image(attrs: Mapping[str, Any]) -> LocalImage:
    variant = attrs.get("Variant")
    digests = (each.partition("@")[2] for each in attrs.get("RepoDigests") or ())
    return LocalImage(
        id=attrs["Id"],
        platform=f"{attrs['Os']}/{attrs['Architecture']}{f'/{variant}' if variant else ''}",
        size_bytes=int(attrs.get("Size", 0)),
        labels=(attrs.get("Config") or {}).get("Labels") or {},
        layers=tuple((attrs.get("RootFS") or {}).get("Layers") or ()),
        digests=tuple(Digest(each) for each in dict.fromkeys(digests) if each),
    )


def _check_platform(built: LocalImage, request: BuildRequest) -> None:
    # The classic builder takes a base image for another machine without a word.
    wanted = request.platform
    if not fits_platform(built.platform, wanted):
        raise EngineError(
            f"the image was built for {built.platform}, and the tasks run on {wanted}",
            why="the base image is for another machine, and the builder took it all the same",
            hint=f"pull the base for {wanted} (`docker pull --platform {wanted} BASE`), or change"
            " `image.platform` to what the base is for",
        )
