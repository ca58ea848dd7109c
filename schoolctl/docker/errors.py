"""Errors of the Docker engine and of the registries behind it, each with one cause and one hint.

The texts are the engine's (20.10 to 28), containerd's and ECR's; they are matched loosely, as
each release words them a little differently.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from schoolctl.base.denial import Refusal, denied_action, refusal_in
from schoolctl.base.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schoolctl.model.images import RepositoryUri


_REFUSALS = {
    Refusal.EXPIRED: "run it again: each push gets a new token; by hand, run `schoolctl login`",
    Refusal.NO_LOGIN: "the registry was sent no login: run `schoolctl login`, or push with"
    " `schoolctl push`",
    Refusal.BAD_LOGIN: "the registry refused the login: check account and region with"
    " `schoolctl profile show`, and `registry` of the environment",
    Refusal.FORBIDDEN: "the token is for one account and one region: compare them with the image's"
    " name (`schoolctl profile show`); where they agree, the policy lacks the ECR permissions",
}


@dataclass(frozen=True)
class _Cause:
    pattern: str
    hint: str


# A registry may also word these as a denial.
_SPECIFIC_CAUSES = (
    _Cause(
        r"immutable",
        "a tag is never given to another image: choose a new one with --tag",
    ),
    _Cause(
        r"name unknown|repository .*(?:does not exist|not found)|RepositoryNotFound",
        "run `schoolctl repo create`, or push with --create-repo",
    ),
)

_CAUSES = (
    _Cause(
        r"manifest unknown|manifest .*not found",
        "the registry has no such image: `schoolctl images list` shows those there are",
    ),
    _Cause(
        r"tag does not exist|does not exist locally|no such image",
        "build it first: `schoolctl build`",
    ),
    _Cause(r"no space left|disk quota", "free space on the engine's disk: `docker system df`"),
    _Cause(
        r"server gave HTTP response to HTTPS client",
        "the registry speaks HTTP: name it 127.0.0.1, or list it under the engine's"
        " `insecure-registries`",
    ),
    _Cause(
        r"connection refused|no such host|i/o timeout|network is unreachable|connection reset"
        r"|broken pipe|TLS handshake|server misbehaving|unexpected EOF|EOF$",
        "the engine cannot reach the registry: check the network, and `registry` and `region` of"
        " the environment",
    ),
    _Cause(r"toomanyrequests|rate exceeded", "the registry limits requests: wait and run it again"),
)

_BUILD_CAUSES = (
    _Cause(
        r"requires BuildKit|the --(?:mount|chmod) option|unknown flag: (?:mount|link|chmod)",
        "the Dockerfile needs BuildKit: install the docker CLI with its buildx plugin, then"
        " `--builder buildkit`",
    ),
    _Cause(
        r"no such host|i/o timeout|connection refused|pull access denied|manifest unknown",
        "the base image cannot be had: check its name, the network, and a login for its registry",
    ),
    _Cause(r"no space left", "free space on the engine's disk: `docker system df`"),
)


class RegistryError(EngineError):
    """A push, pull or copy that failed.

    Attributes:
        refusal: how the registry refused the caller; None for any other failure.
        action: the IAM action that the registry names as missing; None if it names none.
        repository: the repository that was asked; None if the engine asked, not schoolctl.
    """

    def __init__(
        self, what: str, said: str, *, hint: str, repository: RepositoryUri | None = None
    ) -> None:
        super().__init__(what, why=said, hint=hint)
        self.refusal = refusal_in(said)
        self.action = denied_action(said)
        self.repository = repository


def registry_error(what: str, said: str, repository: RepositoryUri | None = None) -> RegistryError:
    """Return the error for a push, pull or copy that failed.

    Args:
        what: what could not be done: `could not push X`.
        said: the engine's or the registry's words.
        repository: the repository that was asked, where two may have been.
    """
    action, refusal = denied_action(said), refusal_in(said)
    hint = f"ask for a policy that allows {action}" if action else _hint(_SPECIFIC_CAUSES, said)
    if not hint:
        hint = _REFUSALS[refusal] if refusal is not None else _hint(_CAUSES, said)
    return RegistryError(what, said, hint=hint, repository=repository)


def build_error(what: str, said: str, last_lines: tuple[str, ...] = ()) -> EngineError:
    """Give the error for a build that failed, with the last lines of its output."""
    why = "\n".join((*last_lines, said) if said not in last_lines[-1:] else last_lines)
    return EngineError(what, why=why, hint=_hint(_BUILD_CAUSES, why))


def _hint(causes: tuple[_Cause, ...], said: str) -> str:
    for cause in causes:
        if re.search(cause.pattern, said, re.IGNORECASE):
            return cause.hint
    return ""


def innermost(error: BaseException) -> str:
    """Give the words of the first cause: each library on the way wraps it in a longer text."""
    cause = error
    while (before := cause.__cause__ or cause.__context__) is not None:
        cause = before
    return str(cause) or type(cause).__name__


def connection_error(host: str, said: str) -> EngineError:
    """Give the error for an engine that does not answer.

    Args:
        host: where it was looked for.
        said: the library's words.
    """
    if re.search(r"permission denied", said, re.IGNORECASE):
        return EngineError(
            f"you may not use the Docker engine at {host}",
            why="its socket is for root and the group `docker`",
            hint="run `sudo usermod -aG docker $USER` and log in anew (the group is root's equal)",
        )
    if "paramiko" in said:
        return EngineError(
            f"the Docker engine at {host} is reached by SSH, which needs a library",
            why=said,
            hint="run `pip install paramiko`, or use another engine: `docker context use default`",
        )
    if host.startswith("ssh://"):
        return EngineError(
            f"the Docker engine at {host} does not answer",
            why=said,
            hint=f"try `docker -H {host} version`; the key must be in your SSH agent",
        )
    return EngineError(
        f"no Docker engine answers at {host}",
        why=said,
        hint="start it (`sudo systemctl start docker`, or Docker Desktop), then `docker version`",
    )


@contextmanager
def without_docker_config() -> Iterator[Path]:
    """Let the SDK find an empty config.json; gives its path."""
    before = os.environ.get("DOCKER_CONFIG")
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "config.json"
        empty.write_text("{}")
        os.environ["DOCKER_CONFIG"] = folder
        try:
            yield empty
        finally:
            if before is None:
                del os.environ["DOCKER_CONFIG"]
            else:
                os.environ["DOCKER_CONFIG"] = before
