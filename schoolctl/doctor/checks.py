"""The checks of `doctor`: a row for each, and how they are carried out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from schoolctl.base.errors import (
    AccessDeniedError,
    CredentialsError,
    SchoolctlError,
    WrongTargetError,
)
from schoolctl.doctor import account, machine, network, service
from schoolctl.doctor import service as image
from schoolctl.doctor.verdict import (
    Finding,
    Group,
    Level,
    Verdict,
    blocked,
    not_seen,
    of_error,
    ok,
    skipped,
)
from schoolctl.ecs_service.define.task_needs import attach_execution_policy
from schoolctl.network.state import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from schoolctl.doctor.look import Look
    from schoolctl.model.surroundings import TargetGroup
    from schoolctl.network.state import NetworkState

T = TypeVar("T")


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: one or two words, each name once.
        group: what it is about.
        needs: the checks without which it cannot tell anything; they stand before it.
        start: begins what it looks at; its errors are findings as those of `judge` are.
        judge: waits for that, and judges.
    """

    name: str
    group: Group
    needs: tuple[str, ...]
    start: Callable[[Look], object]
    judge: Callable[[Look], Verdict]


def _check(
    name: str,
    group: Group,
    needs: tuple[str, ...],
    see: Callable[[Look], Future[T]],
    judge: Callable[[Look, T], Verdict],
) -> Check:
    """Give a check that judges one observation."""
    return Check(name, group, needs, see, lambda look: judge(look, see(look).result()))


def _of_network(
    name: str, needs: tuple[str, ...], judge: Callable[[Look, NetworkState], Verdict]
) -> Check:
    """Give a check of the network, which cannot be judged where a part of it may not be read."""

    def judged(look: Look) -> Verdict:
        try:
            state = look.network.result()
        except AccessDeniedError as error:
            return not_seen(error.action)
        return judge(look, state)

    return Check(name, Group.NETWORK, ("subnets", *needs), lambda look: look.network, judged)


def _nothing(look: Look) -> None:
    """Begin nothing: the check judges settings."""
    del look


def _configuration(look: Look) -> Verdict:
    return machine.judge_config(look.config, look.run.config_file.path.name)


def _profile(look: Look) -> Verdict:
    try:
        return account.judge_profile(look.connection)
    except CredentialsError:
        raise
    except SchoolctlError:
        return ok("as far as it was looked at")  # the region's own check tells


def _region(look: Look) -> Verdict:
    try:
        return account.judge_region(look.connection)
    except WrongTargetError:
        return ok("as far as it was looked at")  # the endpoint's own check tells


def _execution_cure(look: Look) -> str:
    config = look.config
    if config.task.overrides:
        return ""  # what is injected, or another log driver, may need more than AWS's own policy
    role = config.task.execution_role.rpartition("/")[2]
    return f"`{attach_execution_policy(role, look.clients.region)}`"


def _target_group(look: Look, seen: TargetGroup | None) -> Verdict:
    try:
        subnets = look.subnets.result()
    except SchoolctlError:
        verdict = service.judge_target_group(look.config, seen, ())
        if verdict.level is Level.FAIL:
            return verdict  # whatever the VPC of the subnets is
        raise
    return service.judge_target_group(look.config, seen, subnets)


_MACHINE, _ACCOUNT, _IMAGE = Group.MACHINE, Group.ACCOUNT, Group.IMAGE
_PARAMETERS, _SERVICE, _MAY = Group.PARAMETERS, Group.SERVICE, Group.PERMISSIONS
_AWS = ("configuration", "account")
# What the stack makes is not missed one by one, and not made by hand, while the stack is not there.
_LAID = (*_AWS, "stack")

