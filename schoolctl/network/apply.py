"""Handlers of the steps that create security groups and change their rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from schoolctl.aws import ec2
from schoolctl.base.errors import AccessDeniedError
from schoolctl.core.executor import until_visible
from schoolctl.model.surroundings import ANYWHERE, APP_TAG
from schoolctl.network.steps import (
    AuthorizeEgress,
    AuthorizeIngress,
    CreateSecurityGroup,
    NewGroup,
    RevokeIngress,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from schoolctl.core.executor import Outcome, Tools
    from schoolctl.network.steps import AnyNetworkStep, GroupRef


def apply(step: AnyNetworkStep, tools: Tools, outcome: Outcome) -> str:
    """Carry out a step; gives what to say beside its description, or nothing."""
    match step:
        case CreateSecurityGroup():
            return _create(step, tools, outcome)
        case AuthorizeIngress():
            group = _id(step.group, outcome)
            source = step.source if isinstance(step.source, str) else _id(step.source, outcome)
            new = _added(
                tools,
                lambda: ec2.authorize_ingress(tools.clients, group, step.port, source),
                early=_is_new(step.group, step.source),
            )
            return "" if new else "it is allowed already"
        case AuthorizeEgress():
            group = _id(step.group, outcome)
            new = _added(
                tools,
                lambda: ec2.authorize_egress(tools.clients, group, ANYWHERE),
                early=_is_new(step.group),
            )
            return "" if new else "it is allowed already"
        case RevokeIngress():
            try:
                gone = ec2.revoke_ingress(tools.clients, step.group.id, step.rule_id)
            except AccessDeniedError as error:
                raise _with_tag(error, tools) from error
            return "" if gone else "it was gone already"
        case _:
            assert_never(step)


def _create(step: CreateSecurityGroup, tools: Tools, outcome: Outcome) -> str:
    group_id, was_there = ec2.create_security_group(
        tools.clients, step.name, step.vpc_id, step.description, step.tags
    )
    outcome.created_groups[step.name] = group_id
    if was_there:
        return f"{group_id}, which was made meanwhile; `schoolctl network check` tells of its rules"
    return group_id


def _added(tools: Tools, add: Callable[[], bool], *, early: bool) -> bool:
    """Add a rule; where its groups are new, wait until AWS sees them everywhere."""
    try:
        return until_visible(tools, add) if early else add()
    except AccessDeniedError as error:
        raise _with_tag(error, tools) from error


def _is_new(*groups: GroupRef | str) -> bool:
    return any(isinstance(each, NewGroup) for each in groups)


def _id(group: GroupRef, outcome: Outcome) -> str:
    return outcome.created_groups[group.name] if isinstance(group, NewGroup) else group.id


def _with_tag(error: AccessDeniedError, tools: Tools) -> AccessDeniedError:
    """Add to a denial what the policy of `iam policy` goes by."""
    error.hint += (
        "; the policy of `schoolctl iam policy` is for groups with the tag"
        f" {APP_TAG}={tools.config.app}: `aws ec2 create-tags --resources GROUP --tags"
        f" Key={APP_TAG},Value={tools.config.app}`"
    )
    return error
