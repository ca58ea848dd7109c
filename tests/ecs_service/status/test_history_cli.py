"""`schoolctl history` on moto, which has no record of deployments, and on written answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from schoolctl.base.errors import ExitCode
from tests.scripted_aws import Refusal
from tests.worlds.account import NAME, Account
from tests.worlds.answers import DEFINITION, service_answer
from tests.worlds.scenes import COMPLETED, NEW, OLD, at, deployment, service

if TYPE_CHECKING:
    from tests.conftest import Aws, Project
    from tests.faults import Faults
    from tests.scripted_aws import ScriptedAws


def with_revisions(aws: Aws) -> Account:
    """Give an account whose service is at the third of three revisions."""
    account = Account(aws)
    account.register("1.0", "2026-11-02T08:01:00Z")
    account.register("1.1", "2026-11-02T08:02:00Z")
    account.register("1.2")
    account.ecs.create_service(
        cluster="schoolapp", serviceName=NAME, taskDefinition=f"{NAME}:3", desiredCount=0
    )
    return account


def test_notes_tell_what_completed_what_runs_and_where_a_rollback_goes(
    project: Project, aws: Aws
) -> None:
    with_revisions(aws)
    result = project.invoke("history")
    assert result.exit_code == ExitCode.DONE
    assert len(result.stderr.splitlines()) <= 1  # moto answers a page where ECS has a record
    head, *rows = result.stdout.splitlines()
    assert head.split() == ["REVISION", "IMAGE", "COMMIT", "BEGUN", "COMPLETED", "BY", "VERDICT"]
    assert [row.split()[:2] for row in rows] == [
        [f"{NAME}:3", "1.2"],
        [f"{NAME}:2", "1.1"],
        [f"{NAME}:1", "1.0"],
    ]
    assert rows[0].endswith(", runs now")
    assert rows[1].endswith("completed; a rollback goes here")
    assert rows[2].endswith("completed")


def test_a_revision_whose_image_is_gone_is_no_target(project: Project, aws: Aws) -> None:
    account = with_revisions(aws)
    account.ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageTag": "1.1"}])
    told = json.loads(project.invoke("history", "--json").stdout)
    assert told["recorded_by_ecs"] is False
    targets = [each["revision"] for each in told["deployments"] if each["rollback_target"]]
    assert targets == [f"{NAME}:1"]


def test_the_limit_holds(project: Project, aws: Aws) -> None:
    with_revisions(aws)
    told = json.loads(project.invoke("history", "--json", "--limit", "2").stdout)
    assert len(told["deployments"]) == 2


def test_a_denied_read_of_ecr_leaves_out_the_target_and_says_so(
    project: Project, aws: Aws, faults: Faults
) -> None:
    with_revisions(aws)
    faults.deny("DescribeRepositories", "ecr:DescribeRepositories")
    result = project.invoke("history")
    assert result.exit_code == ExitCode.DONE
    assert "warning: where a rollback goes is not known" in result.stderr
    assert "goes here" not in result.stdout


def script(scripted: ScriptedAws) -> None:
    scripted.answer("DescribeServices", *service_answer(service(deployment(state=COMPLETED))))
    scripted.answer("ListTaskDefinitions", {"taskDefinitionArns": []})
    scripted.answer(
        "DescribeTaskDefinition",
        lambda request: {
            "taskDefinition": {**DEFINITION, "taskDefinitionArn": request["taskDefinition"]},
            "tags": [{"key": "schoolctl:by", "value": "arn:aws:iam::123456789012:user/ann"}],
        },
    )
    scripted.answer("DescribeRepositories", Refusal("RepositoryNotFoundException"))


def test_ecs_s_own_record_tells_of_what_failed(project: Project, scripted: ScriptedAws) -> None:
    script(scripted)
    scripted.answer(
        "ListServiceDeployments",
        {
            "serviceDeployments": [
                {
                    "serviceDeploymentArn": f"arn:{number}",
                    "status": status,
                    "createdAt": at(seconds).timestamp(),
                    "finishedAt": at(seconds + 60).timestamp(),
                    "targetServiceRevisionArn": f"arn:revision/{number}",
                }
                for number, (status, seconds) in enumerate(
                    [("SUCCESSFUL", 0), ("ROLLBACK_SUCCESSFUL", -1000), ("SUCCESSFUL", -2000)]
                )
            ]
        },
    )
    behind = [NEW, NEW, OLD]
    scripted.answer(
        "DescribeServiceRevisions",
        {
            "serviceRevisions": [
                {"serviceRevisionArn": f"arn:revision/{number}", "taskDefinition": ref.arn}
                for number, ref in enumerate(behind)
            ]
        },
    )
    result = project.invoke("history")
    assert result.stderr == ""
    rows = result.stdout.splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["web:7", "web:7", "web:6"]
    assert [row.rpartition("  ")[2] for row in rows] == [
        "completed, runs now",
        "rolled back",
        "completed",
    ]
    assert "user/ann" not in rows[0]
    assert " ann " in rows[0]


def test_a_denied_record_is_a_warning(project: Project, scripted: ScriptedAws) -> None:
    script(scripted)
    scripted.answer("ListServiceDeployments", Refusal("AccessDeniedException", "no"))
    result = project.invoke("history")
    assert result.exit_code == ExitCode.DONE
    assert "warning: deployments that failed may be missing" in result.stderr
    assert "web:7" in result.stdout


def test_a_service_that_is_not_there_is_named(project: Project, scripted: ScriptedAws) -> None:
    scripted.answer("DescribeServices", *service_answer(None))
    result = project.invoke("history")
    assert result.exit_code == ExitCode.FAILED
    assert "there is no service schoolapp-backend" in result.stderr


def test_another_accounts_history_is_not_shown(project: Project, scripted: ScriptedAws) -> None:
    script(scripted)
    result = project.invoke("history", "-e", "other")
    assert result.exit_code == ExitCode.WRONG_TARGET
    assert result.stdout == ""
