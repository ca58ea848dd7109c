"""`schoolctl status`, whole output, on written answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from schoolctl.errors import ExitCode
from tests.aws.answers import DEFINITION, service_answer, task_json
from tests.scripted_aws import Refusal
from tests.unit.scenes import (
    COMPLETED,
    at,
    container,
    deployment,
    old,
    service,
    stopped,
)

if TYPE_CHECKING:
    from schoolctl.model import ServiceState
    from tests.conftest import Project
    from tests.scripted_aws import ScriptedAws

GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/school-tg/1"
HEALTH = """\
<DescribeTargetHealthResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">
<DescribeTargetHealthResult><TargetHealthDescriptions>
<member><Target><Id>10.0.0.7</Id><Port>3000</Port></Target>
<TargetHealth><State>healthy</State></TargetHealth></member>
<member><Target><Id>10.0.0.8</Id><Port>3000</Port></Target>
<TargetHealth><State>unhealthy</State><Reason>Target.ResponseCodeMismatch</Reason></TargetHealth>
</member></TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>"""
TAGS = [
    {"key": "schoolctl:tag", "value": "1.0"},
    {"key": "schoolctl:commit", "value": "1234abc"},
    {"key": "schoolctl:by", "value": "ann"},
    {"key": "schoolctl:completed-at", "value": at(-60).isoformat()},
]


def script(scripted: ScriptedAws, state: ServiceState | None) -> None:
    running = task_json(stopped("", "", container(None, status="RUNNING"), created=-302))
    running |= {"lastStatus": "RUNNING", "desiredStatus": "RUNNING", "healthStatus": "HEALTHY"}
    del running["stoppedAt"]
    scripted.answer("DescribeServices", *service_answer(state))
    scripted.answer("ListTasks", {"taskArns": [running["taskArn"]]})
    scripted.answer("DescribeTasks", {"tasks": [running]})
    scripted.answer("DescribeTaskDefinition", {"taskDefinition": DEFINITION, "tags": TAGS})
    scripted.answer("DescribeTargetHealth", HEALTH)


STEADY = service(
    deployment(state=COMPLETED, running=2, created=-300),
    events=("(service web) has reached a steady state.",),
    target_groups=(GROUP,),
)


def test_a_steady_service_in_full(project: Project, scripted: ScriptedAws) -> None:
    script(scripted, STEADY)
    result = project.invoke("status")
    assert result.exit_code == ExitCode.DONE
    assert result.stderr == ""
    local = at(-60).astimezone().strftime("%Y-%m-%d %H:%M")
    event = at(0).astimezone().strftime("%Y-%m-%d %H:%M")
    assert result.stdout.splitlines() == [
        "service   school/web (ACTIVE)",
        f"revision  web:7, completed since {local} (1 m ago)",
        "image     1.0, sha256:aaaaaaaaaaaa, commit 1234abc, deployed by ann",
        "tasks     2 of 2 running, 1 of 2 targets healthy",
        "",
        "tasks:",
        "  4f0c12ab  web:7  RUNNING, health healthy, started 5 m 1 s ago",
        "",
        "targets:",
        "  10.0.0.7:3000  healthy in school-tg",
        (
            "  10.0.0.8:3000  unhealthy in school-tg: the health check's answer has another status"
            " than the target group wants (make `task.health_path` answer 200, or change the target"
            " group's matcher)"
        ),
        "",
        "events:",
        f"  {event}  (service web) has reached a steady state.",
    ]


def test_the_document_is_complete(project: Project, scripted: ScriptedAws) -> None:
    script(scripted, STEADY)
    told: dict[str, Any] = json.loads(project.invoke("status", "--json").stdout)
    assert told["ok"] is True
    assert told["revision"] == "web:7"
    assert told["tag"] == "1.0"
    assert told["digest"] == "sha256:" + "a" * 64
    assert told["commit"] == "1234abc"
    assert told["since"] == "2026-11-02T08:59:00Z"
    assert (told["running"], told["desired"], told["pending"]) == (2, 2, 0)
    assert told["deployments"][0]["rollout_state"] == "COMPLETED"
    assert told["tasks"][0]["health"] == "HEALTHY"
    assert [each["state"] for each in told["targets"]] == ["healthy", "unhealthy"]
    assert told["events"][0]["message"] == "(service web) has reached a steady state."


def test_a_rollout_under_way_shows_both_deployments(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted, service(deployment(pending=2, failed=1, created=-30), old()))
    lines = project.invoke("status").stdout.splitlines()
    assert lines[1].startswith("revision  web:7, in progress since ")
    assert lines[6:8] == [
        "  PRIMARY  web:7  IN_PROGRESS, 0 of 2 running, 2 pending, 1 failed, begun 30 s ago",
        "  ACTIVE   web:6  COMPLETED, 2 of 2 running, begun 1 h ago",
    ]


def test_an_event_of_trouble_comes_with_its_meaning(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted, service(deployment(), events=("(service web) was unable to place a task.",)))
    assert "[ECS finds no place for a task: read the reason" in project.invoke("status").stdout


def test_a_service_of_no_tasks_says_that_nothing_runs(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted, service(deployment(state=COMPLETED, desired=0), desired=0))
    assert "the desired count is 0, so nothing runs" in project.invoke("status").stdout


def test_a_service_that_is_not_there_is_named(project: Project, scripted: ScriptedAws) -> None:
    script(scripted, None)
    result = project.invoke("status")
    assert result.exit_code == ExitCode.FAILED
    assert "there is no service schoolapp-backend in cluster schoolapp" in result.stderr
    assert "`schoolctl deploy` creates it" in result.stderr


def test_a_deleted_service_is_not_reported_as_one(project: Project, scripted: ScriptedAws) -> None:
    script(scripted, service(status="INACTIVE"))
    assert "it was deleted" in project.invoke("status").stderr


def test_what_may_not_be_read_is_a_warning(project: Project, scripted: ScriptedAws) -> None:
    denied = Refusal(
        "AccessDeniedException",
        "User ann is not authorized to perform: ecs:DescribeTaskDefinition",
    )
    scripted.answer("DescribeTaskDefinition", denied)
    scripted.answer("DescribeServices", *service_answer(STEADY))
    unlisted = "User ann is not authorized to perform: ecs:ListTasks"
    scripted.answer("ListTasks", Refusal("AccessDeniedException", unlisted))
    scripted.answer("DescribeTargetHealth", HEALTH)
    result = project.invoke("status")
    assert result.exit_code == ExitCode.DONE
    assert "warning: the tasks are not known: AWS denied ecs:ListTasks" in result.stderr
    assert "warning: the image is not known: AWS denied ecs:DescribeTaskDefinition" in result.stderr
    assert "image     unknown" in result.stdout


def test_another_accounts_service_of_the_same_name_is_not_shown(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted, STEADY)
    result = project.invoke("status", "-e", "other")
    assert result.exit_code == ExitCode.WRONG_TARGET
    assert result.stdout == ""
