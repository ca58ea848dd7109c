"""`schoolctl status`, whole output, on written answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import ExitCode
from schoolctl.core.lock_rules import Holder, render_holder
from tests.scripted_aws import Refusal
from tests.worlds.answers import DEFINITION, service_answer, task_json
from tests.worlds.scenes import (
    COMPLETED,
    at,
    container,
    deployment,
    old,
    service,
    stopped,
)

if TYPE_CHECKING:
    from schoolctl.model.services import ServiceState
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
    script_settings(scripted)


def script_settings(scripted: ScriptedAws, **changed: float) -> None:
    """Write parameters and a secret that are an hour old, but for those that changed since."""
    names = ("db_host", "db_name", "db_user")
    parameters = [
        {
            "Name": f"/schoolapp/dev/{name}",
            "Type": "SecureString",
            "Value": "canary",
            "Version": 1,
            "LastModifiedDate": at(changed.get(name, -3600)).timestamp(),
        }
        for name in names
    ]
    secret = {
        "Name": "schoolapp/dev/db_password",
        "ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:x",
        "LastChangedDate": at(changed.get("db_password", -3600)).timestamp(),
    }
    scripted.answer("GetParameters", {"Parameters": parameters, "InvalidParameters": []})
    scripted.answer("DescribeSecret", secret)
    scripted.answer("GetParameter", Refusal("ParameterNotFound"))
    scripted.answer("DescribeScalableTargets", {"ScalableTargets": []})


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
    assert result.stdout.splitlines() == [
        "service   school/web (ACTIVE)",
        "tasks     2 of 2 running, 1 of 2 targets healthy",
        "trouble   `schoolctl why` explains it",
        f"revision  web:7, completed {stamp(-60)} (1 m ago)",
        "image     1.0, sha256:aaaaaaaaaaaa, commit 1234abc",
        "deployed  by ann",
        "settings  none of 4 changed since the tasks started",
        "",
        "tasks:",
        "  TASK      REVISION  STATUS   HEALTH   ZONE  ADDRESS  STARTED",
        "  4f0c12ab  web:7     running  healthy  -     -        5 m 1 s ago",
        "",
        "targets:",
        "  10.0.0.7:3000  healthy    school-tg",
        (
            "  10.0.0.8:3000  unhealthy  school-tg  the health check's answer has another status"
            " than the target group wants (make `task.health_path` answer 200, or change the target"
            " group's matcher)"
        ),
        "",
        "events:",
        f"  {event_stamp(0)}    (service web) has reached a steady state.",
    ]


def stamp(seconds: float) -> str:
    return at(seconds).astimezone().strftime("%Y-%m-%d %H:%M %Z")


def event_stamp(seconds: float) -> str:
    return at(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


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
    assert told["settings"]["changed"] == []
    assert len(told["settings"]["entries"]) == 4
    assert told["lock"] is None
    assert "canary" not in json.dumps(told)


def test_a_rollout_under_way_shows_both_deployments(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted, service(deployment(pending=2, failed=1, created=-30), old()))
    lines = project.invoke("status").stdout.splitlines()
    assert lines[3].startswith("revision  web:7, in progress since ")
    deployments = lines.index("deployments:")
    assert lines[deployments + 1 : deployments + 3] == [
        "  PRIMARY  web:7  IN_PROGRESS  0 of 2 running, 2 pending, 1 failed  begun 30 s ago",
        "  ACTIVE   web:6  COMPLETED    2 of 2 running                       begun 1 h ago",
    ]


def test_an_event_of_trouble_comes_with_its_meaning(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted, service(deployment(), events=("(service web) was unable to place a task.",)))
    shown = project.invoke("status").stdout
    assert "! (service web) was unable to place a task.\n" in shown
    assert "ECS finds no place for a task: read the reason" in shown


def test_a_service_of_no_tasks_says_that_nothing_runs(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted, service(deployment(state=COMPLETED, desired=0), desired=0))
    told = "the desired count is 0, so nothing runs; `schoolctl scale N` raises it"
    assert told in project.invoke("status").stdout


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
    script_settings(scripted)
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


def settings_of(project: Project) -> list[str]:
    """Give the lines of `status` that tell of parameters and secrets."""
    lines = project.invoke("status").stdout.splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith("settings"))
    end = next(n for n in range(begin + 1, len(lines)) if not lines[n].startswith("    "))
    return [line[10:] for line in lines[begin:end]]


def test_what_changed_after_the_tasks_started_is_named_with_the_cure(
    project: Project, scripted: ScriptedAws
) -> None:
    script_settings(scripted, db_host=-120, db_password=-60, db_name=-302)
    script(scripted, STEADY)
    assert settings_of(project) == [
        "secret schoolapp/dev/db_password changed 1 m ago, after the tasks started",
        "parameter /schoolapp/dev/db_host changed 2 m ago, after the tasks started",
        "`schoolctl restart` lets the tasks read them anew",
    ]


def test_a_parameter_that_is_gone_is_named(project: Project, scripted: ScriptedAws) -> None:
    names = [f"/schoolapp/dev/{key}" for key in ("db_host", "db_name", "db_user")]
    scripted.answer("GetParameters", {"Parameters": [], "InvalidParameters": names})
    scripted.answer("DescribeSecret", Refusal("ResourceNotFoundException"))
    script(scripted, STEADY)
    shown = settings_of(project)
    assert "/schoolapp/dev/db_user is not there: `schoolctl params set`" in shown
    assert "schoolapp/dev/db_password is not there: `schoolctl params set`" in shown


def test_settings_that_may_not_be_read_are_not_verified_in_one_line(
    project: Project, scripted: ScriptedAws
) -> None:
    denied = Refusal(
        "AccessDeniedException", "User ann is not authorized to perform: ssm:GetParameters"
    )
    scripted.answer("GetParameters", denied)
    script(scripted, STEADY)
    first, second = settings_of(project)
    assert first == "none of 1 changed since the tasks started"
    assert second.startswith("not verified: read parameters /schoolapp/dev/db_host")
    assert second.endswith("needs ssm:GetParameters")


def test_the_holder_of_the_deploy_lock_is_named(project: Project, scripted: ScriptedAws) -> None:
    holder = Holder("1", "ann", "laptop", 7, command="schoolctl deploy --tag 2", at=at(-30))
    value = {
        "Name": "/schoolctl/schoolapp/dev/lock",
        "Type": "String",
        "Value": render_holder(holder),
        "Version": 1,
        "LastModifiedDate": at(-30).timestamp(),
    }
    scripted.answer("GetParameter", {"Parameter": value}, {"Parameter": value})
    script(scripted, STEADY)
    assert "lock      held by ann on laptop, pid 7" in project.invoke("status").stdout
    assert json.loads(project.invoke("status", "--json").stdout)["lock"]["host"] == "laptop"


def test_a_lock_that_may_not_be_read_is_no_failure(project: Project, scripted: ScriptedAws) -> None:
    scripted.answer("GetParameter", Refusal("AccessDeniedException", "no"))
    script(scripted, STEADY)
    result = project.invoke("status")
    assert result.exit_code == ExitCode.DONE
    assert result.stderr == (
        "warning: whether somebody deploys just now is not known: ssm:GetParameter is denied;"
        " `schoolctl iam policy --for status` prints a policy that allows it\n"
    )


def test_the_limits_of_auto_scaling_stand_by_the_count(
    project: Project, scripted: ScriptedAws
) -> None:
    limits = {"ScalableTargets": [{"MinCapacity": 2, "MaxCapacity": 6}]}
    scripted.answer("DescribeScalableTargets", limits, limits)
    script(scripted, STEADY)
    counts = "2 of 2 running, 1 of 2 targets healthy, auto scaling keeps it at 2 to 6"
    assert f"tasks     {counts}\n" in project.invoke("status").stdout
    told = json.loads(project.invoke("status", "--json").stdout)
    assert told["scaling"] == {"minimum": 2, "maximum": 6}


def test_limits_that_may_not_be_read_are_no_failure(
    project: Project, scripted: ScriptedAws
) -> None:
    action = "application-autoscaling:DescribeScalableTargets"
    denied = Refusal("AccessDeniedException", f"User ann is not authorized to perform: {action}")
    scripted.answer("DescribeScalableTargets", denied)
    script(scripted, STEADY)
    result = project.invoke("status")
    assert result.exit_code == ExitCode.DONE
    assert result.stderr == (
        f"warning: whether auto scaling manages the count is not known: {action} is denied;"
        " `schoolctl iam policy --for status` prints a policy that allows it\n"
    )


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (Refusal("ValidationException", "no"), "AWS answered ValidationException: no"),
        (Refusal("ThrottlingException", "slow"), "AWS answered ThrottlingException: slow"),
        (Refusal("UnknownOperationException", ""), ""),
    ],
)
def test_limits_that_cannot_be_read_are_a_warning_where_there_may_be_some(
    project: Project, scripted: ScriptedAws, refusal: Refusal, why: str
) -> None:
    scripted.answer("DescribeScalableTargets", *[refusal] * 9)
    script(scripted, STEADY)
    result = project.invoke("status", "--json")
    assert result.exit_code == ExitCode.DONE
    warning = f"warning: whether auto scaling manages the count is not known: {why}\n"
    assert result.stderr == (warning if why else "")
    assert json.loads(result.stdout)["scaling"] is None


def test_commands_that_are_advised_name_the_environment(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted, STEADY)
    shown = project.invoke("status", "-e", "prod").stdout
    assert "trouble   `schoolctl -e prod why` explains it" in shown
