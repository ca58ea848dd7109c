"""`schoolctl why`, whole output, on written answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import ExitCode
from tests.scripted_aws import Refusal
from tests.worlds.answers import DEFINITION, log_event, service_answer, task_json
from tests.worlds.scenes import (
    COMPLETED,
    FAILED,
    NEW,
    OLD,
    at,
    container,
    deployment,
    old,
    service,
    stopped,
)

if TYPE_CHECKING:
    from schoolctl.model.services import ServiceState, Task
    from tests.conftest import Project
    from tests.scripted_aws import Answer, ScriptedAws

GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/school-tg/1"
CRASHED = stopped(id_="aa00aa00" + "0" * 24)
BACK = old(status="PRIMARY", running=2)
ROLLED_BACK = service(deployment(state=FAILED, status="ACTIVE", failed=3, created=-60), BACK)


def health(address: str = "10.0.0.7", state: str = "healthy", reason: str = "") -> str:
    told = f"<Reason>{reason}</Reason>" if reason else ""
    return (
        '<DescribeTargetHealthResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/'
        '2015-12-01/"><DescribeTargetHealthResult><TargetHealthDescriptions><member>'
        f"<Target><Id>{address}</Id><Port>3000</Port></Target>"
        f"<TargetHealth><State>{state}</State>{told}</TargetHealth></member>"
        "</TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>"
    )


def running_json(id_: str) -> dict[str, Any]:
    task = task_json(stopped("", "", container(None, status="RUNNING"), id_=id_))
    del task["stoppedAt"]
    return task | {"lastStatus": "RUNNING", "desiredStatus": "RUNNING", "healthStatus": "HEALTHY"}


def script(
    scripted: ScriptedAws,
    state: ServiceState | None,
    *ended: Task,
    running: tuple[str, ...] = (),
    log: tuple[str, ...] = (),
    targets: str = "",
) -> None:
    known = {each.arn: task_json(each) for each in ended}
    alive = {each["taskArn"]: each for each in map(running_json, running)}

    def listed(request: dict[str, Any]) -> Answer:
        return {"taskArns": list(known if request["desiredStatus"] == "STOPPED" else alive)}

    def described(request: dict[str, Any]) -> Answer:
        return {"tasks": [(known | alive)[arn] for arn in request["tasks"]]}

    scripted.answer("DescribeServices", *service_answer(state))
    scripted.answer("ListTasks", listed)
    scripted.answer("DescribeTasks", described)
    scripted.answer("DescribeTaskDefinition", {"taskDefinition": DEFINITION, "tags": []})
    scripted.answer("DescribeTargetHealth", targets or health())
    events = [log_event(text, number) for number, text in enumerate(log)]
    scripted.answer("GetLogEvents", {"events": events, "nextForwardToken": "f"})


def test_a_rolled_back_deployment_in_full(project: Project, scripted: ScriptedAws) -> None:
    refused = "(1045, \"Access denied for user 'school'\")"
    script(scripted, ROLLED_BACK, CRASHED, log=("starting", refused))
    result = project.invoke("why")
    assert result.exit_code == ExitCode.DONE
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        f"school/web: the rollout of {NEW} failed and was rolled back to {OLD}",
        (
            "fix:   compare `schoolctl params list --reveal` and the secret with the database, then"
            " `schoolctl params set` and `schoolctl restart`"
        ),
        "cause: the database refused the user or the password",
        "",
        f"1 task of {NEW} stopped:",
        (
            "  1 x EssentialContainerExited: Essential container in task exited;"
            " container web ended with exit code 1"
        ),
        "last log lines of task aa00aa00:",
        "  | starting",
        f"  | {refused}",
    ]


def test_the_log_lines_are_those_of_the_very_task(project: Project, scripted: ScriptedAws) -> None:
    script(scripted, ROLLED_BACK, CRASHED, stopped(id_="bb" * 16, created=30))
    project.invoke("why")
    [request] = scripted.requests("GetLogEvents")
    assert request["logStreamName"] == f"ecs/web/{'bb' * 16}"


def test_the_document_is_complete(project: Project, scripted: ScriptedAws) -> None:
    script(scripted, ROLLED_BACK, CRASHED, log=("boom",))
    told = json.loads(project.invoke("why", "--json").stdout)
    assert told["ok"] is True
    assert told["trouble"] is True
    assert (told["revision"], told["rollout_state"]) == (str(NEW), "FAILED")
    assert told["deployment_id"] == "ecs-svc/new"
    assert told["stopped_tasks"][0]["exit_code"] == 1
    assert [each["message"] for each in told["log"]] == ["boom"]
    assert told["log_task"] == CRASHED.id
    assert told["cause"] == "the process ended with exit code 1"
    assert told["fix"]


def test_with_nothing_wrong_it_says_what_runs_and_since_when(
    project: Project, scripted: ScriptedAws
) -> None:
    steady = service(deployment(state=COMPLETED, running=2, created=-300))
    script(scripted, steady, running=("cc" * 16,))
    result = project.invoke("why")
    since = at(-300).astimezone().strftime("%Y-%m-%d %H:%M %Z")
    assert result.stdout == (
        f"school/web: nothing is wrong: {NEW} runs, 2 of 2 tasks running, since {since} (5 m ago)\n"
    )
    assert json.loads(project.invoke("why", "--json").stdout)["trouble"] is False


def test_what_ecs_complained_of_before_all_ran_is_over(
    project: Project, scripted: ScriptedAws
) -> None:
    event = ("(service web) was unable to place a task.",)
    script(scripted, service(deployment(state=COMPLETED, running=2), events=event))
    assert "nothing is wrong" in project.invoke("why").stdout
    scripted.reset()
    short = service(deployment(state=COMPLETED, running=1), events=event)
    script(scripted, short)
    told = project.invoke("why").stdout
    assert "cause: ECS finds no place for a task" in told
    assert event[0] in told


@pytest.mark.parametrize(
    ("task", "trouble"),
    [
        (stopped("UserInitiated", "stopped by hand", container(0)), False),
        (stopped("ServiceSchedulerInitiated", "Scaling activity initiated by x"), False),
        (CRASHED, True),
    ],
    ids=["by hand", "replaced", "crashed"],
)
def test_of_a_service_that_runs_only_tasks_that_failed_are_trouble(
    project: Project, scripted: ScriptedAws, task: Task, *, trouble: bool
) -> None:
    script(scripted, service(deployment(state=COMPLETED, running=2)), task)
    told = json.loads(project.invoke("why", "--json").stdout)
    assert told["trouble"] is trouble
    assert len(told["stopped_tasks"]) == int(trouble)


def test_a_rollout_under_way_without_trouble_says_so(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted, service(deployment(pending=2, created=-30), old()))
    assert project.invoke("why").stdout == (
        f"school/web: the rollout of {NEW} began 30 s ago and goes on: 0 of 2 running;"
        " nothing is wrong so far\n"
    )


def test_a_rollout_whose_targets_are_unhealthy_shows_the_log_of_a_running_task(
    project: Project, scripted: ScriptedAws
) -> None:
    state = service(deployment(running=2, created=-30), old(), target_groups=(GROUP,))
    script(
        scripted,
        state,
        running=("dd" * 16,),
        log=("listening on 127.0.0.1:8080",),
        targets=health("10.0.0.7", "unhealthy", "Target.FailedHealthChecks"),
    )
    lines = project.invoke("why").stdout.splitlines()
    assert lines[1].startswith("fix:   check that the application listens on `task.port`")
    assert "cause: the health check cannot connect" in lines
    assert lines[-3:] == [
        "last log lines of task dddddddd:",
        "  | listening on 127.0.0.1:8080",
        "target 10.0.0.7:3000 of school-tg is unhealthy: the health check cannot connect",
    ]


def test_the_way_back_is_not_the_deployment_in_question(
    project: Project, scripted: ScriptedAws
) -> None:
    """ECS goes back by a newer deployment of the old revision."""
    back = deployment(
        "ecs-svc/back", OLD, COMPLETED, running=2, created=60, reason="rolling back to web:6"
    )
    state = service(back, deployment(state=FAILED, status="INACTIVE", failed=3))
    script(scripted, state, CRASHED)
    assert f"the rollout of {NEW} failed" in project.invoke("why").stdout


def test_a_deployment_that_ecs_lists_no_more_is_known_by_its_record(
    project: Project, scripted: ScriptedAws
) -> None:
    """Once the way back is over, DescribeServices tells only of the old revision."""
    back = deployment("ecs-svc/back", OLD, COMPLETED, running=2, created=60)
    crashed = stopped(id_="ab" * 16, started_by="ecs-svc/gone")
    script(scripted, service(back), crashed, log=("boom",))
    scripted.answer(
        "ListServiceDeployments",
        {
            "serviceDeployments": [
                {
                    "serviceDeploymentArn": "arn:1",
                    "status": "ROLLBACK_SUCCESSFUL",
                    "statusReason": "Service deployment rolled back: tasks failed to start.",
                    "createdAt": at(0).timestamp(),
                    "targetServiceRevisionArn": "arn:revision",
                }
            ]
        },
    )
    revision = {"serviceRevisionArn": "arn:revision", "taskDefinition": NEW.arn}
    scripted.answer("DescribeServiceRevisions", {"serviceRevisions": [revision]})
    lines = project.invoke("why").stdout.splitlines()
    assert lines[0] == f"school/web: the rollout of {NEW} failed and was rolled back to {OLD}"
    assert lines[3] == "ECS:   Service deployment rolled back: tasks failed to start."
    assert lines[-1] == "  | boom"
    assert json.loads(project.invoke("why", "--json").stdout)["deployment_id"] is None


def test_a_failed_deployment_shows_what_ecs_says_of_it(
    project: Project, scripted: ScriptedAws
) -> None:
    reason = "ECS deployment circuit breaker: tasks failed to start."
    script(scripted, service(deployment(state=FAILED, failed=3, reason=reason)), CRASHED)
    assert f"ECS:   {reason}" in project.invoke("why").stdout.splitlines()


def test_a_deployment_may_be_asked_for(project: Project, scripted: ScriptedAws) -> None:
    script(scripted, ROLLED_BACK, CRASHED)
    told = project.invoke("why", "--deployment", "old").stdout
    assert f"nothing is wrong: {OLD} runs" in told
    missing = project.invoke("why", "--deployment", "77")
    assert missing.exit_code == ExitCode.FAILED
    assert "there is no deployment 77" in missing.stderr
    assert "ecs-svc/new" in missing.stderr


def test_a_task_that_stopped_is_explained(project: Project, scripted: ScriptedAws) -> None:
    killed = stopped(
        "EssentialContainerExited",
        "Essential container in task exited",
        container(137, reason="OutOfMemoryError: Container killed due to memory usage"),
        id_="ee" * 16,
    )
    script(scripted, ROLLED_BACK, CRASHED, killed, log=("working",))
    lines = project.invoke("why", "--task", "ee").stdout.splitlines()
    assert lines[0].startswith(f"task eeeeeeee of {NEW} stopped ")
    assert lines[1:3] == [
        "fix:   raise `task.memory`",
        "cause: the container used more memory than the task has",
    ]
    assert lines[-1] == "  | working"


def test_a_task_that_runs_shows_its_log(project: Project, scripted: ScriptedAws) -> None:
    steady = service(deployment(state=COMPLETED, running=2))
    script(scripted, steady, running=("cc" * 16,), log=("hello",))
    lines = project.invoke("why", "--task", "cc").stdout.splitlines()
    assert lines[0].startswith(f"task cccccccc of {NEW} is running since ")
    assert lines[-1] == "  | hello"


@pytest.mark.parametrize(
    ("prefix", "code", "said"),
    [
        ("99", ExitCode.FAILED, "has no task 99"),
        ("aa", ExitCode.USAGE, "2 tasks begin with aa"),
        ("no id!", ExitCode.USAGE, "is no task id"),
    ],
)
def test_a_task_that_is_not_one_is_an_error(
    project: Project, scripted: ScriptedAws, prefix: str, code: ExitCode, said: str
) -> None:
    script(scripted, ROLLED_BACK, CRASHED, stopped(id_="aa" * 16))
    result = project.invoke("why", "--task", prefix)
    assert result.exit_code == code
    assert said in result.stderr


def test_task_and_deployment_together_are_refused(project: Project) -> None:
    assert project.invoke("why", "--task", "1", "--deployment", "2").exit_code == ExitCode.USAGE


def test_a_service_that_is_not_there_is_named(project: Project, scripted: ScriptedAws) -> None:
    script(scripted, None)
    result = project.invoke("why")
    assert result.exit_code == ExitCode.FAILED
    assert "there is no service schoolapp-backend in cluster schoolapp" in result.stderr
    assert "`schoolctl deploy` creates it" in result.stderr


def test_a_service_of_no_tasks_says_how_to_start_some(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted, service(deployment(state=COMPLETED, desired=0), desired=0))
    told = project.invoke("why").stdout
    assert told == (
        "school/web: the desired count is 0, so nothing runs; `schoolctl scale N` raises it\n"
    )


def test_what_could_not_be_read_is_named_beside_the_rest(
    project: Project, scripted: ScriptedAws
) -> None:
    scripted.answer("DescribeTaskDefinition", Refusal("AccessDeniedException", "no"))
    script(scripted, ROLLED_BACK, CRASHED)
    result = project.invoke("why")
    assert result.exit_code == ExitCode.DONE
    assert "1 task of web:7 stopped:" in result.stdout
    assert "not looked at: could not read task definition web:7" in result.stdout


def test_another_accounts_service_is_not_explained(project: Project, scripted: ScriptedAws) -> None:
    script(scripted, ROLLED_BACK, CRASHED)
    result = project.invoke("why", "-e", "other")
    assert result.exit_code == ExitCode.WRONG_TARGET
    assert result.stdout == ""
