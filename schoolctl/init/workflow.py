"""The GitHub workflow that deploys an environment. Pure."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from schoolctl.base.partitions import partition_of
from schoolctl.iam.policy import ci_role_name

if TYPE_CHECKING:
    from schoolctl.config.models import Config

_MAIN: Final = "main"
_RUNNERS: Final = {"linux/amd64": "ubuntu-24.04", "linux/arm64": "ubuntu-24.04-arm"}
_ROLE_VARIABLE: Final = "AWS_ROLE_ARN"
_REGION_VARIABLE: Final = "AWS_REGION"
_OF_THE_STACK: Final = "The role that `infra up` makes; it trusts this branch alone."
_OF_THE_STACK_FOR_ALL: Final = (
    "The role that `infra up` makes. It trusts every branch and pull request of the repository:"
    " `infra.ci_role.branch` narrows it down."
)
_OF_A_VARIABLE: Final = (
    "The role's ARN stands in a variable of the repository on GitHub. What the role may do, and"
    " whom it trusts: `schoolctl -e {environment} iam policy --for ci --github OWNER/REPO`."
)
_OF_THE_OUTPUTS: Final = (
    "The role's ARN stands in a variable of the repository on GitHub;"
    " `schoolctl -e {environment} infra outputs` tells it, as CiRole."
)
_PROTECTED: Final = "The environment is protected: whoever may push to the branch may deploy."


@dataclass(frozen=True)
class Placed:
    """Where the configuration lies in the repository, and which schoolctl reads it.

    `directory` is its folder from the repository's root, `.` for the root itself.
    """

    directory: str
    file_name: str
    version: str


def workflow_branch(config: Config) -> str:
    """Give the branch that is deployed: the one that the role trusts or that may be pushed from."""
    wanted = config.infra.ci_role
    return (wanted.branch if wanted else None) or config.git.branch or _MAIN


def missing_variables(config: Config) -> tuple[str, ...]:
    """Give the repository's variables that the workflow reads: what the configuration lacks."""
    lacking = ((_ROLE_VARIABLE, _role(config)), (_REGION_VARIABLE, config.region))
    return tuple(name for name, value in lacking if value is None)


def render_workflow(template: str, config: Config, placed: Placed) -> str:
    """Fill in the template for one environment.

    Source: GitHub's "Workflow syntax for GitHub Actions" and "Configuring OpenID Connect in AWS".
    """
    role = _role(config)
    named = () if placed.file_name == "schoolctl.yaml" else ("-c", placed.file_name)
    confirm = f" --confirm {shlex.quote(config.service.name)}" if config.protected else ""
    values = {
        "ENVIRONMENT": config.environment,
        "BRANCH": json.dumps(_pattern(workflow_branch(config)), ensure_ascii=False),
        "DIRECTORY": json.dumps(placed.directory, ensure_ascii=False),
        "RUNNER": _RUNNERS[config.image.platform],
        "VERSION": placed.version,
        "ROLE_COMMENT": _comment(_about_role(config)),
        "ROLE": role or _variable(_ROLE_VARIABLE),
        "REGION": config.region or _variable(_REGION_VARIABLE),
        "CONFIRM_COMMENT": f"{_comment(_PROTECTED)}\n" if config.protected else "",
        "SCHOOLCTL": shlex.join(("schoolctl", *named, "-e", config.environment)),
        "CONFIRM": confirm,
        "TITLE": f"{config.service.name} in {config.environment}",
    }
    return re.sub(r"@([A-Z_]+)@", lambda found: values[found[1]], template)


def _role(config: Config) -> str | None:
    """Give the ARN of the stack's role; None where it is another, or the account is not told."""
    if not config.infra.stack or config.infra.ci_role is None or config.account is None:
        return None
    partition = partition_of(config.region or "").name
    return f"arn:{partition}:iam::{config.account}:role/{ci_role_name(config)}"


def _about_role(config: Config) -> str:
    if _role(config) is not None:
        wanted = config.infra.ci_role
        trusts_one = wanted is not None and (wanted.branch or config.git.branch)
        return _OF_THE_STACK if trusts_one else _OF_THE_STACK_FOR_ALL
    laid = config.infra.stack and config.infra.ci_role is not None
    return (_OF_THE_OUTPUTS if laid else _OF_A_VARIABLE).format(environment=config.environment)


def _variable(name: str) -> str:
    return f"${{{{ vars.{name} }}}}"


def _pattern(branch: str) -> str:
    """Give the pattern that means this branch alone."""
    return re.sub(r"([+!\[\]])", r"\\\1", branch)


def _comment(text: str) -> str:
    return "\n".join(
        textwrap.wrap(text, 92, initial_indent="      # ", subsequent_indent="      # ")
    )
