"""STS: who the credentials belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.errors import translated
from schoolctl.model import Identity

if TYPE_CHECKING:
    from schoolctl.aws.clients import Clients


def get_identity(clients: Clients) -> Identity:
    """Give the caller's account and ARN. Source: STS GetCallerIdentity."""
    with translated("find out whose credentials these are"):
        answer = clients.sts.get_caller_identity()
    return Identity(answer["Account"], answer["Arn"], answer["UserId"])
