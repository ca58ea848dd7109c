"""The deploy lock in SSM: one parameter, which is written, read and deleted.

SSM has no write that depends on what is there, except that a first write without `Overwrite` is
refused where there is something. `execute.lock` makes a lock of that.
"""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from schoolctl.aws.session.errors import is_code, translated
from schoolctl.aws.ssm import delete_parameter
from schoolctl.core.lock_rules import Found, parse_holder, render_holder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from schoolctl.aws.session.clients import Clients
    from schoolctl.base.clock import Clock
    from schoolctl.core.lock_rules import Holder

_DESCRIPTION = "Held by schoolctl while it deploys; `schoolctl lock show` tells by whom."


def create_lock(clients: Clients, name: str, holder: Holder) -> bool:
    """Write the lock if there is none; says whether it was written.

    False may also mean that it was, and that botocore repeated the call after a lost reply.

    Source: SSM PutParameter without Overwrite: ParameterAlreadyExists.
    """
    with translated(f"take the deploy lock {name}"):
        try:
            clients.ssm.put_parameter(
                Name=name,
                Description=_DESCRIPTION,
                Type="String",
                Value=render_holder(holder),
                Overwrite=False,
            )
        except ClientError as error:
            if is_code(error, "ParameterAlreadyExists"):
                return False
            raise
    return True


def overwrite_lock(clients: Clients, name: str, holder: Holder) -> int:
    """Write the lock whatever is there; gives the number of this version."""
    with translated(f"write the deploy lock {name}"):
        answer = clients.ssm.put_parameter(
            Name=name, Type="String", Value=render_holder(holder), Overwrite=True
        )
    return answer["Version"]


def read_lock(
    clients: Clients, name: str, clock: Clock, *, version: int | None = None
) -> Found | None:
    """Give the lock, or one of its versions, with its age by SSM's own clock; None if it is free.

    The clocks of two hosts may differ by more than a lease: both times are SSM's own, unless
    something between us and AWS takes the `Date` out.

    Source: SSM GetParameter: LastModifiedDate, and the answer's `Date` header.
    """
    with translated(f"read the deploy lock {name}"):
        try:
            answer = clients.ssm.get_parameter(Name=f"{name}:{version}" if version else name)
        except ClientError as error:
            if is_code(error, "ParameterNotFound", "ParameterVersionNotFound"):
                return None
            raise
    found = answer["Parameter"]
    now = _server_time(answer["ResponseMetadata"]["HTTPHeaders"]) or clock.now()
    idle_seconds = (now - found["LastModifiedDate"]).total_seconds()
    return Found(parse_holder(found["Value"]), max(0.0, idle_seconds), now, found["Version"])


def _server_time(headers: Mapping[str, Any]) -> datetime | None:
    try:
        return parsedate_to_datetime(str(headers.get("date", ""))).astimezone(UTC)
    except ValueError:
        return None


def delete_lock(clients: Clients, name: str) -> None:
    """Delete the lock; one that is gone already is no error. Source: SSM DeleteParameter."""
    delete_parameter(clients, name, doing=f"free the deploy lock {name}")
