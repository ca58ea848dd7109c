"""Whether the lock files of a build agree with what they were made from. Pure.

A lock file out of step fails in the middle of a build, or worse: the image gets other packages than
its source names. Compared is what can be judged for certain; a form that is not known, a package
from a repository or a URL, and a marker that may leave a package out, all pass.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from schoolctl.errors import SchoolctlError
from schoolctl.plan.lock_files.stale import Files, StaleLock

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

__all__ = ["StaleLock", "find_stale_locks", "refuse_stale_locks"]

_MOST_SHOWN = 10
_KINDS = {
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "uv.lock": "uv",
    "poetry.lock": "poetry",
}
"""The module of each; what reads requirements is loaded only where there are any."""
_NOT_OURS = frozenset({"node_modules", "site-packages", ".venv", "venv"})
"""What is in there belongs to whoever published it."""


def find_stale_locks(paths: Collection[str], read: Callable[[str], str | None]) -> list[StaleLock]:
    """Give the lock files that are out of step with their source.

    Args:
        paths: what the build context holds, each relative to it and with `/`.
        read: gives the text of a file by such a path, None where there is none; a source may lie
            beside its lock file without being sent.
    """
    files = Files(frozenset(paths), read)
    found = []
    for path in sorted(paths):
        folder, _, name = path.rpartition("/")
        if not _NOT_OURS.isdisjoint(folder.split("/")):
            continue
        kind = _KINDS.get(name) or ("pip_tools" if name.endswith(".txt") else None)
        if kind is None:
            continue
        module = importlib.import_module(f"{__name__}.{kind}")
        stale: StaleLock | None = module.compare(files, path)
        if stale is not None:
            found.append(stale)
    return found


def refuse_stale_locks(found: Sequence[StaleLock]) -> None:
    """Raise a `SchoolctlError` that names each difference and its cure; without any, do nothing."""
    if not found:
        return
    lines = []
    for stale in found:
        lines.append(f"{stale.lock} is out of step with {stale.source}:")
        lines += [f"  {each}" for each in stale.differences[:_MOST_SHOWN]]
        if len(stale.differences) > _MOST_SHOWN:
            lines.append(f"  and {len(stale.differences) - _MOST_SHOWN} more")
    cures = dict.fromkeys(each.cure for each in found)
    raise SchoolctlError(
        "nothing was built: "
        + (f"{found[0].lock} is" if len(found) == 1 else f"{len(found)} lock files are")
        + " out of step",
        why="\n".join(lines),
        hint=f"run {', '.join(cures)}, and commit the result; --allow-stale-lock builds all the"
        " same",
    )
