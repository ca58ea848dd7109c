"""`iam policy` as a user runs it: what stands on which stream, and as a document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from schoolctl.base.errors import ExitCode
from schoolctl.iam.policy import LONGEST, length
from tests.worlds.account import edit

if TYPE_CHECKING:
    import pytest

    from tests.conftest import Aws, Project
    from tests.faults import Faults


def test_standard_output_is_the_policy_alone(project: Project) -> None:
    done = project.invoke("iam", "policy", "--for", "repo show")
    assert done.exit_code == ExitCode.DONE
    assert done.stderr == ""
    assert json.loads(done.stdout) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["ecr:DescribeRepositories"],
                "Resource": "arn:aws:ecr:us-east-1:123456789012:repository/schoolapp-backend",
            }
        ],
    }


def test_a_pinned_account_needs_no_credentials(project: Project, faults: Faults) -> None:
    assert project.invoke("iam", "policy", "--for", "all").exit_code == ExitCode.DONE
    assert faults.calls == []


def test_an_account_that_is_not_pinned_is_that_of_the_credentials(
    project: Project, aws: Aws
) -> None:
    edit(
        project.directory,
        'dev: {region: us-east-1, account: "123456789012"}',
        "dev: {region: us-west-2}",
    )
    done = project.invoke("iam", "policy", "--for", "repo show")
    assert f":us-west-2:{aws.account}:repository/" in done.stdout


def test_the_document_has_the_policy_and_what_it_comes_from(project: Project) -> None:
    done = project.invoke("iam", "policy", "--for", "login", "--json")
    document = json.loads(done.stdout)
    assert document["policy"]["Statement"][0]["Action"] == ["ecr:GetAuthorizationToken"]
    assert document["policies"] == [document["policy"]]
    assert document["commands"] == ["login"]
    assert document["permissions"] == [
        {
            "action": "ecr:GetAuthorizationToken",
            "resources": ["*"],
            "when": None,
            "without": None,
        }
    ]


def test_the_policy_of_init_needs_no_configuration(
    project: Project, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.directory / "schoolctl.yaml").unlink()
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    done = project.invoke("iam", "policy", "--for", "init")
    assert done.exit_code == ExitCode.DONE, done.stderr
    assert f"arn:aws:ecs:eu-west-1:{aws.account}:service/*" in done.stdout
    assert project.invoke("iam", "policy", "--for", "push").exit_code == ExitCode.USAGE


def test_a_command_that_needs_nothing_has_no_policy(project: Project) -> None:
    done = project.invoke("iam", "policy", "--for", "build")
    assert (done.exit_code, done.stdout) == (ExitCode.DONE, "")
    assert done.stderr == "no permission is needed\n"
    document = json.loads(project.invoke("iam", "policy", "--for", "build", "--json").stdout)
    assert (document["policy"], document["policies"]) == (None, [])


def test_what_does_not_fit_one_policy_is_printed_in_parts(project: Project) -> None:
    arn = f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{'x' * 300}"
    many = "".join(f"  s{number}: {{arn: '{arn}{number}'}}\n" for number in range(18))
    edit(project.directory, "secrets:\n", f"secrets:\n{many}")
    done = project.invoke("iam", "policy", "--for", "all")
    assert "stands in 3: --part 1 to --part 3 print each alone" in done.stderr
    parts = [project.invoke("iam", "policy", "--for", "all", "--part", number) for number in "123"]
    assert done.stdout == "".join(each.stdout for each in parts)
    assert all(length(json.loads(each.stdout)) <= LONGEST for each in parts)
    assert all(each.stderr == "" for each in parts)
    beyond = project.invoke("iam", "policy", "--for", "all", "--part", "4")
    assert beyond.exit_code == ExitCode.USAGE
    assert beyond.stdout == ""


def test_a_role_has_a_trust_policy(project: Project) -> None:
    words = ("iam", "policy", "--for", "ci", "--github", "school/web", "--branch", "main")
    done = project.invoke(*words)
    assert done.stderr == "the role's trust policy: add --trust (--for ci)\n"
    trust = json.loads(project.invoke(*words, "--trust").stdout)
    document = json.loads(project.invoke(*words, "--json").stdout)
    assert document["trust"] == trust
    assert document["policy"] == json.loads(done.stdout)
    assert trust["Statement"][0]["Action"] == "sts:AssumeRoleWithWebIdentity"


def test_a_command_has_no_trust_policy(project: Project) -> None:
    done = project.invoke("iam", "policy", "--for", "push", "--trust")
    assert (done.exit_code, done.stdout) == (ExitCode.USAGE, "")


def test_images_prune_may_take_the_lock_of_each_environment_that_shares_the_repository(
    project: Project,
) -> None:
    done = project.invoke("iam", "policy", "--for", "images prune")
    (locks,) = [
        each["Resource"]
        for each in json.loads(done.stdout)["Statement"]
        if "ssm:PutParameter" in each["Action"]
    ]
    # `other` is of another account.
    assert [each.partition(":parameter")[2] for each in locks] == [
        "/schoolctl/schoolapp/dev/lock",
        "/schoolctl/schoolapp/prod/lock",
    ]
