"""No value shows up anywhere: every form of `params` and `secrets`, every call failing in turn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults import quote_request
from tests.worlds.account import make_database

if TYPE_CHECKING:
    from tests.conftest import Aws, Project
    from tests.faults import Faults

OLD, NEW = "canary-old-value", "canary-new-value"
VALUES = {
    "/schoolapp/dev/db_host": OLD,
    "/schoolapp/dev/db_name": OLD,
}
COMMANDS = {
    "params set by pipe": (("params", "set", "db_password", "--stdin"), NEW),
    "params set a parameter by pipe": (("params", "set", "db_host", "--stdin"), NEW),
    "params set by file": (("params", "set", "--from-file", "values.env"), None),
    "params set from RDS": (("params", "set", "--from-rds", "school"), None),
    "params import": (("params", "import", "values.env"), None),
    "params list": (("params", "list"), None),
    "params get": (("params", "get", "db_host"), None),
    "params history": (("params", "history", "db_host"), None),
    "params diff a file": (("params", "diff", "--from-file", "values.env"), None),
    "params diff an environment": (("params", "diff", "--with", "prod"), None),
    "params export": (("params", "export", "--reveal", "--output", "out.env", "--overwrite"), None),
    "params delete": (("params", "delete", "db_host", "--yes"), None),
    "secrets set": (("secrets", "set", "db_password", "--stdin"), NEW),
    "secrets set with a user": (
        ("secrets", "set", "db_password", "--stdin", "--username", "app"),
        NEW,
    ),
    "secrets list": (("secrets", "list"), None),
    "profile show": (("profile", "show"), None),
}
EXTRAS = {
    "DescribeParameters",
    "DescribeServices",
    "DescribeTasks",
    "ListTasks",
    "DescribeDBClusters",
}
"""Calls that a command can do without."""
WAYS = ((), ("-vv",), ("--json",), ("--dry-run", "-vv"), ("--dry-run", "--json"))


@pytest.fixture
def seeded(faults: Faults, aws: Aws, project: Project, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """Give an account whose values are canaries, and a file with new ones."""
    monkeypatch.chdir(project.directory)
    put_values(aws)
    make_database(aws)
    aws.client("secretsmanager").create_secret(Name="schoolapp/dev/db_password", SecretString=OLD)
    write_file(NEW)
    return faults


def put_values(aws: Aws) -> None:
    for name, value in VALUES.items():
        aws.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)


def write_file(value: str) -> None:
    file = Path("values.env")
    file.write_text(f"db_host={value}\ndb_password={value}\n")
    file.chmod(0o600)


def ways_of(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    changes = {"set", "import", "delete"} & {*words}
    return [(*words, *way) for way in WAYS if changes or "--dry-run" not in way]


def files_below(folder: Path) -> str:
    return "\n".join(
        file.read_text(errors="replace")
        for file in folder.rglob("*")
        if file.is_file() and file.name not in {"values.env", "out.env"}
    )


@pytest.mark.parametrize(("words", "stdin"), COMMANDS.values(), ids=COMMANDS)
def test_no_value_is_printed_or_written_down(
    seeded: Faults,
    aws: Aws,
    project: Project,
    tmp_path: Path,
    words: tuple[str, ...],
    stdin: str | None,
) -> None:
    del seeded
    for line in ways_of(words):
        put_values(aws)
        result = project.invoke(*line, stdin=stdin)

        assert result.exit_code == 0, result.output
        assert "canary" not in result.output
    assert "canary" not in files_below(tmp_path)


@pytest.mark.parametrize(("words", "stdin"), COMMANDS.values(), ids=COMMANDS)
def test_no_value_is_printed_when_any_call_fails(
    seeded: Faults, aws: Aws, project: Project, words: tuple[str, ...], stdin: str | None
) -> None:
    project.invoke(*words, stdin=stdin)
    calls = dict.fromkeys(seeded.calls)
    for call in calls:
        put_values(aws)
        seeded.always(call, quote_request)
        # Another value each time: an equal one would not be written.
        write_file(f"{NEW}-{call}")
        result = project.invoke(*words, "-vv", "--json", stdin=f"{stdin}-{call}" if stdin else None)

        assert result.exit_code != 0 or call in EXTRAS
        assert "canary" not in result.output
        json.loads(result.stdout)
        seeded.heal()


def test_no_value_is_printed_by_a_traceback_in_mid_write(seeded: Faults, project: Project) -> None:
    # An answer without the version that AWS always gives: the value is in the frames above.
    seeded.answer("PutParameter", "x", "x", status=200)

    result = project.invoke("params", "set", "db_host", "--stdin", "-vv", stdin=NEW)

    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert "canary" not in result.output


def test_a_value_refused_on_the_command_line_is_not_repeated(project: Project) -> None:
    for line in ways_of(("params", "set", f"db_password={NEW}")):
        result = project.invoke(*line)

        assert result.exit_code == 2
        assert "canary" not in result.output


def test_reveal_is_what_shows_a_value(seeded: Faults, project: Project) -> None:
    del seeded
    assert OLD in project.invoke("params", "list", "--reveal").stdout
    assert project.invoke("params", "get", "db_host", "--reveal").stdout == f"{OLD}\n"
