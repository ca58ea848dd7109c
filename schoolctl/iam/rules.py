"""The policy that was asked for, by the names of commands and roles. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from schoolctl.base.errors import UsageError
from schoolctl.iam.permissions import LOCAL, commands
from schoolctl.iam.policy import needed, statements
from schoolctl.iam.roles import (
    CI_COMMANDS,
    decrypting,
    execution_role_policy,
    github_trust,
    task_role_policy,
    tasks_trust,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from schoolctl.iam.permission import Permissions
    from schoolctl.iam.policy import Document, Scope

ALL, EXECUTION_ROLE, TASK_ROLE, CI = "all", "execution-role", "task-role", "ci"
ROLES = (EXECUTION_ROLE, TASK_ROLE, CI)
_REPOSITORY = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+")
_KMS_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+")
# What git allows in no name of a branch, and what IAM would take for a wildcard.
_NOT_IN_BRANCHES = re.compile(r"[\s*?~^:\\]")


@dataclass(frozen=True)
class Wanted:
    """What is asked for: one role, or commands.

    Attributes:
        role: one of `ROLES`; empty for commands.
        commands: as `schoolctl --help` spells them.
        needed_only: whether reads that can be spared are left out.
        kms_keys: ARNs of keys that values are under.
        github: whose workflows take the ci role, as `OWNER/REPO`.
        branch: the only branch whose workflows may.
    """

    role: str
    commands: tuple[str, ...]
    needed_only: bool = False
    kms_keys: tuple[str, ...] = ()
    github: str = ""
    branch: str | None = None


@dataclass(frozen=True)
class MadePolicy:
    """A policy's statements.

    Attributes:
        statements: empty where nothing has to be allowed.
        permissions: what they come from; empty for the roles of the tasks.
        trust: who may take the role; None where it is no role's.
        warning: what the user should know; empty for nothing.
    """

    statements: Sequence[Document]
    permissions: Permissions = ()
    trust: Document | None = None
    warning: str = ""


def parse_wanted(
    given: Iterable[str],
    *,
    needed_only: bool = False,
    kms_keys: Sequence[str] = (),
    github: str | None = None,
    branch: str | None = None,
) -> Wanted:
    """Read what is asked for.

    Raises:
        UsageError: it names no command, or options that do not go together.
    """
    names = tuple(dict.fromkeys(" ".join(each.split()) for each in given))
    role = next((each for each in names if each in ROLES), "")
    if role and len(names) > 1:
        raise UsageError(
            f"{role} is a role, and its policy stands alone", hint="print each by itself"
        )
    if role != CI and (github is not None or branch is not None):
        raise UsageError("--github and --branch belong to --for ci")
    _check_keys(kms_keys)
    if role == CI:
        _check_github(github, branch)
        return Wanted(CI, CI_COMMANDS, needed_only, tuple(kms_keys), github or "", branch)
    return Wanted(role, () if role else _commands(names), needed_only, tuple(kms_keys))


def _check_keys(kms_keys: Iterable[str]) -> None:
    for each in kms_keys:
        if not _KMS_KEY.fullmatch(each):
            raise UsageError(
                f"{each!r} is no ARN of a KMS key",
                why="a policy names keys: an alias may lead to another one tomorrow",
                hint="`aws kms describe-key --key-id alias/NAME` tells the ARN",
            )


def _check_github(github: str | None, branch: str | None) -> None:
    if github is None:
        raise UsageError(
            "it is not said whose workflows take the ci role", hint="add --github OWNER/REPO"
        )
    if not _REPOSITORY.fullmatch(github):
        raise UsageError(f"{github!r} is no OWNER/REPO", hint="such as --github school/website")
    if branch is not None and (not branch or _NOT_IN_BRANCHES.search(branch)):
        raise UsageError(f"{branch!r} is no name of a branch", hint="such as --branch main")


def _commands(names: Iterable[str]) -> tuple[str, ...]:
    """Give the commands that names stand for; the name of a group stands for all of it."""
    every = sorted({*commands(), *LOCAL})
    found: list[str] = []
    for name in names:
        meant = [each for each in every if name in {ALL, each} or each.startswith(f"{name} ")]
        if not meant:
            raise _unknown(name, [*every, ALL, *ROLES])
        found += meant
    return tuple(dict.fromkeys(found))


def _unknown(name: str, known: Sequence[str]) -> UsageError:
    near = get_close_matches(name.removeprefix("schoolctl "), known, n=1)
    return UsageError(
        f"there is no command {name!r}",
        hint=f'did you mean `--for "{near[0]}"`?' if near else f"there are: {', '.join(known)}",
    )


def make_policy(wanted: Wanted, scope: Scope) -> MadePolicy:
    """Write the statements that are asked for."""
    if wanted.role == EXECUTION_ROLE:
        return MadePolicy(execution_role_policy(scope, wanted.kms_keys), trust=tasks_trust(scope))
    if wanted.role == TASK_ROLE:
        return MadePolicy(task_role_policy(scope, wanted.kms_keys), trust=tasks_trust(scope))
    permissions = tuple(
        each
        for each in needed(scope.config, *wanted.commands)
        if not (wanted.needed_only and each.can_be_left_out)
    )
    made = statements(permissions, scope)
    if made:
        made += decrypting(scope, wanted.kms_keys, writing=True)
    if wanted.role != CI:
        return MadePolicy(made, permissions)
    branch = wanted.branch or scope.config.git.branch
    trust = github_trust(scope, wanted.github, branch)
    return MadePolicy(made, permissions, trust, "" if branch else _any_branch(wanted.github))


def _any_branch(github: str) -> str:
    return (
        f"any branch and any pull request of {github} may take the role: narrow it down with"
        " --branch, or with `git.branch` of the environment"
    )
