"""The cause of a refused push, pull or copy, and its fix. Pure.

The registry's own answer is often a bare 403, which is the same for another region, another
account, a missing permission and a repository's policy; what ECR's API says beside it tells them
apart.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

from schoolctl.base.denial import Refusal
from schoolctl.base.errors import WrongTargetError

_HOST = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\."
    r"(?:amazonaws\.(?:com(?:\.cn)?|eu)|on\.aws|[a-z0-9.-]+\.gov|csp\.[a-z.]+|cloud\.[a-z.-]+)"
)


class Access(Enum):
    """What a transfer does with a repository: the IAM actions that it needs there."""

    UPLOAD = (
        "ecr:BatchCheckLayerAvailability",
        "ecr:InitiateLayerUpload",
        "ecr:UploadLayerPart",
        "ecr:CompleteLayerUpload",
        "ecr:PutImage",
        "ecr:BatchGetImage",
    )
    DOWNLOAD = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


@dataclass(frozen=True)
class EcrHost:
    """Whose registry a host of ECR is, and where."""

    account: str
    region: str


def parse_ecr_host(host: str) -> EcrHost | None:
    """Read the host of an ECR registry, dual-stack and FIPS ones too; None for any other."""
    found = _HOST.fullmatch(host)
    return EcrHost(found["account"], found["region"]) if found else None


def check_registry(registry: str, repository_arn: str, environment: str) -> None:
    """Refuse a registry of another account or region than the one that ECR's API answers for.

    Its login would be worth nothing there, and nobody could confirm what was pushed.

    Args:
        registry: the host that images are pushed to.
        repository_arn: of the repository, as ECR's API knows it.
        environment: for the message.
    """
    host = parse_ecr_host(registry)
    _, _, _, region, account, *_ = f"{repository_arn}:::::".split(":")
    if host is None or not account or (host.account, host.region) == (account, region):
        return
    if host.region != region:
        why = f"the registry is in {host.region}, and the login is for {region}: a token is good"
        why += " for one region"
    else:
        why = f"the registry is of account {host.account}, and the login of account {account}"
    raise WrongTargetError(
        f"a push to {registry} would be answered with 403",
        why=why,
        hint=f"correct `registry`, `region` or `account` of environment {environment}; with no"
        " `registry` at all, ECR names its own",
    )


@dataclass(frozen=True)
class Facts:
    """What is known after a refusal.

    Attributes:
        refusal: how the registry refused the caller.
        access: what was refused.
        registry: the host in the image's name.
        token_registry: the host that ECR named for the token.
        denied: why ECR's API refuses the same caller, and the cure; empty where it does not.
        policy: the repository's policy; empty where there is none, or it may not be read.
    """

    refusal: Refusal
    access: Access
    registry: str
    token_registry: str
    denied: tuple[str, str] | None = None
    policy: str = ""


def explain(facts: Facts) -> tuple[str, str]:
    """Return the cause and the hint."""
    if facts.denied is not None:
        return facts.denied
    image, token = parse_ecr_host(facts.registry), parse_ecr_host(facts.token_registry)
    if image and token and image != token:
        return (
            (
                f"the image's name is of account {image.account} in {image.region},"
                f" and the login of account {token.account} in {token.region}"
            ),
            "correct `account`, `region` or `registry` of the environment",
        )
    if facts.refusal is Refusal.EXPIRED:
        return (
            "the token expired on the way",
            "run it again: it gets a new one, and layers that arrived are not sent again",
        )
    denying = _denying(facts.policy, facts.access)
    if denying:
        return (
            f"the repository's policy denies it ({denying})",
            "narrow that statement down: `aws ecr get-repository-policy --repository-name NAME`",
        )
    if facts.registry != facts.token_registry:
        return (
            (
                f"the login is for {facts.token_registry},"
                f" and `registry` of the environment leads to {facts.registry}"
            ),
            "correct `registry`, or leave it out: ECR names its own",
        )
    return (
        (
            f"ECR's API allows the same user to {facts.access.name.lower()}:"
            " something on the way to the registry refuses"
        ),
        "check HTTPS_PROXY, the engine's proxy (`docker info`) and the policy of a VPC endpoint",
    )


def _denying(policy: str, access: Access) -> str:
    """Return the name of a statement that denies the access; empty without one."""
    try:
        statements = json.loads(policy or "{}").get("Statement", [])
    except (ValueError, AttributeError):
        return ""
    for each in statements if isinstance(statements, list) else [statements]:
        if isinstance(each, dict) and each.get("Effect") == "Deny" and _concerns(each, access):
            return f"statement {each.get('Sid') or 'without a name'}, for {each.get('Action')}"
    return ""


def _concerns(statement: dict[str, Any], access: Access) -> bool:
    actions = statement.get("Action", "*")  # with NotAction, nearly all
    patterns = actions if isinstance(actions, list) else [actions]
    return any(
        fnmatchcase(needed.lower(), str(pattern).lower())
        for needed in access.value
        for pattern in patterns
    )
