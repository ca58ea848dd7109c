"""`schoolctl rollback` in process: where it goes, what it refuses, what it leaves alone."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import ExitCode
from schoolctl.base.process_mark import mark
from schoolctl.core.lock import this_run
from schoolctl.core.lock_rules import render_holder
from tests.faults import pass_on
from tests.worlds.account import NAME, Account, edit, simplify

if TYPE_CHECKING:
    from tests.conftest import Aws, Project
    from tests.faults import Exchange, Faults


@pytest.fixture
def account(aws: Aws, project: Project, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Give an account without a load balancer, and a project that asks for none."""
    monkeypatch.setenv("MOTO_ECS_SERVICE_RUNNING", "2")
    simplify(project.directory)
    return Account(aws)


@pytest.fixture
def history(account: Account) -> Account:
    """Give an account with revisions of 1.0 to 1.2, of which the first two completed."""
    for number, tag in enumerate(("1.0", "1.1", "1.2"), 1):
        completed = f"2026-11-02T08:0{number}:00Z" if number < 3 else None
        account.register(tag, completed)
    return account


def rollback(project: Project, *args: str, code: int = 0) -> dict[str, Any]:
    done = project.invoke("rollback", "--no-wait", "--json", *args)
    assert done.exit_code == code, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def at(account: Account, number: int) -> None:
    """Create the service at a revision; moto's deployments stay with the first one."""
    account.ecs.create_service(
        cluster="schoolapp", serviceName=NAME, taskDefinition=f"{NAME}:{number}", desiredCount=2
    )


def test_it_goes_to_the_last_revision_that_completed(project: Project, history: Account) -> None:
    at(history, 3)
    document = rollback(project)
    assert document["previous"] == f"{NAME}:3"
    assert document["revision"] == f"{NAME}:2"
    assert document["tag"] == "1.1"
    assert history.runs() == f"{NAME}:2"


def test_rolling_back_twice_goes_back_two(project: Project, history: Account) -> None:
    at(history, 2)
    assert rollback(project)["revision"] == f"{NAME}:1"


def test_what_the_service_was_rolled_back_from_is_passed_over_and_named(
    project: Project, account: Account
) -> None:
    account.register("1.0", "2026-11-02T08:01:00Z", "2026-11-02T08:03:00Z")
    account.register("1.1", "2026-11-02T08:02:00Z")
    account.register("1.2", "2026-11-02T08:04:00Z")
    at(account, 3)
    done = project.invoke("rollback", "--dry-run")
    assert done.exit_code == ExitCode.DONE, done.stderr
    assert f"{NAME}:2 is passed over: the service was rolled back from it" in done.stderr
    assert rollback(project)["revision"] == f"{NAME}:1"


def test_both_revisions_are_named_before_anything_is_changed(
    project: Project, history: Account, faults: Faults
) -> None:
    at(history, 3)
    done = project.invoke("rollback", "--dry-run")
    assert (
        "roll schoolapp-backend back from schoolapp-backend:3 to schoolapp-backend:2 (1.1)."
        in done.stderr
    )
    assert "UpdateService" not in faults.calls


def test_nothing_is_registered_and_no_release_command_runs(
    project: Project, history: Account, faults: Faults
) -> None:
    edit(project.directory, "  target_group:", "  release_command: [migrate]\n  target_group:")
    at(history, 3)
    rollback(project)
    assert {"RegisterTaskDefinition", "RunTask"}.isdisjoint(faults.calls)
    request = json.loads(faults.bodies[faults.calls.index("UpdateService")])
    assert set(request) == {"cluster", "service", "taskDefinition"}


def test_a_revision_whose_image_was_pruned_is_passed_over(
    project: Project, history: Account
) -> None:
    at(history, 3)
    image = history.definition(f"{NAME}:2")["containerDefinitions"][0]["image"]
    history.ecr.batch_delete_image(
        repositoryName=NAME, imageIds=[{"imageDigest": image.partition("@")[2]}]
    )
    assert rollback(project)["revision"] == f"{NAME}:1"


