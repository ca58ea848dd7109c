"""One-off tasks on written answers: their log, exit code, and every way not to end well."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import (
    ExitCode,
    InterruptedRunError,
    NotFoundError,
    RolloutError,
    SchoolctlError,
    TimedOutError,
)
from schoolctl.core.executor import Outcome
from schoolctl.ecs_service.run.apply import run_task
from schoolctl.ecs_service.steps.tasks import RunTask
from schoolctl.model.services import TaskDefinitionRef
from tests.fakes import FakeClock
from tests.scripted_aws import Refusal
from tests.worlds.answers import DEFINITION, NETWORK, Bench, log_event, task_json
from tests.worlds.scenes import NEW, container, stopped

if TYPE_CHECKING:
    from schoolctl.model.services import Task
    from tests.conftest import Project
    from tests.scripted_aws import Answer, ScriptedAws

ENDED = stopped("EssentialContainerExited", "Essential container in task exited", container(0))
RUNNING = replace(
    ENDED,
    last_status="RUNNING",
    desired_status="RUNNING",
    stopped_at=None,
    stop_code="",
    stopped_reason="",
    containers=(container(None, status="RUNNING"),),
)
NO_STREAM = Refusal("ResourceNotFoundException", "The specified log stream does not exist.")
NO_GROUP = Refusal("ResourceNotFoundException", "The specified log group does not exist.")


def ended(exit_code: int | None, **values: Any) -> Task:
    return replace(ENDED, containers=(container(exit_code),), **values)


def page(token: str, *messages: str) -> dict[str, Any]:
    return {"events": [log_event(each) for each in messages], "nextForwardToken": token}


class OneOff:
    """One run of a task on answers that the test writes."""

    def __init__(
        self,
        project: Project,
        scripted: ScriptedAws,
        *states: Task,
        log: tuple[Answer, ...] = (NO_STREAM,),
        clock: FakeClock | None = None,
        json_output: bool = False,
        **step: Any,
    ) -> None:
        self.clock = clock or FakeClock()
        self.bench = Bench(project.directory, self.clock, scripted, json_output=json_output)
        self.outcome = Outcome()
        self.step = RunTask(
            **{
                "cluster": "school",
                "container": "web",
                "task_definition": NEW,
                "command": ("python", "-m", "service.migrate"),
                "network": NETWORK,
                "purpose": "release command",
                **step,
            }
        )
        scripted.answer("DescribeTaskDefinition", {"taskDefinition": DEFINITION, "tags": []})
        scripted.answer("RunTask", {"tasks": [task_json(RUNNING)], "failures": []})
        scripted.answer("DescribeTasks", *({"tasks": [task_json(each)]} for each in states))
        scripted.answer("GetLogEvents", *log)
        scripted.answer("StopTask", {"task": task_json(RUNNING)})

    def run(self) -> str:
        return run_task(self.step, self.bench.tools, self.outcome)

    def fails(self) -> SchoolctlError:
        with pytest.raises(SchoolctlError) as caught:
            self.run()
        return caught.value

    @property
    def stdout(self) -> str:
        return self.bench.stdout.getvalue()

    @property
    def stderr(self) -> str:
        return self.bench.stderr.getvalue()


def test_the_request_names_revision_network_command_and_who_started_it(
    project: Project, scripted: ScriptedAws
) -> None:
    OneOff(project, scripted, ENDED).run()
    [request] = scripted.requests("RunTask")
    assert request.pop("clientToken")
    assert request == {
        "cluster": "school",
        "taskDefinition": NEW.arn,
        "count": 1,
        "launchType": "FARGATE",
        "startedBy": "schoolctl",
        "networkConfiguration": NETWORK,
        "overrides": {
            "containerOverrides": [{"name": "web", "command": ["python", "-m", "service.migrate"]}]
        },
    }


def test_without_a_command_the_image_runs_its_own(project: Project, scripted: ScriptedAws) -> None:
    OneOff(project, scripted, ENDED, command=()).run()
    assert scripted.requests("RunTask")[0]["overrides"] == {}


def test_a_task_that_succeeds_says_its_exit_code_and_time(
    project: Project, scripted: ScriptedAws
) -> None:
    one = OneOff(project, scripted, RUNNING, RUNNING, ENDED)
    assert one.run() == "exit code 0 after 2 s"
    assert one.outcome.exit_code == 0


def test_log_lines_of_a_release_command_go_to_stderr_while_it_runs(
    project: Project, scripted: ScriptedAws
) -> None:
    log = (NO_STREAM, page("f/1", "creating table users"), page("f/2", "done"), page("f/2"))
    one = OneOff(project, scripted, RUNNING, RUNNING, ENDED, log=log)
    one.run()
    assert one.stdout == ""
    assert one.stderr.splitlines() == [
        "task 4f0c12ab of web:7 started",
        "  | creating table users",
        "  | done",
    ]


def test_the_output_of_a_command_is_the_result(project: Project, scripted: ScriptedAws) -> None:
    log = (page("f/1", "one", "two"), page("f/1"))
    one = OneOff(project, scripted, ENDED, log=log, log_is_result=True, must_succeed=False)
    one.run()
    assert one.stdout == "one\ntwo\n"


def test_lines_that_become_visible_late_are_waited_for_a_limited_time(
    project: Project, scripted: ScriptedAws
) -> None:
    log = (page("f/1", "first"), page("f/1"), page("f/1"), page("f/2", "late"), page("f/2"))
    one = OneOff(project, scripted, ENDED, log=log, log_is_result=True, must_succeed=False)
    one.run()
    assert one.stdout == "first\nlate\n"
    assert sum(one.clock.slept) < 10


def test_a_log_that_never_ends_is_not_waited_for_for_ever(
    project: Project, scripted: ScriptedAws
) -> None:
    endless = [page(f"f/{number}", "again") for number in range(200)]
    log = tuple(each for number, one in enumerate(endless) for each in (one, page(f"f/{number}")))
    one = OneOff(project, scripted, ENDED, log=log)
    one.run()
    assert 10 <= one.clock.monotonic() < 12


def test_the_document_has_exit_code_and_lines(project: Project, scripted: ScriptedAws) -> None:
    log = (page("f/1", "out"), page("f/1"))
    one = OneOff(
        project,
        scripted,
        ended(7),
        log=log,
        log_is_result=True,
        must_succeed=False,
        json_output=True,
    )
    one.run()
    one.bench.tools.reporter.finish(7)
    told = json.loads(one.stdout)
    assert told["exit_code"] == 7
    assert told["ok"] is False
    assert [each["message"] for each in told["lines"]] == ["out"]


def test_a_release_command_that_fails_ends_the_plan_with_its_last_lines(
    project: Project, scripted: ScriptedAws
) -> None:
    lines = [f"line {number}" for number in range(12)]
    log = (page("f/1", *lines), page("f/1"))
    error = OneOff(project, scripted, ended(3), log=log).fails()
    assert isinstance(error, RolloutError)
    assert error.exit_code is ExitCode.ROLLOUT
    assert error.what == (
        "the release command failed with exit code 3; the service was left as it was"
    )
    assert error.details == (
        "last log lines of task 4f0c12ab:",
        *(f"  | line {number}" for number in range(2, 12)),
    )


def test_a_command_that_fails_hands_its_exit_code_on(
    project: Project, scripted: ScriptedAws
) -> None:
    one = OneOff(project, scripted, ended(42), must_succeed=False)
    assert one.run() == "exit code 42 after 0 s"
    assert one.outcome.exit_code == 42


NEVER = ended(
    None,
    stop_code="TaskFailedToStart",
    stopped_reason="CannotPullContainerError: pull image manifest: web:1.0: not found",
)


def test_a_command_that_never_ran_is_exit_code_125_with_the_reason(
    project: Project, scripted: ScriptedAws
) -> None:
    error = OneOff(project, scripted, NEVER, must_succeed=False, purpose="command").fails()
    assert error.exit_code is ExitCode.NEVER_RAN
    assert "the command never ran: the image is not in the repository" in error.what
    assert "CannotPullContainerError" in error.why


def test_a_release_command_that_never_ran_is_a_failed_rollout(
    project: Project, scripted: ScriptedAws
) -> None:
    assert OneOff(project, scripted, NEVER).fails().exit_code is ExitCode.ROLLOUT


def test_a_role_that_was_made_a_moment_ago_is_waited_for(
    project: Project, scripted: ScriptedAws
) -> None:
    early = Refusal("ClientException", "ECS was unable to assume the role that was provided")
    scripted.answer("RunTask", early, early)
    one_off = OneOff(project, scripted, ended(0))
    assert one_off.run().startswith("exit code 0")
    assert one_off.stderr.count("waiting up to a minute: AWS answered ClientException") == 1
    tokens = [each["clientToken"] for each in scripted.requests("RunTask")]
    assert len(tokens) == len(set(tokens)) == 3


def test_a_role_that_may_not_be_used_is_given_up_after_a_minute(
    project: Project, scripted: ScriptedAws
) -> None:
    one_off = OneOff(project, scripted)
    scripted.reset()
    scripted.answer("DescribeTaskDefinition", {"taskDefinition": DEFINITION, "tags": []})
    scripted.answer("RunTask", Refusal("ClientException", "ECS was unable to assume the role"))
    assert "unable to assume" in one_off.fails().why
    assert one_off.clock.monotonic() == pytest.approx(60)


@pytest.mark.parametrize(
    ("must_succeed", "code"), [(True, ExitCode.ROLLOUT), (False, ExitCode.NEVER_RAN)]
)
def test_failures_in_an_answer_of_status_200_are_read(
    project: Project,
    scripted: ScriptedAws,
    must_succeed: bool,  # noqa: FBT001  # a parameter of the table
    code: ExitCode,
) -> None:
    scripted.answer("RunTask", {"tasks": [], "failures": [{"reason": "RESOURCE:CPU"}]})
    error = OneOff(project, scripted, ENDED, must_succeed=must_succeed).fails()
    assert error.exit_code is code
    assert "RESOURCE:CPU" in error.why
    assert "no room" in error.why


def test_an_answer_without_a_task_and_without_a_reason_is_a_failure(
    project: Project, scripted: ScriptedAws
) -> None:
    scripted.answer("RunTask", {"tasks": [], "failures": []})
    assert "neither a task nor a reason" in OneOff(project, scripted, ENDED).fails().why


def test_a_container_that_the_revision_lacks_is_refused_before_anything_runs(
    project: Project, scripted: ScriptedAws
) -> None:
    error = OneOff(project, scripted, ENDED, container="worker", must_succeed=False).fails()
    assert error.what == "web:7 has no container worker"
    assert error.exit_code is ExitCode.NEVER_RAN
    assert scripted.requests("RunTask") == []


def test_the_limit_stops_the_task_and_says_so(project: Project, scripted: ScriptedAws) -> None:
    one = OneOff(project, scripted, RUNNING, timeout_seconds=30, must_succeed=False)
    error = one.fails()
    assert isinstance(error, TimedOutError)
    assert error.what == "the release command took longer than 30 s, and is being stopped"
    assert "--timeout" in error.hint
    assert [each["task"] for each in scripted.requests("StopTask")] == [RUNNING.arn]
    assert 30 <= one.clock.monotonic() < 32


def test_a_release_command_that_takes_too_long_leaves_the_service_as_it_was(
    project: Project, scripted: ScriptedAws
) -> None:
    log = (page("f/1", "altering table users"), page("f/1"))
    error = OneOff(project, scripted, RUNNING, log=log, timeout_seconds=30).fails()
    assert error.exit_code is ExitCode.ROLLOUT
    assert error.what.endswith("is being stopped; the service was left as it was")
    assert "`service.release_timeout`" in error.hint
    assert error.details[-1] == "  | altering table users"
    assert [each["task"] for each in scripted.requests("StopTask")] == [RUNNING.arn]


def test_a_task_runs_on_what_the_service_runs_on(project: Project, scripted: ScriptedAws) -> None:
    spot = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    OneOff(project, scripted, ENDED, launch={"capacityProviderStrategy": spot}).run()
    [request] = scripted.requests("RunTask")
    assert request["capacityProviderStrategy"] == spot
    assert "launchType" not in request


# One at a time

EARLIER = replace(
    RUNNING,
    id="earlier",
    arn="arn:aws:ecs:us-east-1:123456789012:task/school/earlier",
    started_by="schoolctl/release-command",
)


def test_one_that_an_earlier_run_left_is_waited_for(
    project: Project, scripted: ScriptedAws
) -> None:
    scripted.answer("ListTasks", {"taskArns": [EARLIER.arn]}, {"taskArns": []})
    one = OneOff(project, scripted, EARLIER, ENDED, alone=True)
    one.run()
    assert "waiting for the release command of an earlier run: task earlier of web:7" in one.stderr
    assert scripted.requests("ListTasks")[0]["startedBy"] == "schoolctl/release-command"
    assert scripted.requests("RunTask")[0]["startedBy"] == "schoolctl/release-command"
    names = [name for name, _ in scripted.calls]
    assert names.index("RunTask") > len(names) - 1 - names[::-1].index("ListTasks")


def test_one_that_was_told_to_stop_is_waited_for_until_it_has(
    project: Project, scripted: ScriptedAws
) -> None:
    nothing: dict[str, Any] = {"taskArns": []}
    stopping = replace(EARLIER, last_status="STOPPING", desired_status="STOPPED")
    gone = replace(stopping, last_status="STOPPED")
    listed = {"taskArns": [EARLIER.arn]}
    scripted.answer("ListTasks", nothing, listed, nothing, listed)
    one = OneOff(project, scripted, stopping, gone, ENDED, alone=True)
    one.run()
    assert "waiting for the release command of an earlier run" in one.stderr
    assert [each.get("desiredStatus") for each in scripted.requests("ListTasks")] == [
        None,
        "STOPPED",
        None,
        "STOPPED",
    ]


def test_one_of_another_service_is_none_of_ours(project: Project, scripted: ScriptedAws) -> None:
    arn = NEW.arn.replace("web:7", "shop:3")
    other = replace(EARLIER, task_definition=TaskDefinitionRef.from_arn(arn))
    scripted.answer("ListTasks", {"taskArns": [other.arn]})
    one = OneOff(project, scripted, other, ENDED, alone=True)
    one.run()
    assert "waiting" not in one.stderr


def test_one_that_never_ends_is_named_with_the_way_to_end_it(
    project: Project, scripted: ScriptedAws
) -> None:
    scripted.answer("ListTasks", {"taskArns": [EARLIER.arn]})
    error = OneOff(project, scripted, EARLIER, alone=True, timeout_seconds=30).fails()
    assert error.exit_code is ExitCode.BUSY
    assert "task earlier of web:7" in error.what
    assert "`aws ecs stop-task --cluster school --task earlier`" in error.hint
    assert scripted.requests("RunTask") == []


def test_where_it_may_not_look_it_says_so_and_goes_on(
    project: Project, scripted: ScriptedAws
) -> None:
    scripted.answer(
        "ListTasks", Refusal("AccessDeniedException", "not authorized to perform: ecs:ListTasks")
    )
    one = OneOff(project, scripted, ENDED, alone=True)
    assert one.run() == "exit code 0 after 0 s"
    assert "was not verified: ecs:ListTasks is denied" in one.stderr


class Impatient(FakeClock):
    """A user who presses Ctrl-C during the first pause."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        raise KeyboardInterrupt


