"""What a task definition names: the roles and secrets that must be there before it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.model import SecretInfo
from schoolctl.partitions import partition_of
from schoolctl.plan.needs import Denied
from schoolctl.plan.task_definition import Names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.config import Config
    from schoolctl.plan.needs import Gaps

_TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow",'
    '"Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
)


@dataclass(frozen=True)
class TaskNeeds:
    """What a task definition names, as it was found; None where it does not exist.

    Attributes:
        region: where the tasks run.
        account: for the ARN of a role that may not be read; None where every role was read.
        roles: ARNs, by what the configuration says.
        secrets: by key.
    """

    region: str
    account: str | None
    roles: Mapping[str, str | Denied | None]
    secrets: Mapping[str, SecretInfo | Denied | None]


def resolve_task(config: Config, found: TaskNeeds, gaps: Gaps) -> Names:
    """Give what roles and secrets stand for; what is missing goes to `gaps`.

    Raises:
        AccessDeniedError: a secret's ARN is needed, and may not be read.
    """
    roles = {
        name: _role_arn(name, told, found, gaps, purpose=_purpose(config, name))
        for name, told in found.roles.items()
    }
    secrets = {key: _secret_arn(config, key, told, gaps) for key, told in found.secrets.items()}
    return Names(found.region, roles, secrets)


def _purpose(config: Config, role: str) -> str:
    return "execution role" if role == config.task.execution_role else "task role"


def _role_arn(
    name: str, told: str | Denied | None, found: TaskNeeds, gaps: Gaps, *, purpose: str
) -> str:
    if isinstance(told, Denied):
        gaps.unverified(f"{purpose} {name}", told)
        if name.startswith("arn:"):
            return name
        return f"arn:{partition_of(found.region).name}:iam::{found.account}:role/{name}"
    if told is None:
        plain = name.rpartition("/")[2]
        cure = f"`aws iam create-role --role-name {plain} --assume-role-policy-document '{_TRUST}'`"
        if purpose == "execution role":
            cure += (
                f", then `aws iam attach-role-policy --role-name {plain} --policy-arn"
                f" arn:{partition_of(found.region).name}:iam::aws:policy/service-role/"
                "AmazonECSTaskExecutionRolePolicy`"
            )
        gaps.lacks(f"{purpose} {name}", cure)
        return ""
    return told


def _secret_arn(config: Config, key: str, told: SecretInfo | Denied | None, gaps: Gaps) -> str:
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
            return told.arn
        case SecretInfo():
            gaps.lacks_for(
                f"secret {name} (scheduled for deletion)", f"secrets set {key} --restore"
            )
            return told.arn
