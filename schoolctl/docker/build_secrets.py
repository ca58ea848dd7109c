"""What a build may read and an image must not keep: BuildKit's secrets, as `--secret` names them.

Only their names and places are handled here; BuildKit itself reads the values, so that none is
ever an argument of a process or part of a layer.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_ID = re.compile(r"[A-Za-z0-9_.-]+")
_HINT = "write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE"
_SECRET_NAME = re.compile(
    r"passw(or)?d|passphrase|secret|token|api_?key|access_?key|private_?key|credential",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"://[^/\s:@]+:[^/\s@]+@|\bAKIA[A-Z0-9]{16}\b|\bgh[pousr]_\w{20}|npm_\w{20}"
)


@dataclass(frozen=True)
class BuildSecret:
    """A secret for one build: from a file or from a variable of the process's environment."""

    id: str
    file: Path | None = None
    variable: str = ""

    @property
    def option(self) -> str:
        """The secret as `docker build --secret` takes it."""
        source = f"src={self.file}" if self.file is not None else f"env={self.variable}"
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow([f"id={self.id}", source])
        return line.getvalue()


def parse_build_secrets(
    texts: Iterable[str], directory: Path, environ: Mapping[str, str]
) -> tuple[BuildSecret, ...]:
    """Read the values of `--secret`.

    Args:
        texts: such as `id=npm,src=.npmrc` and `id=npm,env=NPM_TOKEN`.
        directory: that relative files are in.
        environ: that variables are in.

    Raises:
        UsageError: one cannot be read, or its file or variable is not there.
    """
    found: dict[str, BuildSecret] = {}
    for text in texts:
        secret = _parse(text, directory, environ)
        if secret.id in found:
            raise UsageError(f"--secret names {secret.id} twice", hint="give each an id of its own")
        found[secret.id] = secret
    return tuple(found.values())


def _parse(text: str, directory: Path, environ: Mapping[str, str]) -> BuildSecret:
    fields = dict(each.partition("=")[::2] for each in next(csv.reader([text]), []))
    kind, identity = fields.pop("type", ""), fields.pop("id", "")
    if not _ID.fullmatch(identity):
        raise UsageError(f"--secret {text!r} names no secret", hint=_HINT)
    source = fields.pop("src", "") or fields.pop("source", "")
    variable = fields.pop("env", "")
    if fields or kind not in {"", "file", "env"} or bool(source) == bool(variable):
        raise UsageError(f"--secret {text!r} cannot be read", hint=_HINT)
    if variable:
        if variable not in environ:
            raise UsageError(
                f"--secret {identity}: {variable} is not set in the environment",
                hint=f"`export {variable}`, or name a file with src=",
            )
        return BuildSecret(identity, variable=variable)
    file = directory / source
    if not file.is_file():
        raise UsageError(f"--secret {identity}: there is no file {file}", hint=_HINT)
    return BuildSecret(identity, file=file)


def secret_arguments(build_args: Mapping[str, str]) -> list[str]:
    """Give the names of build arguments that look like secrets, by name or by value."""
    return [
        name
        for name, value in sorted(build_args.items())
        if value and (_SECRET_NAME.search(name) or _SECRET_VALUE.search(value))
    ]