def test_an_unproven_target_is_named_and_refused_without_a_terminal(
    project: Project, account: Account
) -> None:
    for tag in ("1.0", "1.1"):
        account.register(tag)
    at(account, 2)
    done = project.invoke("rollback")
    assert done.exit_code == ExitCode.FAILED
    assert "no rollout of schoolapp-backend:1 (1.0) is known to have completed" in done.stderr
    assert "--yes" in done.stderr
    assert account.runs() == f"{NAME}:2"


def test_an_unproven_target_is_taken_with_yes(project: Project, account: Account) -> None:
    for tag in ("1.0", "1.1"):
        account.register(tag)
    at(account, 2)
    assert rollback(project, "--yes")["revision"] == f"{NAME}:1"
    assert account.runs() == f"{NAME}:1"


def test_the_first_revision_has_nothing_to_go_back_to(project: Project, account: Account) -> None:
    account.register("1.0")
    at(account, 1)
    document = rollback(project, code=1)
    assert "nothing to roll back to" in document["error"]["what"]
    assert "`schoolctl scale 0`" in document["error"]["hint"]


def test_without_a_service_there_is_nothing_to_roll_back(
    project: Project, account: Account
) -> None:
    del account
    document = rollback(project, code=1)
    assert document["error"]["what"] == "there is no service schoolapp/schoolapp-backend"


def test_to_goes_where_it_is_told_without_asking(project: Project, history: Account) -> None:
    at(history, 2)
    assert rollback(project, "--to", "3")["revision"] == f"{NAME}:3"


def test_to_a_revision_that_is_not_there_is_refused(project: Project, history: Account) -> None:
    at(history, 3)
    document = rollback(project, "--to", "9", code=1)
    assert document["error"]["what"] == "there is no revision schoolapp-backend:9"


def test_to_a_deregistered_revision_is_refused(project: Project, history: Account) -> None:
    at(history, 3)
    history.ecs.deregister_task_definition(taskDefinition=f"{NAME}:1")
    document = rollback(project, "--to", "1", code=2)
    assert document["error"]["what"] == "revision schoolapp-backend:1 is INACTIVE"


def test_to_a_revision_whose_image_is_gone_is_refused(project: Project, history: Account) -> None:
    at(history, 3)
    image = history.definition(f"{NAME}:1")["containerDefinitions"][0]["image"]
    history.ecr.batch_delete_image(
        repositoryName=NAME, imageIds=[{"imageDigest": image.partition("@")[2]}]
    )
    document = rollback(project, "--to", "1", code=2)
    assert document["error"]["what"] == "the image of revision schoolapp-backend:1 is gone"
    assert history.runs() == f"{NAME}:3"


