"""`secrets`: what is stored, in which shape, and what is never done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conftest import CONFIG

if TYPE_CHECKING:
    from tests.conftest import Aws, Project
    from tests.faults import Faults

NAME = "schoolapp/dev/db_password"
WRITES = {"CreateSecret", "PutSecretValue", "RestoreSecret"}


def create(aws: Aws, value: str, name: str = NAME) -> str:
    return str(aws.client("secretsmanager").create_secret(Name=name, SecretString=value)["ARN"])


def value_of(aws: Aws, name: str = NAME) -> str:
    return str(aws.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])


def test_set_creates_the_secret(aws: Aws, project: Project) -> None:
    result = project.invoke("secrets", "set", "db_password", "--stdin", stdin="pw\n")

    assert result.exit_code == 0
    assert result.stdout == f"set secret {NAME} of environment dev\n"
    assert result.stderr == f"create secret {NAME}\n"
    assert value_of(aws) == "pw"


def test_set_changes_a_secret_that_is_there(aws: Aws, project: Project) -> None:
    arn = create(aws, "old")

    result = project.invoke("secrets", "set", "db_password", "--stdin", stdin="new")

    assert result.stderr == f"change secret {NAME}\n"
    assert value_of(aws, arn) == "new"


def test_an_equal_value_is_not_written_again(faults: Faults, aws: Aws, project: Project) -> None:
    create(aws, "pw")

    result = project.invoke("secrets", "set", "db_password", "--stdin", stdin="pw")

    assert result.stderr == f"nothing to do: secret {NAME} of environment dev is as given\n"
    assert WRITES.isdisjoint(faults.calls)


def test_a_username_makes_the_shape_that_rds_uses(aws: Aws, project: Project) -> None:
    project.invoke("secrets", "set", "db_password", "--stdin", "--username", "app", stdin="pw")

    assert json.loads(value_of(aws)) == {"username": "app", "password": "pw"}


def test_a_new_password_keeps_the_other_fields(aws: Aws, project: Project) -> None:
    create(aws, '{"username": "app", "password": "old", "host": "db.example.com"}')

    project.invoke("params", "set", "db_password", "--stdin", stdin="new")

    assert json.loads(value_of(aws)) == {
        "username": "app",
        "password": "new",
        "host": "db.example.com",
    }


def test_plain_turns_an_object_into_text(aws: Aws, project: Project) -> None:
    create(aws, '{"username": "app", "password": "old"}')

    project.invoke("secrets", "set", "db_password", "--stdin", "--plain", stdin="new")

    assert value_of(aws) == "new"


def test_a_deleted_secret_is_refused_with_the_way_back(
    faults: Faults, aws: Aws, project: Project
) -> None:
    create(aws, "old")
    aws.client("secretsmanager").delete_secret(SecretId=NAME, RecoveryWindowInDays=7)

    result = project.invoke("secrets", "set", "db_password", "--stdin", stdin="new")

    assert result.exit_code == 1
    assert f"error: secret {NAME} is scheduled for deletion" in result.stderr
    assert "`schoolctl secrets set db_password --restore`" in result.stderr
    assert WRITES.isdisjoint(faults.calls)


def test_restore_brings_a_deleted_secret_back_with_the_new_value(
    aws: Aws, project: Project
) -> None:
    create(aws, "old")
    aws.client("secretsmanager").delete_secret(SecretId=NAME, RecoveryWindowInDays=7)

    result = project.invoke("secrets", "set", "db_password", "--stdin", "--restore", stdin="new")

    assert result.exit_code == 0
    assert value_of(aws) == "new"


def with_arn(project: Project, arn: str) -> None:
    text = CONFIG.replace("db_password: {env", f'db_password: {{arn: "{arn}", env')
    (project.directory / "schoolctl.yaml").write_text(text)


def test_a_secret_given_by_arn_is_changed_under_that_arn(aws: Aws, project: Project) -> None:
    arn = create(aws, "old", name="elsewhere")
    with_arn(project, arn)

    result = project.invoke("secrets", "set", "db_password", "--stdin", stdin="new")

    assert result.exit_code == 0
    assert value_of(aws, arn) == "new"


def test_a_secret_given_by_arn_is_never_created(faults: Faults, project: Project) -> None:
    with_arn(project, "arn:aws:secretsmanager:us-east-1:123456789012:secret:elsewhere-AbCdEf")

    result = project.invoke("secrets", "set", "db_password", "--stdin", stdin="new")

    assert result.exit_code == 1
    assert "does not exist" in result.stderr
    assert "correct `secrets.db_password.arn`" in result.stderr
    assert WRITES.isdisjoint(faults.calls)


def test_where_reading_is_denied_the_value_is_written_with_a_warning(
    faults: Faults, aws: Aws, project: Project
) -> None:
    create(aws, "pw")
    faults.deny("GetSecretValue", "secretsmanager:GetSecretValue")

    result = project.invoke("secrets", "set", "db_password", "--stdin", stdin="pw")

    assert result.exit_code == 0
    assert "(secretsmanager:GetSecretValue): not compared, written in any case" in result.stderr
    assert "PutSecretValue" in faults.calls


def test_a_lost_reply_makes_no_second_version(faults: Faults, aws: Aws, project: Project) -> None:
    faults.lose_reply("CreateSecret")

    result = project.invoke("secrets", "set", "db_password", "--stdin", stdin="pw")

    assert result.exit_code == 0
    tokens = {
        json.loads(body)["ClientRequestToken"]
        for call, body in zip(faults.calls, faults.bodies, strict=True)
        if call == "CreateSecret"
    }
    assert faults.calls.count("CreateSecret") == 2
    assert len(tokens) == 1
    assert value_of(aws) == "pw"


def test_list_tells_what_is_set_missing_or_being_deleted(aws: Aws, project: Project) -> None:
    missing = project.invoke("secrets", "list").stdout
    create(aws, "canary")
    there = project.invoke("secrets", "list").stdout
    aws.client("secretsmanager").delete_secret(SecretId=NAME, RecoveryWindowInDays=7)
    leaving = project.invoke("secrets", "list").stdout

    assert missing.splitlines()[1].split() == [
        *("db_password", NAME, "-", "missing"),
        *("-", "-", "-"),
    ]
    assert there.splitlines()[1].split()[:4] == ["db_password", NAME, "***", "set"]
    assert "to be deleted on 20" in leaving
    assert "canary" not in there


def test_list_reads_no_value(faults: Faults, aws: Aws, project: Project) -> None:
    create(aws, "pw")

    document = json.loads(project.invoke("secrets", "list", "--json").stdout)

    assert document["secrets"][0]["exists"] is True
    assert document["secrets"][0]["arn"].startswith("arn:aws:secretsmanager:")
    assert sorted(faults.calls) == ["DescribeSecret", "GetCallerIdentity", "ListTasks"]


BAD_INPUT = {
    "on the command line": (("db_password=hunter2",), "must not stand on the command line"),
    "unknown": (("db_pasword", "--stdin"), "did you mean db_password?"),
    "a parameter": (("db_host", "--stdin"), "declares no 'db_host'"),
    "both shapes": (("db_password", "--stdin", "--plain", "--username", "u"), "--plain makes it"),
    "no terminal": (("db_password",), "no terminal to ask on"),
    "empty": (("db_password", "--stdin"), "the value is empty"),
}


@pytest.mark.parametrize(("words", "message"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_refused_before_any_write(
    faults: Faults, project: Project, words: tuple[str, ...], message: str
) -> None:
    result = project.invoke("secrets", "set", *words)

    assert result.exit_code == 2
    assert message in result.stderr
    assert "hunter2" not in result.output
    assert WRITES.isdisjoint(faults.calls)
