"""Checks of the images, of parameters and secrets, and of the service and its parts. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from schoolctl.base.errors import SchoolctlError, WrongTargetError
from schoolctl.base.text import count
from schoolctl.core.lock_rules import Standing, about, judge
from schoolctl.doctor.verdict import Check, Group, Level, Verdict, fail, of_error, of_gaps, ok, warn
from schoolctl.ecs_service.define.needs import (
    check_cluster,
    check_listener,
    check_parameters,
    check_target_group,
    group_ids,
    health_check_differs,
    subnet_ids,
)
from schoolctl.ecs_service.define.task_needs import check_role, secret_arn
from schoolctl.images.push.refusal import check_registry
from schoolctl.images.push.rules import scanning_differs, tag_rule_differs
from schoolctl.model.services import RolloutState
from schoolctl.network.targets import speaks_otherwise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.config.models import Config
    from schoolctl.core.lock_rules import Found
    from schoolctl.doctor.look import Look
    from schoolctl.ecs_service.define.target import ChosenImage
    from schoolctl.model.images import Repository
    from schoolctl.model.services import ServiceState
    from schoolctl.model.surroundings import Role, SecurityGroup, Subnet, TargetGroup
    from schoolctl.model.values import Parameter, SecretInfo

NO_BALANCER = "none: the service has no load balancer"
_AWS = ("configuration", "account")
_LAID = (*_AWS, "stack")
"""What the stack creates is neither missed one by one nor made by hand before the stack exists."""


def judge_parameters(config: Config, found: Mapping[str, Parameter]) -> Verdict:
    """Judge whether every declared parameter exists, and has the type that is declared."""
    well = f"{count(len(config.parameters), 'parameter')} there"
    verdict = of_gaps(lambda gaps: check_parameters(config, frozenset(found), gaps), well)
    others = {
        key: there
        for key, each in config.parameters.items()
        if (there := found.get(config.parameter_name(key))) and there.type != str(each.type)
    }
    if verdict.cure or not others:
        return verdict
    key, there = next(iter(others.items()))
    return warn(
        f"{there.name} is a {there.type}, and schoolctl.yaml declares a"
        f" {config.parameters[key].type}",
        f"declare `type: {there.type}`, or write it anew: `aws ssm delete-parameter --name"
        f" {there.name}`, then `schoolctl params set {key}`",
    )


PARAMETERS = Check(
    "parameters",
    Group.PARAMETERS,
    needs=_AWS,
    look=lambda look: look.parameters,
    judge=lambda look, seen: judge_parameters(look.config, seen),
)


def judge_secrets(config: Config, found: Mapping[str, SecretInfo | None]) -> Verdict:
    """Judge whether every declared secret exists, has a value, and is not about to be deleted."""
    return of_gaps(
        lambda gaps: [secret_arn(config, key, told, gaps) for key, told in found.items()] and None,
        f"{count(len(found), 'secret')} there",
    )


SECRETS = Check(
    "secrets",
    Group.PARAMETERS,
    needs=_LAID,
    look=lambda look: look.secrets,
    judge=lambda look, seen: judge_secrets(look.config, seen),
)


def judge_role(config: Config, name: str | None, found: Role | None, region: str) -> Verdict:
    """Judge whether a role exists and ECS's tasks may take it; None stands for no role."""
    if name is None:
        return ok("none: the tasks have no permissions of their own")
    arn = found.arn if found is not None else ""
    return of_gaps(lambda gaps: check_role(config, name, found, gaps, region=region), arn)


EXECUTION_ROLE = Check(
    "execution role",
    Group.SERVICE,
    needs=_LAID,
    look=lambda look: look.execution_role,
    judge=lambda look, seen: judge_role(
        look.config, look.config.task.execution_role, seen, look.clients.region
    ),
)
TASK_ROLE = Check(
    "task role",
    Group.SERVICE,
    needs=_LAID,
    look=lambda look: look.task_role,
    judge=lambda look, seen: judge_role(
        look.config, look.config.task.task_role, seen, look.clients.region
    ),
)


def judge_log_group(config: Config, *, exists: bool, used: bool) -> Verdict:
    """Judge whether the log group exists.

    Args:
        config: names it.
        exists: whether it does.
        used: whether there is a service, whose tasks log there.
    """
    name = config.task.log_group
    if exists:
        return ok(name)
    if not used:
        return ok(f"{name} is created by the first `schoolctl deploy`")
    return fail(
        f"missing: {name}; no new task starts without it",
        f"`aws logs create-log-group --log-group-name {name}`",
    )


LOG_GROUP = Check(
    "log group",
    Group.SERVICE,
    needs=_LAID,
    look=lambda look: look.log_group,
    judge=lambda look, seen: judge_log_group(
        look.config, exists=seen, used=look.present.result()[1].service is not None
    ),
)


