"""`params diff`, `params export` and `params import`."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Aws, Project
    from tests.faults import Faults

WRITES = {"PutParameter", "CreateSecret", "PutSecretValue", "RestoreSecret", "DeleteParameter"}
ODD = {
    "db_host": "canary 'a' \"b\" #c \\n $HOME",
    "db_name": "first\nsecond\tthird\r",
    "db_user": "ünïcode \U0001f600 \u2028 \x85 \x7f",
}


def put(aws: Aws, environment: str = "dev", **values: str) -> None:
    for key, value in values.items():
        aws.client("ssm").put_parameter(
            Name=f"/schoolapp/{environment}/{key}", Value=value, Type="SecureString"
        )


def private(file: Path, text: str) -> Path:
    file.write_text(text)
    file.chmod(0o600)
    return file


def states(project: Project, *words: str) -> dict[str, str]:
    told = json.loads(project.invoke("params", "diff", *words, "--json").stdout)
    return {each["key"]: each["state"] for each in told["entries"]}


# diff


def test_a_file_is_compared_key_by_key_without_showing_a_value(aws: Aws, project: Project) -> None:
    put(aws, db_host="canary-same", db_name="canary-here")
    aws.client("secretsmanager").create_secret(
        Name="schoolapp/dev/db_password", SecretString="canary-password"
    )
    file = private(
        project.directory / "v.env",
        "db_host=canary-same\ndb_name=canary-there\ndb_user=canary-only\n",
    )

    result = project.invoke("params", "diff", "--from-file", str(file))

    assert result.exit_code == 0
    assert [line.split(maxsplit=2) for line in result.stdout.splitlines()] == [
        ["KEY", "KIND", "COMPARED"],
        ["db_host", "parameter", "equal"],
        ["db_name", "parameter", "differs"],
        ["db_user", "parameter", f"only in {file}"],
        ["db_password", "secret", "only in dev"],
    ]
    assert "canary" not in result.output


def test_a_password_equals_the_one_in_a_secret_of_rds_shape(aws: Aws, project: Project) -> None:
    aws.client("secretsmanager").create_secret(
        Name="schoolapp/dev/db_password",
        SecretString='{"username": "app", "password": "canary"}',
    )
    file = private(project.directory / "v.env", "db_password=canary\n")

    assert states(project, "--from-file", str(file))["db_password"] == "equal"


def test_differences_have_an_exit_code_of_their_own_when_asked(aws: Aws, project: Project) -> None:
    put(aws, db_host="a")
    same = private(project.directory / "same.env", "db_host=a\n")
    other = private(project.directory / "other.env", "db_host=b\n")

    codes = [
        project.invoke("params", "diff", "--from-file", str(file), *more).exit_code
        for file in (same, other)
        for more in ((), ("--exit-code",))
    ]

    assert codes == [0, 0, 0, 10]


def test_two_environments_are_compared(aws: Aws, project: Project) -> None:
    put(aws, db_host="a", db_name="n")
    put(aws, "prod", db_host="b", db_user="u")

    told = project.invoke("params", "diff", "--with", "prod")

    assert states(project, "--with", "prod") == {
        "db_host": "differs",
        "db_name": "only_here",
        "db_user": "only_there",
        "db_password": "in_neither",
    }
    assert "only in prod" in told.stdout


def test_another_environment_of_a_wrong_account_is_refused(
    faults: Faults, project: Project
) -> None:
    result = project.invoke("params", "diff", "--with", "other")

    assert result.exit_code == 5
    assert "environment other is account 999999999999" in result.stderr
    assert set(faults.calls) == {"GetCallerIdentity"}


def test_what_may_not_be_read_is_not_called_equal(
    faults: Faults, aws: Aws, project: Project
) -> None:
    put(aws, db_host="a")
    file = private(project.directory / "v.env", "db_host=a\n")
    faults.deny("GetParameters", "ssm:GetParameters")

    result = project.invoke("params", "diff", "--from-file", str(file), "--exit-code")

    assert result.exit_code == 10
    assert "not compared" in result.stdout
    assert "(ssm:GetParameters): not compared" in result.stderr
    assert "written" not in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "compares with one thing"),
        (("--with", "prod", "--from-file", "v.env"), "compares with one thing"),
        (("--with", "dev"), "--with dev is the environment itself"),
        (("--with", "nowhere"), "nowhere"),
        (("--from-file", "nowhere.env"), "could not read nowhere.env"),
    ],
)
def test_a_diff_of_nothing_sensible_is_refused_before_any_call(
    faults: Faults, project: Project, words: tuple[str, ...], message: str
) -> None:
    result = project.invoke("params", "diff", *words)

    assert result.exit_code == 2
    assert message in result.stderr
    assert faults.calls == []


# export and import


@pytest.mark.parametrize("name", ["values.env", "values.json", "values.yaml", "values"])
def test_what_was_exported_is_imported_without_a_write(
    faults: Faults, aws: Aws, project: Project, name: str
) -> None:
    put(aws, **ODD)
    file = project.directory / name

    exported = project.invoke("params", "export", "--reveal", "--output", str(file))
    imported = project.invoke("params", "import", str(file), "--as-is")

    assert (exported.exit_code, imported.exit_code) == (0, 0)
    assert exported.stdout == f"wrote 3 values to {file}\n"
    assert imported.stderr == "nothing to do: 3 parameters of environment dev are as given\n"
    assert WRITES.isdisjoint(faults.calls)


def test_an_exported_file_is_for_nobody_else_to_read(aws: Aws, project: Project) -> None:
    put(aws, db_host="canary")
    file = project.directory / "values.env"
    before = os.umask(0)
    try:
        result = project.invoke("params", "export", "--reveal", "-o", str(file))
    finally:
        os.umask(before)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() == 'db_host="canary"\n'
    assert "canary" not in result.output
    assert "warning: left out, as there is none: db_name, db_user" in result.stderr
    assert [each.name for each in project.directory.iterdir()].count(".values.env") == 0


def test_a_file_that_is_there_is_replaced_only_when_asked(aws: Aws, project: Project) -> None:
    put(aws, db_host="canary")
    file = project.directory / "values.env"
    file.write_text("mine\n")
    file.chmod(0o644)

    refused = project.invoke("params", "export", "--reveal", "-o", str(file))
    kept = file.read_text()
    replaced = project.invoke("params", "export", "--reveal", "-o", str(file), "--overwrite")

    assert (refused.exit_code, replaced.exit_code) == (1, 0)
    assert f"{file} is there already; it is left as it is" in refused.stderr
    assert kept == "mine\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_is_no_plain_file_is_left_alone(aws: Aws, project: Project, kind: str) -> None:
    put(aws, db_host="canary")
    before = (project.directory / "schoolctl.yaml").read_text()
    place = project.directory / "values.env"
    if kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(project.directory / "schoolctl.yaml")

    result = project.invoke("params", "export", "--reveal", "-o", str(place), "--overwrite")

    assert result.exit_code == 1
    assert "is no plain file" in result.stderr
    assert (project.directory / "schoolctl.yaml").read_text() == before


def test_export_shows_values_only_when_asked(faults: Faults, project: Project) -> None:
    result = project.invoke("params", "export")

    assert result.exit_code == 2
    assert "an export shows the values, and wants --reveal" in result.stderr
    assert faults.calls == []


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("dotenv", 'db_host="canary"\n'),
        ("json", '{\n  "db_host": "canary"\n}\n'),
        ("yaml", "db_host: canary\n"),
    ],
)
def test_export_writes_to_a_pipe_in_the_format_asked_for(
    aws: Aws, project: Project, form: str, text: str
) -> None:
    put(aws, db_host="canary")

    assert project.invoke("params", "export", "--reveal", "--format", form).stdout == text


def test_a_redirect_to_a_file_that_others_can_read_is_refused(aws: Aws, project: Project) -> None:
    put(aws, db_host="canary")
    codes = []
    for mode in (0o644, 0o600):
        file = project.directory / f"out-{mode:o}"
        file.touch()
        file.chmod(mode)
        with file.open("w") as out:
            done = subprocess.run(
                [sys.executable, "-m", "schoolctl", "params", "export", "--reveal"],
                stdout=out,
                stderr=subprocess.PIPE,
                cwd=project.directory,
                check=False,
            )
        codes.append((done.returncode, file.read_text()))

    assert codes == [(2, ""), (0, 'db_host="canary"\n')]


def test_a_format_that_the_files_ending_contradicts_is_refused(
    faults: Faults, project: Project
) -> None:
    result = project.invoke("params", "export", "--reveal", "-o", "values.json", "--format", "yaml")

    assert result.exit_code == 2
    assert "whoever reads a file of that name takes it for json" in result.stderr
    assert faults.calls == []


def test_an_environment_without_parameters_has_nothing_to_export(
    aws: Aws, project: Project
) -> None:
    del aws
    result = project.invoke("params", "export", "--reveal")

    assert result.exit_code == 1
    assert "environment dev has no parameter to export" in result.stderr


def test_a_file_with_a_password_that_others_can_read_is_refused(
    faults: Faults, project: Project
) -> None:
    file = private(project.directory / "v.env", "db_host=h\ndb_password=canary\n")
    file.chmod(0o640)

    result = project.invoke("params", "import", str(file))

    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        f"error: other users can read {file}",
        "why:   it holds db_password; nothing was changed",
        f"hint:  `chmod 600 {file}` changes that",
    ]
    assert faults.calls == []
