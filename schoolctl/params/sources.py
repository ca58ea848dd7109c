"""Where values to set come from: words, a pipe, a file, questions, an RDS instance."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.base.errors import ConflictError, MissingThingsError, UsageError
from schoolctl.base.text import count
from schoolctl.model.values import SecretValue
from schoolctl.params.rules import Kind, find_entry
from schoolctl.params.values import (
    check_value,
    decode,
    drop_newline,
    read_values_file,
    readable_by_others,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from schoolctl.config.models import Config
    from schoolctl.core.run import Run
    from schoolctl.model.values import Database
    from schoolctl.output.reporter import Reporter
    from schoolctl.params.rules import Entry


_ATTEMPTS = 3


def parse_words(
    words: Sequence[str], entries: Sequence[Entry]
) -> tuple[dict[Entry, SecretValue], list[Entry]]:
    """Read `KEY=VALUE` and `KEY` words.

    Args:
        words: the words of the command line.
        entries: what schoolctl.yaml declares.

    Returns:
        The values that were given, and the entries whose value is still wanted.

    Raises:
        UsageError: an unknown or repeated key, or a value that must not stand there.
    """
    given: dict[Entry, SecretValue] = {}
    wanted: list[Entry] = []
    for word in words:
        key, equals, text = word.partition("=")
        entry = find_entry(entries, key)
        if entry in given or entry in wanted:
            raise UsageError(f"{key} is given twice", hint="leave one of them out")
        if not equals:
            wanted.append(entry)
        elif entry.hidden:
            raise UsageError(
                f"the value of {key} must not stand on the command line",
                why="every user of this machine can read it there, and the shell's history keeps"
                " it; schoolctl.yaml does not declare it `hidden: false`",
                hint=_how(entry),
            )
        else:
            given[entry] = SecretValue(text)
    return given, wanted


def _how(entry: Entry) -> str:
    """Say how to give the value of `entry` without a terminal."""
    if entry.kind is Kind.SECRET:
        return f"`schoolctl secrets set {entry.key} --stdin` reads it from a pipe"
    if entry.hidden:
        return f"`schoolctl params set {entry.key} --stdin` reads it from a pipe"
    return f"`schoolctl params set {entry.key}=VALUE`"


def from_stdin(run: Run) -> SecretValue:
    """Read a value from standard input; one line break at its end is dropped."""
    text = decode(run.reporter.read_stdin(), "standard input")
    return SecretValue(drop_newline(text))


def from_file(run: Run, file: Path, entries: Sequence[Entry]) -> dict[Entry, SecretValue]:
    """Read the values of a file.

    Raises:
        UsageError: the file cannot be used, has keys that schoolctl.yaml does not declare, or has
            hidden values that other users can read. With nothing hidden in it, that is a warning.
    """
    found = {find_entry(entries, key): value for key, value in read_values_file(file).items()}
    if readable_by_others(file):
        told, cure = f"other users can read {file}", f"`chmod 600 {file}` changes that"
        hidden = [entry.key for entry in found if entry.hidden]
        if hidden:
            raise UsageError(
                told, why=f"it holds {', '.join(hidden)}; nothing was changed", hint=cure
            )
        run.reporter.warn(f"{told}; {cure}")
    return found


def from_questions(run: Run, wanted: Sequence[Entry], *, as_is: bool) -> dict[Entry, SecretValue]:
    """Ask for each value; what is typed for a hidden one is not shown.

    Raises:
        UsageError: there is no terminal; names every value that is missing.
    """
    if wanted and not run.reporter.interactive:
        raise UsageError(
            f"{count(len(wanted), 'value')} missing, and there is no terminal to ask on",
            why="\n".join(f"{entry.key} ({entry}): {_how(entry)}" for entry in wanted),
            hint="or give them all with --from-file FILE",
        )
    return {entry: _ask(run.reporter, entry, as_is=as_is) for entry in wanted}


def _ask(reporter: Reporter, entry: Entry, *, as_is: bool) -> SecretValue:
    about = f" ({entry.description})" if entry.description else ""
    question = f"{entry.key}{about}:"
    for _ in range(_ATTEMPTS):
        value = (
            reporter.ask_secret(question) if entry.hidden else SecretValue(reporter.ask(question))
        )
        problems = [each for each in check_value(entry, value) if not (as_is and each.doubtful)]
        if not problems:
            return value
        for problem in problems:
            meant = "; if it is meant, start again with --as-is" if problem.doubtful else ""
            reporter.warn(f"the value {problem.text}{meant}")
    raise UsageError(
        f"no usable value for {entry.key} in {_ATTEMPTS} attempts", why="nothing was changed"
    )


MANAGED_SECRET = "rds.managed_secret"  # noqa: S105  # the name of a part, not a secret
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}")
_MYSQL_PORT = 3306


@dataclass(frozen=True)
class FromRds:
    """What a database gives: values to write, and secrets of RDS's own to be pointed at."""

    database: Database
    values: Mapping[Entry, SecretValue]
    arns: Mapping[Entry, str]
    """The ARN of the secret that RDS manages, for each entry that is `from: rds.managed_secret`."""

    def unnamed(self) -> dict[Entry, str]:
        """Give the ARNs that schoolctl.yaml does not name yet."""
        return {entry: arn for entry, arn in self.arns.items() if entry.name != arn}


