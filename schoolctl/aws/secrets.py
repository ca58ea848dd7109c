"""Secrets Manager: secrets, the stages of their versions, and rotation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from schoolctl.aws.session.errors import error_message, is_code, translated
from schoolctl.base.errors import ConflictError
from schoolctl.model.values import CURRENT, PENDING, SecretInfo, SecretValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.aws.session.clients import Clients

_CURRENT = {"": ["AWSCURRENT"]}
"""What is taken for granted where an answer does not tell."""


def find_secret(clients: Clients, name_or_arn: str) -> SecretInfo | None:
    """Give what is known of a secret without reading its value; None where there is none.

    One that is scheduled for deletion is there, with `deleted_at` set.

    Source: Secrets Manager DescribeSecret.
    """
    with translated(f"look at secret {name_or_arn}"):
        try:
            found = clients.secretsmanager.describe_secret(SecretId=name_or_arn)
        except ClientError as error:
            if is_code(error, "ResourceNotFoundException"):
                return None
            raise
    return SecretInfo(
        name=found["Name"],
        arn=found["ARN"],
        changed_at=found.get("LastChangedDate", found.get("CreatedDate")),
        deleted_at=found.get("DeletedDate"),
        owner=found.get("OwningService", ""),
        stages={
            version: tuple(labels)
            for version, labels in (found.get("VersionIdsToStages") or {}).items()
        },
        rotates=found.get("RotationEnabled", False),
        rotated_at=found.get("LastRotatedDate"),
        read_at=found.get("LastAccessedDate"),
        has_value=any(
            "AWSCURRENT" in stages for stages in found.get("VersionIdsToStages", _CURRENT).values()
        ),
    )


def get_secret_value(clients: Clients, name_or_arn: str) -> SecretValue | None:
    """Read a secret's current value; None where there is no such secret or it has no value yet.

    Raises:
        ConflictError: it is scheduled for deletion, or holds bytes instead of text.

    Source: Secrets Manager GetSecretValue.
    """
    with translated(f"read secret {name_or_arn}"):
        try:
            found = clients.secretsmanager.get_secret_value(SecretId=name_or_arn)
        except ClientError as error:
            if is_code(error, "ResourceNotFoundException"):
                return None
            if is_code(error, "InvalidRequestException"):
                raise ConflictError(
                    f"secret {name_or_arn} cannot be read",
                    why=f"AWS answered InvalidRequestException: {error_message(error)}",
                    hint="a deleted one is brought back by `schoolctl secrets set KEY --restore`",
                ) from error
            raise
    text = found.get("SecretString")
    if text is None:
        raise ConflictError(
            f"secret {name_or_arn} holds bytes",
            why="schoolctl and the service read secrets that are text",
            hint="give the entry another name, or an `arn:` of a secret that is text",
        )
    return SecretValue(text)


def create_secret(
    clients: Clients, name: str, value: SecretValue, *, token: str, description: str = ""
) -> str:
    """Create a secret and give its ARN. A repetition with the same `token` makes no second one.

    Source: Secrets Manager CreateSecret.
    """
    extra: Mapping[str, str] = {"Description": description} if description else {}
    with translated(f"create secret {name}", hide=value):
        try:
            answer = clients.secretsmanager.create_secret(
                Name=name,
                SecretString=value.reveal(),
                ClientRequestToken=token,
                **extra,  # type: ignore[arg-type]  # a TypedDict cannot be unpacked in part
            )
        except ClientError as error:
            if not is_code(error, "ResourceExistsException"):
                raise
            # Where the token is not honoured, a repeated call finds what the first one made.
            found = clients.secretsmanager.get_secret_value(SecretId=name)
            if found.get("SecretString") != value.reveal():
                raise
            return found["ARN"]
    return answer["ARN"]


def put_secret_value(clients: Clients, name_or_arn: str, value: SecretValue, *, token: str) -> None:
    """Give a secret a new current value. A repetition with the same `token` makes no second one.

    Source: Secrets Manager PutSecretValue.
    """
    with translated(f"change secret {name_or_arn}", hide=value):
        clients.secretsmanager.put_secret_value(
            SecretId=name_or_arn, SecretString=value.reveal(), ClientRequestToken=token
        )


def stage_secret(clients: Clients, name_or_arn: str, value: SecretValue, *, version: str) -> None:
    """Store a value under AWSPENDING, as the version `version`; what is current stays so.

    Source: Secrets Manager PutSecretValue. Its ClientRequestToken becomes the version's id.
    """
    with translated(f"stage a new value of secret {name_or_arn}", hide=value):
        clients.secretsmanager.put_secret_value(
            SecretId=name_or_arn,
            SecretString=value.reveal(),
            ClientRequestToken=version,
            VersionStages=[PENDING],
        )


def make_current(clients: Clients, name_or_arn: str, version: str, *, instead_of: str) -> None:
    """Move AWSCURRENT to a version; where it is there already, nothing happens.

    Source: Secrets Manager UpdateSecretVersionStage.
    """
    with translated(f"make the new value of secret {name_or_arn} the current one"):
        try:
            clients.secretsmanager.update_secret_version_stage(
                SecretId=name_or_arn,
                VersionStage=CURRENT,
                MoveToVersionId=version,
                RemoveFromVersionId=instead_of,
            )
        except ClientError:
            # What a repetition after a lost reply may be told.
            if CURRENT not in _labels(clients, name_or_arn, version):
                raise


def take_off_pending(clients: Clients, name_or_arn: str, version: str) -> None:
    """Take the label AWSPENDING off a version; where it has none, nothing happens.

    Source: Secrets Manager UpdateSecretVersionStage.
    """
    with translated(f"end the rotation of secret {name_or_arn}"):
        try:
            clients.secretsmanager.update_secret_version_stage(
                SecretId=name_or_arn, VersionStage=PENDING, RemoveFromVersionId=version
            )
        except ClientError:
            if PENDING in _labels(clients, name_or_arn, version):
                raise


def rotate_secret(clients: Clients, name_or_arn: str, *, version: str) -> None:
    """Have Secrets Manager rotate a secret now; it goes on when this returns.

    Source: Secrets Manager RotateSecret. Its ClientRequestToken becomes the new version's id.
    """
    with translated(f"rotate secret {name_or_arn}"):
        clients.secretsmanager.rotate_secret(SecretId=name_or_arn, ClientRequestToken=version)


def _labels(clients: Clients, name_or_arn: str, version: str) -> list[str]:
    found = clients.secretsmanager.describe_secret(SecretId=name_or_arn)
    return list(found.get("VersionIdsToStages", {}).get(version, ()))


def restore_secret(clients: Clients, name_or_arn: str) -> None:
    """Take back the deletion of a secret; of one that is not deleted, nothing happens.

    Source: Secrets Manager RestoreSecret.
    """
    with translated(f"restore secret {name_or_arn}"):
        try:
            clients.secretsmanager.restore_secret(SecretId=name_or_arn)
        except ClientError as error:
            if not is_code(error, "InvalidRequestException"):
                raise
            # What a repetition after a lost reply may be told.
            found = clients.secretsmanager.describe_secret(SecretId=name_or_arn)
            if "DeletedDate" in found:
                raise
