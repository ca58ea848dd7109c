"""Handlers of the steps that write parameters and secrets. A lost reply is no failure."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, assert_never, cast

from schoolctl.aws import secrets, ssm
from schoolctl.base.errors import ConflictError
from schoolctl.params.steps import DeleteParameter, PutParameter, PutSecret, RestoreSecret

if TYPE_CHECKING:
    from mypy_boto3_ssm.literals import ParameterTypeType

    from schoolctl.core.executor import Outcome, Tools
    from schoolctl.params.steps import (
        AnyValueStep,
    )

_AGAIN = "somebody else wrote it meanwhile; run it again to compare"


def apply(step: AnyValueStep, tools: Tools, _outcome: Outcome) -> str:
    """Apply a step; gives what to say beside its description, or nothing."""
    match step:
        case PutParameter():
            return put_parameter(step, tools)
        case DeleteParameter():
            return delete_parameter(step, tools)
        case PutSecret():
            return put_secret(step, tools)
        case RestoreSecret():
            return restore_secret(step, tools)
        case _:
            assert_never(step)


def put_parameter(step: PutParameter, tools: Tools) -> str:
    """Write the parameter; gives its version."""
    try:
        version = ssm.put_parameter(
            tools.clients,
            step.name,
            cast("ParameterTypeType", step.type),
            step.value,
            overwrite=step.overwrite,
            description=step.description,
        )
    except ConflictError as conflict:
        # SSM has no request token: when the reply to our own write is lost, botocore repeats the
        # call and is told that the parameter exists.
        found = ssm.get_parameters(tools.clients, [step.name], decrypt=True).get(step.name)
        if step.overwrite or found is None or found.value != step.value:
            conflict.hint = conflict.hint or _AGAIN
            raise
        version = found.version
    return f"version {version}"


def delete_parameter(step: DeleteParameter, tools: Tools) -> str:
    """Delete the parameter; of one that is gone, which a repeated call may find, nothing."""
    there = ssm.delete_parameter(tools.clients, step.name)
    return "" if there else "it was gone already"


def put_secret(step: PutSecret, tools: Tools) -> str:
    """Create the secret or give it its new value."""
    # Botocore repeats a call with the same token, and Secrets Manager answers the repetition
    # without a second version. The token is new each time: one made from the value would make a
    # return to an older value a repetition, too.
    token = str(uuid.uuid4())
    if not step.create:
        secrets.put_secret_value(tools.clients, step.name, step.value, token=token)
        return ""
    try:
        secrets.create_secret(
            tools.clients, step.name, step.value, token=token, description=step.description
        )
    except ConflictError as conflict:
        conflict.hint = conflict.hint or _AGAIN
        raise
    return ""


def restore_secret(step: RestoreSecret, tools: Tools) -> str:
    """Take back the deletion."""
    secrets.restore_secret(tools.clients, step.name)
    return ""
