"""The policies of the execution role, the task role and a pipeline's role."""

from __future__ import annotations

from typing import Any

import pytest

from schoolctl.base.errors import UsageError
from schoolctl.iam.permissions import commands
from schoolctl.iam.policy import Scope
from schoolctl.iam.rules import (
    CI_COMMANDS,
    execution_role_policy,
    github_trust,
    make_policy,
    parse_wanted,
    task_role_policy,
    tasks_trust,
)
from tests.worlds.deploy_scenes import config

ECR = "arn:aws:ecr:us-east-1:123456789012:repository"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
SSM = "arn:aws:ssm:us-east-1:123456789012:parameter"
KMS_KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d"


def scope(extra: str = "") -> Scope:
    return Scope(config(extra), "us-east-1", "123456789012")


def on(made: list[dict[str, Any]], action: str) -> Any:
    """Give the resources on which an action is allowed; None where it is not."""
    return next((each["Resource"] for each in made if action in each["Action"]), None)


def test_the_execution_role_pulls_the_image_and_writes_the_log() -> None:
    made = execution_role_policy(scope())
    assert on(made, "ecr:BatchGetImage") == f"{ECR}/schoolapp-backend"
    assert (
        on(made, "logs:PutLogEvents")
        == "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/schoolapp-backend:*"
    )
    # The service reads its settings by itself.
    assert on(made, "ssm:GetParameters") is None
    assert on(made, "secretsmanager:GetSecretValue") is None
    assert on(made, "logs:CreateLogGroup") is None


def test_the_execution_role_reads_what_overrides_inject() -> None:
    made = execution_role_policy(
        scope(
            "task: {overrides: {containerDefinitions: [{name: web, secrets: ["
            "{name: A, valueFrom: /other/a}, {name: B, valueFrom: "
            f'"{SSM}/other/b"}}, {{name: C, valueFrom: "{SECRET}other-AbCdEf:key::"}}, '
            f'{{name: D, valueFrom: "{SECRET}short"}}]}}]}}}}'
        )
    )
    assert on(made, "ssm:GetParameters") == [f"{SSM}/other/a", f"{SSM}/other/b"]
    assert on(made, "secretsmanager:GetSecretValue") == [
        f"{SECRET}other-AbCdEf",
        f"{SECRET}short-??????",
    ]


def test_the_execution_role_serves_sidecars() -> None:
    made = execution_role_policy(
        scope(
            "task: {overrides: {containerDefinitions: [{name: proxy, image: "
            '"210987654321.dkr.ecr.eu-west-1.amazonaws.com/tools/proxy:1", '
            "logConfiguration: {logDriver: awslogs, options: "
            '{awslogs-group: /ecs/proxy, awslogs-create-group: "true"}}}]}}'
        )
    )
    assert on(made, "ecr:GetDownloadUrlForLayer") == [
        "arn:aws:ecr:eu-west-1:210987654321:repository/tools/proxy",
        f"{ECR}/schoolapp-backend",
    ]
    assert (
        on(made, "logs:CreateLogGroup")
        == "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/proxy:*"
    )


def test_the_task_role_reads_what_the_variables_name_and_nothing_else() -> None:
    made = task_role_policy(
        scope("parameters: {unread: {type: String}}, secrets: {unread: {description: none}}")
    )
    assert on(made, "ssm:GetParameters") == [
        f"{SSM}/schoolapp/dev/{key}" for key in ("db_host", "db_name", "db_user")
    ]
    assert on(made, "secretsmanager:GetSecretValue") == f"{SECRET}schoolapp/dev/db_password-??????"
    assert len(made) == 2


def test_a_task_role_has_what_ecs_exec_takes_where_it_is_on() -> None:
    made = task_role_policy(scope("service: {overrides: {enableExecuteCommand: true}}"))
    assert on(made, "ssmmessages:OpenDataChannel") == "*"


def test_a_key_of_ones_own_is_used_through_the_two_services_alone() -> None:
    made = task_role_policy(scope(), [KMS_KEY])
    found = next(each for each in made if "kms:Decrypt" in each["Action"])
    assert found["Action"] == ["kms:Decrypt"]
    assert found["Condition"]["StringEquals"]["kms:ViaService"] == [
        "secretsmanager.us-east-1.amazonaws.com",
        "ssm.us-east-1.amazonaws.com",
    ]


def test_the_roles_trust_the_tasks_of_this_account() -> None:
    (found,) = tasks_trust(scope())["Statement"]
    assert found["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    assert found["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}


def test_a_pipeline_is_trusted_on_its_branch_alone() -> None:
    (found,) = github_trust(scope(), "school/web", "main")["Statement"]
    assert found["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert found["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": "repo:school/web:ref:refs/heads/main",
        }
    }


def test_the_branch_of_the_environment_is_the_pipelines() -> None:
    made = make_policy(parse_wanted(["ci"], github="a/b"), scope("git: {branch: release}"))
    assert made.warning == ""
    assert made.trust is not None
    condition = made.trust["Statement"][0]["Condition"]["StringEquals"]
    assert condition["token.actions.githubusercontent.com:sub"].endswith("refs/heads/release")


def test_without_a_branch_it_is_said_that_any_will_do() -> None:
    made = make_policy(parse_wanted(["ci"], github="a/b"), scope())
    assert "any branch and any pull request of a/b" in made.warning


def test_a_pipeline_may_do_what_its_commands_do() -> None:
    assert set(CI_COMMANDS) <= set(commands())
    made = make_policy(parse_wanted(["ci"], github="a/b"), scope())
    alone = make_policy(parse_wanted(CI_COMMANDS), scope())
    assert made.statements == alone.statements


def test_a_group_stands_for_all_of_its_commands() -> None:
    assert parse_wanted(["images"]).commands == ("images list", "images prune", "images show")


def test_reads_that_can_be_spared_can_be_left_out() -> None:
    made = make_policy(parse_wanted(["deploy"], needed_only=True), scope())
    assert on(list(made.statements), "iam:GetRole") is None
    assert on(list(made.statements), "ecs:RegisterTaskDefinition") is not None


WRONG: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "a command": (["nosuch"], {}, "there is no command 'nosuch'"),
    "nothing": ([""], {}, "there is no command ''"),
    "two roles": (["task-role", "push"], {}, "task-role is a role"),
    "no repository": (["ci"], {}, "it is not said whose workflows take the ci role"),
    "no such repository": (["ci"], {"github": "school"}, "'school' is no OWNER/REPO"),
    "a wildcard": (["ci"], {"github": "school/*"}, "'school/*' is no OWNER/REPO"),
    "a wild branch": (["ci"], {"github": "a/b", "branch": "*"}, "'*' is no name of a branch"),
    "another's option": (["push"], {"branch": "main"}, "--github and --branch belong to --for ci"),
    "an alias": (["push"], {"kms_keys": ["alias/mine"]}, "'alias/mine' is no ARN of a KMS key"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_makes_no_policy_is_refused(case: str) -> None:
    given, options, said = WRONG[case]
    with pytest.raises(UsageError) as refusal:
        parse_wanted(given, **options)
    assert refusal.value.what.startswith(said)


def test_a_mistyped_command_is_guessed() -> None:
    with pytest.raises(UsageError) as refusal:
        parse_wanted(["param set"])
    assert refusal.value.hint == 'did you mean `--for "params set"`?'
