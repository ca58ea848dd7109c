"""`schoolctl scale` and `restart` in process, on written answers."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import ExitCode
from tests.scripted_aws import Refusal
from tests.worlds.answers import DEFINITION, service_answer, service_json, task_json
from tests.worlds.scenes import COMPLETED, IN_PROGRESS, deployment, old, service, stopped

if TYPE_CHECKING:
    from schoolctl.model.services import ServiceState, Task
    from tests.conftest import Project
    from tests.scripted_aws import ScriptedAws

STEADY = deployment(state=COMPLETED, running=2)
RANGE = {"ScalableTargets": [{"MinCapacity": 2, "MaxCapacity": 6}]}
GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/school-tg/1"


def state(desired: int, running: int, *, groups: tuple[str, ...] = ()) -> ServiceState:
    found = service(STEADY, desired=desired, target_groups=groups)
    return replace(found, running=running)


def health(*states: str) -> str:
    members = "".join(
        "<member><Target><Id>10.0.0.7</Id><Port>3000</Port></Target>"
        f"<TargetHealth><State>{each}</State></TargetHealth></member>"
        for each in states
    )
    return (
        '<DescribeTargetHealthResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/'
        f'2015-12-01/"><DescribeTargetHealthResult><TargetHealthDescriptions>{members}'
        "</TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>"
    )


@pytest.fixture
def aws(scripted: ScriptedAws) -> ScriptedAws:
    """Give an AWS whose deploy lock is free, and where nothing scales by itself."""
    scripted.answer("PutParameter", {"Version": 1})
    scripted.answer("GetParameter", Refusal("ParameterNotFound"))
    return scripted


def script(
    aws: ScriptedAws,
    *states: ServiceState | None,
    scaling: Any = None,
    tasks: tuple[Task, ...] = (),
) -> None:
    aws.answer("DescribeServices", *service_answer(*states))
    aws.answer("DescribeScalableTargets", scaling or {"ScalableTargets": []})
    last = states[-1] or states[0]
    if last is not None:
        aws.answer("UpdateService", {"service": service_json(last)})
    aws.answer("ListTasks", {"taskArns": [each.arn for each in tasks]})
    aws.answer("DescribeTasks", {"tasks": [task_json(each) for each in tasks]})


# scale


def test_the_count_is_set_and_followed_until_it_runs(project: Project, aws: ScriptedAws) -> None:
    script(aws, state(2, 2), state(4, 2), state(4, 3), state(4, 4))
    done = project.invoke("scale", "4")
    assert done.exit_code == ExitCode.DONE
    assert done.stdout == "web: 4 of 4 running after 3 s\n"
    assert aws.requests("UpdateService") == [
        {"cluster": "school", "service": "web", "desiredCount": 4}
    ]


def test_the_document_tells_both_counts(project: Project, aws: ScriptedAws) -> None:
    script(aws, state(2, 2), state(4, 4))
    told = json.loads(project.invoke("scale", "4", "--json").stdout)
    assert told["ok"]
    assert (told["previous_count"], told["desired_count"], told["running"]) == (2, 4, 4)
    assert told["verdict"] == "completed"


def test_healthy_targets_are_waited_for(project: Project, aws: ScriptedAws) -> None:
    script(aws, state(1, 1), state(2, 2, groups=(GROUP,)))
    aws.answer("DescribeTargetHealth", health("healthy", "initial"), health("healthy", "healthy"))
    done = project.invoke("scale", "2")
    assert done.stdout == "web: 2 of 2 running, 2 targets healthy after 2 s\n"


def test_the_count_that_runs_is_nothing_to_do(project: Project, aws: ScriptedAws) -> None:
    script(aws, state(2, 2))
    done = project.invoke("scale", "2")
    assert done.exit_code == ExitCode.DONE
    assert done.stdout == ""
    assert done.stderr == "nothing to do: web runs 2 of 2 tasks\n"
    assert aws.requests("UpdateService") == []


def test_without_waiting_it_says_that_it_is_on_its_way(project: Project, aws: ScriptedAws) -> None:
    script(aws, state(2, 2), state(4, 2))
    done = project.invoke("scale", "4", "--no-wait", "--json")
    assert json.loads(done.stdout)["verdict"] == "started"
    assert len(aws.requests("DescribeServices")) == 1


def test_stopping_the_service_wants_a_yes(project: Project, aws: ScriptedAws) -> None:
    script(aws, state(2, 2), state(0, 0))
    asked = project.invoke("scale", "0")
    assert asked.exit_code == ExitCode.FAILED
    assert "nobody is served until it is scaled up again" in asked.stderr
    assert aws.requests("UpdateService") == []
    assert project.invoke("scale", "0", "--yes").exit_code == ExitCode.DONE


def test_a_protected_environment_wants_its_name(project: Project, aws: ScriptedAws) -> None:
    script(aws, state(2, 2), state(4, 4))
    assert project.invoke("scale", "4", "-e", "prod", "--yes").exit_code == ExitCode.FAILED
    assert aws.requests("UpdateService") == []


def test_what_auto_scaling_would_undo_is_refused(project: Project, aws: ScriptedAws) -> None:
    script(aws, state(2, 2), scaling=RANGE)
    done = project.invoke("scale", "9")
    assert done.exit_code == ExitCode.FAILED
    assert "auto scaling keeps school/web at 2 to 6 tasks, not at 9" in done.stderr
    assert aws.requests("UpdateService") == []
    assert aws.requests("DescribeScalableTargets") == [
        {
            "ServiceNamespace": "ecs",
            "ResourceIds": ["service/schoolapp/schoolapp-backend"],
            "ScalableDimension": "ecs:service:DesiredCount",
        }
    ]


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (
            Refusal(
                "AccessDeniedException",
                "not authorized to perform: application-autoscaling:DescribeScalableTargets",
            ),
            "application-autoscaling:DescribeScalableTargets is denied",
        ),
        (Refusal("ValidationException", "no"), "AWS answered ValidationException: no"),
    ],
)
def test_auto_scaling_that_may_not_be_looked_at_is_one_warning(
    project: Project, aws: ScriptedAws, refusal: Refusal, why: str
) -> None:
    script(aws, state(2, 2), state(4, 4), scaling=refusal)
    done = project.invoke("scale", "4")
    assert done.exit_code == ExitCode.DONE
    assert done.stderr.count("warning:") == 1
    assert f"was not verified: {why}" in done.stderr


def test_an_aws_without_auto_scaling_is_no_warning(project: Project, aws: ScriptedAws) -> None:
    script(aws, state(2, 2), state(4, 4), scaling=Refusal("UnknownOperationException", ""))
    done = project.invoke("scale", "4")
    assert done.exit_code == ExitCode.DONE
    assert "warning:" not in done.stderr


def test_tasks_that_stop_again_and_again_end_the_wait(project: Project, aws: ScriptedAws) -> None:
    tasks = tuple(stopped(id_=f"{number:032x}", created=10) for number in range(3))
    script(aws, state(2, 2), state(4, 2), tasks=tasks)
    aws.answer("DescribeTaskDefinition", {"taskDefinition": DEFINITION, "tags": []})
    aws.answer("GetLogEvents", {"events": [], "nextForwardToken": "f"})
    done = project.invoke("scale", "4")
    assert done.exit_code == ExitCode.ROLLOUT
    assert "only 2 of 4 tasks of school/web run" in done.stderr
    assert "3 new tasks stopped" in done.stderr


def test_the_limit_ends_the_wait_and_not_the_scaling(project: Project, aws: ScriptedAws) -> None:
    script(aws, state(2, 2), state(4, 2))
    aws.answer("DescribeTaskDefinition", {"taskDefinition": DEFINITION, "tags": []})
    done = project.invoke("scale", "4", "--timeout", "30")
    assert done.exit_code == ExitCode.TIMED_OUT
    assert "undo it with `schoolctl scale 2`" in done.stderr


def test_another_count_meanwhile_is_no_success(project: Project, aws: ScriptedAws) -> None:
    script(aws, state(2, 2), state(4, 2), state(3, 3))
    done = project.invoke("scale", "4")
    assert done.exit_code == ExitCode.ROLLOUT
    assert "somebody else set school/web to 3 tasks meanwhile" in done.stderr


def test_an_answer_from_before_the_count_was_set_is_nobody_elses_count(
    project: Project, aws: ScriptedAws
) -> None:
    script(aws, state(2, 2), state(2, 2), state(4, 2), state(4, 4))
    done = project.invoke("scale", "4")
    assert done.exit_code == ExitCode.DONE, done.stderr
    assert done.stdout == "web: 4 of 4 running after 3 s\n"


def test_a_service_deleted_meanwhile_is_no_success(project: Project, aws: ScriptedAws) -> None:
    script(aws, state(2, 2), state(4, 2), None)
    done = project.invoke("scale", "4")
    assert done.exit_code == ExitCode.ROLLOUT
    assert "service school/web was deleted meanwhile" in done.stderr


def test_a_cluster_deleted_meanwhile_is_no_success(project: Project, aws: ScriptedAws) -> None:
    script(aws, state(2, 2), state(4, 2))
    aws.answer("DescribeServices", Refusal("ClusterNotFoundException", "Cluster not found."))
    done = project.invoke("scale", "4")
    assert done.exit_code == ExitCode.ROLLOUT
    assert "service school/web was deleted meanwhile" in done.stderr


def test_targets_that_are_not_registered_yet_are_waited_for(
    project: Project, aws: ScriptedAws
) -> None:
    script(aws, state(1, 1), state(2, 2, groups=(GROUP,)))
    aws.answer("DescribeTargetHealth", health(), health("healthy", "healthy"))
    done = project.invoke("scale", "2")
    assert done.stdout == "web: 2 of 2 running, 2 targets healthy after 2 s\n"


def test_aws_that_does_not_answer_in_time_ends_at_the_limit(
    project: Project, aws: ScriptedAws
) -> None:
    script(aws, state(2, 2))
    ended = threading.Event()

    def silent(_: dict[str, Any]) -> dict[str, Any]:
        ended.wait(20)
        return service_answer(state(4, 4))[0]

    aws.answer("DescribeServices", silent)
    aws.answer("DescribeTaskDefinition", {"taskDefinition": DEFINITION, "tags": []})
    done = project.invoke("scale", "4", "--timeout", "0.1")
    ended.set()
    assert done.exit_code == ExitCode.TIMED_OUT
    assert "whether school/web runs 4 tasks was not seen" in done.stderr


def test_an_aws_that_only_throttles_is_no_deleted_service(
    project: Project, aws: ScriptedAws
) -> None:
    script(aws, state(2, 2))
    aws.answer("DescribeServices", Refusal("ThrottlingException", "Rate exceeded"))
    done = project.invoke("scale", "4", "--timeout", "60")
    assert done.exit_code == ExitCode.TIMED_OUT
    assert "Rate exceeded" in done.stderr
    assert "undo it with `schoolctl scale 2`" in done.stderr


def test_without_a_service_there_is_nothing_to_scale(project: Project, aws: ScriptedAws) -> None:
    script(aws, None)
    done = project.invoke("scale", "4")
    assert done.exit_code == ExitCode.FAILED
    assert "`schoolctl deploy` creates it" in done.stderr


@pytest.mark.parametrize("words", [("scale",), ("scale", "-1"), ("scale", "two")], ids=" ".join)
def test_a_count_that_is_none_is_a_usage_error(
    project: Project, scripted: ScriptedAws, words: tuple[str, ...]
) -> None:
    assert project.invoke(*words).exit_code == ExitCode.USAGE
    assert scripted.calls == []


# restart


def restart_script(aws: ScriptedAws, *states: ServiceState) -> None:
    script(aws, *states)
    aws.answer("DescribeTaskDefinition", {"taskDefinition": DEFINITION, "tags": []})
    aws.answer("TagResource", {})


def test_a_restart_is_a_forced_deployment_followed_to_its_verdict(
    project: Project, aws: ScriptedAws
) -> None:
    new = deployment("ecs-svc/again", state=COMPLETED, running=2, created=60)
    restart_script(aws, state(2, 2), state(2, 2), service(new))
    done = project.invoke("restart")
    assert done.exit_code == ExitCode.DONE, done.stderr
    assert done.stdout == "web runs new tasks of web:7: completed in 0 s, 2 of 2 running\n"
    assert aws.requests("UpdateService") == [
        {"cluster": "school", "service": "web", "forceNewDeployment": True}
    ]


def test_a_restart_beside_a_deployment_is_busy(project: Project, aws: ScriptedAws) -> None:
    moving = old(IN_PROGRESS)
    restart_script(aws, service(STEADY, moving))
    assert project.invoke("restart").exit_code == ExitCode.BUSY
    assert aws.requests("UpdateService") == []


def test_a_dry_run_restarts_nothing(project: Project, aws: ScriptedAws) -> None:
    restart_script(aws, state(2, 2))
    done = project.invoke("restart", "--dry-run")
    assert done.exit_code == ExitCode.DONE
    assert "start new tasks of the same revision" in done.stderr
    assert aws.requests("UpdateService") == []
    assert aws.requests("PutParameter") == []
