"""IAM: the roles that tasks have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from schoolctl.aws.errors import is_code, translated

if TYPE_CHECKING:
    from schoolctl.aws.clients import Clients


def find_role_arn(clients: Clients, name_or_arn: str) -> str | None:
    """Give the ARN of a role, with its path; None where there is no such role.

    Source: IAM GetRole, which takes the name alone.
    """
    name = name_or_arn.rpartition("/")[2]
    with translated(f"look at role {name}"):
        try:
            return clients.iam.get_role(RoleName=name)["Role"]["Arn"]
        except ClientError as error:
            if is_code(error, "NoSuchEntity"):
                return None
            raise
