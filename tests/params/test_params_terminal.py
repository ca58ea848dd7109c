"""`params set` and `secrets set` asked on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import CONFIG
from tests.terminal import Terminal

if TYPE_CHECKING:
    from tests.conftest import Aws, Project

PASSWORD = "schoolapp/dev/db_password"


def test_bare_set_asks_for_all_that_is_missing_and_does_not_show_the_password(
    aws: Aws, project: Project
) -> None:
    aws.client("ssm").put_parameter(Name="/schoolapp/dev/db_name", Value="n", Type="SecureString")
    terminal = Terminal(["params", "set"], project.directory)

    terminal.expect("db_host: ")
    terminal.type("db.example.com")
    terminal.expect("db_user: ")
    terminal.type("app")
    terminal.expect("db_password: ")
    terminal.type("canary-password")

    assert terminal.finish() == 0
    assert "set 2 parameters and 1 secret of environment dev" in terminal.shown
    assert "canary" not in terminal.shown
    found = aws.client("ssm").get_parameters(
        Names=["/schoolapp/dev/db_host", "/schoolapp/dev/db_user"], WithDecryption=True
    )["Parameters"]
    assert {each["Value"] for each in found} == {"db.example.com", "app"}
    secret = aws.client("secretsmanager").get_secret_value(SecretId=PASSWORD)
    assert secret["SecretString"] == "canary-password"


def test_the_question_says_what_the_value_is(aws: Aws, project: Project) -> None:
    del aws
    text = CONFIG.replace("from: rds.endpoint", "from: rds.endpoint, description: RDS endpoint")
    (project.directory / "schoolctl.yaml").write_text(text)
    terminal = Terminal(["params", "set", "db_host"], project.directory)

    terminal.expect("db_host (RDS endpoint): ")
    terminal.type("h")

    assert terminal.finish() == 0


def test_a_bad_answer_is_asked_for_again_and_after_three_the_command_ends(
    aws: Aws, project: Project
) -> None:
    terminal = Terminal(["secrets", "set", "db_password"], project.directory)
    for answer, problem in [("", "is empty"), (" canary", "begins or ends"), ("", "is empty")]:
        terminal.expect("db_password: ")
        terminal.type(answer)
        terminal.expect(f"warning: the value {problem}")

    assert terminal.finish() == 2
    assert "no usable value for db_password in 3 attempts" in terminal.shown
    assert "canary" not in terminal.shown
    assert aws.client("secretsmanager").list_secrets()["SecretList"] == []


@pytest.mark.parametrize("words", [("params", "set", "db_host"), ("secrets", "set", "db_password")])
def test_ctrl_c_at_a_question_changes_nothing(
    aws: Aws, project: Project, words: tuple[str, ...]
) -> None:
    terminal = Terminal(words, project.directory)
    terminal.expect(f"{words[-1]}: ")
    terminal.press("c")

    assert terminal.finish() == 130
    assert "error: stopped by Ctrl-C" in terminal.shown
    assert aws.client("ssm").describe_parameters()["Parameters"] == []
    assert aws.client("secretsmanager").list_secrets()["SecretList"] == []


def test_ctrl_c_at_a_later_question_leaves_nothing_half_written(aws: Aws, project: Project) -> None:
    terminal = Terminal(["params", "set"], project.directory)
    terminal.expect("db_host: ")
    terminal.type("db.example.com")
    terminal.expect("db_name: ")
    terminal.press("c")

    assert terminal.finish() == 130
    assert aws.client("ssm").describe_parameters()["Parameters"] == []


@pytest.mark.parametrize(("answer", "code", "left"), [("n", 1, 1), ("", 1, 1), ("y", 0, 0)])
def test_a_deletion_is_agreed_to_in_so_many_words(
    aws: Aws, project: Project, answer: str, code: int, left: int
) -> None:
    aws.client("ssm").put_parameter(
        Name="/schoolapp/dev/db_host", Value="canary", Type="SecureString"
    )
    terminal = Terminal(["params", "delete", "db_host"], project.directory)
    terminal.expect("with all its versions. Go on? [y/N] ")
    terminal.type(answer)

    assert terminal.finish() == code
    assert len(aws.client("ssm").describe_parameters()["Parameters"]) == left


@pytest.mark.parametrize("words", [("params", "set", "db_host"), ("secrets", "set", "db_password")])
@pytest.mark.usefixtures("aws")
def test_the_end_of_input_at_a_question_is_no_bug(project: Project, words: tuple[str, ...]) -> None:
    terminal = Terminal(words, project.directory)
    terminal.expect(f"{words[-1]}: ")
    terminal.press("d")

    assert terminal.finish() == 1
    assert f"error: no answer to: {words[-1]}:" in terminal.shown
    assert "Traceback" not in terminal.shown


@pytest.mark.usefixtures("aws")
def test_stdin_from_a_terminal_is_refused(project: Project) -> None:
    terminal = Terminal(["params", "set", "db_password", "--stdin"], project.directory)

    assert terminal.finish() == 2
    assert "leave --stdin out to be asked" in terminal.shown


@pytest.mark.usefixtures("aws")
def test_a_wrong_account_is_told_before_a_password_is_asked_for(project: Project) -> None:
    terminal = Terminal(["secrets", "set", "db_password", "-e", "other"], project.directory)

    assert terminal.finish() == 5
    assert "db_password: " not in terminal.shown


def test_a_protected_environment_asks_for_the_services_name(aws: Aws, project: Project) -> None:
    terminal = Terminal(["params", "set", "db_host=h", "-e", "prod"], project.directory)
    terminal.expect("type the service's name to go on: ")
    terminal.type("schoolapp")

    assert terminal.finish() == 1
    assert "the service is schoolapp-backend" in terminal.shown
    assert aws.client("ssm").describe_parameters()["Parameters"] == []