def test_ctrl_c_stops_the_task_and_says_so(project: Project, scripted: ScriptedAws) -> None:
    error = OneOff(project, scripted, RUNNING, clock=Impatient()).fails()
    assert isinstance(error, InterruptedRunError)
    assert error.hint == "task 4f0c12ab is being stopped"
    assert len(scripted.requests("StopTask")) == 1


def test_a_task_that_cannot_be_stopped_is_said_to_go_on(
    project: Project, scripted: ScriptedAws
) -> None:
    scripted.answer("StopTask", Refusal("AccessDeniedException", "not yours"))
    one = OneOff(project, scripted, RUNNING, clock=Impatient())
    one.fails()
    assert "could not be stopped and goes on" in one.stderr


def test_a_log_that_cannot_be_read_is_a_warning_and_the_task_goes_on(
    project: Project, scripted: ScriptedAws
) -> None:
    one = OneOff(project, scripted, RUNNING, ENDED, log=(NO_GROUP,))
    assert one.run() == "exit code 0 after 1 s"
    assert one.stderr.count("warning: there is no log group /ecs/web") == 1


def test_aws_that_does_not_answer_for_a_while_is_no_failure(
    project: Project, scripted: ScriptedAws
) -> None:
    scripted.answer("DescribeTasks", Refusal("InternalFailure", status=501))
    assert OneOff(project, scripted, ENDED).run() == "exit code 0 after 1 s"