CHECKS = (
    Check("configuration", _MACHINE, (), _nothing, _configuration),
    _check(
        "docker engine",
        _MACHINE,
        (),
        lambda look: look.engine_info,
        lambda _, seen: machine.judge_engine(seen.version, seen.host),
    ),
    _check(
        "builder",
        _MACHINE,
        ("configuration", "docker engine"),
        lambda look: look.builder,
        lambda _, seen: machine.judge_builder(*seen),
    ),
    _check(
        "disk space",
        _MACHINE,
        ("docker engine",),
        lambda look: look.disk,
        lambda _, seen: machine.judge_disk(seen),
    ),
    _check(
        "build context",
        _MACHINE,
        ("configuration",),
        lambda look: look.context,
        lambda _, seen: machine.judge_context(seen.findings, seen.size_bytes, len(seen.entries)),
    ),
    _check(
        "lock files",
        _MACHINE,
        ("configuration", "build context"),
        lambda look: look.stale_locks,
        lambda _, seen: machine.judge_lock_files(seen),
    ),
    _check(
        "git rules",
        _MACHINE,
        ("configuration",),
        lambda look: look.source,
        lambda look, seen: machine.judge_git(look.config, seen),
    ),
    _check(
        ".schoolctl/",
        _MACHINE,
        ("configuration",),
        lambda look: look.overlay,
        lambda _, seen: machine.judge_overlay(seen),
    ),
    Check("profile", _ACCOUNT, ("configuration",), _nothing, _profile),
    Check(
        "region",
        _ACCOUNT,
        ("configuration", "profile"),
        _nothing,
        _region,
    ),
    _check(
        "endpoint",
        _ACCOUNT,
        ("configuration", "region"),
        lambda look: look.caller,
        lambda look, seen: account.judge_endpoint(
            look.config, look.connection, look.overrides, seen
        ),
    ),
    _check(
        "clock",
        _ACCOUNT,
        ("endpoint",),
        lambda look: look.caller,
        lambda _, seen: account.judge_clock(seen),
    ),
    _check(
        "credentials",
        _ACCOUNT,
        ("endpoint",),
        lambda look: look.caller,
        lambda _, seen: account.judge_credentials(seen),
    ),
    _check(
        "account",
        _ACCOUNT,
        ("credentials",),
        lambda look: look.caller,
        lambda look, seen: account.judge_account(look.config, seen),
    ),
    _check(
        "stack",
        _ACCOUNT,
        _AWS,
        lambda look: look.stack,
        lambda look, seen: service.judge_stack(look.config, seen, look.from_stack),
    ),
    _check(
        "repository",
        _IMAGE,
        _AWS,
        lambda look: look.repository,
        lambda look, seen: image.judge_repository(look.config, seen),
    ),
    _check(
        "tag rule",
        _IMAGE,
        ("repository",),
        lambda look: look.repository,
        lambda _, seen: image.judge_tag_rule(seen),
    ),
    _check(
        "scanning",
        _IMAGE,
        ("repository",),
        lambda look: look.repository,
        lambda _, seen: image.judge_scanning(seen),
    ),
    _check(
        "images",
        _IMAGE,
        ("repository",),
        lambda look: look.newest,
        lambda _, seen: image.judge_newest(seen),
    ),
    _check(
        "parameters",
        _PARAMETERS,
        _AWS,
        lambda look: look.parameters,
        lambda look, seen: service.judge_parameters(look.config, seen),
    ),
    _check(
        "secrets",
        _PARAMETERS,
        _LAID,
        lambda look: look.secrets,
        lambda look, seen: service.judge_secrets(look.config, seen),
    ),
    _check(
        "execution role",
        _SERVICE,
        _LAID,
        lambda look: look.execution_role,
        lambda look, seen: service.judge_role(
            look.config, look.config.task.execution_role, seen, look.clients.region
        ),
    ),
    _check(
        "task role",
        _SERVICE,
        _LAID,
        lambda look: look.task_role,
        lambda look, seen: service.judge_role(
            look.config, look.config.task.task_role, seen, look.clients.region
        ),
    ),
    _check(
        "cluster",
        _SERVICE,
        _LAID,
        lambda look: look.present,
        lambda look, seen: service.judge_cluster(look.config, exists=seen[0]),
    ),
    _check(
        "service",
        _SERVICE,
        ("cluster",),
        lambda look: look.present,
        lambda look, seen: service.judge_service(look.config, seen[1].service),
    ),
    _check(
        "log group",
        _SERVICE,
        _LAID,
        lambda look: look.log_group,
        lambda look, seen: service.judge_log_group(
            look.config, exists=seen, used=look.present.result()[1].service is not None
        ),
    ),
    _check(
        "subnets",
        _SERVICE,
        _LAID,
        lambda look: look.subnets,
        lambda look, seen: service.judge_subnets(look.config, seen),
    ),
    _check(
        "security groups",
        _SERVICE,
        ("subnets",),
        lambda look: look.groups,
        lambda look, seen: service.judge_security_groups(look.config, seen, look.subnets.result()),
    ),
    _check(
        "target group",
        _SERVICE,
        ("subnets",),
        lambda look: look.target_group,
        _target_group,
    ),
    _check(
        "listener",
        _SERVICE,
        ("target group",),
        lambda look: look.listening,
        lambda look, seen: service.judge_listener(look.config, *seen),
    ),
    _check(
        "running image",
        _SERVICE,
        ("repository", "service"),
        lambda look: look.running_image,
        lambda _, seen: image.judge_running_image(seen[0], seen[1], exists=seen[2]),
    ),
    _check(
        "deploy lock",
        _SERVICE,
        _AWS,
        lambda look: look.lock,
        lambda _, seen: service.judge_lock(seen[0], ended=seen[1]),
    ),
    _of_network(
        "load balancer",
        ("listener",),
        lambda look, seen: network.judge_balancer(look.config, seen),
    ),
    _of_network(
        "balancer rules",
        ("listener",),
        lambda look, seen: network.judge_rules(look.config, seen, Role.ALB),
    ),
    _of_network(
        "service rules",
        ("security groups", "listener"),
        lambda look, seen: network.judge_rules(look.config, seen, Role.SERVICE),
    ),
    _of_network(
        "database rules",
        ("security groups",),
        lambda look, seen: network.judge_rules(look.config, seen, Role.DATABASE),
    ),
    _of_network("routes", (), lambda look, seen: network.judge_routes(look.config, seen)),
    _of_network("zones", (), lambda _, seen: network.judge_zones(seen)),
    _check(
        "execution role may",
        _MAY,
        ("execution role", "secrets"),
        lambda look: look.execution_may,
        lambda look, seen: account.judge_role_may(
            *seen, "execution-role", cure=_execution_cure(look)
        ),
    ),
    _check(
        "task role may",
        _MAY,
        ("task role", "secrets"),
        lambda look: look.task_may,
        lambda _, seen: account.judge_role_may(*seen, "task-role"),
    ),
    _check(
        "you may push",
        _MAY,
        ("account",),
        lambda look: look.may_push,
        lambda _, seen: account.judge_caller(seen[0], "push", *seen[1:]),
    ),
    _check(
        "you may deploy",
        _MAY,
        ("account",),
        lambda look: look.may_deploy,
        lambda _, seen: account.judge_caller(seen[0], "deploy", *seen[1:]),
    ),
)