def judge_cluster(config: Config, *, exists: bool) -> Verdict:
    """Judge whether the cluster exists."""
    return of_gaps(lambda gaps: check_cluster(config, gaps, exists=exists), config.service.cluster)


CLUSTER = Check(
    "cluster",
    Group.SERVICE,
    needs=_LAID,
    look=lambda look: look.present,
    judge=lambda look, seen: judge_cluster(look.config, exists=seen[0]),
)


def judge_subnets(config: Config, found: tuple[Subnet, ...]) -> Verdict:
    """Judge whether the subnets exist, all in one VPC."""
    return of_gaps(
        lambda gaps: subnet_ids(config, found, gaps),
        f"{count(len(found), 'subnet')} of {', '.join(sorted({each.vpc_id for each in found}))}",
    )


SUBNETS = Check(
    "subnets",
    Group.SERVICE,
    needs=_LAID,
    look=lambda look: look.subnets,
    judge=lambda look, seen: judge_subnets(look.config, seen),
)


def judge_security_groups(
    config: Config, found: tuple[SecurityGroup, ...], subnets: tuple[Subnet, ...]
) -> Verdict:
    """Judge whether the security groups exist in the VPC of the subnets."""
    return of_gaps(
        lambda gaps: group_ids(config, found, subnets, gaps),
        ", ".join(config.service.security_groups) or "none named: the VPC's default",
    )


SECURITY_GROUPS = Check(
    "security groups",
    Group.SERVICE,
    needs=("subnets",),
    look=lambda look: look.groups,
    judge=lambda look, seen: judge_security_groups(look.config, seen, look.subnets.result()),
)


def judge_target_group(
    config: Config, found: TargetGroup | None, subnets: tuple[Subnet, ...]
) -> Verdict:
    """Judge whether tasks on Fargate can be in the target group and become healthy there.

    Who forwards to it, and what lets that through, can be told whatever it asks the tasks.

    Args:
        config: names the target group.
        found: the target group; None where it is missing, or the service has none.
        subnets: of the service; none where they are not known: then its VPC is not compared.
    """
    if config.service.target_group is None:
        return ok(NO_BALANCER)
    path = found.health_path if found is not None else ""
    verdict = of_gaps(
        lambda gaps: check_target_group(config, found, subnets, gaps),
        f"{config.service.target_group}, type ip, health path {path}",
    )
    if found is None or verdict.cure:
        return verdict
    differs = health_check_differs(config, found)
    if differs is not None:
        return fail(*differs, blocks=False)
    if otherwise := speaks_otherwise(found):
        return fail(
            otherwise,
            "make another target group: the protocol cannot be changed; `schoolctl network check`"
            " tells how",
            blocks=False,
        )
    if found.port not in {None, config.task.port}:
        # ECS registers each task with its own port: this one is only what others read.
        return warn(
            f"its port is {found.port}, and `task.port` is {config.task.port}; ECS registers tasks"
            " with their own",
            "nothing has to be done; a new target group would have to be made to change it",
        )
    return verdict


def _target_group(look: Look, seen: TargetGroup | None) -> Verdict:
    try:
        subnets = look.subnets.result()
    except SchoolctlError:
        verdict = judge_target_group(look.config, seen, ())
        if verdict.level is Level.FAIL:
            return verdict  # whatever the VPC of the subnets is
        raise
    return judge_target_group(look.config, seen, subnets)


TARGET_GROUP = Check(
    "target group",
    Group.SERVICE,
    needs=("subnets",),
    look=lambda look: look.target_group,
    judge=_target_group,
)


def judge_listener(config: Config, found: TargetGroup | None, load_balancer: str) -> Verdict:
    """Judge whether a load balancer forwards to the target group.

    Args:
        config: names the target group.
        found: the target group.
        load_balancer: the ARN of the one that could, or a word in its place.
    """
    if config.service.target_group is None or found is None:
        return ok(NO_BALANCER)
    names = ", ".join(each.split("/")[-2] for each in found.load_balancer_arns if "/" in each)
    return of_gaps(
        lambda gaps: check_listener(found, gaps, load_balancer), f"{names} forwards to it"
    )


LISTENER = Check(
    "listener",
    Group.SERVICE,
    needs=("target group",),
    look=lambda look: look.listening,
    judge=lambda look, seen: judge_listener(look.config, *seen),
)


def judge_service(config: Config, found: ServiceState | None) -> Verdict:
    """Judge whether the service is there and runs what it should."""
    name = config.service.name
    if found is None or found.status != "ACTIVE":
        return warn(f"{name} is not there yet", "`schoolctl deploy` creates it")
    if found.desired == 0:
        return warn("0 tasks are wanted: nothing runs", "`schoolctl scale 1`")
    primary = found.primary
    runs = f"{found.running} of {found.desired} running"
    if primary is not None and primary.rollout_state is RolloutState.FAILED:
        return warn(f"{runs}, and the last rollout failed", "`schoolctl why` tells the reason")
    if found.running < found.desired:
        return warn(runs, "`schoolctl why` tells the reason, `schoolctl wait` follows a rollout")
    return ok(f"{runs}, {found.task_definition}")


