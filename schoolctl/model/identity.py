"""Who a command is for AWS."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """Who the credentials belong to: sts GetCallerIdentity."""

    account: str
    arn: str
    user_id: str
