"""What a task definition names: the roles and secrets that must be there before it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.base.partitions import partition_of
from schoolctl.ecs_service.define.needs import Denied
from schoolctl.ecs_service.define.task_definition import Names
from schoolctl.model.surroundings import TASKS_TRUST, Role
from schoolctl.model.values import SecretInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.config.models import Config
    from schoolctl.ecs_service.define.needs import Gaps


@dataclass(frozen=True)
class TaskNeeds:
    """What a task definition names, as it was found; None where it does not exist.

    Attributes:
        region: where the tasks run.
        account: for the ARN of a role that may not be read; None where every role was read.
        roles: by what the configuration says.
        secrets: by key.
    """

    region: str
    account: str | None
    roles: Mapping[str, Role | Denied | None]
    secrets: Mapping[str, SecretInfo | Denied | None]


def resolve_task(config: Config, found: TaskNeeds, gaps: Gaps) -> Names:
    """Give what roles and secrets stand for; what is missing goes to `gaps`.

    Raises:
        AccessDeniedError: a secret's ARN is needed, and may not be read.
    """
    roles = {name: _role_arn(config, name, told, found, gaps) for name, told in found.roles.items()}
    secrets = {key: secret_arn(config, key, told, gaps) for key, told in found.secrets.items()}
    return Names(found.region, roles, secrets)


def _role_arn(
    config: Config, name: str, told: Role | Denied | None, found: TaskNeeds, gaps: Gaps
) -> str:
    check_role(config, name, told, gaps, region=found.region)
    match told:
        case Role():
            return told.arn
        case Denied() if name.startswith("arn:"):
            return name
        case Denied():
            return f"arn:{partition_of(found.region).name}:iam::{found.account}:role/{name}"
        case None:
            return ""


def check_role(
    config: Config, name: str, told: Role | Denied | None, gaps: Gaps, *, region: str
) -> None:
    """Note in `gaps` that a role is missing, or that ECS's tasks may not take it."""
    purpose = "execution role" if name == config.task.execution_role else "task role"
    plain = name.rpartition("/")[2]
    if isinstance(told, Denied):
        gaps.unverified(f"{purpose} {name}", told)
    elif told is None:
        cure = (
            f"`aws iam create-role --role-name {plain} --assume-role-policy-document"
            f" '{TASKS_TRUST}'`"
        )
        if purpose == "execution role":
            cure += f", then `{attach_execution_policy(plain, region)}`"
        gaps.lacks(f"{purpose} {name}", cure)
    elif not told.trusts_tasks:
        gaps.lacks(
            f"trust in ecs-tasks.amazonaws.com in {purpose} {name}",
            f"`aws iam update-assume-role-policy --role-name {plain} --policy-document"
            f" '{TASKS_TRUST}'`",
        )


def attach_execution_policy(role: str, region: str) -> str:
    """Give the command that lets a role start tasks: pull images and write logs."""
    return (
        f"aws iam attach-role-policy --role-name {role} --policy-arn"
        f" arn:{partition_of(region).name}:iam::aws:policy/service-role/"
        "AmazonECSTaskExecutionRolePolicy"
    )


def secret_arn(config: Config, key: str, told: SecretInfo | Denied | None, gaps: Gaps) -> str:
    """Give the ARN of a secret; what is missing of it goes to `gaps`.

    Raises:
        AccessDeniedError: it is needed, and may not be read.
    """
    name, given = config.secret_name(key), config.secrets[key].arn
    match told:
        case Denied():
            if given is None:
                raise told.error
            gaps.unverified(f"secret {name}", told)
            return given
        case None if given is not None:
            gaps.lacks(f"secret {name}", f"no secret has this ARN; correct `secrets.{key}.arn`")
            return ""
        case None:
            gaps.lacks_for(f"secret {name}", f"secrets set {key}")
            return ""
        case SecretInfo(deleted_at=None):
            if not told.has_value:
                gaps.lacks_for(f"a value of secret {name}", f"secrets set {key}")
            return told.arn
        case SecretInfo():
            gaps.lacks_for(
                f"secret {name} (scheduled for deletion)", f"secrets set {key} --restore"
            )
            return told.arn
