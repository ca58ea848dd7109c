"""Declared entries against stored ones: new, changed or equal, and the steps to write. Pure."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from schoolctl.base.errors import ConflictError, NotFoundError, UsageError
from schoolctl.base.plan import Plan
from schoolctl.base.text import count
from schoolctl.model.values import CURRENT, PENDING, PREVIOUS, SecretInfo
from schoolctl.params.steps import DeleteParameter, PutParameter, PutSecret, RestoreSecret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from schoolctl.base.plan import Step
    from schoolctl.config.models import Config
    from schoolctl.model.values import Parameter, SecretValue
    from schoolctl.params.freshness import Use


class Kind(StrEnum):
    """Where a value is kept."""

    PARAMETER = "parameter"
    SECRET = "secret"  # noqa: S105  # the word, not one


@dataclass(frozen=True)
class Entry:
    """A value that schoolctl.yaml declares.

    `name` is what AWS calls it: an SSM name, the name of a secret, or the ARN given for one.
    """

    key: str
    kind: Kind
    name: str
    type: str = ""
    """The SSM type; empty for a secret."""
    hidden: bool = True
    description: str = ""
    env: str | None = None
    given_arn: bool = False
    """Whether schoolctl.yaml names a secret by `arn:`: such a one is never created."""
    source: str | None = None
    """The part of the RDS instance that it is, such as `rds.endpoint`."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Stored:
    """What AWS holds for an entry."""

    exists: bool | None
    """None where it could not be found out."""
    value: SecretValue | None = None
    """None where there is none, or it was not or could not be read."""
    type: str = ""
    deleted_at: datetime | None = None
    owner: str = ""
    """The AWS service that manages a secret, such as `rds`."""


def declared(config: Config) -> tuple[Entry, ...]:
    """Give all entries of an environment in the file's order, parameters before secrets."""
    return (*declared_parameters(config), *declared_secrets(config))


def declared_parameters(config: Config) -> tuple[Entry, ...]:
    """Give the parameters of an environment in the file's order."""
    return tuple(
        Entry(
            key=key,
            kind=Kind.PARAMETER,
            name=config.parameter_name(key),
            type=str(each.type),
            hidden=each.hidden,
            description=each.description,
            env=each.env,
            source=each.source,
        )
        for key, each in config.parameters.items()
    )


def declared_secrets(config: Config) -> tuple[Entry, ...]:
    """Give the secrets of an environment in the file's order."""
    return tuple(
        Entry(
            key=key,
            kind=Kind.SECRET,
            name=config.secret_name(key),
            description=each.description,
            env=each.env,
            given_arn=each.arn is not None,
            source=each.source,
        )
        for key, each in config.secrets.items()
    )


