"""Why a registry refuses a push: one cause, one cure. Pure.

The registry's own answer is often a bare 403, which is the same for another region, another
account, a missing permission and a repository's policy; what ECR's API says beside it tells them
apart.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from schoolctl.base.errors import WrongTargetError

_HOST = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\."
    r"(?:amazonaws\.(?:com(?:\.cn)?|eu)|on\.aws|[a-z0-9.-]+\.gov|csp\.[a-z.]+|cloud\.[a-z.-]+)"
)
_REFUSED = re.compile(
    r"denied|40[13]|forbidden|unauthorized|no basic auth|authentication required", re.IGNORECASE
)
_EXPIRED = re.compile(r"token has expired", re.IGNORECASE)


@dataclass(frozen=True)
class EcrHost:
    """Whose registry a host of ECR is, and where."""

    account: str
    region: str


def parse_ecr_host(host: str) -> EcrHost | None:
    """Read the host of an ECR registry, dual-stack and FIPS ones too; None for any other."""
    found = _HOST.fullmatch(host)
    return EcrHost(found["account"], found["region"]) if found else None


def is_refusal(said: str) -> bool:
    """Say whether a registry's words are those of a refusal, and not of another failure."""
    return _REFUSED.search(said) is not None


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
        said: the registry's words.
        registry: the host in the image's name.
        token_registry: the host that ECR named for the token.
        denied: why ECR's API refuses the same caller, and the cure; empty where it does not.
        policy: the repository's policy; empty where there is none, or it may not be read.
    """

    said: str
    registry: str
    token_registry: str
    denied: tuple[str, str] | None = None
    policy: str = ""


def explain(facts: Facts) -> tuple[str, str]:
    """Give the one cause and its cure."""
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
    if _EXPIRED.search(facts.said):
        return (
            "the token expired on the way",
            "run it again: it gets a new one, and what went up already is not sent again",
        )
    denying = _denying(facts.policy)
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
            "ECR's API allows the same user to upload:"
            " something on the engine's way to the registry refuses"
        ),
        "look for a proxy (`docker info`), and at the policy of a VPC endpoint",
    )


def _denying(policy: str) -> str:
    """Give the name of a statement that denies an upload; empty without one."""
    try:
        statements = json.loads(policy or "{}").get("Statement", [])
    except (ValueError, AttributeError):
        return ""
    for each in statements if isinstance(statements, list) else [statements]:
        if isinstance(each, dict) and each.get("Effect") == "Deny":
            return f"statement {each.get('Sid') or 'without a name'}, for {each.get('Action')}"
    return ""
