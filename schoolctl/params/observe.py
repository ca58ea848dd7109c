"""Stored parameters and secrets, who reads them, and the values that a stack gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.ecs.services import describe_revisions, describe_service, list_tasks
from schoolctl.aws.rds import find_database
from schoolctl.aws.secrets import find_secret, get_secret_value
from schoolctl.aws.ssm import get_parameters
from schoolctl.base.errors import AccessDeniedError, ConflictError, NotFoundError, SchoolctlError
from schoolctl.params.freshness import Freshness, Stamp, Use, delivery_of, oldest_start
from schoolctl.params.rules import Kind, Stored
from schoolctl.params.sources import values_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from schoolctl.aws.session.clients import Clients
    from schoolctl.config.models import Config
    from schoolctl.core.run import Run
    from schoolctl.model.stacks import StackState
    from schoolctl.model.values import Parameter, SecretInfo, SecretValue
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


class SettingsObservation:
    """The declared parameters and secrets; the calls begin when this is made.

    Source: SSM GetParameters without decryption, Secrets Manager DescribeSecret.
    """

    def __init__(self, clients: Clients, config: Config, *, only_secrets: bool = False) -> None:
        keys = () if only_secrets else config.parameters
        self._names = [config.parameter_name(key) for key in keys]
        self._parameters = clients.start(get_parameters, clients, self._names, decrypt=False)
        self._secrets = {
            name: clients.start(find_secret, clients, name)
            for name in map(config.secret_name, config.secrets)
        }

    def secrets(self) -> dict[str, SecretInfo | None]:
        """Give the declared secrets by name, None for one that does not exist.

        Raises:
            SchoolctlError: one could not be looked at.
        """
        return {name: call.result() for name, call in self._secrets.items()}

    def since(
        self, started_at: datetime | None, definition: Mapping[str, object] | None = None
    ) -> Freshness:
        """Compare them with a start; what cannot be read is named, never a failure.

        Args:
            started_at: when the oldest task that runs started; None where none runs.
            definition: the task definition that the tasks run; None where it is not known.
        """
        told = definition or {}
        stamps: list[Stamp] = []
        unread: list[str] = []
        try:
            found = self._parameters.result()
        except SchoolctlError as error:
            unread.append(_why(error))
        else:
            for name in self._names:
                known = found.get(name)
                changed_at = known.modified_at if known else None
                stamps.append(Stamp(name, "parameter", changed_at, delivery_of(told, name)))
        for name, call in self._secrets.items():
            try:
                secret = call.result()
            except SchoolctlError as error:
                unread.append(_why(error))
            else:
                there = secret is not None and secret.deleted_at is None
                changed_at = secret.changed_at if secret is not None and there else None
                arn = secret.arn if secret is not None else ""
                stamps.append(Stamp(name, "secret", changed_at, delivery_of(told, name, arn)))
        return Freshness(tuple(stamps), started_at, tuple(dict.fromkeys(unread)))


def _why(error: SchoolctlError) -> str:
    if isinstance(error, AccessDeniedError) and error.action is not None:
        return f"{error.what.removeprefix('could not ')} needs {error.action}"
    return f"{error.what}: {error.why}"


def observe_use(clients: Clients, config: Config) -> Use:
    """Read the revisions of a service's tasks and deployments, and when the oldest task started.

    It is an extra: what may not be read is named in `unread`. A service that does not exist reads
    nothing.

    Source: ECS DescribeServices, ListTasks, DescribeTasks, DescribeTaskDefinition.
    """
    where = config.service
    asked = clients.start(list_tasks, clients, where.cluster, service=where.name)
    try:
        service = describe_service(clients, where.cluster, where.name)
        if service is None or service.status == "INACTIVE":
            return Use((), None)
        tasks = asked.result()
        refs = {each.task_definition for each in service.deployments}
        refs |= {each.task_definition for each in tasks}
        revisions = describe_revisions(clients, refs)
    except NotFoundError:
        return Use((), None)
    except AccessDeniedError as denied:
        return Use((), None, unread=denied.why)
    ordered = sorted(revisions, key=lambda each: (each.ref.family, each.ref.revision))
    return Use(tuple(ordered), oldest_start(tasks))


def values_from_stack(
    run: Run, stack: StackState | None, entries: Sequence[Entry]
) -> dict[Entry, SecretValue]:
    """Give the values of `entries` that the stack's database tells, such as its endpoint."""
    instance = stack.outputs.get("DatabaseInstance") if stack is not None else None
    wanted = [each for each in entries if each.source is not None]
    if instance is None or not wanted:
        return {}

    return dict(values_of(find_database(run.clients, instance), wanted).values)
