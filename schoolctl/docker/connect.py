"""Clients of the Docker engine, made in this module only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schoolctl.docker.errors import connection_error, innermost, without_docker_config
from schoolctl.docker.sdk import DockerEngine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker import DockerClient

    from schoolctl.docker.engine import Engine

_ANSWER_SECONDS = 60


def connect_engine(environ: Mapping[str, str]) -> Engine:
    """Find the engine that the docker CLI would use: DOCKER_HOST, or the current context's.

    Raises:
        EngineError: none answers, or this user may not use it.
    """
    client, host = connect_docker(environ)
    return DockerEngine(client, host, environ)


def connect_docker(environ: Mapping[str, str]) -> tuple[DockerClient, str]:
    """Give the SDK's client of the engine that `connect_engine` finds, and its address.

    For what works on containers, volumes and networks, which are no part of `Engine`.
    """
    from docker.context import ContextAPI
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    host = environ.get("DOCKER_HOST") or "the current docker context"
    try:
        where: dict[str, Any] = {**kwargs_from_env(environment=dict(environ))}
        if "base_url" not in where:
            where |= ContextAPI.kwargs_from_context(environment=dict(environ))
        host = where.get("base_url", host)
        if host.startswith("ssh://"):
            where["use_ssh_client"] = True  # the user's own keys and ~/.ssh/config
        return _client(where), host
    except DockerException as error:
        said = str(error) if "paramiko" in str(error) else innermost(error)
        cause = connection_error(host, said)
        if environ.get("DOCKER_HOST"):
            cause.hint += "; `unset DOCKER_HOST` leads to this machine's own"
        raise cause from error


def _client(where: Mapping[str, Any]) -> DockerClient:
    from docker import DockerClient
    from docker.errors import InvalidConfigFile

    try:
        return DockerClient(timeout=_ANSWER_SECONDS, version="auto", **where)
    except (InvalidConfigFile, ValueError, AttributeError):
        # The SDK reads the logins in ~/.docker/config.json as it starts, and stumbles over
        # entries that it cannot read. We hand over our own logins, and need none of them.
        with without_docker_config():
            return DockerClient(timeout=_ANSWER_SECONDS, version="auto", **where)
