"""The wait for a rollout, on written answers over HTTP: what it polls, says and raises."""

from __future__ import annotations

import json
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import (
    ExitCode,
    InterruptedRunError,
    RolloutError,
    SchoolctlError,
    TimedOutError,
)
from schoolctl.core.executor import Outcome
from schoolctl.ecs_service.rollout.follow import wait_for_rollout
from schoolctl.ecs_service.steps.service import WaitForRollout
from tests.fakes import FakeClock
from tests.scripted_aws import Refusal
from tests.worlds.answers import DEFINITION, Bench, log_event, service_answer, task_json
from tests.worlds.scenes import (
    BREAKER_ALONE,
    COMPLETED,
    FAILED,
    NEW,
    OLD,
    OTHER,
    container,
    deployment,
    old,
    service,
    stopped,
)

if TYPE_CHECKING:
    from schoolctl.model.services import ServiceState, Task
    from tests.conftest import Project
    from tests.scripted_aws import ScriptedAws

STARTED = deployment()
GONE_WRONG = "ECS deployment circuit breaker: tasks failed to start."
TARGET_HEALTH = """\
<DescribeTargetHealthResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">
<DescribeTargetHealthResult><TargetHealthDescriptions><member>
<Target><Id>10.0.0.7</Id><Port>3000</Port></Target>
<TargetHealth><State>unhealthy</State><Reason>Target.Timeout</Reason></TargetHealth>
</member></TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>"""


