"""The table of registrations, and the one way into it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final
from uuid import UUID

from sqlalchemy import Column, Connection, DateTime, MetaData, String, Table, insert, select
from sqlalchemy.exc import IntegrityError

from service.db import Database
from service.errors import EmailTakenError
from service.validation import Registration

# What the code reads and writes. The columns' real types are those of the migrations.
USERS: Final = Table(
    "users",
    MetaData(),
    Column("id", String, primary_key=True),
    Column("name", String),
    Column("email", String, unique=True),
    Column("phone", String),
    Column("program", String),
    Column("created_at", DateTime),
)

_INSERT: Final = insert(USERS)


class Outcome(Enum):
    """What became of a registration that was accepted."""

    CREATED = "created"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Registered:
    """A person in the table: the id, and whether this request put it there."""

    id: UUID
    outcome: Outcome


def register(database: Database, registration: Registration, new_id: UUID) -> Registered:
    """Store a registration, unless it is there already.

    The unique key decides, not a look before: of any number of equal requests one inserts and
    the others find its row. When the connection broke around the commit, the second attempt
    finds the row under `new_id`, and this request is still the one that created it.

    Args:
        database: where to.
        registration: in its normal form.
        new_id: the id if it is new; must not have been used for another person.

    Raises:
        EmailTakenError: the email is there with other data.
        DatabaseUnavailableError: nothing is known to be stored.
    """
    return database.run(lambda connection: _insert_or_find(connection, registration, new_id))


def _insert_or_find(connection: Connection, registration: Registration, new_id: UUID) -> Registered:
    now = datetime.now(UTC).replace(tzinfo=None)  # DATETIME has no zone; ours is UTC
    try:
        connection.execute(
            _INSERT,
            {
                "id": str(new_id),
                "name": registration.name,
                "email": registration.email,
                "phone": registration.phone,
                "program": registration.program,
                "created_at": now,
            },
        )
    except IntegrityError:
        return _find(connection, registration, new_id)
    return Registered(new_id, Outcome.CREATED)


def _find(connection: Connection, registration: Registration, new_id: UUID) -> Registered:
    row = connection.execute(
        select(USERS.c.id, USERS.c.name, USERS.c.phone, USERS.c.program).where(
            USERS.c.email == registration.email,
        ),
    ).one()
    wanted = (registration.name, registration.phone, registration.program)
    if (row.name, row.phone, row.program) != wanted:
        raise EmailTakenError
    found = UUID(row.id)
    return Registered(found, Outcome.CREATED if found == new_id else Outcome.REPEATED)
