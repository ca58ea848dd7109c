"""The images a sandbox builds on: pulled, or equivalents made from Debian packages."""

from __future__ import annotations

import hashlib
import os
import queue
import re
import shutil
import ssl
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from docker.errors import BuildError, DockerException, ImageNotFound
from docker.utils import parse_repository_tag

from schoolctl.base.errors import EngineError, SchoolctlError
from schoolctl.sandbox.resources import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from docker.client import DockerClient

    from schoolctl.sandbox.resources import Setup


MARIADB = "mariadb:11"
_ARGUMENT = re.compile(r"^ARG[ \t]+BASE_IMAGE=[\"']?([^\s\"']+)", re.MULTILINE | re.IGNORECASE)
_SILENCE_SECONDS = 20.0
"""A registry that says nothing for so long is taken as not reachable."""


class BaseImage(Resource):
    """The image that the service is built on."""

    name = "base image"
    overlay_keys: ClassVar[Mapping[str, object]] = {
        "image": {"platform": None, "build_args": {"BASE_IMAGE": None}}
    }

    def prepare(self, setup: Setup) -> None:
        """Pull or make the image that the Dockerfile names, if it leaves the choice."""
        ordinary = default_base(self.sandbox.layout.directory / setup.config.image.dockerfile)
        if ordinary is not None:
            setup.base_image = ensure_base(self.sandbox.docker, ordinary, self.sandbox.tell)

    def settings(self, setup: Setup) -> dict[str, object]:
        """Return the platform of this machine's engine, and the base image."""
        image: dict[str, object] = {"platform": f"linux/{setup.bridge.architecture}"}
        if setup.base_image is not None:
            image["build_args"] = {"BASE_IMAGE": setup.base_image}
        return {"image": image}


