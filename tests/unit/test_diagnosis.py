"""Reasons that ECS has been seen to give, and their neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schoolctl.plan.diagnosis import culprit, diagnose, diagnose_event, diagnose_target
from schoolctl.plan.reasons import SAID, STOPPED, UNPLACED
from tests.unit.scenes import container, stopped

if TYPE_CHECKING:
    from schoolctl.model import Task

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:school/dev/db"
PULL = "CannotPullContainerError: pull image manifest has been retried 5 time(s): "
INIT = "ResourceInitializationError: unable to pull secrets or registry auth: "
TO_START = "TaskFailedToStart"


def never_started(reason: str) -> Task:
    return stopped(TO_START, reason, container(None))


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        (PULL + "failed to resolve ref registry/web:1.0: not found", "not in the repository"),
        (PULL + "manifest unknown: Requested image not found", "not in the repository"),
        ("CannotPullContainerError: API error (404): repository web", "not in the repository"),
        (
            (
                "CannotPullContainerError: image Manifest does not contain descriptor matching"
                " platform 'linux/amd64'"
            ),
            "another processor",
        ),
        (PULL + "dial tcp 52.94.0.1:443: i/o timeout", "cannot reach the registry"),
        (
            PULL + "request canceled while waiting for connection (Client.Timeout exceeded)",
            "cannot reach the registry",
        ),
        (PULL + "context canceled", "cannot reach the registry"),
        (PULL + "unexpected status code [manifests 1.0]: 403 Forbidden", "may not pull from ECR"),
        ("CannotPullContainerError: pull access denied for web", "may not pull from ECR"),
        (PULL + "toomanyrequests: You have reached your pull rate limit", "limits how often"),
        (PULL + "number of layers and diffIDs don't match: 3 != 2", "do not match"),
        (PULL + "write /var/lib: no space left on device", "does not fit"),
        (PULL + "something that nobody has seen yet", "could not be pulled"),
        (INIT + "RequestError: send request failed caused by: i/o timeout", "cannot reach SSM"),
        (INIT + "RequestCanceled: request context canceled", "cannot reach SSM"),
        (
            INIT + "AccessDeniedException: User is not authorized to perform: ssm:GetParameters",
            "execution role may not read",
        ),
        (
            INIT + "ResourceNotFoundException: Secrets Manager can't find the specified secret",
            "does not exist in this region",
        ),
        (INIT + "invalid ssm parameters: /schoolapp/dev/db_host", "does not exist in this region"),
        (
            (
                f"{INIT}failed to fetch secret {ARN}: InvalidParameter: 1 validation error(s)"
                " GetSecretValueInput.VersionId minimum field size of 32"
            ),
            "malformed",
        ),
        (
            (
                "ResourceInitializationError: failed to validate logger args: create stream has"
                " been retried 1 times: failed to create Cloudwatch log stream:"
                " ResourceNotFoundException: The specified log group does not exist."
            ),
            "log could not be opened",
        ),
        (
            (
                "ResourceInitializationError: unable to pull image or start container: 400 Client"
                ' Error: Bad Request ("OCI runtime create failed: exec: \\"/no/such\\": stat'
                ' /no/such: no such file or directory: unknown")'
            ),
            "not in the image",
        ),
        (
            (
                "ResourceInitializationError: unable to pull image or start container: 409 Client"
                " Error: Conflict"
            ),
            "or the command is not in it",
        ),
        (
            "CannotStartContainerError: exec format error, image platform linux/arm64",
            "another processor",
        ),
        ("Timeout waiting for network interface provisioning to complete.", "network interface"),
        (
            (
                "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/x' that was"
                " provided for this task. Please verify that the role being passed has the proper"
                " trust relationship"
            ),
            "may not use one of the task's roles",
        ),
        ("Capacity is unavailable at this time. Please try again later", "no capacity"),
        ("Task did not start: TaskStartTimedout", "did not start in time"),
    ],
)
def test_a_task_that_never_started_has_its_cause(reason: str, cause: str) -> None:
    found = diagnose(never_started(reason))
    assert cause in found.cause
    assert found.fix
    assert found.known


@pytest.mark.parametrize(
    ("exit_code", "cause"),
    [
        (0, "ended by itself, with success"),
        (1, "exit code 1"),
        (3, "exit code 3"),
        (126, "not executable"),
        (127, "not in the image"),
        (134, "aborted"),
        (136, "signal 8"),
        (137, "SIGKILL"),
        (139, "SIGSEGV"),
        (143, "SIGTERM"),
    ],
)
def test_an_exit_code_has_its_cause(exit_code: int, cause: str) -> None:
    assert cause in diagnose(stopped(*_ESSENTIAL, container(exit_code))).cause


_ESSENTIAL = ("EssentialContainerExited", "Essential container in task exited")


def test_the_containers_own_reason_tells_more_than_its_exit_code() -> None:
    killed = container(137, reason="OutOfMemoryError: Container killed due to memory usage")
    assert diagnose(stopped(*_ESSENTIAL, killed)).fix == "raise `task.memory`"


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("exec /app/start: exec format error", "another processor"),
        ("(1045, \"Access denied for user 'school'@'10.0.0.1'\")", "refused the user"),
        ("(1049, \"Unknown database 'school'\")", "no database of that name"),
        (
            "(2003, \"Can't connect to MySQL server on 'db' (timed out)\")",
            "cannot reach the database",
        ),
        (
            (
                "botocore.exceptions.ClientError: An error occurred (AccessDeniedException) when"
                " calling the GetParameters operation"
            ),
            "may not do something on AWS",
        ),
        ("ssm: ParameterNotFound", "does not exist"),
        ("OSError: [Errno 98] Address already in use", "same port"),
        ("OSError: [Errno 30] Read-only file system: '/app/x'", "read-only"),
        ("ModuleNotFoundError: No module named 'flask'", "not in the image"),
    ],
)
def test_the_log_tells_more_than_an_exit_code(line: str, cause: str) -> None:
    assert cause in diagnose(stopped(*_ESSENTIAL, container(1)), log=["starting", line]).cause


def test_the_log_of_a_task_that_ended_well_explains_nothing() -> None:
    found = diagnose(stopped(*_ESSENTIAL, container(0)), log=["No module named x (ignored)"])
    assert "with success" in found.cause


@pytest.mark.parametrize(
    "reason",
    [
        "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:x)",
        "service web (port 3000) is unhealthy in target-group x due to load balancer",
    ],
)
def test_health_checks_are_trouble_although_the_scheduler_stopped_the_task(reason: str) -> None:
    found = diagnose(stopped("ServiceSchedulerInitiated", reason, container(0)))
    assert "load balancer found the task unhealthy" in found.cause
    assert found.trouble


def test_a_task_that_the_rollout_replaced_is_no_trouble() -> None:
    reason = "Scaling activity initiated by (deployment ecs-svc/9223370537206000000)"
    assert not diagnose(stopped("ServiceSchedulerInitiated", reason, container(143))).trouble


def test_a_task_that_somebody_stopped_says_so() -> None:
    found = diagnose(stopped("UserInitiated", "testing", container(137)))
    assert found.cause == "somebody stopped the task: testing"


def test_an_unknown_reason_stands_as_ecs_gave_it() -> None:
    found = diagnose(never_started("Frobnication failed"))
    assert found.cause == "Frobnication failed"
    assert not found.known


def test_the_guilty_container_is_the_one_that_failed() -> None:
    task = stopped(*_ESSENTIAL, container(0), container(7, name="sidecar"))
    guilty = culprit(task, "web")
    assert guilty is not None
    assert guilty.name == "sidecar"


def test_among_equals_the_named_container_is_guilty() -> None:
    task = stopped(*_ESSENTIAL, container(1, name="sidecar"), container(1))
    guilty = culprit(task, "web")
    assert guilty is not None
    assert guilty.name == "web"


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (
            (
                "(service web) was unable to place a task. Reason: You've reached the limit on the"
                " number of vCPUs you can run concurrently."
            ),
            "a limit of the account",
        ),
        (
            (
                "(service web) was unable to place a task. Reason: Capacity is unavailable at this"
                " time in this availability zone."
            ),
            "no capacity",
        ),
        ("(service web) was unable to place a task.", "no place"),
        ("(service web) is unable to consistently start tasks successfully.", "stop soon"),
        (
            (
                "(service web) (task 12) (port 3000) is unhealthy in (target-group x) due to"
                " (reason Health checks failed)"
            ),
            "load balancer",
        ),
        (
            (
                "(service web) was unable to stop or start tasks during a deployment because of the"
                " service deployment configuration."
            ),
            "leave no room",
        ),
        ("(service web) operations are being throttled on elb.", "slows the service down"),
        ("(service web) failed: unable to assume the service linked role", "may not use a role"),
    ],
)
def test_an_event_that_means_trouble_has_its_cause(message: str, cause: str) -> None:
    found = diagnose_event(message)
    assert found is not None
    assert cause in found.cause


@pytest.mark.parametrize(
    "message",
    [
        "(service web) has reached a steady state.",
        "(service web) (deployment ecs-svc/1) deployment completed.",
        "(service web) has started 2 tasks: (task 1) (task 2).",
        "(service web) registered 1 targets in (target-group x)",
        "(service web) has begun draining connections on 1 tasks.",
    ],
)
def test_an_event_of_every_rollout_means_no_trouble(message: str) -> None:
    assert diagnose_event(message) is None


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        ("Target.ResponseCodeMismatch", True),
        ("Target.Timeout", True),
        ("Target.FailedHealthChecks", True),
        ("Target.NotInUse", True),
        ("Target.InvalidState", False),
        ("Target.DeregistrationInProgress", False),
        ("Elb.InitialHealthChecking", False),
        ("Elb.RegistrationInProgress", False),
        ("Target.SomethingNew", True),
        ("", False),
    ],
)
def test_a_targets_reason_is_trouble_or_a_matter_of_time(code: str, trouble: bool) -> None:  # noqa: FBT001  # a parameter of the table
    assert diagnose_target(code).trouble is trouble


def test_every_rule_that_means_trouble_has_a_fix() -> None:
    assert [each for each in (*STOPPED, *SAID, *UNPLACED) if each.trouble and not each.fix] == []
