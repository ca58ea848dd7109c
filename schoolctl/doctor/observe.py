"""What `doctor` reads of AWS that no other command does: the caller, the clock, what is allowed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from schoolctl.aws.ecr_images import list_images
from schoolctl.aws.elbv2 import forwarding_load_balancers, only_load_balancer
from schoolctl.aws.iam import denied_actions, find_role
from schoolctl.aws.session.errors import translated
from schoolctl.aws.session.profiles import sign_in_ends
from schoolctl.base.errors import AccessDeniedError, SchoolctlError
from schoolctl.doctor.account import Caller
from schoolctl.doctor.permissions import context_of, denials, named_principal, role_arn_of
from schoolctl.ecs_service.define.target import choose_newest
from schoolctl.model.surroundings import Identity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from schoolctl.aws.session.clients import Clients
    from schoolctl.base.clock import Clock
    from schoolctl.doctor.permissions import Denial, Question
    from schoolctl.ecs_service.define.target import ChosenImage
    from schoolctl.model.images import Repository
    from schoolctl.model.surroundings import TargetGroup


def observe_caller(clients: Clients, clock: Clock) -> Caller:
    """Ask AWS who we are; a refusal tells its time, too.

    Source: STS GetCallerIdentity, and the answer's `Date` header.
    """
    try:
        with translated("find out whose credentials these are"):
            answer = clients.sts.get_caller_identity()
    except SchoolctlError as error:
        refusal = error.__cause__
        headers = (
            refusal.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
            if isinstance(refusal, ClientError)
            else {}
        )
        return Caller(None, error, _skew(headers.get("date"), clock.now()))
    now = clock.now()
    skew = _skew(answer["ResponseMetadata"]["HTTPHeaders"].get("date"), now)
    identity = Identity(answer["Account"], answer["Arn"], answer["UserId"])
    ends_at, renewal = _ends(clients)
    left = (ends_at - now).total_seconds() if ends_at is not None else None
    return Caller(identity, None, skew, left, renewal)


def _skew(date: str | None, now: datetime) -> float | None:
    try:
        return (now - parsedate_to_datetime(date or "").astimezone(UTC)).total_seconds()
    except ValueError:
        return None


def _ends(clients: Clients) -> tuple[datetime | None, str]:
    """Give when a person has to renew the credentials, and how."""
    found = clients.credentials()
    profile = clients.connection.profile
    if found is None:
        return None, ""
    if found.method == "env":
        # botocore asks the environment again, which says the same.
        expiry = getattr(found, "_expiry_time", None)
        return expiry, "put new ones into the environment: these came from there"
    if found.method.startswith("sso") and profile is not None:
        return sign_in_ends(profile), f"`aws sso login --profile {profile}`"
    return None, ""


def observe_newest(clients: Clients, repository: Repository | None) -> ChosenImage | None:
    """Give the image that a deploy without a choice takes; None without one."""
    if repository is None:
        return None
    return choose_newest(list_images(clients, repository.name), repository)


def observe_listening(
    clients: Clients, group: TargetGroup | None
) -> tuple[TargetGroup | None, str]:
    """Give the target group with those load balancers that forward to it, and who could.

    Returns:
        The second is the ARN of the one load balancer of the VPC, where none forwards; `ARN`
        where it is not one, or may not be read: it stands in the cure alone.
    """
    if group is None:
        return None, ""
    forwarding = forwarding_load_balancers(clients, group)
    found = replace(group, load_balancer_arns=forwarding)
    if forwarding:
        return found, ""
    try:
        return found, only_load_balancer(clients, group.vpc_id) or "ARN"
    except AccessDeniedError:
        return found, "ARN"


def principal_of(clients: Clients, identity: Identity) -> str | None:
    """Give the ARN of the user or role behind the credentials; None for the root user.

    An assumed role's ARN lacks the role's path: IAM is asked for it.
    """
    kind, name = named_principal(identity.arn)
    if kind == "root":
        return None
    if kind != "assumed-role":
        return identity.arn
    try:
        role = find_role(clients, name)
    except AccessDeniedError:
        role = None
    return role.arn if role is not None else role_arn_of(identity.arn)


def observe_denials(
    clients: Clients, principal: str, questions: Sequence[Question]
) -> list[Denial]:
    """Ask IAM all questions about a user or role side by side; gives what is denied."""
    calls = [
        [
            clients.start(
                denied_actions, clients, principal, each.actions, resource, context_of(each)
            )
            for resource in each.resources
        ]
        for each in questions
    ]
    return [
        denial
        for question, asked in zip(questions, calls, strict=True)
        for denial in denials(question, [call.result() for call in asked])
    ]
