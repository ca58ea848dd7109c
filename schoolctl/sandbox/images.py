"""Which base images the sandbox builds on: the ordinary ones, or their equivalents."""

from __future__ import annotations

import queue
import re
import threading
from typing import TYPE_CHECKING

from docker.errors import DockerException
from docker.utils import parse_repository_tag

from schoolctl.base.errors import SchoolctlError
from schoolctl.sandbox import debian

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from docker.client import DockerClient

MARIADB = "mariadb:11"
_ARGUMENT = re.compile(r"^ARG[ \t]+BASE_IMAGE=[\"']?([^\s\"']+)", re.MULTILINE | re.IGNORECASE)
_SILENCE_SECONDS = 20.0
"""A registry that says nothing for so long is taken as not reachable."""


def default_base(dockerfile: Path) -> str | None:
    """Read the default of the build argument BASE_IMAGE; None where there is no such argument."""
    try:
        found = _ARGUMENT.search(dockerfile.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found[1] if found else None


def ensure_base(docker: DockerClient, ordinary: str, tell: Callable[[str], None]) -> str:
    """Give the image to build on: `ordinary` where it can be had, else its equivalent.

    Raises:
        SchoolctlError: it cannot be had, and has no equivalent or that cannot be made.
    """
    if ordinary.rpartition("/")[2].startswith("python:"):
        return _ensure(docker, ordinary, debian.ensure_python, "python", tell)
    if debian.exists(docker, ordinary) or (reason := _pull(docker, ordinary, tell)) is None:
        return ordinary
    raise SchoolctlError(
        f"the base image {ordinary} cannot be had",
        why=reason,
        hint="`docker load` it, or name another in `image.build_args.BASE_IMAGE`",
    )


def ensure_database_image(docker: DockerClient, tell: Callable[[str], None]) -> str:
    """Give the MariaDB image: the ordinary one where it can be had, else its equivalent."""
    return _ensure(docker, MARIADB, debian.ensure_mariadb, "mariadb", tell)


def remove_images(docker: DockerClient, *, port: int | None, base_images: bool) -> int:
    """Remove the images of a sandbox's registry, and those made from Debian packages.

    Args:
        docker: the engine.
        port: the registry's port; None where it is not known any more.
        base_images: also remove those made from Debian packages, which all sandboxes share.

    Returns:
        How many names were removed; an image that something still uses is left.
    """
    prefixes = [f"{debian.REPOSITORY}/"] if base_images else []
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
    make: Callable[[DockerClient, debian.Recipe, Callable[[str], None]], str],
    kind: str,
    tell: Callable[[str], None],
) -> str:
    if debian.exists(docker, ordinary):
        return ordinary
    recipe = debian.recipe_of_this_host()
    equivalent = {"python": recipe.python, "mariadb": recipe.mariadb}[kind]
    if debian.exists(docker, equivalent):
        return equivalent
    reason = _pull(docker, ordinary, tell)
    if reason is None:
        return ordinary
    tell(f"{ordinary} cannot be pulled ({reason})")
    return make(docker, recipe, tell)


def _pull(docker: DockerClient, name: str, tell: Callable[[str], None]) -> str | None:
    """Pull an image; gives the reason where that does not work, or goes silent."""
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