def test_credentials_that_end_meanwhile_leave_a_task_that_goes_on(
    project: Project, scripted: ScriptedAws
) -> None:
    one = OneOff(project, scripted, RUNNING)
    scripted.answer("DescribeTasks", Refusal("ExpiredTokenException", "expired"))
    error = one.fails()
    assert error.exit_code is ExitCode.CREDENTIALS
    assert "goes on: `schoolctl logs --task" in error.hint


def test_a_start_that_was_not_answered_is_not_called_one_that_did_not_happen(
    project: Project, scripted: ScriptedAws
) -> None:
    scripted.answer("RunTask", Refusal("InternalFailure", "no", 501))
    error = OneOff(project, scripted, must_succeed=True).fails()
    assert error.what.startswith("the release command is not known to run: could not start a task")


def test_a_task_that_is_not_visible_yet_is_waited_for(
    project: Project, scripted: ScriptedAws
) -> None:
    missing = {"tasks": [], "failures": [{"arn": RUNNING.arn, "reason": "MISSING"}]}
    scripted.answer("DescribeTasks", missing, missing)
    assert OneOff(project, scripted, ENDED).run() == "exit code 0 after 2 s"


def test_a_task_that_never_becomes_visible_is_given_up(
    project: Project, scripted: ScriptedAws
) -> None:
    one = OneOff(project, scripted)
    scripted.answer("DescribeTasks", {"tasks": [], "failures": []})
    error = one.fails()
    assert isinstance(error, NotFoundError)
    assert one.clock.monotonic() < 40
