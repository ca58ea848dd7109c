"""Checks of the account: the way to it, its stack, and what IAM allows. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from schoolctl.base.errors import CredentialsError, SchoolctlError, WrongTargetError
from schoolctl.base.text import count, duration, is_loopback, without_user_info
from schoolctl.doctor.verdict import Check, Group, Verdict, fail, ok, skip, warn
from schoolctl.ecs_service.define.task_needs import attach_execution_policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.aws.session.connection import Connection
    from schoolctl.config.models import Config
    from schoolctl.doctor.look import Look
    from schoolctl.doctor.observe import Caller, Denial

_NOTED_SKEW_SECONDS = 60
_SOON_SECONDS = 1800
_SHOWN = 3
_SET_CLOCK = "set this machine's clock: `timedatectl set-ntp true`"


def judge_profile(connection: Connection) -> Verdict:
    """Judge where credentials come from."""
    chosen = connection.credentials
    return ok(f"{chosen.value} ({chosen.origin})" if chosen.value else chosen.origin)


def _profile(look: Look, _: None) -> Verdict:
    try:
        return judge_profile(look.connection)
    except CredentialsError:
        raise
    except SchoolctlError:
        return ok("as far as it was looked at")  # the region's own check tells


PROFILE = Check(
    "profile",
    Group.ACCOUNT,
    needs=("configuration",),
    look=lambda look: look.settings,
    judge=_profile,
)


def judge_region(connection: Connection) -> Verdict:
    """Judge the region."""
    return ok(f"{connection.region.value} ({connection.region.origin})")


def _region(look: Look, _: None) -> Verdict:
    try:
        return judge_region(look.connection)
    except WrongTargetError:
        return ok("as far as it was looked at")  # the endpoint's own check tells


REGION = Check(
    "region",
    Group.ACCOUNT,
    needs=("configuration", "profile"),
    look=lambda look: look.settings,
    judge=_region,
)


def judge_endpoint(
    config: Config, connection: Connection, overrides: Sequence[str], caller: Caller
) -> Verdict:
    """Judge where the calls go, and whether something answers there.

    Args:
        config: the configuration of the environment.
        connection: its settings.
        overrides: variables of the process's environment that lead single services elsewhere.
        caller: what answered.
    """
    endpoint = connection.endpoint_url
    shown = without_user_info(endpoint.value or "AWS")
    if caller.error is not None and not isinstance(caller.error, CredentialsError):
        host = urlsplit(endpoint.value or "").hostname or ""
        cure = caller.error.hint
        if is_loopback(host):
            cure = f"bring the local AWS up: `schoolctl sandbox up`, or correct {endpoint.origin}"
        return fail(f"{shown} does not answer ({caller.error.what})", cure)
    stray = list(overrides)
    if endpoint.origin == "AWS_ENDPOINT_URL":
        stray.append("AWS_ENDPOINT_URL")
    if stray and config.endpoint_url is None:
        what = f"{', '.join(stray)} in the environment leads calls elsewhere than to AWS"
        cure = f"`unset {' '.join(stray)}`"
        return fail(what, cure) if config.protected else warn(what, cure)
    return ok(f"{shown} ({endpoint.origin})" if endpoint.value else shown)


ENDPOINT = Check(
    "endpoint",
    Group.ACCOUNT,
    needs=("configuration", "region"),
    look=lambda look: look.caller,
    judge=lambda look, seen: judge_endpoint(look.config, look.connection, look.overrides, seen),
)


def judge_clock(caller: Caller) -> Verdict:
    """Judge this machine's clock by the time in AWS's answer."""
    skew = caller.skew_seconds
    if skew is None:
        return skip("there was no answer of AWS to compare it with")
    what = f"{duration(abs(skew))} {'ahead of' if skew > 0 else 'behind'} AWS's"
    if caller.is_skewed:
        return fail(f"{what}: its signatures are refused", _SET_CLOCK)
    if abs(skew) >= _NOTED_SKEW_SECONDS:
        return warn(what, _SET_CLOCK)
    return ok("in step with AWS's")


CLOCK = Check(
    "clock",
    Group.ACCOUNT,
    needs=("endpoint",),
    look=lambda look: look.caller,
    judge=lambda _, seen: judge_clock(seen),
)


def judge_credentials(caller: Caller) -> Verdict:
    """Judge whether AWS takes the credentials, and for how long.

    Raises:
        SchoolctlError: what AWS said, where it takes none.
    """
    if caller.is_skewed and caller.identity is None:
        return skip("clock failed")
    if caller.error is not None:
        raise caller.error
    if caller.identity is None:
        return skip("AWS did not tell")
    if caller.expires_seconds is not None:
        left = f"{caller.identity.arn}, for {duration(caller.expires_seconds)} more"
        if caller.expires_seconds < _SOON_SECONDS:
            return warn(left, caller.renewal)
        return ok(left)
    return ok(caller.identity.arn)


CREDENTIALS = Check(
    "credentials",
    Group.ACCOUNT,
    needs=("endpoint",),
    look=lambda look: look.caller,
    judge=lambda _, seen: judge_credentials(seen),
)


def judge_account(config: Config, caller: Caller) -> Verdict:
    """Judge whether the credentials lead to the account that the environment is pinned to."""
    if caller.identity is None:
        return skip("credentials failed")
    account = caller.identity.account
    if config.account is None:
        return warn(
            f"{account}, and the environment pins none: any other would do",
            f'write `account: "{account}"` into environment {config.environment} of schoolctl.yaml',
        )
    if config.account != account:
        return fail(
            f"the credentials lead to {account}, and the environment is {config.account}",
            "choose a profile that leads there: `schoolctl profile list`, then `schoolctl profile"
            f" use NAME`; or correct `account` of environment {config.environment}",
        )
    return ok(f"{account}, as the environment pins it")


ACCOUNT = Check(
    "account",
    Group.ACCOUNT,
    needs=("credentials",),
    look=lambda look: look.caller,
    judge=lambda look, seen: judge_account(look.config, seen),
)


def judge_stack(config: Config) -> Verdict:
    """Judge a stack that has what the environment takes from it, as `deploy` does."""
    if not config.infra.stack:
        return ok("none: the environment names what others have made")
    return ok(f"{config.stack_name} is there")


STACK = Check(
    "stack",
    Group.ACCOUNT,
    needs=("configuration", "account"),
    look=lambda look: look.with_stack,
    judge=lambda _, seen: judge_stack(seen),
)


def _listed(refused: Sequence[Denial]) -> str:
    shown = ", ".join(map(str, refused[:_SHOWN]))
    more = len(refused) - _SHOWN
    return f"{shown}, and {count(more, 'other')}" if more > 0 else shown


def _shown(principal: str) -> str:
    kind, _, name = principal.rpartition(":")[2].partition("/")
    return f"{kind} {name.rpartition('/')[2]}"


def _let(principal: str, policy: str, wanted: str) -> str:
    """Return the command that allows a user or role what a policy of ours lists."""
    kind, _, path = principal.rpartition(":")[2].partition("/")
    printed = f"schoolctl iam policy --for {wanted}"
    if kind not in {"user", "role"} or path.startswith("aws-reserved/"):
        return f"let a policy allow it: `{printed}`"
    name = path.rpartition("/")[2]
    return (
        f"`aws iam put-{kind}-policy --{kind}-name {name} --policy-name {policy}"
        f' --policy-document "$({printed})"`'
    )


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


YOU_MAY_PUSH = Check(
    "you may push",
    Group.PERMISSIONS,
    needs=("account",),
    look=lambda look: look.may_push,
    judge=lambda _, seen: judge_caller(seen[0], "push", *seen[1:]),
)
YOU_MAY_DEPLOY = Check(
    "you may deploy",
    Group.PERMISSIONS,
    needs=("account",),
    look=lambda look: look.may_deploy,
    judge=lambda _, seen: judge_caller(seen[0], "deploy", *seen[1:]),
)


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


def _execution_cure(look: Look) -> str:
    config = look.config
    if config.task.overrides:
        return ""  # what is injected, or another log driver, may need more than AWS's own policy
    role = config.task.execution_role.rpartition("/")[2]
    return f"`{attach_execution_policy(role, look.clients.region)}`"


EXECUTION_ROLE_MAY = Check(
    "execution role may",
    Group.PERMISSIONS,
    needs=("execution role", "secrets"),
    look=lambda look: look.execution_may,
    judge=lambda look, seen: judge_role_may(*seen, "execution-role", cure=_execution_cure(look)),
)
TASK_ROLE_MAY = Check(
    "task role may",
    Group.PERMISSIONS,
    needs=("task role", "secrets"),
    look=lambda look: look.task_may,
    judge=lambda _, seen: judge_role_may(*seen, "task-role"),
)


CHECKS: tuple[Check[Any], ...] = (
    PROFILE,
    REGION,
    ENDPOINT,
    CLOCK,
    CREDENTIALS,
    ACCOUNT,
    STACK,
)
PERMISSION_CHECKS: tuple[Check[Any], ...] = (
    EXECUTION_ROLE_MAY,
    TASK_ROLE_MAY,
    YOU_MAY_PUSH,
    YOU_MAY_DEPLOY,
)
