"""CloudWatch Logs: whether a log group exists, and making one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from schoolctl.aws.session.errors import is_code, translated

if TYPE_CHECKING:
    from schoolctl.aws.session.clients import Clients


def log_group_exists(clients: Clients, name: str) -> bool:
    """Say whether there is a log group of that very name.

    Source: CloudWatch Logs DescribeLogGroups, which looks for a prefix; all pages.
    """
    pages = clients.logs.get_paginator("describe_log_groups")
    with translated(f"look for log group {name}"):
        return any(
            group.get("logGroupName") == name
            for page in pages.paginate(logGroupNamePrefix=name)
            for group in page["logGroups"]
        )


def create_log_group(clients: Clients, name: str) -> bool:
    """Create a log group; False where it was there already.

    Source: CloudWatch Logs CreateLogGroup.
    """
    with translated(f"create log group {name}"):
        try:
            clients.logs.create_log_group(logGroupName=name)
        except ClientError as error:
            # Somebody was first, or the reply to our own call was lost and it was repeated.
            if is_code(error, "ResourceAlreadyExistsException"):
                return False
            raise
    return True
