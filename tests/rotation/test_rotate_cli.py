"""`secrets rotate` and `secrets list` in process; tests/matrix/test_rotate.py has it for real."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.worlds.account import Account, edit, protect, serving

if TYPE_CHECKING:
    from tests.conftest import Aws, Project
    from tests.faults import Faults

NAME = "schoolapp/dev/db_password"
WRITES = {"PutSecretValue", "UpdateSecretVersionStage", "RotateSecret", "RunTask", "PutParameter"}


@pytest.fixture
def account(aws: Aws, project: Project) -> Account:
    """Give an account whose service runs, with a rotation command in schoolctl.yaml."""
    edit(project.directory, "db_password: {", "db_password: {rotate_command: [rotate], ")
    return serving(aws, project.directory)


def secret(aws: Aws) -> Any:
    return aws.client("secretsmanager").describe_secret(SecretId=NAME)


def rotated_by_aws(aws: Aws) -> None:
    """Have Secrets Manager rotate the secret by itself, as it does once a rotation is set up."""
    aws.client("secretsmanager").rotate_secret(
        SecretId=NAME, RotationRules={"AutomaticallyAfterDays": 30}
    )


@pytest.mark.usefixtures("account")
def test_a_secret_that_aws_rotates_is_rotated_by_aws(
    aws: Aws, project: Project, faults: Faults
) -> None:
    rotated_by_aws(aws)
    before = _version(aws, "AWSCURRENT")
    result = project.invoke("secrets", "rotate", "db_password")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"secret {NAME} was rotated by Secrets Manager\n"
    assert "RotateSecret" in faults.calls
    assert "RunTask" not in faults.calls
    assert _version(aws, "AWSCURRENT") != before


def _version(aws: Aws, stage: str) -> str:
    stages = secret(aws)["VersionIdsToStages"]
    return str(next(key for key, labels in stages.items() if stage in labels))


@pytest.mark.usefixtures("account")
def test_a_dry_run_shows_the_steps_and_writes_nothing(project: Project, faults: Faults) -> None:
    protect(project.directory)
    faults.rewrite("DescribeServices", _with_network)
    result = project.invoke("secrets", "rotate", "db_password", "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["plan"] == [
        f"stage a new random password in secret {NAME} (AWSPENDING)",
        "run the rotation command `rotate` on schoolapp-backend:1",
        f"make the staged password the current one of secret {NAME} (AWSCURRENT)",
        f"take the label AWSPENDING off secret {NAME}",
    ]
    assert WRITES.isdisjoint(faults.calls)


def _with_network(content: bytes) -> bytes:
    """Have the service tell of its network, as AWS does and moto does not."""
    answer = json.loads(content)
    for each in answer.get("services", ()):
        each["networkConfiguration"] = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    return json.dumps(answer).encode()


@pytest.mark.usefixtures("account")
def test_a_protected_environment_wants_its_name(project: Project, faults: Faults) -> None:
    protect(project.directory)
    faults.rewrite("DescribeServices", _with_network)
    result = project.invoke("secrets", "rotate", "db_password", "--yes")
    assert result.exit_code == 1
    assert "add --confirm schoolapp-backend" in result.stderr
    assert {"PutSecretValue", "RunTask", "UpdateSecretVersionStage"}.isdisjoint(faults.calls)


@pytest.mark.usefixtures("account")
def test_a_command_that_fails_leaves_the_current_password_and_says_how_to_go_on(
    aws: Aws, project: Project, faults: Faults
) -> None:
    before = _version(aws, "AWSCURRENT")
    faults.rewrite("DescribeServices", _with_network)
    faults.answer("RunTask", "ClientException", "no such thing")
    result = project.invoke("secrets", "rotate", "db_password", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["verdict"]) == (3, "not started")
    assert "it goes on from here" in told["error"]["hint"]
    assert told["error"]["done"] == [f"stage a new random password in secret {NAME} (AWSPENDING)"]
    assert _version(aws, "AWSCURRENT") == before
    assert told["version"] == _version(aws, "AWSPENDING")


def test_without_a_command_it_is_said_what_to_add(aws: Aws, project: Project) -> None:
    serving(aws, project.directory)
    result = project.invoke("secrets", "rotate", "db_password")
    assert result.exit_code == 2
    assert "secrets.db_password.rotate_command: [python, -m, service.rotate]" in result.stderr


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["db_pasword"], 2, "did you mean db_password?"),
        (["db_host"], 2, "declares no 'db_host'"),
        (["db_password", "--timeout", "0"], 2, "--timeout 0 is no time to wait"),
        (["db_password", "--timeout", "nan"], 2, "is no time to wait"),
        ([], 2, "Missing argument 'KEY'"),
    ],
)
def test_bad_words_are_refused_before_anything_is_called(
    project: Project, faults: Faults, words: list[str], code: int, text: str
) -> None:
    result = project.invoke("secrets", "rotate", *words)
    assert result.exit_code == code
    assert text in result.stderr
    assert WRITES.isdisjoint(faults.calls)


@pytest.mark.usefixtures("account")
def test_a_value_whose_shape_may_not_be_read_is_not_replaced(
    project: Project, faults: Faults
) -> None:
    faults.rewrite("DescribeServices", _with_network)
    faults.deny("GetSecretValue", "secretsmanager:GetSecretValue")
    result = project.invoke("secrets", "rotate", "db_password")
    assert result.exit_code == 1
    assert "secretsmanager:GetSecretValue" in result.stderr
    assert "PutSecretValue" not in faults.calls


@pytest.mark.usefixtures("account")
def test_the_list_tells_of_a_rotation_under_way(aws: Aws, project: Project) -> None:
    aws.client("secretsmanager").put_secret_value(
        SecretId=NAME, SecretString="canary-next", VersionStages=["AWSPENDING"]
    )
    result = project.invoke("secrets", "list", "--json")
    [told] = json.loads(result.stdout)["secrets"]
    assert sorted(told["stages"].values()) == [["AWSCURRENT"], ["AWSPENDING"]]
    assert told["rotated_by"] == "rotate_command"
    assert "being rotated" in project.invoke("secrets", "list").stdout
    assert "canary" not in result.output


def test_the_list_works_without_a_service(aws: Aws, project: Project) -> None:
    aws.client("secretsmanager").create_secret(Name=NAME, SecretString="canary")
    result = project.invoke("secrets", "list")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.splitlines()[0].split("  ")[0] == "KEY"
