"""`params`: what is written, what is not, and what the user reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Aws, Project
    from tests.faults import Faults

HOST, NAME, USER = (f"/schoolapp/dev/{key}" for key in ("db_host", "db_name", "db_user"))
PASSWORD = "schoolapp/dev/db_password"
WRITES = {"PutParameter", "CreateSecret", "PutSecretValue", "RestoreSecret"}


def value_of(aws: Aws, name: str) -> str:
    found = aws.client("ssm").get_parameter(Name=name, WithDecryption=True)
    return str(found["Parameter"]["Value"])


def secret_of(aws: Aws, name: str = PASSWORD) -> str:
    return str(aws.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])


def put(aws: Aws, name: str, value: str, type_: str = "SecureString") -> None:
    aws.client("ssm").put_parameter(Name=name, Value=value, Type=type_)


def test_set_writes_the_given_values_and_says_so(aws: Aws, project: Project) -> None:
    result = project.invoke("params", "set", "db_host=db.example.com", "db_name=school")

    assert result.exit_code == 0
    assert result.stdout == "set 2 parameters of environment dev\n"
    assert result.stderr == (
        f"create parameter {HOST} (SecureString): version 1\n"
        f"create parameter {NAME} (SecureString): version 1\n"
    )
    assert [value_of(aws, name) for name in (HOST, NAME)] == ["db.example.com", "school"]


def test_set_stores_the_declared_type(aws: Aws, project: Project) -> None:
    project.invoke("params", "set", "db_host=db.example.com")

    found = aws.client("ssm").get_parameter(Name=HOST)["Parameter"]
    assert found["Type"] == "SecureString"


def test_set_keeps_whatever_follows_the_first_equals_sign(aws: Aws, project: Project) -> None:
    assert project.invoke("params", "set", "db_host=a=b=c").exit_code == 0

    assert value_of(aws, HOST) == "a=b=c"


def test_an_equal_value_is_not_written_again(faults: Faults, aws: Aws, project: Project) -> None:
    put(aws, HOST, "db.example.com")

    result = project.invoke("params", "set", "db_host=db.example.com")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"nothing to do: parameter {HOST} of environment dev is as given\n"
    assert WRITES.isdisjoint(faults.calls)


def test_only_the_changed_one_of_several_is_written(
    faults: Faults, aws: Aws, project: Project
) -> None:
    put(aws, HOST, "db.example.com")
    put(aws, NAME, "old")

    result = project.invoke("params", "set", "db_host=db.example.com", "db_name=new", "--json")

    document = json.loads(result.stdout)
    assert [each["key"] for each in document["written"]] == ["db_name"]
    assert [each["key"] for each in document["unchanged"]] == ["db_host"]
    assert faults.calls.count("PutParameter") == 1


def test_a_changed_value_comes_with_how_running_tasks_get_it(aws: Aws, project: Project) -> None:
    put(aws, HOST, "old")

    result = project.invoke("params", "set", "db_host=new")

    assert "`schoolctl restart`" in result.stderr


def test_three_values_take_one_read_and_three_writes(faults: Faults, project: Project) -> None:
    result = project.invoke("params", "set", "db_host=h", "db_name=n", "db_user=u")

    assert result.exit_code == 0
    assert sorted(faults.calls) == ["GetCallerIdentity", "GetParameters", *["PutParameter"] * 3]


def test_dry_run_shows_the_steps_and_writes_nothing(faults: Faults, project: Project) -> None:
    result = project.invoke("params", "set", "db_host=h", "--dry-run", "--json")

    assert json.loads(result.stdout)["plan"] == [f"create parameter {HOST} (SecureString)"]
    assert WRITES.isdisjoint(faults.calls)


@pytest.mark.parametrize("content", ["pass word\n", "pass word", "pass word\r\n"])
def test_stdin_gives_the_value_without_its_last_line_break(
    aws: Aws, project: Project, content: str
) -> None:
    result = project.invoke("params", "set", "db_password", "--stdin", stdin=content)

    assert result.exit_code == 0
    assert secret_of(aws) == "pass word"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("values.env", "# of the console\nexport db_host=h\ndb_password='p#1'\n"),
        ("values.json", '{"db_host": "h", "db_password": "p#1"}'),
        ("values.yaml", "db_host: h\ndb_password: p#1\n"),
    ],
)
def test_from_file_writes_parameters_and_secrets(
    aws: Aws, project: Project, name: str, content: str
) -> None:
    file = project.directory / name
    file.write_text(content)
    file.chmod(0o600)

    result = project.invoke("params", "set", "--from-file", str(file))

    assert result.exit_code == 0
    assert result.stdout == "set 1 parameter and 1 secret of environment dev\n"
    assert (value_of(aws, HOST), secret_of(aws)) == ("h", "p#1")


def test_a_file_that_others_can_read_comes_with_the_chmod(aws: Aws, project: Project) -> None:
    del aws
    file = project.directory / "values.env"
    file.write_text("db_host=h\n")
    file.chmod(0o644)

    result = project.invoke("params", "set", "--from-file", str(file))

    assert result.exit_code == 0
    assert f"warning: other users can read {file}; `chmod 600 {file}` changes that" in result.stderr


def test_an_unknown_key_in_a_file_is_refused_with_the_nearest_one(
    faults: Faults, project: Project
) -> None:
    file = project.directory / "values.env"
    file.write_text("db_hots=h\n")

    result = project.invoke("params", "set", "--from-file", str(file))

    assert result.exit_code == 2
    assert "did you mean db_host?" in result.stderr
    assert faults.calls == []


def test_bare_set_without_a_terminal_names_each_missing_value(
    faults: Faults, aws: Aws, project: Project
) -> None:
    put(aws, NAME, "school")

    result = project.invoke("params", "set")

    piped = "`schoolctl secrets set db_password --stdin` reads it from a pipe"
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "error: 3 values missing, and there is no terminal to ask on",
        f"why:   db_host (parameter {HOST}): `schoolctl params set db_host=VALUE`",
        f"       db_user (parameter {USER}): `schoolctl params set db_user=VALUE`",
        f"       db_password (secret {PASSWORD}): {piped}",
        "hint:  or give them all with --from-file FILE",
    ]
    assert WRITES.isdisjoint(faults.calls)


def test_bare_set_has_nothing_to_do_when_everything_is_there(aws: Aws, project: Project) -> None:
    for name in (HOST, NAME, USER):
        put(aws, name, "x")
    aws.client("secretsmanager").create_secret(Name=PASSWORD, SecretString="p")

    result = project.invoke("params", "set")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == (
        "nothing to do: 3 parameters and 1 secret of environment dev have a value\n"
    )


def test_another_type_is_explained_before_anything_is_written(
    faults: Faults, aws: Aws, project: Project
) -> None:
    put(aws, NAME, "school", "String")

    result = project.invoke("params", "set", "db_host=h", "db_name=school")

    assert result.exit_code == 1
    assert f"parameter {NAME} is a String, and schoolctl.yaml declares a SecureString" in (
        result.stderr
    )
    assert "declare `type: String`" in result.stderr
    assert WRITES.isdisjoint(faults.calls)


def test_where_reading_is_denied_the_value_is_written_with_a_warning(
    faults: Faults, aws: Aws, project: Project
) -> None:
    put(aws, HOST, "db.example.com")
    faults.deny("GetParameters", "ssm:GetParameters")

    result = project.invoke("params", "set", "db_host=db.example.com")

    assert result.exit_code == 0
    assert "warning: could not read parameter" in result.stderr
    assert "(ssm:GetParameters): not compared, written in any case" in result.stderr
    assert f"write parameter {HOST} (SecureString): version 2" in result.stderr


def test_a_denied_write_names_the_action_and_what_was_done_and_left(
    faults: Faults, aws: Aws, project: Project
) -> None:
    # Through first, denied second: the proxy's rules are used up in order.
    faults.pass_on("PutParameter")
    faults.deny("PutParameter", "ssm:PutParameter")

    result = project.invoke("params", "set", "db_host=h", "db_name=n", "db_user=u", "--json")

    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert error["what"] == f"could not write parameter {NAME}"
    assert "ssm:PutParameter" in error["hint"]
    assert error["done"] == [f"create parameter {HOST} (SecureString): version 1"]
    assert error["left"] == [f"create parameter {USER} (SecureString)"]
    assert value_of(aws, HOST) == "h"


def test_a_throttled_write_is_repeated(faults: Faults, aws: Aws, project: Project) -> None:
    faults.answer("PutParameter", "ThrottlingException", "Rate exceeded")

    assert project.invoke("params", "set", "db_host=h").exit_code == 0
    assert value_of(aws, HOST) == "h"


def test_a_lost_reply_to_a_new_parameter_is_no_failure(
    faults: Faults, aws: Aws, project: Project
) -> None:
    faults.lose_reply("PutParameter")

    result = project.invoke("params", "set", "db_host=h")

    assert result.exit_code == 0
    assert faults.calls.count("PutParameter") == 2
    assert f"create parameter {HOST} (SecureString): version 1" in result.stderr
    assert value_of(aws, HOST) == "h"


def test_a_protected_environment_wants_the_services_name(faults: Faults, project: Project) -> None:
    refused = project.invoke("params", "set", "db_host=h", "-e", "prod", "--yes")
    agreed = project.invoke(
        "params", "set", "db_host=h", "-e", "prod", "--confirm", "schoolapp-backend"
    )

    assert (refused.exit_code, agreed.exit_code) == (1, 0)
    assert "add --confirm schoolapp-backend" in refused.stderr
    assert faults.calls.count("PutParameter") == 1


def test_list_hides_the_values_and_names_what_is_missing(aws: Aws, project: Project) -> None:
    put(aws, HOST, "db.example.com")

    result = project.invoke("params", "list")

    assert result.exit_code == 0
    head = " ".join(result.stdout.splitlines()[0].split())
    assert head == "KEY VALUE VERSION CHANGED BY READ BY IN USE"
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[1][:3] == ["db_host", "***", "1"]
    assert lines[2][:2] == ["db_name", "missing"]
    assert "db.example.com" not in result.output


def test_list_without_reveal_does_not_decrypt(faults: Faults, aws: Aws, project: Project) -> None:
    put(aws, HOST, "db.example.com")

    project.invoke("params", "list")

    asked = [body for call, body in zip(faults.calls, faults.bodies, strict=True)
             if call == "GetParameters"]  # fmt: skip
    assert [json.loads(body)["WithDecryption"] for body in asked] == [False]


def test_list_reveals_when_asked(aws: Aws, project: Project) -> None:
    put(aws, HOST, "db.example.com")

    result = project.invoke("params", "list", "--reveal", "--json")

    found = json.loads(result.stdout)["parameters"]
    assert [each["value"] for each in found] == ["db.example.com", None, None]
    assert [each["exists"] for each in found] == [True, False, False]
    assert found[0]["variable"] == "PARAM_HOST_PATH"


def test_list_does_without_the_right_to_see_who_wrote(
    faults: Faults, aws: Aws, project: Project
) -> None:
    put(aws, HOST, "db.example.com")
    faults.deny("DescribeParameters", "ssm:DescribeParameters")

    result = project.invoke("params", "list")

    assert result.exit_code == 0
    assert "warning: who changed them was not read: AWS denied ssm:DescribeParameters" in (
        result.stderr
    )


def test_get_prints_the_bare_value_when_it_is_revealed(aws: Aws, project: Project) -> None:
    put(aws, HOST, "db.example.com")

    result = project.invoke("params", "get", "db_host", "--reveal")

    assert (result.exit_code, result.stdout) == (0, "db.example.com\n")


def test_get_hides_the_value(aws: Aws, project: Project) -> None:
    put(aws, HOST, "db.example.com")

    result = project.invoke("params", "get", "db_host")

    assert result.exit_code == 0
    assert "value    *** (--reveal shows it)" in result.stdout
    assert "db.example.com" not in result.output


def test_get_of_a_missing_parameter_says_how_to_set_it(aws: Aws, project: Project) -> None:
    del aws
    result = project.invoke("params", "get", "db_host")

    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"error: parameter {HOST} does not exist",
        "why:   SSM has none of that name in us-east-1",
        "hint:  set it: `schoolctl params set db_host -e dev`",
    ]


def test_a_value_that_only_looks_wrong_is_taken_as_it_is_when_meant(
    aws: Aws, project: Project
) -> None:
    result = project.invoke("params", "set", "db_password", "--stdin", "--as-is", stdin=" p\u20ac")

    assert result.exit_code == 0
    assert secret_of(aws) == " p\u20ac"
