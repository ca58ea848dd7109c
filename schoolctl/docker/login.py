"""Where Docker keeps logins, and how one is put there: as `docker login` does, and no worse.

A file that cannot be read is the user's, and is never written over.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schoolctl.base.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from schoolctl.model.images import RegistryLogin

_HELPER_SECONDS = 120
"""A helper may ask the user to unlock a keychain."""
ECR_HELPER = "ecr-login"
"""Amazon's credential helper, which gets a token of its own for each push."""


@dataclass(frozen=True)
class LoginPlace:
    """Where Docker looks for a registry's login.

    Attributes:
        file: Docker's configuration file.
        helper: the credential helper or store in charge; empty for the file itself.
    """

    file: Path
    helper: str

    @property
    def needs_no_login(self) -> bool:
        """Whether the helper gets its own token, and would not take ours."""
        return self.helper == ECR_HELPER

    def __str__(self) -> str:
        return f"docker-credential-{self.helper}" if self.helper else str(self.file)


def find_login_place(registry: str, environ: Mapping[str, str]) -> LoginPlace:
    """Find where Docker looks for the login of `registry`.

    Raises:
        EngineError: Docker's configuration file cannot be read.
    """
    folder = environ.get("DOCKER_CONFIG")
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    file = (Path(folder) if folder else home / ".docker") / "config.json"
    content = _read(file)
    helpers = content.get("credHelpers") or {}
    helper = helpers.get(registry) or content.get("credsStore") or ""
    return LoginPlace(file, str(helper))


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, str(error)) from error
    if not text.strip():
        return {}
    try:
        content = json.loads(text)
    except ValueError as error:
        raise _unreadable(file, str(error)) from error
    if not isinstance(content, dict):
        raise _unreadable(file, "it is no JSON object")
    for key in ("auths", "credHelpers"):
        if not isinstance(content.get(key, {}), dict):
            raise _unreadable(file, f"its {key!r} is no JSON object")
    return content


def _unreadable(file: Path, why: str) -> EngineError:
    return EngineError(
        f"Docker's configuration {file} cannot be read; it was left as it is",
        why=why,
        hint=f"correct it, or put it aside: `mv {file} {file}.old`",
    )


def store_login(login: RegistryLogin, place: LoginPlace, environ: Mapping[str, str]) -> None:
    """Put a login where Docker looks for it; the token goes over standard input or into the file.

    Raises:
        EngineError: the credential helper failed, or the file cannot be written.
    """
    if place.helper:
        _store_with_helper(login, place.helper, environ)
    else:
        _store_in_file(login, place)


def _store_with_helper(login: RegistryLogin, helper: str, environ: Mapping[str, str]) -> None:
    name = f"docker-credential-{helper}"
    entry = {
        "ServerURL": login.registry,
        "Username": login.username,
        "Secret": login.password.reveal(),
    }
    try:
        program = shutil.which(name, path=environ.get("PATH"))
        if program is None:
            raise FileNotFoundError(f"{name} is not on PATH")
        subprocess.run(
            [program, "store"],
            input=json.dumps(entry).encode(),
            env=dict(environ),
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_HELPER_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineError(
            f"{name} did not store the login for {login.registry}",
            why=_said(error),
            hint="install or unlock it, or take it out of `credsStore` and `credHelpers` in"
            " Docker's config.json; `schoolctl push` needs neither",
        ) from error


def _said(error: Exception) -> str:
    # The program says on standard output what went wrong; the error's own text has only a number.
    if isinstance(error, subprocess.CalledProcessError) and error.stdout:
        return str(error.stdout.decode(errors="replace").strip())
    return str(error)


def _store_in_file(login: RegistryLogin, place: LoginPlace) -> None:
    # The link may lead to a file that is kept under version control; it stays one.
    file = place.file.resolve()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(file.parent):
            # Read anew: another login may have come since, and must not be undone.
            _replace(file, json.dumps(_with_login(_read(file), login), indent="\t"))
    except OSError as error:
        raise EngineError(
            f"could not write {file}", why=str(error), hint="`schoolctl push` needs no login"
        ) from error


def _with_login(content: Mapping[str, Any], login: RegistryLogin) -> dict[str, Any]:
    pair = f"{login.username}:{login.password.reveal()}"
    auths = {
        key: value
        for key, value in (content.get("auths") or {}).items()
        # `https://HOST/v1/` is the same registry to Docker, with a token of another day.
        if _host(key) != login.registry
    }
    auths[login.registry] = {"auth": base64.b64encode(pair.encode()).decode("ascii")}
    return {**content, "auths": auths}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other login of ours in while the block runs; it leaves no file behind."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _host(key: str) -> str:
    return key.partition("://")[2].partition("/")[0] if "://" in key else key.partition("/")[0]


def _replace(file: Path, text: str) -> None:
    # mkstemp makes the file 0600, and another process sees the old file or the new one.
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".config.json.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as new:
            new.write(text)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