class Impatient(FakeClock):
    """A user who presses Ctrl-C during the second pause."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if len(self.slept) == 2:
            raise KeyboardInterrupt


class Waiting:
    """One wait on answers that the test writes."""

    def __init__(
        self,
        project: Project,
        scripted: ScriptedAws,
        *answers: ServiceState | Refusal | None,
        tasks: tuple[Task, ...] = (),
        clock: FakeClock | None = None,
        json_output: bool = False,
        listed: Refusal | None = None,
    ) -> None:
        self.clock = clock or FakeClock()
        self.bench = Bench(project.directory, self.clock, scripted, json_output=json_output)
        self.outcome = Outcome(deployment=STARTED)
        for answer in answers:
            told = [answer] if isinstance(answer, Refusal) else service_answer(answer)
            scripted.answer("DescribeServices", *told)
        scripted.answer("ListTasks", listed or {"taskArns": [each.arn for each in tasks]})
        scripted.answer("DescribeTasks", {"tasks": [task_json(each) for each in tasks]})
        scripted.answer("DescribeTaskDefinition", {"taskDefinition": DEFINITION, "tags": []})
        scripted.answer(
            "GetLogEvents",
            {"events": [log_event("starting"), log_event("no DB_HOST")], "nextForwardToken": "f"},
        )

    def wait(self, timeout_seconds: float = 600) -> str:
        step = WaitForRollout("school", "web", timeout_seconds)
        return wait_for_rollout(step, self.bench.tools, self.outcome)

    def fails(self, timeout_seconds: float = 600) -> SchoolctlError:
        with pytest.raises(SchoolctlError) as caught:
            self.wait(timeout_seconds)
        return caught.value

    @property
    def document(self) -> dict[str, Any]:
        self.bench.tools.reporter.finish(ExitCode.ROLLOUT)
        document: dict[str, Any] = json.loads(self.bench.stdout.getvalue())
        return document


def test_a_completed_rollout_says_how_long_it_took(project: Project, scripted: ScriptedAws) -> None:
    waiting = Waiting(
        project,
        scripted,
        service(deployment(pending=2), old()),
        service(deployment(running=2), old(running=1)),
        service(deployment(running=2, state=COMPLETED)),
    )
    assert waiting.wait() == "completed in 3 s, 2 of 2 running"
    assert waiting.outcome.proven
    assert waiting.bench.stderr.getvalue().splitlines() == [
        "  web:7 (new): 0 of 2 running, 2 pending",
        "  web:6 (old): 2 of 2 running",
        "  web:7 (new): 2 of 2 running",
        "  web:6 (old): 1 of 2 running",
    ]


def test_it_polls_every_two_seconds_at_least(project: Project, scripted: ScriptedAws) -> None:
    waiting = Waiting(
        project,
        scripted,
        *[service(deployment(), old())] * 5,
        service(deployment(running=2, state=COMPLETED)),
    )
    waiting.wait()
    assert len(waiting.clock.slept) == 5
    assert max(waiting.clock.slept) <= 2


def test_a_rolled_back_rollout_tells_everything_on_one_screen(
    project: Project, scripted: ScriptedAws
) -> None:
    failed = deployment(state=FAILED, status="ACTIVE", reason=GONE_WRONG, failed=3)
    waiting = Waiting(
        project,
        scripted,
        service(deployment(failed=2), old()),
        service(failed, old(status="PRIMARY")),
        tasks=(stopped(), stopped(id_="aaaaaaaa0000", created=-500, started_by="ecs-svc/old")),
    )
    error = waiting.fails()
    assert isinstance(error, RolloutError)
    assert error.exit_code is ExitCode.ROLLOUT
    assert error.what == "the rollout of web:7 on school/web failed and was rolled back to web:6"
    assert error.why == GONE_WRONG
    assert error.details == (
        "1 task of web:7 stopped:",
        (
            "  1 x EssentialContainerExited: Essential container in task exited;"
            " container web ended with exit code 1"
        ),
        "cause: the process ended with exit code 1",
        "last log lines of task 4f0c12ab:",
        "  | starting",
        "  | no DB_HOST",
    )
    assert error.hint.splitlines()[-1].startswith("when it is mended: `schoolctl push`")


def test_the_log_is_that_of_the_very_task(project: Project, scripted: ScriptedAws) -> None:
    failed = deployment(state=FAILED, status="ACTIVE", reason=GONE_WRONG)
    waiting = Waiting(project, scripted, service(failed, old(status="PRIMARY")), tasks=(stopped(),))
    waiting.fails()
    [request] = scripted.requests("GetLogEvents")
    assert request["logGroupName"] == "/ecs/web"
    assert request["logStreamName"] == f"ecs/web/{stopped().id}"


def test_the_document_holds_the_same_facts(project: Project, scripted: ScriptedAws) -> None:
    failed = deployment(state=FAILED, status="ACTIVE", reason=GONE_WRONG)
    waiting = Waiting(
        project,
        scripted,
        service(failed, old(status="PRIMARY")),
        tasks=(stopped(),),
        json_output=True,
    )
    waiting.fails()
    told = waiting.document["rollout"]
    assert told["verdict"] == "rolled_back"
    assert told["revision"] == "web:7"
    assert told["rolled_back_to"] == "web:6"
    assert told["stopped_tasks"][0]["exit_code"] == 1
    assert [each["message"] for each in told["log"]] == ["starting", "no DB_HOST"]


def test_a_failed_first_deployment_says_how_to_stop_it(
    project: Project, scripted: ScriptedAws
) -> None:
    waiting = Waiting(
        project,
        scripted,
        service(deployment(failed=2)),
        service(deployment(state=FAILED, reason=GONE_WRONG)),
        tasks=(stopped(),),
    )
    error = waiting.fails()
    assert error.what.endswith("web:7 on school/web failed, and there is nothing to roll back to")
    assert "it is the first deployment of this service" in error.why
    assert "`schoolctl scale 0`" in error.hint


def test_a_failure_without_rollback_names_what_still_runs(
    project: Project, scripted: ScriptedAws
) -> None:
    waiting = Waiting(
        project,
        scripted,
        service(deployment(state=FAILED, reason=GONE_WRONG), old(), configuration=BREAKER_ALONE),
    )
    error = waiting.fails()
    assert "failed and was not rolled back; web:6 still has running tasks" in error.what
    assert "`schoolctl rollback`" in error.hint


def test_a_superseded_rollout_names_the_newer_revision(
    project: Project, scripted: ScriptedAws
) -> None:
    newer = deployment("ecs-svc/other", OTHER, created=30)
    waiting = Waiting(
        project,
        scripted,
        service(deployment(), old()),
        service(newer, deployment(status="ACTIVE"), old()),
    )
    error = waiting.fails()
    assert error.exit_code is ExitCode.ROLLOUT
    assert error.what == "the rollout of web:7 on school/web was superseded by web:8"


def test_a_deleted_service_ends_the_wait(project: Project, scripted: ScriptedAws) -> None:
    error = Waiting(project, scripted, service(deployment()), None).fails()
    assert error.exit_code is ExitCode.ROLLOUT
    assert error.what == "the rollout of web:7 on school/web ended with the service"


def test_a_deleted_cluster_ends_the_wait_as_a_deleted_service_does(
    project: Project, scripted: ScriptedAws
) -> None:
    gone = Refusal("ClusterNotFoundException", "Cluster not found.")
    waiting = Waiting(project, scripted, service(deployment(), old()), gone)
    error = waiting.fails()
    assert error.exit_code is ExitCode.ROLLOUT
    assert "ended with the service" in error.what


def test_a_service_scaled_to_zero_meanwhile_is_no_success(
    project: Project, scripted: ScriptedAws
) -> None:
    waiting = Waiting(
        project,
        scripted,
        service(deployment(), old()),
        service(deployment(state=COMPLETED, desired=0), desired=0),
    )
    assert waiting.fails().exit_code is ExitCode.ROLLOUT


@pytest.mark.parametrize("wanted", [0, 4])
def test_an_answer_from_before_the_count_was_set_decides_nothing(
    project: Project, scripted: ScriptedAws, wanted: int
) -> None:
    ours = deployment(state=COMPLETED, running=2)
    then = deployment(state=COMPLETED, running=wanted, desired=wanted)
    waiting = Waiting(project, scripted, service(ours), service(then, desired=wanted))
    waiting.outcome.desired = wanted
    told = waiting.wait()
    assert f"{wanted} of {wanted} running" in told or "desired count is 0" in told


def test_a_service_of_no_tasks_ends_well_but_proves_nothing(
    project: Project, scripted: ScriptedAws
) -> None:
    waiting = Waiting(project, scripted, service(deployment(state=COMPLETED, desired=0), desired=0))
    assert waiting.wait() == "the desired count is 0: no task runs"
    assert not waiting.outcome.proven
    assert "so this rollout proves nothing" in waiting.bench.stderr.getvalue()


def test_the_limit_ends_the_wait_and_not_the_rollout(
    project: Project, scripted: ScriptedAws
) -> None:
    unplaced = service(
        deployment(), old(), events=("(service web) was unable to place a task. Reason: limit",)
    )
    waiting = Waiting(project, scripted, unplaced)
    error = waiting.fails(timeout_seconds=60)
    assert isinstance(error, TimedOutError)
    assert error.exit_code is ExitCode.TIMED_OUT
    assert error.what == "the rollout of web:7 on school/web was not decided within 1 m"
    assert "cause: a limit of the account is reached" in error.details
    assert "the rollout goes on: watch it with `schoolctl wait`" in error.hint
    assert "`schoolctl rollback`" in error.hint
    assert waiting.clock.monotonic() == pytest.approx(60)


def test_a_way_back_that_never_ends_is_not_watched_for_ever(
    project: Project, scripted: ScriptedAws
) -> None:
    """Ours failed and vanished between two answers, and the revision before it is broken, too."""
    back = deployment("ecs-svc/back", OLD, created=60, reason=f"{GONE_WRONG} rolling back")
    waiting = Waiting(project, scripted, service(deployment(), old()), service(back))
    error = waiting.fails(timeout_seconds=600)
    assert (
        error.what == "the rollout of web:7 on school/web failed and is being rolled back to web:6"
    )
    assert waiting.clock.monotonic() < 130


def test_a_way_back_is_not_watched_beyond_the_limit(
    project: Project, scripted: ScriptedAws
) -> None:
    back = deployment("ecs-svc/back", OLD, created=60, reason=f"{GONE_WRONG} rolling back")
    waiting = Waiting(project, scripted, service(deployment(), old()), service(back))
    assert waiting.fails(timeout_seconds=20).exit_code is ExitCode.ROLLOUT
    assert waiting.clock.monotonic() == pytest.approx(20)


def test_ctrl_c_while_a_failure_is_explained_still_tells_of_it(
    project: Project, scripted: ScriptedAws
) -> None:
    def press(_: dict[str, Any]) -> dict[str, Any]:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return {"taskDefinition": DEFINITION, "tags": []}

    scripted.answer("DescribeTaskDefinition", press)
    failed = deployment(state=FAILED, reason=GONE_WRONG, failed=3)
    waiting = Waiting(project, scripted, service(failed, configuration=BREAKER_ALONE))
    error = waiting.fails()
    assert isinstance(error, InterruptedRunError)
    assert "failed, and there is nothing to roll back to" in error.why
    assert "goes on" not in error.hint


def test_aws_that_does_not_answer_is_no_failure(project: Project, scripted: ScriptedAws) -> None:
    away = Refusal("InternalFailure", status=501)  # one that botocore does not repeat
    waiting = Waiting(
        project,
        scripted,
        away,
        service(deployment(), old()),
        away,
        away,
        service(deployment(running=2, state=COMPLETED)),
    )
    assert waiting.wait() == "completed in 6 s, 2 of 2 running"


def test_aws_that_never_answers_ends_at_the_limit(project: Project, scripted: ScriptedAws) -> None:
    waiting = Waiting(project, scripted, Refusal("InternalFailure", status=501))
    error = waiting.fails(timeout_seconds=30)
    assert error.exit_code is ExitCode.TIMED_OUT
    assert "AWS does not answer" in error.why


def test_expired_credentials_end_the_wait_and_say_that_the_rollout_goes_on(
    project: Project, scripted: ScriptedAws
) -> None:
    waiting = Waiting(
        project, scripted, service(deployment(), old()), Refusal("ExpiredTokenException")
    )
    error = waiting.fails()
    assert error.exit_code is ExitCode.CREDENTIALS
    assert "the rollout goes on" in error.hint


def test_ctrl_c_says_that_the_rollout_goes_on(project: Project, scripted: ScriptedAws) -> None:
    waiting = Waiting(project, scripted, service(deployment(), old()), clock=Impatient())
    error = waiting.fails()
    assert isinstance(error, InterruptedRunError)
    assert error.exit_code is ExitCode.INTERRUPTED
    assert error.hint == (
        "the rollout goes on: watch it with `schoolctl wait`, undo it with `schoolctl rollback`"
    )


def test_what_may_not_be_read_does_not_hide_the_failure(
    project: Project, scripted: ScriptedAws
) -> None:
    failed = deployment(state=FAILED, status="ACTIVE", reason=GONE_WRONG)
    denied = Refusal(
        "AccessDeniedException", "User ann is not authorized to perform: ecs:ListTasks"
    )
    waiting = Waiting(project, scripted, service(failed, old(status="PRIMARY")), listed=denied)
    error = waiting.fails()
    assert error.exit_code is ExitCode.ROLLOUT
    assert "rolled back to web:6" in error.what
    [line] = [each for each in error.details if each.startswith("not looked at")]
    assert "ecs:ListTasks" in line


def test_an_unhealthy_target_explains_a_rollout_without_stopped_tasks(
    project: Project, scripted: ScriptedAws
) -> None:
    arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/school-tg/1"
    scripted.answer("DescribeTargetHealth", TARGET_HEALTH)
    waiting = Waiting(
        project, scripted, service(deployment(running=2), old(), target_groups=(arn,))
    )
    error = waiting.fails(timeout_seconds=10)
    assert (
        "target 10.0.0.7:3000 of school-tg is unhealthy: the health check gets no answer in time"
        in error.details
    )
    assert "the load balancer must get in" in error.hint


def test_tasks_that_stop_after_completion_end_the_wait(
    project: Project, scripted: ScriptedAws
) -> None:
    waiting = Waiting(
        project,
        scripted,
        service(deployment(state=COMPLETED, running=1)),
        tasks=tuple(stopped(id_=f"{number:032x}") for number in range(3)),
    )
    error = waiting.fails()
    assert "failed, and there is nothing to roll back to" in error.what
    assert "3 of its tasks have stopped" in error.why


def test_a_deployment_of_an_earlier_run_can_be_followed(
    project: Project, scripted: ScriptedAws
) -> None:
    waiting = Waiting(project, scripted, service(deployment(running=2, state=COMPLETED)))
    step = WaitForRollout("school", "web", 60, deployment=STARTED)
    said = wait_for_rollout(step, waiting.bench.tools, Outcome())
    assert said == "completed in 0 s, 2 of 2 running"


def test_a_container_that_logs_elsewhere_is_not_said_to_be_silent(
    project: Project, scripted: ScriptedAws
) -> None:
    failed = deployment(state=FAILED, status="ACTIVE", reason=GONE_WRONG)
    sidecar = stopped(
        "EssentialContainerExited",
        "Essential container in task exited",
        container(0),
        container(9, name="sidecar"),
        ref=NEW,
    )
    waiting = Waiting(project, scripted, service(failed, old(status="PRIMARY")), tasks=(sidecar,))
    error = waiting.fails()
    assert any("container sidecar ended with exit code 9" in each for each in error.details)
    assert error.details[-1] == (
        "not looked at: the log of container sidecar: it does not log to CloudWatch"
    )