def test_a_deployment_in_progress_does_not_stand_in_the_way(
    project: Project, history: Account, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    # moto cannot stop a deployment, as AWS once could not: the update goes over it.
    monkeypatch.delenv("MOTO_ECS_SERVICE_RUNNING")
    at(history, 3)
    done = project.invoke("rollback", "--no-wait")
    assert done.exit_code == 0, done.stderr
    assert "the update replaces it" in done.stderr
    assert faults.calls.index("ListServiceDeployments") < faults.calls.index("UpdateService")
    assert history.runs() == f"{NAME}:2"


def leave_lock(account: Account, goal: str) -> None:
    """Leave the deploy lock of a rollback whose process is gone."""
    here = mark(os.getpid())
    assert here is not None
    dead = replace(
        this_run("ann", "schoolctl rollback", datetime.now(UTC)),
        started=f"{here.machine}:1",
        goal=goal,
    )
    account.aws.client("ssm").put_parameter(
        Name="/schoolctl/schoolapp/dev/lock", Value=render_holder(dead), Type="String"
    )


def test_a_rollback_that_was_cut_off_is_seen_through_and_not_repeated(
    project: Project, history: Account, faults: Faults
) -> None:
    at(history, 2)
    leave_lock(history, goal=f"{NAME}:2")
    assert rollback(project)["verdict"] == "nothing to do"
    assert "UpdateService" not in faults.calls
    assert rollback(project)["revision"] == f"{NAME}:1"


def test_a_way_back_that_ecs_has_begun_is_seen_through_and_not_gone_beyond(
    project: Project, history: Account, faults: Faults
) -> None:
    at(history, 2)
    said = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1."

    def goes_back(content: bytes) -> bytes:
        told = json.loads(content)
        for each in told["services"][0]["deployments"]:
            each.update(rolloutState="IN_PROGRESS", rolloutStateReason=said)
        return json.dumps(told).encode()

    faults.rewrite("DescribeServices", goes_back)
    assert rollback(project)["verdict"] == "nothing to do"
    assert history.runs() == f"{NAME}:2"
    assert "UpdateService" not in faults.calls


def test_a_rollback_that_was_cut_off_before_it_began_is_made(
    project: Project, history: Account
) -> None:
    at(history, 3)
    leave_lock(history, goal=f"{NAME}:2")
    assert rollback(project)["revision"] == f"{NAME}:2"


# What other tools deployed


def remember(faults: Faults, *successes: tuple[int, str]) -> None:
    """Have ECS remember successful deployments: the revision's number, and when each was over."""
    arn = "arn:aws:ecs:us-east-1:123456789012:"

    def rule(exchange: Exchange) -> None:
        if exchange.operation == "ListServiceDeployments":
            listed = [
                {
                    "serviceDeploymentArn": f"{arn}service-deployment/schoolapp/{NAME}/{finished}",
                    "status": "SUCCESSFUL",
                    "createdAt": datetime.fromisoformat(finished).timestamp() - 60,
                    "finishedAt": datetime.fromisoformat(finished).timestamp(),
                    "targetServiceRevisionArn": f"{arn}service-revision/schoolapp/{NAME}/{number}",
                }
                for number, finished in successes
            ]
            wanted = json.loads(exchange.body).get("status", ["SUCCESSFUL"])
            told = {"serviceDeployments": listed if "SUCCESSFUL" in wanted else []}
        elif exchange.operation == "DescribeServiceRevisions":
            revisions = [
                {
                    "serviceRevisionArn": each,
                    "taskDefinition": f"{arn}task-definition/{NAME}:{each.rpartition('/')[2]}",
                }
                for each in json.loads(exchange.body)["serviceRevisionArns"]
            ]
            told = {"serviceRevisions": revisions}
        else:
            pass_on(exchange)
            return
        exchange.reply(200, json.dumps(told).encode())

    faults.on_all(rule)


def test_what_ecs_remembers_proves_a_revision_of_another_tool(
    project: Project, account: Account, faults: Faults
) -> None:
    for tag in ("1.0", "1.1", "1.2", "1.3"):
        account.register(tag)
    at(account, 4)
    remember(faults, (2, "2026-11-02T08:02:00+00:00"), (1, "2026-11-02T08:01:00+00:00"))
    document = rollback(project)
    assert document["revision"] == f"{NAME}:2"


def test_two_rollbacks_go_back_two_by_what_ecs_remembers(
    project: Project, account: Account, faults: Faults
) -> None:
    """After the first rollback, revision 2 has succeeded twice: its first time counts."""
    for tag in ("1.0", "1.1", "1.2"):
        account.register(tag)
    at(account, 2)
    remember(
        faults,
        (1, "2026-11-02T08:01:00+00:00"),
        (2, "2026-11-02T08:02:00+00:00"),
        (3, "2026-11-02T08:03:00+00:00"),
        (2, "2026-11-02T08:04:00+00:00"),
    )
    assert rollback(project)["revision"] == f"{NAME}:1"


def test_where_ecs_may_not_be_asked_only_marks_prove_a_revision(
    project: Project, history: Account, faults: Faults
) -> None:
    at(history, 3)
    faults.deny("ListServiceDeployments", "ecs:ListServiceDeployments")
    assert rollback(project)["revision"] == f"{NAME}:2"