def parse_database_name(text: str) -> str:
    """Give the name of an RDS instance or cluster, or raise a `UsageError`."""
    if _IDENTIFIER.fullmatch(text):
        return text
    first = text.partition(".")[0]
    of_endpoint = ".rds." in text and _IDENTIFIER.fullmatch(first)
    raise UsageError(
        f"--from-rds {text!r} is no name of an RDS instance or cluster",
        why="a name has letters, digits and -, begins with a letter, and has at most 63 of them",
        hint=f"that is an endpoint; its instance is called {first}"
        if of_endpoint
        else "`aws rds describe-db-instances` lists them",
    )


def wanted_of_rds(entries: Sequence[Entry], chosen: Sequence[Entry]) -> tuple[Entry, ...]:
    """Give the entries that RDS is to fill: the chosen ones, or all with a `from:`.

    Raises:
        UsageError: a chosen one has no `from:`, or there is none at all.
    """
    for entry in chosen:
        if entry.source is None:
            raise UsageError(
                f"schoolctl.yaml does not say which part of the database {entry.key} is",
                hint="add `from: rds.endpoint`, rds.port, rds.database or rds.user to it;"
                f" to a secret, `from: {MANAGED_SECRET}`",
            )
    wanted = tuple(chosen) or tuple(each for each in entries if each.source is not None)
    if not wanted:
        raise UsageError(
            "schoolctl.yaml declares nothing that comes from RDS",
            why="no parameter and no secret has a `from:`",
            hint="say which part of the database each is, such as `from: rds.endpoint`",
        )
    return wanted


def values_of(database: Database, wanted: Sequence[Entry]) -> FromRds:
    """Take the values of `wanted` from a database.

    Raises:
        ConflictError: it is no database to point a service at.
        MissingThingsError: it does not have all of them; every missing one is named.
    """
    if database.cluster:
        raise ConflictError(
            f"{database} is a member of cluster {database.cluster}",
            why="its own endpoint does not follow when another member becomes the writer;"
            " nothing was changed",
            hint=f"take the cluster: --from-rds {database.cluster}",
        )
    if database.status == "deleting":
        raise ConflictError(f"{database} is being deleted", why="RDS says so; nothing was changed")
    found = {entry: _part(database, entry.source or "") for entry in wanted}
    missing = [entry for entry, text in found.items() if not text]
    if missing:
        raise _incomplete(database, missing, [entry for entry in wanted if found[entry]])
    return FromRds(
        database=database,
        values={
            entry: SecretValue(text)
            for entry, text in found.items()
            if entry.source != MANAGED_SECRET
        },
        arns={entry: text for entry, text in found.items() if entry.source == MANAGED_SECRET},
    )


def _part(database: Database, source: str) -> str:
    match source:
        case "rds.endpoint":
            return database.endpoint
        case "rds.port":
            return str(database.port or "")
        case "rds.database":
            return database.database
        case "rds.user":
            return database.user
        case _:
            return database.secret_arn


def _incomplete(
    database: Database, missing: Sequence[Entry], there: Sequence[Entry]
) -> MissingThingsError:
    hint = "nothing was changed"
    if there:
        keys = " ".join(entry.key for entry in there)
        rest = "the rest" if len(there) > 1 else "the other"
        hint += f"; for {rest} alone: `schoolctl params set --from-rds {database.name} {keys}`"
    return MissingThingsError(
        f"{database} does not tell everything that schoolctl.yaml wants of it",
        [f"{entry.key} ({entry.source}): {_why_missing(database, entry)}" for entry in missing],
        hint=hint,
    )


def _why_missing(database: Database, entry: Entry) -> str:
    option = f"--db-{database.kind}-identifier {database.name}"
    match entry.source:
        case "rds.endpoint" | "rds.port":
            wait = f"`aws rds wait db-{database.kind}-available {option}`"
            return f"its status is {database.status}, and it has none yet; {wait}"
        case "rds.database":
            given = "" if entry.hidden else "=NAME"
            return (
                "it was made without an initial database; once there is one,"
                f" `schoolctl params set {entry.key}{given}`"
            )
        case "rds.user":
            return f"RDS does not tell it; `schoolctl params set {entry.key}`"
        case _:
            return (
                "RDS does not manage its password; `schoolctl secrets set"
                f" {entry.key}` stores the one that you have, and `aws rds"
                f" modify-db-{database.kind} {option} --manage-master-user-password` lets RDS"
                " make and rotate one"
            )


def rds_warnings(found: FromRds, config: Config) -> tuple[str, ...]:
    """Say what is left to be done by hand: the ARN to write down, and a port nobody is told of."""
    warnings = []
    unnamed = found.unnamed()
    if unnamed:
        lines = "\n".join(
            f"      {entry.key}:\n        arn: {arn}" for entry, arn in unnamed.items()
        )
        warnings.append(
            f"RDS keeps the password of {found.database} in a secret of its own; the service reads"
            " it once schoolctl.yaml names it (commit that):\n"
            f"environments:\n  {config.environment}:\n    secrets:\n{lines}"
        )
    told = any(entry.source == "rds.port" for entry in found.values)
    port = found.database.port
    if port not in {None, _MYSQL_PORT} and not told and "DB_PORT" not in config.task.environment:
        warnings.append(
            f"{found.database} listens on port {port}, and nothing in schoolctl.yaml tells the"
            f' service: add `DB_PORT: "{port}"` to task.environment'
        )
    return tuple(warnings)
