"""Values: parameters, secrets, and the databases that some of them are read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


CURRENT = "AWSCURRENT"
"""Secrets Manager's label of the version that is in use."""
PENDING = "AWSPENDING"
"""Its label of the version that a rotation is about to make the current one."""
PREVIOUS = "AWSPREVIOUS"


@dataclass(frozen=True)
class Parameter:
    """An SSM parameter; `value` is None where it was not read."""

    name: str
    type: str
    version: int
    modified_at: datetime | None
    value: SecretValue | None = None


@dataclass(frozen=True)
class ParameterVersion:
    """One of the versions that SSM keeps of a parameter; `value` is None where it was not read."""

    version: int
    type: str
    modified_at: datetime | None
    writer: str
    """The ARN of whoever wrote it."""
    labels: tuple[str, ...] = ()
    value: SecretValue | None = None


@dataclass(frozen=True)
class Database:
    """An RDS instance or an Aurora cluster. What RDS does not tell, or not yet, is empty."""

    name: str
    kind: str
    """`instance` or `cluster`."""
    status: str
    endpoint: str = ""
    port: int | None = None
    database: str = ""
    user: str = ""
    secret_arn: str = ""
    """The secret in which RDS keeps the password that it manages."""
    cluster: str = ""
    """The cluster that an instance is a member of."""
    security_groups: tuple[str, ...] = ()
    vpc_id: str = ""
    """Empty for a cluster: its instances tell."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class SecretInfo:
    """A Secrets Manager secret without its value."""

    name: str
    arn: str
    changed_at: datetime | None
    deleted_at: datetime | None = None
    owner: str = ""
    """The AWS service that manages and rotates it, such as `rds`; empty for one of our own."""
    stages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The labels of each version that has any, such as AWSCURRENT, by the version's id."""
    rotates: bool = False
    """Whether Secrets Manager rotates it by itself."""
    rotated_at: datetime | None = None
    read_at: datetime | None = None
    """The day on which it was read last, at 00:00 UTC."""
    has_value: bool = True
    """False for one that was made, and never given a value."""

    def version(self, stage: str) -> str | None:
        """Give the id of the version that has a label; None where none has."""
        return next((each for each, labels in self.stages.items() if stage in labels), None)


class SecretValue:
    """Text that must not be seen: it prints as `***` wherever it ends up."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text, for the call that needs it or for `--reveal`."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretValue) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)
