"""The table of registrations, and the one way into it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final, TypeAlias

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    MetaData,
    String,
    Table,
    bindparam,
    select,
)
from sqlalchemy.exc import DataError, IntegrityError

from service.db import POOL_TIMEOUT_SECONDS, Database
from service.errors import DatabaseUnavailableError, EmailTakenError
from service.logs import log
from service.together import Together
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

_INSERT: Final = "INSERT INTO users (id, name, email, phone, program, created_at) VALUES "
_ROWS: Final = {"mysql": "(%s, %s, %s, %s, %s, %s)", "sqlite": "(?, ?, ?, ?, ?, ?)"}
"""The place for one person, as the drivers write it."""

_FIND: Final = select(USERS.c.id, USERS.c.name, USERS.c.phone, USERS.c.program).where(
    USERS.c.email == bindparam("email")
)
Person: TypeAlias = tuple[Registration, str]
"""A registration, and the id that it gets if it is new."""


class Outcome(Enum):
    """What became of a registration that was accepted."""

    CREATED = "created"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Registered:
    """A person in the table: the id, and whether this request put it there."""

    id: str
    outcome: Outcome


class Registrations:
    """The way into the table. Registrations that come at once are committed together.

    The unique key decides, not a look before: of any number of equal requests one inserts and
    the others find its row. When the connection broke around the commit, the second attempt
    finds the row under the new id, and this request is still the one that created it.
    """

    def __init__(self, database: Database, at_once: int) -> None:
        """Take registrations in.

        Args:
            database: where they are stored.
            at_once: groups that may be under way; each takes a connection.
        """
        self._database = database
        self._together = Together(
            self._store,
            at_once=at_once,
            patience_seconds=POOL_TIMEOUT_SECONDS,
            too_late=_too_late,
        )

    def add(self, registration: Registration, new_id: str) -> Registered:
        """Store a registration, unless it is there already.

        Args:
            registration: in its normal form.
            new_id: a UUID, its id if it is new; must not have been used for another person.

        Raises:
            EmailTakenError: the email is there with other data.
            DatabaseUnavailableError: nothing is known to be stored.
        """
        return self._together.submit((registration, new_id))

    def _store(self, people: Sequence[Person]) -> list[Registered | Exception]:
        if len(people) > 1:
            # In one order everywhere: two groups with the same people would each hold what the
            # other one waits for.
            ordered = sorted(people, key=lambda person: person[0].email)
            try:
                self._database.run(lambda connection: _insert(connection, ordered))
            except DatabaseUnavailableError as error:
                return [error] * len(people)
            except (IntegrityError, DataError):
                # One of them is there already. Where others were stored before it came to that
                # (SQLite; MySQL takes all back), each finds its own id.
                pass
            else:
                return [Registered(new_id, Outcome.CREATED) for _, new_id in people]
        stored: list[Registered | Exception] = []
        for person in people:
            stored.append(self._store_one(person))
            if isinstance(stored[-1], DatabaseUnavailableError):
                # It stays away for those behind, too; each would wait out its own time.
                return stored + [stored[-1]] * (len(people) - len(stored))
        return stored

    def _store_one(self, person: Person) -> Registered | Exception:
        try:
            return self._database.run(lambda connection: _insert_or_find(connection, person))
        except Exception as error:  # noqa: BLE001 - it is raised where the person's request waits
            return error


def _too_late() -> DatabaseUnavailableError:
    log(
        logging.ERROR,
        "a registration waited too long for its turn",
        waited_seconds=POOL_TIMEOUT_SECONDS,
        hint="look for slow statements and locks in the database, or raise DB_POOL_SIZE",
    )
    return DatabaseUnavailableError()


def _insert(connection: Connection, people: Sequence[Person]) -> None:
    # As SQL of the driver: compiling a statement for each number of rows takes longer than
    # sending it.
    now = datetime.now(UTC).replace(tzinfo=None)  # DATETIME has no zone; ours is UTC
    created_at = now.isoformat(" ", timespec="microseconds")
    values: list[str] = []
    for person, new_id in people:
        values += (new_id, person.name, person.email, person.phone, person.program, created_at)
    row = _ROWS[connection.dialect.name]
    connection.exec_driver_sql(_INSERT + ", ".join([row] * len(people)), tuple(values))


def _insert_or_find(connection: Connection, person: Person) -> Registered:
    registration, new_id = person
    try:
        _insert(connection, [person])
    except IntegrityError:
        return _find(connection, registration, new_id)
    return Registered(new_id, Outcome.CREATED)


def _find(connection: Connection, registration: Registration, new_id: str) -> Registered:
    row = connection.execute(_FIND, {"email": registration.email}).one()
    wanted = (registration.name, registration.phone, registration.program)
    if (row.name, row.phone, row.program) != wanted:
        raise EmailTakenError
    return Registered(row.id, Outcome.CREATED if row.id == new_id else Outcome.REPEATED)