def default_base(dockerfile: Path) -> str | None:
    """Read the default of the build argument BASE_IMAGE; None where there is no such argument."""
    try:
        found = _ARGUMENT.search(dockerfile.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found[1] if found else None


def ensure_base(docker: DockerClient, ordinary: str, tell: Callable[[str], None]) -> str:
    """Return the image to build on: `ordinary` where it can be had, else its equivalent.

    Raises:
        SchoolctlError: it cannot be had, and has no equivalent or that cannot be made.
    """
    if ordinary.rpartition("/")[2].startswith("python:"):
        return _ensure(docker, ordinary, ensure_python, "python", tell)
    if exists(docker, ordinary) or (reason := _pull(docker, ordinary, tell)) is None:
        return ordinary
    raise SchoolctlError(
        f"the base image {ordinary} cannot be had",
        why=reason,
        hint="`docker load` it, or name another in `image.build_args.BASE_IMAGE`",
    )


def ensure_database_image(docker: DockerClient, tell: Callable[[str], None]) -> str:
    """Return the MariaDB image: the ordinary one where it can be had, else its equivalent."""
    return _ensure(docker, MARIADB, ensure_mariadb, "mariadb", tell)


def remove_images(docker: DockerClient, *, port: int | None, base_images: bool) -> int:
    """Remove the images of a sandbox's registry, and those made from Debian packages.

    Args:
        docker: the engine.
        port: the registry's port; None where it is not known any more.
        base_images: also remove those made from Debian packages, which all sandboxes share.

    Returns:
        How many names were removed; an image that something still uses is left.
    """
    prefixes = [f"{REPOSITORY}/"] if base_images else []
    if port is not None:
        prefixes.append(f"127.0.0.1:{port}/")
    removed = 0
    for image in docker.images.list():
        digests = image.attrs.get("RepoDigests") or []
        for name in [*image.tags, *digests]:
            if name.startswith(tuple(prefixes)):
                removed += _remove(docker, name)
    return removed


def _ensure(
    docker: DockerClient,
    ordinary: str,
    make: Callable[[DockerClient, Recipe, Callable[[str], None]], str],
    kind: str,
    tell: Callable[[str], None],
) -> str:
    if exists(docker, ordinary):
        return ordinary
    recipe = recipe_of_this_host()
    equivalent = {"python": recipe.python, "mariadb": recipe.mariadb}[kind]
    if exists(docker, equivalent):
        return equivalent
    reason = _pull(docker, ordinary, tell)
    if reason is None:
        return ordinary
    tell(f"{ordinary} cannot be pulled ({reason})")
    return make(docker, recipe, tell)


def _pull(docker: DockerClient, name: str, tell: Callable[[str], None]) -> str | None:
    """Pull an image; returns the reason of a failure or of a long silence, else None."""
    tell(f"pulling {name}")
    news: queue.Queue[str | None] = queue.Queue()
    thread = threading.Thread(target=_pull_into, args=(docker, name, news), daemon=True)
    thread.start()
    # Each line of progress starts the limit anew: a slow download is not a silent one.
    while True:
        try:
            line = news.get(timeout=_SILENCE_SECONDS)
        except queue.Empty:
            return f"no word from the registry for {_SILENCE_SECONDS:.0f} seconds"
        if line is None:
            return None
        if line:
            return line


def _pull_into(docker: DockerClient, name: str, news: queue.Queue[str | None]) -> None:
    """Put an empty text for each line of progress, then None, or the reason of the failure."""
    repository, tag = parse_repository_tag(name)
    try:
        for line in docker.api.pull(repository, tag=tag or "latest", stream=True, decode=True):
            news.put(str(line.get("error", "")))
    except DockerException as error:
        news.put(_short(error))
        return
    news.put(None)


def _short(error: DockerException) -> str:
    text = str(getattr(error, "explanation", None) or error)
    return text.strip() or type(error).__name__


def _remove(docker: DockerClient, name: str) -> int:
    try:
        docker.images.remove(name)
    except DockerException:
        return 0
    return 1


REPOSITORY = "schoolctl-sandbox"
"""Images made here are `schoolctl-sandbox/python` and `schoolctl-sandbox/mariadb`."""

_SUITE = "bookworm"
_PACKAGES = ("ca-certificates", "python-is-python3", "python3", "python3-venv")
_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_SETTINGS = (
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV LANG=C.UTF-8",
    f"ENV SSL_CERT_FILE={_BUNDLE}",
    f"ENV PIP_CERT={_BUNDLE}",
    'CMD ["python3"]',
)
_DATABASE = """\
FROM {base}
RUN apt-get update \\
 && apt-get install -y --no-install-recommends mariadb-server \\
 && rm -rf /var/lib/apt/lists/* /var/lib/mysql
"""
_DEBOOTSTRAP = f"""\
set -eu
folder=$(mktemp -d)
trap 'rm -rf --one-file-system "$folder"' EXIT
"$0" --variant=minbase --include="$1" "$2" "$folder"
cp "$3" "$folder{_BUNDLE}"
rm -rf "$folder"/var/cache/apt/archives/*.deb "$folder"/var/lib/apt/lists/*
tar -C "$folder" --one-file-system -cf "$4" .
"""
"""Arguments: debootstrap, the packages, the suite, the certificates, the archive to make."""
_LEFT_OUT = ("doc", "info", "locale", "man")
_TAIL_LINES = 8


@dataclass(frozen=True)
class Recipe:
    """The contents of the images: the packages, and the host's certificates."""

    certificates: bytes

    @property
    def tag(self) -> str:
        """The suite and a checksum of everything that goes in."""
        key = repr((_SUITE, _PACKAGES, _SETTINGS, _DATABASE, _LEFT_OUT)).encode()
        return f"{_SUITE}-{hashlib.sha256(key + self.certificates).hexdigest()[:12]}"

    @property
    def python(self) -> str:
        """Name of the Python image."""
        return f"{REPOSITORY}/python:{self.tag}"

    @property
    def mariadb(self) -> str:
        """Name of the MariaDB image."""
        return f"{REPOSITORY}/mariadb:{self.tag}"


def recipe_of_this_host() -> Recipe:
    """Read the certificates that this host trusts."""
    named = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    for path in (named, _BUNDLE, "/etc/pki/tls/certs/ca-bundle.crt"):
        if path and Path(path).is_file():
            return Recipe(Path(path).read_bytes())
    return Recipe(b"")


def ensure_python(docker: DockerClient, recipe: Recipe, tell: Callable[[str], None]) -> str:
    """Return the name of the Python image, made first where it is missing (half a minute).

    Raises:
        SchoolctlError: no tool is there to make it, or the tool failed, in its words.
    """
    if not exists(docker, recipe.python):
        tell("making a Python base image from Debian packages; this is done once")
        with tempfile.TemporaryDirectory(prefix="schoolctl-") as folder:
            archive = _make_root_filesystem(recipe, Path(folder))
            _import(docker, archive, recipe.python)
    return recipe.python


def ensure_mariadb(docker: DockerClient, recipe: Recipe, tell: Callable[[str], None]) -> str:
    """Return the name of the MariaDB image, made first where it is missing (a quarter of a minute).

    Raises:
        SchoolctlError: as `ensure_python`, on whose image it is built.
    """
    if not exists(docker, recipe.mariadb):
        base = ensure_python(docker, recipe, tell)
        tell("making a MariaDB image from Debian packages; this is done once")
        _build(docker, _DATABASE.format(base=base), recipe.mariadb)
    return recipe.mariadb


def exists(docker: DockerClient, name: str) -> bool:
    """Return whether the engine has the image `name`."""
    try:
        docker.images.get(name)
    except ImageNotFound:
        return False
    return True


def _make_root_filesystem(recipe: Recipe, folder: Path) -> Path:
    bundle, archive, log = folder / "ca.crt", folder / "root.tar", folder / "log"
    bundle.write_bytes(recipe.certificates)
    command = _command(bundle, archive)
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            code = process.wait()
        except BaseException:
            # Not by force: it has /proc and /dev mounted in its folder, and must undo that.
            process.terminate()
            process.wait()
            raise
    if code != 0:
        lines = log.read_text(errors="replace").splitlines()
        raise SchoolctlError(
            f"{Path(command[0]).name} could not make the base image",
            why="\n".join(lines[-_TAIL_LINES:]),
            hint="it downloads from deb.debian.org: check the network, then run the command again",
        )
    return archive


def _command(bundle: Path, archive: Path) -> list[str]:
    packages = ",".join(_PACKAGES)
    if mmdebstrap := shutil.which("mmdebstrap"):
        excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
        return [
            mmdebstrap,
            "--variant=minbase",
            f"--include={packages}",
            "--dpkgopt=force-unsafe-io",
            *excluded,
            f"--customize-hook=upload {bundle} {_BUNDLE}",
            _SUITE,
            str(archive),
        ]
    if debootstrap := shutil.which("debootstrap"):
        return ["sh", "-c", _DEBOOTSTRAP, debootstrap, packages, _SUITE, str(bundle), str(archive)]
    raise SchoolctlError(
        "no base image can be had",
        why="no image registry can be reached, and neither mmdebstrap nor debootstrap is there"
        " to make one from Debian packages",
        hint="`apt-get install mmdebstrap` (Debian, Ubuntu), then run the command again",
    )


def _import(docker: DockerClient, archive: Path, name: str) -> None:
    repository, _, tag = name.rpartition(":")
    try:
        answer = docker.api.import_image_from_file(
            str(archive), repository=repository, tag=tag, changes=list(_SETTINGS)
        )
    except DockerException as error:
        raise EngineError(f"the engine did not take the image {name}", why=str(error)) from error
    # A failure half-way comes with status 200, as text.
    if not exists(docker, name):
        raise EngineError(f"the engine did not take the image {name}", why=str(answer).strip())


def _build(docker: DockerClient, dockerfile: str, name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="schoolctl-") as folder:
        (Path(folder) / "Dockerfile").write_text(dockerfile)
        try:
            docker.images.build(path=folder, tag=name, rm=True, forcerm=True)
        except BuildError as error:
            lines = "".join(str(each.get("stream", "")) for each in error.build_log).splitlines()
            raise EngineError(
                f"the image {name} could not be built",
                why="\n".join([*lines[-_TAIL_LINES:], str(error.msg)]),
                hint="it downloads from deb.debian.org: check the network, and run it again",
            ) from error
