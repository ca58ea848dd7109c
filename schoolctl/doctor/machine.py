"""Checks of this machine: the engine, what a build would send, the configuration. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from schoolctl.base.errors import SchoolctlError
from schoolctl.base.text import count, size
from schoolctl.doctor.verdict import Check, Group, Verdict, fail, ok, skip, warn
from schoolctl.images.push.release import check_git
from schoolctl.model.images import BuilderKind, Ignored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.config.models import Config
    from schoolctl.docker.guard import Finding
    from schoolctl.doctor.observe import Disk
    from schoolctl.images.push.npm_lock import StaleLock
    from schoolctl.model.images import Builder, NoSource, Source

_OLDEST_ENGINE = (20, 10)
_TIGHT_BYTES = 5_000_000_000
_FULL_BYTES = 1_000_000_000
_BUILDKIT_ONLY = re.compile(
    r"^\s*(?:RUN\s[^\n]*--mount=|(?:COPY|ADD)\s[^\n]*--(?:link|chmod)\b"
    r"|(?:RUN|COPY)\s+(?:--?\S+\s+)*<<-?[\"']?\w)",
    re.MULTILINE | re.IGNORECASE,
)
"""What a Dockerfile may say that the classic builder does not understand."""
_FREE_SPACE = (
    "`docker system df` tells what takes it, `docker system prune` frees what nothing uses"
)


def _graceful_seconds(config: Config) -> int | None:
    arguments = config.task.environment.get("GUNICORN_CMD_ARGS", "")
    found = re.search(r"--graceful-timeout[ =](\d+)", arguments)
    return int(found[1]) if found else None


def judge_config(config: Config, file: str) -> Verdict:
    """Judge what a configuration that can be used says, and hardly means."""
    service = config.service
    if service.subnets == "default" and not service.assign_public_ip:
        return warn(
            "tasks in the default subnets without a public address cannot pull their image",
            "set `service.assign_public_ip: true`, or name private subnets with a NAT gateway",
        )
    seconds = _graceful_seconds(config)
    if seconds is not None and seconds >= config.task.stop_timeout:
        return warn(
            f"gunicorn may take {seconds} s to end, and ECS kills it after"
            f" {config.task.stop_timeout} s",
            f"set `task.stop_timeout` above {seconds}, or take GUNICORN_CMD_ARGS down",
        )
    if config.protected and config.account is None:
        return warn(
            f"environment {config.environment} is protected, and no account is pinned",
            "set `account:` of the environment",
        )
    return ok(f"{file}, environment {config.environment}")


CONFIGURATION = Check(
    "configuration",
    Group.MACHINE,
    needs=(),
    look=lambda look: look.settings,
    judge=lambda look, _: judge_config(look.config, look.run.config_file.path.name),
)


def judge_engine(version: str, host: str) -> Verdict:
    """Judge a Docker engine that answers."""
    found = re.match(r"(\d+)\.(\d+)", version)
    if found and (int(found[1]), int(found[2])) < _OLDEST_ENGINE:
        return warn(
            f"version {version} at {host}",
            "update it: schoolctl is tested with 20.10 and newer",
        )
    return ok(f"version {version} at {host}")


DOCKER_ENGINE = Check(
    "docker engine",
    Group.MACHINE,
    needs=(),
    look=lambda look: look.engine_info,
    judge=lambda _, seen: judge_engine(seen.version, seen.host),
)


def judge_builder(builder: Builder, dockerfile: str) -> Verdict:
    """Judge whether the builder understands the Dockerfile (its text)."""
    if builder.kind is BuilderKind.BUILDKIT:
        return ok(f"{builder} ({builder.cli})")
    found = _BUILDKIT_ONLY.search(dockerfile)
    if found:
        return fail(
            f"the Dockerfile needs BuildKit (`{found[0].strip()}`), and no docker CLI has it",
            "install the docker CLI with its buildx plugin (`docker-buildx-plugin`)",
        )
    return ok(f"{builder}; the Dockerfile needs no more")


BUILDER = Check(
    "builder",
    Group.MACHINE,
    needs=("configuration", "docker engine"),
    look=lambda look: look.builder,
    judge=lambda _, seen: judge_builder(*seen),
)


def judge_disk(disk: Disk) -> Verdict:
    """Judge the space for builds."""
    if disk.free_bytes is None:
        return skip(f"the engine's disk ({disk.path}) is not of this machine")
    what = f"{size(disk.free_bytes)} free in {disk.path}"
    if disk.free_bytes < _FULL_BYTES:
        return fail(what, _FREE_SPACE)
    return warn(what, _FREE_SPACE) if disk.free_bytes < _TIGHT_BYTES else ok(what)


DISK_SPACE = Check(
    "disk space",
    Group.MACHINE,
    needs=("docker engine",),
    look=lambda look: look.disk,
    judge=lambda _, seen: judge_disk(seen),
)


def judge_context(findings: Sequence[Finding], size_bytes: int, files: int) -> Verdict:
    """Judge what a build would send, as `build` and `push` do."""
    if not findings:
        return ok(f"{count(files, 'file')}, {size(size_bytes)}")
    first, *others = findings
    more = f", and {len(others)} more" if others else ""
    return fail(
        f"{first}{more}",
        "leave it out in .dockerignore (best: `*`, then `!` for what the image needs), or list it"
        " under `image.allow` in schoolctl.yaml; `schoolctl build --list-context` lists it all",
    )


BUILD_CONTEXT = Check(
    "build context",
    Group.MACHINE,
    needs=("configuration",),
    look=lambda look: look.context,
    judge=lambda _, seen: judge_context(seen.findings, seen.size_bytes, len(seen.entries)),
)


def judge_lock_files(stale: Sequence[StaleLock]) -> Verdict:
    """Judge the lock files that the build's `npm ci` installs from."""
    if not stale:
        return ok("none that the build's `npm ci` would refuse")
    told = "; ".join(f"`npm ci` would refuse {each.lock}: {each.differences[0]}" for each in stale)
    return fail(told, f"run {', '.join(dict.fromkeys(each.cure for each in stale))}")