SERVICE = Check(
    "service",
    Group.SERVICE,
    needs=("cluster",),
    look=lambda look: look.present,
    judge=lambda look, seen: judge_service(look.config, seen[1].service),
)


def judge_lock(found: Found | None, *, ended: bool) -> Verdict:
    """Judge whether somebody holds the deploy lock, or left it.

    Args:
        found: the lock; None where there is none.
        ended: whether this machine knows that the holder's process has ended.
    """
    if found is None:
        return ok("nobody holds it")
    standing = judge(found, replace(found.holder, id=""), ended=ended)
    if standing is Standing.BUSY:
        return warn(
            f"held by {about(found)}",
            "wait for it: `schoolctl deploy --lock-wait 600`; `schoolctl lock show` tells more",
        )
    return warn(
        f"left behind, {standing.value}: {about(found)}",
        f"the next deploy takes it over; `schoolctl lock release --id {found.holder.id}` frees it",
    )


DEPLOY_LOCK = Check(
    "deploy lock",
    Group.SERVICE,
    needs=_AWS,
    look=lambda look: look.lock,
    judge=lambda _, seen: judge_lock(seen[0], ended=seen[1]),
)


def judge_repository(config: Config, found: Repository | None) -> Verdict:
    """Judge whether the repository exists, where the images are pushed to."""
    if found is None:
        name = config.image.repository
        return of_gaps(lambda gaps: gaps.lacks_for(f"repository {name}", "repo create"), "")
    try:
        check_registry(found.uri.registry, found.arn, config.environment)
    except WrongTargetError as error:
        return of_error(error)
    return ok(f"{found.uri}, encrypted ({found.encryption})")


REPOSITORY = Check(
    "repository",
    Group.IMAGE,
    needs=_AWS,
    look=lambda look: look.repository,
    judge=lambda look, seen: judge_repository(look.config, seen),
)


def judge_tag_rule(found: Repository | None) -> Verdict:
    """Judge whether a tag can be moved to another image."""
    if found is None:
        raise AssertionError("a repository that is not there is not judged")
    differs = tag_rule_differs(found)
    return warn(*differs) if differs else ok("immutable: no tag can be moved to another image")


TAG_RULE = Check(
    "tag rule",
    Group.IMAGE,
    needs=("repository",),
    look=lambda look: look.repository,
    judge=lambda _, seen: judge_tag_rule(seen),
)


def judge_scanning(found: Repository | None) -> Verdict:
    """Judge whether ECR looks for known weaknesses in what is pushed."""
    if found is None:
        raise AssertionError("a repository that is not there is not judged")
    differs = scanning_differs(found)
    return warn(*differs) if differs else ok("on push")


SCANNING = Check(
    "scanning",
    Group.IMAGE,
    needs=("repository",),
    look=lambda look: look.repository,
    judge=lambda _, seen: judge_scanning(seen),
)


def judge_newest(newest: ChosenImage | None) -> Verdict:
    """Judge whether there is anything to deploy."""
    if newest is None:
        return warn("none has a tag of a release yet", "`schoolctl push --tag 1.0`")
    return ok(f"the newest is {newest.label}")


IMAGES = Check(
    "images",
    Group.IMAGE,
    needs=("repository",),
    look=lambda look: look.newest,
    judge=lambda _, seen: judge_newest(seen),
)


def judge_running_image(reference: str, tag: str | None, *, exists: bool | None) -> Verdict:
    """Judge whether the image of the revision that runs can be pulled again.

    Args:
        reference: as the revision names it.
        tag: what it was deployed as; None where that is not known.
        exists: None where it is in another registry.
    """
    if not reference:
        return ok("nothing runs yet")
    if exists is None:
        return ok(f"{reference} is in another registry")
    if not exists:
        return fail(
            f"{tag or reference} is gone: a task that ends is not replaced",
            f"push the same content again (`schoolctl push{f' --tag {tag}' if tag else ''}`), or"
            " deploy one that is there: `schoolctl deploy`",
        )
    return ok(f"{tag or reference} is there")


RUNNING_IMAGE = Check(
    "running image",
    Group.SERVICE,
    needs=("repository", "service"),
    look=lambda look: look.running_image,
    judge=lambda _, seen: judge_running_image(seen[0], seen[1], exists=seen[2]),
)


CHECKS: tuple[Check[Any], ...] = (
    REPOSITORY,
    TAG_RULE,
    SCANNING,
    IMAGES,
    PARAMETERS,
    SECRETS,
    EXECUTION_ROLE,
    TASK_ROLE,
    CLUSTER,
    SERVICE,
    LOG_GROUP,
    SUBNETS,
    SECURITY_GROUPS,
    TARGET_GROUP,
    LISTENER,
    RUNNING_IMAGE,
    DEPLOY_LOCK,
)
