"""The tag and labels of a release, and the git rules of an environment. Pure."""

from __future__ import annotations

from schoolctl.base.errors import SchoolctlError, UsageError
from schoolctl.base.text import count
from schoolctl.model.images import NoSource, Source, parse_tag

FINGERPRINT = "schoolctl.fingerprint"
REVISION = "org.opencontainers.image.revision"
SOURCE = "org.opencontainers.image.source"
VERSION = "org.opencontainers.image.version"
CREATED = "org.opencontainers.image.created"

_DIGITS = 8
_SHOWN = 10
_DIGITS_OF_A_COMMIT = 12


def choose_tag(given: str | None, commit: str | None, *, dirty: bool, fingerprint: str) -> str:
    """Give the image's tag: the one asked for, else the commit.

    Args:
        given: `--tag`.
        commit: its short name; None where git tells of none.
        dirty: whether the tree has changes that the commit has not.
        fingerprint: of the build; its first digits tell dirty builds of one commit apart.

    Raises:
        UsageError: the tag asked for cannot be one, or there is neither a tag nor a commit.
    """
    if given is not None:
        return parse_tag(given)
    if commit is None:
        raise UsageError(
            "no tag was given, and git knows no commit to take its place",
            hint="give one with --tag, such as `--tag 1.0`",
        )
    return f"{commit}-dirty-{fingerprint[:_DIGITS]}" if dirty else commit


def check_git(
    source: Source | NoSource, *, branch: str | None, clean: bool, environment: str
) -> None:
    """Refuse a source that the environment's `git:` forbids.

    Args:
        source: what git tells.
        branch: the branch that must be checked out; None for any.
        clean: whether everything that goes into the image must be committed.
        environment: for the message.

    Raises:
        SchoolctlError: it is on another branch, has changes, or git cannot tell.
    """
    if branch is None and not clean:
        return
    wants = f"environment {environment} wants"
    if isinstance(source, NoSource):
        raise SchoolctlError(
            f"{wants} a build from git, and git cannot tell",
            why=source.reason,
            hint="run it in the repository, or change `git:` of the environment",
        )
    if branch is not None and branch not in source.branches:
        on = " and ".join(source.branches) or "no branch (a detached HEAD)"
        raise SchoolctlError(
            f"{wants} a build of branch {branch}",
            why=f"commit {source.short} is on {on}",
            hint=f"`git switch {branch}`, then run it again; `git.branch` in schoolctl.yaml says"
            " which branch may be pushed",
        )
    if clean and source.changed:
        shown = list(source.changed[:_SHOWN])
        if len(source.changed) > _SHOWN:
            shown.append(f"and {len(source.changed) - _SHOWN} more")
        raise SchoolctlError(
            f"{wants} a build of what is committed,"
            f" and {count(len(source.changed), 'file')} differ from commit {source.short}",
            why="\n".join(shown),
            hint="commit the changes, or put them aside with `git stash -u`",
        )


def release_labels(source: Source | NoSource, *, tag: str, fingerprint: str) -> dict[str, str]:
    """Give the labels of the image: OCI's annotations, and the fingerprint.

    The time is the commit's, so that the same source gives the same image on any day.
    """
    labels = {VERSION: tag, FINGERPRINT: fingerprint}
    if isinstance(source, Source):
        labels[REVISION] = f"{source.commit}-dirty" if source.changed else source.commit
        labels[CREATED] = source.committed_at.isoformat().replace("+00:00", "Z")
        if source.url:
            labels[SOURCE] = source.url
    return labels


def short_commit(commit: str) -> str:
    """Give a commit's first digits, with the mark of a tree that had changes: `1a2b3c-dirty`."""
    digits, mark, rest = commit.partition("-")
    return f"{digits[:_DIGITS_OF_A_COMMIT]}{mark}{rest}"
