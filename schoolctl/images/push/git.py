"""The git source of an image: commit, time, branch and changes."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from schoolctl.base.text import without_user_info
from schoolctl.model.images import Ignored, NoSource, Source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_TIMEOUT_SECONDS = 30
_BRANCH = re.compile(r"refs/(?:heads|remotes/[^/]+)/")
_SCP_LIKE = re.compile(r"(?:[^@/:]+@)?(?P<host>[^/:]+):(?P<path>[^/].*)")


def read_source(
    directory: Path, paths: Sequence[Path], environ: Mapping[str, str]
) -> Source | NoSource:
    """Read the state of the work tree that `directory` lies in.

    Args:
        directory: where git is run.
        paths: what the image is made of; changes elsewhere in the tree do not count.
        environ: the environment that git runs in.
    """
    git = _Git(directory, environ)
    try:
        # With log.showSignature, the words of gpg would stand before what is asked for.
        told = git("-c", "log.showSignature=false", "log", "-1", "--format=%H %ct")
        commit, seconds = told.split()
        # Porcelain v2 begins with the branch; with -z, paths are not quoted.
        status = git(
            "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--",
            *(str(each) for each in paths),
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return NoSource(_reason(error))
    return Source(
        commit,
        datetime.fromtimestamp(int(seconds), UTC),
        _branches(git, status),
        _origin(git),
        _changed(status),
    )


def is_on_branch(
    directory: Path, commit: str, branch: str, environ: Mapping[str, str]
) -> bool | NoSource:
    """Say whether a branch, here or at a remote as it was last fetched, has a commit."""
    git = _Git(directory, environ)
    try:
        told = git("for-each-ref", f"--contains={commit}", "--format=%(refname)", "refs/heads",
                   "refs/remotes")  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return NoSource(_reason(error))
    return branch in {_BRANCH.sub("", each) for each in told.splitlines()}


def is_ignored(directory: Path, name: str, environ: Mapping[str, str]) -> Ignored:
    """Say what git does with a folder in `directory`, whether it is there or not."""
    git = _Git(directory, environ)
    try:
        git("rev-parse", "--is-inside-work-tree")
        if git("ls-files", "--", name):
            return Ignored.TRACKED
    except (OSError, subprocess.SubprocessError):
        return Ignored.NO_GIT
    try:
        # Of a file in it, for the folder may ignore itself; it need not be there.
        git("check-ignore", "--quiet", "--", f"{name}/any.yaml")
    except (OSError, subprocess.SubprocessError):
        return Ignored.NOT_IGNORED
    return Ignored.IGNORED


class _Git:
    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self._directory = directory
        # Asking must not take locks: an editor or another git may be at work.
        self._environ = {**environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}

    def __call__(self, *args: str) -> str:
        answer = subprocess.run(
            ["git", *args],
            cwd=self._directory,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_TIMEOUT_SECONDS,
        )
        return answer.stdout.decode(errors="surrogateescape")


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        said = error.stderr.decode(errors="replace").strip().splitlines()
        return said[0] if said else f"git ended with {error.returncode}"
    if isinstance(error, FileNotFoundError):
        return "git is not installed"
    return str(error)


def _branches(git: _Git, status: str) -> tuple[str, ...]:
    head = next(
        line.removeprefix("# branch.head ")
        for line in status.split("\0")
        if line.startswith("# branch.head ")
    )
    if head != "(detached)":
        return (head,)
    try:
        told = git("for-each-ref", "--points-at=HEAD", "--format=%(refname)", "refs/heads",
                   "refs/remotes")  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ()
    names = (_BRANCH.sub("", each) for each in told.splitlines())
    return tuple(sorted({each for each in names if each != "HEAD"}))


def _changed(status: str) -> tuple[str, ...]:
    # `1 XY sub mH mI mW hH hI path`, `2 XY sub mH mI mW hH hI Xscore path` followed by the former
    # path in a field of its own, `u ...` with ten fields before the path, `? path`.
    fields_before = {"1": 8, "2": 9, "u": 10, "?": 1}
    found = []
    lines = iter(status.split("\0"))
    for line in lines:
        kind = line[:1]
        if kind in fields_before:
            found.append(line.split(" ", fields_before[kind])[-1])
        if kind == "2":
            found.append(next(lines))
    return tuple(found)


def _origin(git: _Git) -> str | None:
    try:
        return public_url(git("config", "--get", "remote.origin.url").strip())
    except (OSError, subprocess.SubprocessError):
        return None


def public_url(remote: str) -> str | None:
    """Give a remote's URL as it may stand in an image: no user name, no password, no token.

    A path on this machine tells nobody else anything, and is None.
    """
    found = _SCP_LIKE.fullmatch(remote)
    if found and "://" not in remote:
        return f"ssh://{found['host']}/{found['path']}"
    if "://" not in remote or remote.startswith("file:"):
        return None
    return without_user_info(remote)
