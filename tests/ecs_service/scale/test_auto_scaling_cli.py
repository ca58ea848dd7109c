"""`schoolctl scale` with limits and goals: in process, on moto and on written answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import ExitCode
from tests.faults import refuse
from tests.wire import Trouble
from tests.worlds.account import NAME, Account, protect, serving

if TYPE_CHECKING:
    from tests.conftest import Aws, Project
    from tests.faults import Faults

RESOURCE = {
    "ServiceNamespace": "ecs",
    "ResourceId": f"service/schoolapp/{NAME}",
    "ScalableDimension": "ecs:service:DesiredCount",
}


@pytest.fixture
def account(aws: Aws, project: Project) -> Account:
    """Give an account whose service runs two tasks, and nothing scales by itself."""
    return serving(aws, project.directory)


def limits(aws: Aws) -> tuple[int, int] | None:
    found = aws.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")
    for each in found["ScalableTargets"]:
        assert {key: each[key] for key in RESOURCE} == RESOURCE
        return each["MinCapacity"], each["MaxCapacity"]
    return None


def policies(aws: Aws) -> dict[str, Any]:
    found = aws.client("application-autoscaling").describe_scaling_policies(**RESOURCE)
    return {
        each["PolicyName"]: each["TargetTrackingScalingPolicyConfiguration"]
        for each in found["ScalingPolicies"]
    }


@pytest.mark.usefixtures("account")
def test_limits_are_set_and_set_again_to_nothing_new(project: Project, aws: Aws) -> None:
    done = project.invoke("scale", "--min", "2", "--max", "6")
    assert done.exit_code == ExitCode.DONE, done.stderr
    assert done.stdout == f"{NAME}: auto scaling keeps it at 2 to 6 tasks\n"
    assert limits(aws) == (2, 6)
    again = project.invoke("scale", "--min", "2", "--max", "6")
    assert again.stdout == ""
    assert again.stderr.endswith(f"nothing to do: auto scaling keeps {NAME} at 2 to 6 tasks\n")


@pytest.mark.usefixtures("account")
def test_the_document_tells_limits_and_policies(project: Project) -> None:
    project.invoke("scale", "--min", "2", "--max", "6")
    told = json.loads(project.invoke("scale", "--max", "8", "--cpu", "60", "--json").stdout)
    assert told["ok"]
    assert told["previous_limits"] == {"minimum": 2, "maximum": 6}
    assert told["limits"] == {"minimum": 2, "maximum": 8}
    assert told["policies"] == {"schoolctl-cpu": 60}
    assert (told["previous_count"], told["desired_count"]) == (2, 2)
    assert told["verdict"] == "completed"
    again = json.loads(project.invoke("scale", "--max", "8", "--cpu", "60", "--json").stdout)
    assert again["verdict"] == "nothing to do"


@pytest.mark.usefixtures("account")
def test_the_document_of_a_run_that_broke_off_tells_what_was_set(
    project: Project, faults: Faults
) -> None:
    faults.always("PutScalingPolicy", refuse(Trouble.DENIED))
    told = json.loads(project.invoke(*WORDS, "--json").stdout)
    assert told["error"]["done"]
    assert told["verdict"] == "started"
    assert told["limits"] == {"minimum": 2, "maximum": 6}
    assert told["previous_limits"] is None
    assert told["policies"] == {}


@pytest.mark.usefixtures("account")
def test_the_document_of_a_run_that_set_nothing_tells_what_is(
    project: Project, faults: Faults
) -> None:
    faults.always("RegisterScalableTarget", refuse(Trouble.DENIED))
    told = json.loads(project.invoke(*WORDS, "--json").stdout)
    assert (told["verdict"], told["limits"], told["policies"]) == ("not started", None, {})


@pytest.mark.usefixtures("account")
def test_the_document_of_a_new_goal_whose_wait_ends_says_that_it_was_set(project: Project) -> None:
    project.invoke(*WORDS)
    # No task runs on moto, so that the wait for the count lasts until its end.
    done = project.invoke("scale", "2", "--cpu", "70", "--timeout", "5", "--json")
    assert done.exit_code == ExitCode.TIMED_OUT
    told = json.loads(done.stdout)
    assert (told["verdict"], told["policies"]) == ("started", {"schoolctl-cpu": 70})


@pytest.mark.usefixtures("account")
def test_the_document_tells_the_count_that_the_limits_lead_to(project: Project) -> None:
    told = json.loads(project.invoke("scale", "--min", "3", "--max", "6", "--json").stdout)
    assert (told["previous_count"], told["desired_count"]) == (2, 3)


@pytest.mark.usefixtures("account")
def test_the_document_of_the_end_tells_that_nothing_is_left(project: Project) -> None:
    project.invoke(*WORDS)
    told = json.loads(project.invoke("scale", "--no-auto", "--yes", "--json").stdout)
    assert told["verdict"] == "completed"
    assert (told["limits"], told["policies"]) == (None, {})
    assert told["previous_limits"] == {"minimum": 2, "maximum": 6}


@pytest.mark.usefixtures("account")
def test_a_dry_run_shows_the_limits_and_sets_none(project: Project, aws: Aws) -> None:
    done = project.invoke("scale", "--min", "3", "--max", "6", "--cpu", "60", "--dry-run")
    assert done.exit_code == ExitCode.DONE
    assert f"let auto scaling keep schoolapp/{NAME} at 3 to 6 tasks" in done.stderr
    assert "scale by policy schoolctl-cpu: 60 % CPU" in done.stderr
    assert "the count is 2: auto scaling will set it to 3" in done.stderr
    assert limits(aws) is None


@pytest.mark.usefixtures("account")
def test_one_limit_where_there_is_none_wants_the_other(project: Project, aws: Aws) -> None:
    done = project.invoke("scale", "--max", "6")
    assert done.exit_code == ExitCode.FAILED
    assert f"auto scaling does not manage schoolapp/{NAME} yet" in done.stderr
    assert "--min is missing" in done.stderr
    assert limits(aws) is None


@pytest.mark.usefixtures("account")
def test_a_cpu_goal_keeps_what_somebody_set_on_its_policy(project: Project, aws: Aws) -> None:
    project.invoke("scale", "--min", "2", "--max", "6", "--cpu", "60")
    goal = {"PredefinedMetricSpecification": {"PredefinedMetricType": METRIC}, "TargetValue": 60.0}
    assert policies(aws) == {"schoolctl-cpu": goal}
    aws.client("application-autoscaling").put_scaling_policy(
        **RESOURCE,
        PolicyName="schoolctl-cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={**goal, "ScaleInCooldown": 30},
    )
    done = project.invoke("scale", "--cpu", "70")
    assert done.stdout == f"{NAME}: auto scaling keeps it at 2 to 6 tasks, 70 % CPU\n"
    assert policies(aws) == {"schoolctl-cpu": {**goal, "TargetValue": 70.0, "ScaleInCooldown": 30}}


METRIC = "ECSServiceAverageCPUUtilization"


def test_requests_are_counted_by_the_service_s_load_balancer(project: Project, aws: Aws) -> None:
    account = Account(aws, balancer=True)
    account.register("1.0")
    account.ecs.create_service(
        cluster="schoolapp",
        serviceName=NAME,
        taskDefinition=f"{NAME}:1",
        desiredCount=2,
        loadBalancers=[
            {
                "targetGroupArn": account.target_group_arn,
                "containerName": "web",
                "containerPort": 3000,
            }
        ],
    )
    done = project.invoke("scale", "--min", "2", "--max", "6", "--requests", "500")
    assert done.exit_code == ExitCode.DONE, done.stderr
    [balancer] = aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    ends = (balancer["LoadBalancerArn"], account.target_group_arn)
    label = "/".join(each.rpartition(":")[2].removeprefix("loadbalancer/") for each in ends)
    assert policies(aws)["schoolctl-requests"] == {
        "TargetValue": 500.0,
        "PredefinedMetricSpecification": {
            "PredefinedMetricType": "ALBRequestCountPerTarget",
            "ResourceLabel": label,
        },
    }


@pytest.mark.usefixtures("account")
def test_requests_without_a_load_balancer_are_refused(project: Project, aws: Aws) -> None:
    done = project.invoke("scale", "--min", "2", "--max", "6", "--requests", "500")
    assert done.exit_code == ExitCode.FAILED
    assert "scale by --cpu" in done.stderr
    assert limits(aws) is None


def test_a_count_goes_with_its_limits(project: Project, account: Account, aws: Aws) -> None:
    done = project.invoke("scale", "8", "--min", "2", "--max", "8", "--no-wait")
    assert done.exit_code == ExitCode.DONE, done.stderr
    assert done.stdout == f"{NAME} is on its way to that count\n"
    assert account.service()["desiredCount"] == 8
    assert limits(aws) == (2, 8)
    beyond = project.invoke("scale", "9", "--no-wait")
    assert "change its limits with it: `schoolctl scale 9 --max 9`" in beyond.stderr


@pytest.mark.usefixtures("account")
def test_the_end_of_auto_scaling_wants_a_yes(project: Project, aws: Aws) -> None:
    project.invoke("scale", "--min", "2", "--max", "6", "--cpu", "60")
    asked = project.invoke("scale", "--no-auto")
    assert asked.exit_code == ExitCode.FAILED
    assert limits(aws) == (2, 6)
    done = project.invoke("scale", "--no-auto", "--yes")
    assert done.exit_code == ExitCode.DONE, done.stderr
    assert done.stdout == f"{NAME}: auto scaling does not manage it\n"
    assert limits(aws) is None
    again = project.invoke("scale", "--no-auto")
    assert again.exit_code == ExitCode.DONE
    assert f"nothing to do: auto scaling does not manage {NAME}" in again.stderr


@pytest.mark.usefixtures("account")
def test_the_end_of_auto_scaling_names_scheduled_actions(project: Project, aws: Aws) -> None:
    project.invoke("scale", "--min", "2", "--max", "6")
    aws.client("application-autoscaling").put_scheduled_action(
        **RESOURCE,
        ScheduledActionName="evening",
        Schedule="cron(0 20 * * ? *)",
        ScalableTargetAction={"MinCapacity": 1},
    )
    asked = project.invoke("scale", "--no-auto")
    assert "and delete scheduled action evening" in asked.stderr
    assert limits(aws) == (2, 6)
    assert project.invoke("scale", "--no-auto", "--yes").exit_code == ExitCode.DONE


@pytest.mark.usefixtures("account")
def test_an_aws_without_scheduled_actions_ends_auto_scaling(
    project: Project, aws: Aws, faults: Faults
) -> None:
    project.invoke("scale", "--min", "2", "--max", "6")
    faults.answer("DescribeScheduledActions", "UnknownOperationException", "")
    done = project.invoke("scale", "--no-auto", "--yes")
    assert done.exit_code == ExitCode.DONE, done.stderr
    assert limits(aws) is None


@pytest.mark.usefixtures("account")
def test_a_protected_environment_wants_its_name(project: Project, aws: Aws) -> None:
    protect(project.directory)
    words = ("scale", "--min", "2", "--max", "6")
    assert project.invoke(*words, "--yes").exit_code == ExitCode.FAILED
    assert limits(aws) is None
    assert project.invoke(*words, "--confirm", NAME).exit_code == ExitCode.DONE
    assert limits(aws) == (2, 6)


@pytest.mark.parametrize(
    "words",
    [
        ("--min", "3", "--max", "2"),
        ("--max", "0"),
        ("--min", "-1"),
        ("--cpu", "0"),
        ("--cpu", "101"),
        ("--requests", "0"),
        ("7", "--max", "6"),
        ("--no-auto", "--max", "6"),
    ],
    ids=" ".join,
)
def test_what_is_no_limit_is_a_usage_error(project: Project, words: tuple[str, ...]) -> None:
    assert project.invoke("scale", *words).exit_code == ExitCode.USAGE


WORDS = ("scale", "--min", "2", "--max", "6", "--cpu", "60")


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("operation", ["RegisterScalableTarget", "PutScalingPolicy"])
def test_a_call_that_is_denied_is_made_by_the_next_run(
    project: Project, aws: Aws, faults: Faults, operation: str
) -> None:
    faults.always(operation, refuse(Trouble.DENIED))
    denied = project.invoke(*WORDS)
    assert denied.exit_code == ExitCode.FAILED
    assert "`schoolctl iam policy --for scale`" in denied.stderr
    faults.heal()
    assert project.invoke(*WORDS).exit_code == ExitCode.DONE
    assert limits(aws) == (2, 6)
    assert [*policies(aws)] == ["schoolctl-cpu"]


PENDING = ("ConcurrentUpdateException", "You already have a pending update to a Scalable Target")


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("operation", "refusal"),
    [
        ("RegisterScalableTarget", PENDING),
        ("PutScalingPolicy", PENDING),
        ("PutScalingPolicy", ("ObjectNotFoundException", "No scalable target registered for it")),
    ],
    ids=str,
)
def test_a_write_that_comes_too_soon_after_another_is_repeated(
    project: Project, aws: Aws, faults: Faults, operation: str, refusal: tuple[str, str]
) -> None:
    faults.answer(operation, *refusal)
    faults.answer(operation, *refusal)
    done = project.invoke(*WORDS)
    assert done.exit_code == ExitCode.DONE, done.stderr
    assert done.stderr.count("waiting up to 15 s: ") == 1
    assert limits(aws) == (2, 6)
    assert [*policies(aws)] == ["schoolctl-cpu"]


@pytest.mark.usefixtures("account")
def test_an_end_that_comes_too_soon_after_another_write_is_repeated(
    project: Project, aws: Aws, faults: Faults
) -> None:
    project.invoke(*WORDS)
    faults.answer("DeregisterScalableTarget", *PENDING)
    assert project.invoke("scale", "--no-auto", "--yes").exit_code == ExitCode.DONE
    assert limits(aws) is None


@pytest.mark.usefixtures("account")
def test_a_write_that_stays_refused_ends_after_some_seconds(
    project: Project, aws: Aws, faults: Faults
) -> None:
    faults.answer_always("PutScalingPolicy", *PENDING)
    done = project.invoke(*WORDS)
    assert done.exit_code == ExitCode.FAILED
    assert "it was tried again for 15 s" in done.stderr
    assert limits(aws) == (2, 6)


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("operation", ["RegisterScalableTarget", "PutScalingPolicy"])
def test_a_lost_reply_is_no_failure(
    project: Project, aws: Aws, faults: Faults, operation: str
) -> None:
    faults.lose_reply(operation)
    assert project.invoke(*WORDS).exit_code == ExitCode.DONE
    assert limits(aws) == (2, 6)
    assert [*policies(aws)] == ["schoolctl-cpu"]


@pytest.mark.usefixtures("account")
def test_an_end_whose_reply_was_lost_is_no_failure(
    project: Project, aws: Aws, faults: Faults
) -> None:
    project.invoke(*WORDS)
    faults.lose_reply("DeregisterScalableTarget")
    faults.answer("DeregisterScalableTarget", "ObjectNotFoundException", "No scalable target found")
    done = project.invoke("scale", "--no-auto", "--yes")
    assert done.exit_code == ExitCode.DONE, done.stderr
    assert "it was ended already" in done.stderr
    assert limits(aws) is None
