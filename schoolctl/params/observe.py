"""What AWS holds for the values that schoolctl.yaml declares: parameters and secrets together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.secrets import find_secret, get_secret_value
from schoolctl.aws.ssm import get_parameters
from schoolctl.base.errors import AccessDeniedError, ConflictError
from schoolctl.params.rules import Kind, Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from schoolctl.aws.session.clients import Clients
    from schoolctl.model.secret_value import SecretValue
    from schoolctl.model.values import Parameter, SecretInfo
    from schoolctl.params.rules import Entry


def observe_existing(clients: Clients, entries: Iterable[Entry]) -> dict[Entry, Stored]:
    """Find out which entries exist, without reading a value. The calls go side by side.

    Source: SSM GetParameters without decryption, Secrets Manager DescribeSecret.
    """
    parameters, secrets = _by_kind(entries)
    looked = {entry: clients.start(find_secret, clients, entry.name) for entry in secrets}
    found = get_parameters(clients, [each.name for each in parameters], decrypt=False)
    stored = {entry: _stored_parameter(found.get(entry.name)) for entry in parameters}
    for entry, call in looked.items():
        stored[entry] = _stored_secret(call.result(), None)
    return stored


def observe_stored(
    clients: Clients, entries: Iterable[Entry], *, unread: str = "not compared, written in any case"
) -> tuple[dict[Entry, Stored], list[str]]:
    """Read what `entries` hold now, to compare it with what is to be written.

    Comparing is an extra: where the values may not be read, they are taken as unknown.

    Args:
        clients: the AWS clients.
        entries: which.
        unread: what a warning says becomes of a value that may not be read.

    Returns:
        What each entry holds, and a warning for each read that AWS denied.

    Source: SSM GetParameters with decryption, Secrets Manager DescribeSecret and GetSecretValue.
    """
    parameters, secrets = _by_kind(entries)
    looked = {entry: clients.start(find_secret, clients, entry.name) for entry in secrets}
    values = {entry: clients.start(_value_if_any, clients, entry) for entry in secrets}
    warnings: list[str] = []
    try:
        found = get_parameters(clients, [each.name for each in parameters], decrypt=True)
        stored = {entry: _stored_parameter(found.get(entry.name)) for entry in parameters}
    except AccessDeniedError as denied:
        warnings.append(_not_compared(denied, unread))
        stored = {entry: Stored(exists=None) for entry in parameters}
    for entry in secrets:
        value = None
        try:
            value = values[entry].result()
        except AccessDeniedError as denied:
            warnings.append(_not_compared(denied, unread))
        stored[entry] = _stored_secret(looked[entry].result(), value)
    return stored, warnings


def _by_kind(entries: Iterable[Entry]) -> tuple[Sequence[Entry], Sequence[Entry]]:
    every = tuple(entries)
    return (
        [each for each in every if each.kind is Kind.PARAMETER],
        [each for each in every if each.kind is Kind.SECRET],
    )


def _value_if_any(clients: Clients, entry: Entry) -> SecretValue | None:
    try:
        return get_secret_value(clients, entry.name)
    except ConflictError:
        # Deleted, or bytes: DescribeSecret tells the first, and the second is written over.
        return None


def _not_compared(denied: AccessDeniedError, unread: str) -> str:
    return f"{denied.what} ({denied.action or 'access denied'}): {unread}"


def _stored_parameter(found: Parameter | None) -> Stored:
    if found is None:
        return Stored(exists=False)
    return Stored(exists=True, value=found.value, type=found.type)


def _stored_secret(found: SecretInfo | None, value: SecretValue | None) -> Stored:
    if found is None:
        return Stored(exists=False)
    return Stored(exists=True, value=value, deleted_at=found.deleted_at, owner=found.owner)