def find_entry(entries: Iterable[Entry], key: str) -> Entry:
    """Give the entry called `key`; another key is a `UsageError` that names the nearest one."""
    known: dict[str, Entry] = {}
    for each in entries:
        known.setdefault(each.key, each)
    if key in known:
        return known[key]
    near = difflib.get_close_matches(key, known, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    raise UsageError(
        f"schoolctl.yaml declares no {key!r}{meant}",
        why=f"it declares {', '.join(known)}" if known else "it declares none",
        hint="add it to `parameters:` or `secrets:` in schoolctl.yaml first",
    )


def find_parameter(config: Config, key: str) -> Entry:
    """Give the parameter called `key`; of another key, a `UsageError`, with the command for it."""
    if key in config.secrets and key not in config.parameters:
        raise UsageError(
            f"{key} is a secret, not a parameter",
            why=f"{config.environment} keeps it in Secrets Manager: {config.secret_name(key)}",
            hint="`schoolctl secrets list` shows it",
        )
    return find_entry(declared_parameters(config), key)


def plan_values(
    given: Mapping[Entry, SecretValue],
    stored: Mapping[Entry, Stored],
    environment: str,
    *,
    restore: bool = False,
) -> Plan:
    """Plan the writing of `given`: a value that is there already is not written again.

    Args:
        given: the values to write, in the order in which they are written.
        stored: what AWS holds for each entry of `given`.
        environment: its name, for the summary.
        restore: whether a secret that is scheduled for deletion may be brought back.

    Raises:
        ConflictError: a parameter has another type, a secret is deleted or managed by AWS.
        NotFoundError: a secret named by `arn:` does not exist.
    """
    for entry in given:
        refuse_unwritable(entry, stored[entry], restore=restore)
    equal = [entry for entry, value in given.items() if _is_equal(stored[entry], value)]
    steps: list[Step] = [
        step
        for entry, value in given.items()
        if entry not in equal
        for step in _steps(entry, value, stored[entry])
    ]
    changed = [entry for entry in given if entry not in equal]
    verb = "is" if len(equal) == 1 else "are"
    return Plan(
        summary=f"set {describe_entries(changed)} of environment {environment}",
        steps=tuple(steps),
        nothing=f"nothing to do: {describe_entries(equal)} of environment {environment}"
        f" {verb} as given",
        notes=(*_unchanged(equal, steps), *_freshness(steps)),
        quiet=True,
    )


def refuse_unwritable(entry: Entry, stored: Stored, *, restore: bool = False) -> None:
    """Raise where AWS would not take a value for `entry`, whatever it is.

    Source: SSM PutParameter (a type never changes), Secrets Manager PutSecretValue.
    """
    if stored.type and stored.type != entry.type:
        raise ConflictError(
            f"{entry} is a {stored.type}, and schoolctl.yaml declares a {entry.type}",
            why="SSM does not change the type of a parameter; nothing was changed",
            hint=f"declare `type: {stored.type}`, or delete the old one and set it again:"
            f" `schoolctl params delete {entry.key}`",
        )
    if stored.deleted_at is not None and not restore:
        raise ConflictError(
            f"{entry} is scheduled for deletion",
            why="until it is gone, its name cannot be used again; nothing was changed",
            hint=f"bring it back with a new value: `schoolctl secrets set {entry.key} --restore`",
        )
    if stored.owner:
        raise ConflictError(
            f"{entry} is managed by {stored.owner}",
            why=f"{stored.owner} sets and rotates its value by itself; nothing was changed",
            hint="there is nothing to set: the service reads the value that is there",
        )
    if entry.given_arn and stored.exists is False:
        raise NotFoundError(
            f"{entry} does not exist",
            why="schoolctl.yaml names it by `arn:`, and AWS gives a new secret an ARN of its own",
            hint=f"correct `secrets.{entry.key}.arn`, or take it out and set the secret again",
        )


def _unchanged(equal: Sequence[Entry], steps: Sequence[Step]) -> Iterator[str]:
    """Name what is not written beside what is; where nothing is, the plan says so itself."""
    if steps:
        yield from (f"{entry}: unchanged" for entry in equal)


def _freshness(steps: Sequence[Step]) -> Iterator[str]:
    if any(isinstance(step, PutParameter) and step.overwrite for step in steps):
        yield (
            "tasks that run keep the parameters that they read when they started;"
            " `schoolctl restart` replaces them"
        )


def _is_equal(stored: Stored, value: SecretValue) -> bool:
    return stored.value is not None and stored.value == value


def _steps(entry: Entry, value: SecretValue, stored: Stored) -> Iterator[Step]:
    if entry.kind is Kind.PARAMETER:
        yield PutParameter(
            name=entry.name,
            type=entry.type,
            value=value,
            # What is not known to be there may be: an overwrite is right in both cases.
            overwrite=stored.exists is not False,
            compared=stored.exists is not None,
            description=entry.description,
        )
        return
    if stored.deleted_at is not None:
        yield RestoreSecret(entry.name, stored.deleted_at)
    yield PutSecret(
        name=entry.name,
        value=value,
        create=stored.exists is False,
        description=entry.description,
    )


def plan_delete(
    entry: Entry, found: Parameter | None, use: Use | None, *, force: bool, environment: str
) -> Plan:
    """Plan the deletion of a parameter; of one that is not there, nothing.

    Args:
        entry: the parameter.
        found: what SSM has of it; None for none.
        use: what the service runs; None where nobody asked, as there is nothing to delete.
        force: whether it goes although it is read, or nobody knows.
        environment: its name, for the summary.

    Raises:
        ConflictError: it is read by what the service runs, or that could not be found out.
    """
    if found is None or use is None:
        nothing = f"nothing to do: {entry} of environment {environment} does not exist"
        return Plan(summary="", steps=(), nothing=nothing)
    readers = use.readers(entry.name)
    warnings = []
    if use.unread:
        warnings.append(f"whether the service reads {entry.key} is not known: {use.unread}")
    read = f"{' and '.join(readers)} {'reads' if len(readers) == 1 else 'read'} it"
    if readers:
        warnings.append(f"{read}: no new task of the service will start")
    if warnings and not force:
        why = f"{read}, and no new task could start" if readers else ""
        raise ConflictError(
            f"{entry} may be in use" if not readers else f"{entry} is in use",
            why=f"{why or warnings[0]}; nothing was changed",
            hint="take it out of schoolctl.yaml and deploy first, or add --force",
        )
    return Plan(
        summary=f"delete {entry} of environment {environment} with all its versions.",
        steps=(DeleteParameter(entry.name),),
        notes=("for half a minute, SSM may refuse a new parameter of the same name",),
        warnings=tuple(warnings),
        deletes=True,
    )


def describe_entries(entries: Sequence[Entry]) -> str:
    """Write `3 parameters and 1 secret`; of a single one, its name."""
    if len(entries) == 1:
        return str(entries[0])
    numbers = {kind: sum(each.kind is kind for each in entries) for kind in Kind}
    return " and ".join(count(number, kind) for kind, number in numbers.items() if number) or "none"


class State(StrEnum):
    """How a value here compares with the one there."""

    EQUAL = "equal"
    DIFFERS = "differs"
    ONLY_HERE = "only_here"
    ONLY_THERE = "only_there"
    IN_NEITHER = "in_neither"
    NOT_COMPARED = "not_compared"


_SAME = (State.EQUAL, State.IN_NEITHER)


@dataclass(frozen=True)
class Compared:
    """One value that either place may have."""

    key: str
    kind: Kind
    state: State

    def text(self, here: str, there: str) -> str:
        """Say it for people; the places by name."""
        match self.state:
            case State.ONLY_HERE:
                return f"only in {here}"
            case State.ONLY_THERE:
                return f"only in {there}"
            case _:
                return self.state.replace("_", " ")

    def document(self) -> dict[str, str]:
        """Give it for JSON."""
        return {"key": self.key, "kind": str(self.kind), "state": str(self.state)}


def compare_values(
    here: Mapping[Entry, Stored], there: Mapping[Entry, Stored]
) -> tuple[Compared, ...]:
    """Compare what two places hold, key by key, in the order of `here`, then of `there`."""
    left, right = _by_key(here), _by_key(there)
    return tuple(
        Compared(key, kind, _state(left.get((key, kind)), right.get((key, kind))))
        for key, kind in dict.fromkeys((*left, *right))
    )


def any_difference(compared: Iterable[Compared]) -> bool:
    """Say whether anything differs; what could not be compared may."""
    return any(each.state not in _SAME for each in compared)


def _by_key(stored: Mapping[Entry, Stored]) -> dict[tuple[str, Kind], Stored]:
    return {(entry.key, entry.kind): each for entry, each in stored.items()}


def _state(here: Stored | None, there: Stored | None) -> State:
    is_here, is_there = _is_there(here), _is_there(there)
    if is_here is None or is_there is None:
        return State.NOT_COMPARED
    if not (is_here and is_there):
        if is_here == is_there:
            return State.IN_NEITHER
        return State.ONLY_HERE if is_here else State.ONLY_THERE
    if here is None or there is None or here.value is None or there.value is None:
        return State.NOT_COMPARED
    return State.EQUAL if here.value == there.value else State.DIFFERS


def _is_there(stored: Stored | None) -> bool | None:
    """Say whether there is a value; one that is to be deleted counts as none."""
    if stored is None or stored.deleted_at is not None:
        return False
    return stored.exists


def is_managed(secret: SecretInfo) -> bool:
    """Say whether Secrets Manager, or a service such as RDS, rotates it by itself."""
    return bool(secret.owner) or secret.rotates


def staged_version(secret: SecretInfo) -> str | None:
    """Give the version that a rotation staged and did not make current; None where there is none.

    The label stays behind where a rotation ended without taking it off: on the current version, or,
    after the next value was set, on the one before.
    """
    version = secret.version(PENDING)
    if version is None or {CURRENT, PREVIOUS} & set(secret.stages[version]):
        return None
    return version
