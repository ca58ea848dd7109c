"""What to ask IAM about a caller or a role, and what its answers mean. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from schoolctl.base.text import count
from schoolctl.doctor.verdict import Verdict, fail, ok, warn
from schoolctl.iam.permission import Case, On
from schoolctl.iam.policy import needed, to_simulate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from schoolctl.iam.permission import Permission
    from schoolctl.iam.policy import Document, Scope

_ANY_WILL_DO = frozenset({On.LOG_GROUP, On.SERVICE_DEPLOYMENTS, On.SERVICE_REVISIONS})
"""Kinds with several ARNs of which AWS asks for one; which one depends on the action."""
_ALWAYS = frozenset({None, Case.TARGET_GROUP, Case.RELEASE_COMMAND})
"""The cases that every run comes to, where the configuration has them."""
_SHOWN = 3


@dataclass(frozen=True)
class Question:
    """What IAM is asked.

    Attributes:
        actions: such as `ecr:PutImage`.
        resources: ARNs without wildcards, or `*` alone.
        context: condition keys of the request, by name.
        any_will_do: whether an action is allowed where it is so on one of the resources.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    context: tuple[tuple[str, str], ...] = ()
    any_will_do: bool = False


def questions_of_command(command: str, scope: Scope, *, optional: bool) -> list[Question]:
    """Give what to ask about a caller who runs a command.

    Args:
        command: as `schoolctl --help` spells it.
        scope: where.
        optional: ask about what the command can do without, instead of what it needs.
    """
    wanted = (
        each
        for each in needed(scope.config, command)
        if each.is_optional is optional and each.when in _ALWAYS
    )
    return _grouped(_asked(wanted, scope))


def _asked(
    permissions: Iterable[Permission], scope: Scope
) -> Iterator[tuple[str, tuple[str, ...], tuple[tuple[str, str], ...], bool]]:
    for each in to_simulate(permissions, scope):
        resources = tuple(map(_example, each.resources))
        yield (
            each.permission.action,
            resources,
            tuple(sorted(each.context.items())),
            each.permission.on in _ANY_WILL_DO,
        )


def _grouped(
    asked: Iterable[tuple[str, tuple[str, ...], tuple[tuple[str, str], ...], bool]],
) -> list[Question]:
    """Join what is asked about the same resources: one call takes many actions."""
    groups: dict[tuple[tuple[str, ...], tuple[tuple[str, str], ...], bool], list[str]] = {}
    for action, resources, context, any_will_do in asked:
        groups.setdefault((resources, context, any_will_do), []).append(action)
    return [Question(tuple(sorted(set(actions))), *about) for about, actions in groups.items()]


def questions_of_statements(
    statements: Sequence[Document], known: Sequence[str] = ()
) -> list[Question]:
    """Give what to ask about a role that should have a policy of these statements.

    Args:
        statements: each with `Action` and `Resource`, as a list or alone.
        known: ARNs that exist: one that a pattern matches is asked about in its place.
    """
    found = []
    for each in statements:
        for resource in _many(each["Resource"]):
            there = next((arn for arn in known if fnmatchcase(arn, resource)), resource)
            found.append(Question(tuple(_many(each["Action"])), (_example(there),)))
    return found


def _many(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _example(pattern: str) -> str:
    """Give an ARN that a pattern matches: IAM is asked about things, not about patterns."""
    if pattern == "*":
        return pattern
    name = "log-stream:1" if ":log-group:" in pattern else "1"
    return pattern.replace("??????", "a1B2c3").replace("*", name)


@dataclass(frozen=True)
class Denial:
    """What IAM says is not allowed."""

    action: str
    resource: str

    def __str__(self) -> str:
        return self.action if self.resource == "*" else f"{self.action} on {self.resource}"


def denials(question: Question, answers: Sequence[frozenset[str]]) -> list[Denial]:
    """Give what is denied.

    Args:
        question: what was asked.
        answers: for each of its resources, the actions that are denied on it.
    """
    if question.any_will_do:
        everywhere = frozenset.intersection(*answers)
        return [Denial(action, question.resources[0]) for action in sorted(everywhere)]
    return [
        Denial(action, resource)
        for resource, denied in zip(question.resources, answers, strict=True)
        for action in sorted(denied)
    ]


def judge_caller(
    principal: str | None, command: str, refused: Sequence[Denial], spared: Sequence[Denial]
) -> Verdict:
    """Judge whether the caller may do what a command needs.

    Args:
        principal: the ARN of the user or role; None for the root user, who may do everything.
        command: the command.
        refused: what it needs, and is denied.
        spared: what it can do without, and is denied.
    """
    if principal is None:
        return ok("the account's root user may do everything")
    cure = _let(principal, f"schoolctl-{command}", command)
    if refused:
        return fail(f"{_shown(principal)} may not: {_listed(refused)}", cure)
    if spared:
        return warn(f"goes on without: {_listed(spared)}", cure)
    return ok(f"{_shown(principal)} may, as far as IAM can tell")


def judge_role_may(
    role: str | None, refused: Sequence[Denial], kind: str, *, cure: str = ""
) -> Verdict:
    """Judge whether a role of the tasks may do what it is for.

    Args:
        role: its ARN; None where the tasks have none.
        refused: what it is denied.
        kind: `execution-role` or `task-role`.
        cure: a better one than a policy of its own.
    """
    if role is None:
        return ok("there is no such role")
    if refused:
        return fail(
            f"{_shown(role)} may not: {_listed(refused)}", cure or _let(role, "schoolctl", kind)
        )
    return ok(f"{_shown(role)} may, as far as IAM can tell")


def _listed(refused: Sequence[Denial]) -> str:
    shown = ", ".join(map(str, refused[:_SHOWN]))
    more = len(refused) - _SHOWN
    return f"{shown}, and {count(more, 'other')}" if more > 0 else shown


def _shown(principal: str) -> str:
    kind, _, name = principal.rpartition(":")[2].partition("/")
    return f"{kind} {name.rpartition('/')[2]}"


def _let(principal: str, policy: str, wanted: str) -> str:
    """Give the command that allows a user or role what a policy of ours says."""
    kind, _, path = principal.rpartition(":")[2].partition("/")
    printed = f"schoolctl iam policy --for {wanted}"
    if kind not in {"user", "role"} or path.startswith("aws-reserved/"):
        return f"let a policy allow it: `{printed}`"
    name = path.rpartition("/")[2]
    return (
        f"`aws iam put-{kind}-policy --{kind}-name {name} --policy-name {policy}"
        f' --policy-document "$({printed})"`'
    )


def named_principal(arn: str) -> tuple[str, str]:
    """Give what kind of caller an ARN of STS is, and its name.

    Returns:
        `root`, `user`, `assumed-role` (whose name is the role's) or another, with the name.
    """
    kind, _, path = arn.rpartition(":")[2].partition("/")
    return kind, path.partition("/")[0] if kind == "assumed-role" else path


def role_arn_of(arn: str) -> str:
    """Give the ARN that a role has which was assumed, if it stands in no path."""
    partition, account = arn.split(":")[1], arn.split(":")[4]
    return f"arn:{partition}:iam::{account}:role/{named_principal(arn)[1]}"


def context_of(question: Question) -> Mapping[str, str]:
    """Give the condition keys of a question by name."""
    return dict(question.context)