def carry_out(look: Look, only: Group | None = None) -> list[Finding]:
    """Start all checks side by side, and judge them in the order of the table.

    Args:
        look: what they look at.
        only: of which group; what those need is looked at, too, and left out of the answer.
    """
    wanted = _wanted(only)
    _begin(look, wanted)
    found: list[Finding] = []
    told: dict[str, str] = {}
    for check in wanted:
        cause = blocked(check.needs, found)
        if cause is None:
            verdict, reason = _verdict(look, check)
            cause = told.get(reason)
            if reason and only in {None, check.group}:
                told.setdefault(reason, check.name)
            if cause is None:
                found.append(Finding(check.name, check.group, verdict))
                continue
        found.append(Finding(check.name, check.group, skipped(cause, found), cause))
    return [each for each in found if only in {None, each.group}]


def _begin(look: Look, wanted: Sequence[Check]) -> None:
    for check in wanted:
        try:
            check.start(look)
        except SchoolctlError:
            continue  # it is found again by the check that is about it


def _wanted(only: Group | None) -> list[Check]:
    if only is None:
        return list(CHECKS)
    names = {check.name for check in CHECKS if check.group is only}
    for check in reversed(CHECKS):  # what a check needs stands before it
        if check.name in names:
            names |= set(check.needs)
    return [check for check in CHECKS if check.name in names]


def _verdict(look: Look, check: Check) -> tuple[Verdict, str]:
    """Give what a check finds, and why it could not look, which is told once; empty if it could."""
    try:
        verdict = check.judge(look)
    except SchoolctlError as error:
        verdict = of_error(look.run.first_cause(error))
        return verdict, verdict.denied or verdict.what
    return verdict, verdict.denied