LOCK_FILES = Check(
    "lock files",
    Group.MACHINE,
    needs=("configuration", "build context"),
    look=lambda look: look.stale_locks,
    judge=lambda _, seen: judge_lock_files(seen),
)


def judge_git(config: Config, source: Source | NoSource) -> Verdict:
    """Judge the work tree by what `git:` of the environment wants, as `push` does."""
    wants = config.git
    if wants.branch is None and not wants.clean:
        return ok("the environment wants none")
    try:
        check_git(source, branch=wants.branch, clean=wants.clean, environment=config.environment)
    except SchoolctlError as error:
        why = error.why.partition("\n")[0]
        return warn(f"{error.what} ({why})", error.hint)
    return ok("the work tree is as the environment wants it")


GIT_RULES = Check(
    "git rules",
    Group.MACHINE,
    needs=("configuration",),
    look=lambda look: look.source,
    judge=lambda look, seen: judge_git(look.config, seen),
)


def judge_overlay(ignored: Ignored) -> Verdict:
    """Judge whether `.schoolctl/`, which may hold keys, could be committed."""
    match ignored:
        case Ignored.NO_GIT | Ignored.IGNORED:
            return ok(ignored.value)
        case Ignored.NOT_IGNORED:
            return fail(
                f"{ignored.value}, and it may hold keys", "`echo .schoolctl/ >> .gitignore`"
            )
        case Ignored.TRACKED:
            return fail(
                f"{ignored.value}, and it may hold keys",
                "`echo .schoolctl/ >> .gitignore`, then `git rm -r --cached --quiet .schoolctl`;"
                " change the keys that are in the history",
            )


OVERLAY = Check(
    ".schoolctl/",
    Group.MACHINE,
    needs=("configuration",),
    look=lambda look: look.overlay,
    judge=lambda _, seen: judge_overlay(seen),
)


CHECKS: tuple[Check[Any], ...] = (
    CONFIGURATION,
    DOCKER_ENGINE,
    BUILDER,
    DISK_SPACE,
    BUILD_CONTEXT,
    LOCK_FILES,
    GIT_RULES,
    OVERLAY,
)
