"""Ten rollouts and more, told by written answers of ECS: verdict and exit code of the command.

Everything but ECS's story is moto's: `deploy` finds image, roles and parameters there, and
registers its revision; from UpdateService on, ECS says what the table has.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import ExitCode
from tests.fakes import FakeClock
from tests.faults import pass_on, refuse
from tests.wire import Trouble
from tests.worlds.account import NAME, Account, simplify
from tests.worlds.answers import service_answer, service_json, task_json
from tests.worlds.scenes import (
    BREAKER_ALONE,
    COMPLETED,
    FAILED,
    NEW,
    OLD,
    OTHER,
    at,
    container,
    deployment,
    old,
    service,
    stopped,
)

if TYPE_CHECKING:
    from schoolctl.model.services import Deployment, ServiceState, Task
    from tests.conftest import Aws, Project
    from tests.faults import Exchange, Faults

RECORD = "arn:aws:ecs:us-east-1:123456789012:service-deployment/school/web/new"
REVISION = "arn:aws:ecs:us-east-1:123456789012:service-revision/school/web/"
NO_START = "ECS deployment circuit breaker: tasks failed to start."
BACK = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/old."

BEGUN = service(deployment(pending=2), old())
HALFWAY = service(deployment(running=1, pending=1), old())
FELL = deployment(state=FAILED, status="ACTIVE", failed=3, reason=NO_START)
DONE = service(deployment(running=2, state=COMPLETED))


def way_back(**values: Any) -> Deployment:
    """Give the deployment by which ECS goes back, as AWS makes one."""
    return deployment("ecs-svc/back", OLD, created=60, running=2, reason=BACK, **values)


def crashes(number: int, *, started_by: str = "ecs-svc/new") -> tuple[Task, ...]:
    return tuple(stopped(id_=f"{each:032x}", started_by=started_by) for each in range(number))


@dataclass(frozen=True)
class Story:
    """What ECS tells from the update on; of each list the last answer stays for ever.

    `records` are the states of the service deployment, empty where AWS does not know them.
    """

    answers: tuple[ServiceState | None, ...]
    verdict: str
    code: ExitCode
    says: str = ""
    tasks: tuple[Task, ...] = ()
    records: tuple[dict[str, Any], ...] = ()
    throttled: int = 0
    """How many of the polls in a row AWS turns away before each that it answers."""


def record(status: str, **more: Any) -> dict[str, Any]:
    return {
        "serviceDeploymentArn": RECORD,
        "status": status,
        "createdAt": at(2).timestamp(),
        "targetServiceRevision": {"arn": f"{REVISION}7"},
        "sourceServiceRevisions": [{"arn": f"{REVISION}6"}],
        **more,
    }


def went_back(status: str, **more: Any) -> dict[str, Any]:
    return record(
        status, rollback={"reason": NO_START, "serviceRevisionArn": f"{REVISION}6"}, **more
    )


GOING = record("IN_PROGRESS")
TRIPPED = {"status": "TRIGGERED", "failureCount": 3, "threshold": 3}

STORIES = {
    "healthy": Story((BEGUN, HALFWAY, DONE), "completed", ExitCode.DONE),
    "crash at start": Story(
        (BEGUN, service(deployment(failed=2), old()), service(way_back(), FELL, old())),
        "rolled back",
        ExitCode.ROLLOUT,
        "failed and is being rolled back to web:6",
        crashes(3),
    ),
    "crash after health": Story(
        (BEGUN, HALFWAY, *[service(deployment(running=1, state=COMPLETED))] * 2),
        "failed",
        ExitCode.ROLLOUT,
        "3 of its tasks have stopped",
        crashes(3),
    ),
    "breaker with rollback": Story(
        (
            BEGUN,
            service(deployment(state=FAILED, failed=3, reason=NO_START), old()),
            service(way_back(), FELL, old()),
            service(way_back(state=COMPLETED)),
        ),
        "rolled back",
        ExitCode.ROLLOUT,
        "failed and was rolled back to web:6",
        crashes(3),
    ),
    "breaker without rollback": Story(
        (
            BEGUN,
            service(
                deployment(state=FAILED, failed=3, reason=NO_START),
                old(),
                configuration=BREAKER_ALONE,
            ),
        ),
        "failed",
        ExitCode.ROLLOUT,
        "failed and was not rolled back; web:6 still has running tasks",
        crashes(3),
    ),
    "superseded": Story(
        (
            BEGUN,
            service(
                deployment("ecs-svc/other", OTHER, created=30), deployment(status="ACTIVE"), old()
            ),
        ),
        "superseded",
        ExitCode.ROLLOUT,
        "was superseded by web:8",
    ),
    "scaled to 0": Story(
        (BEGUN, service(deployment(state=COMPLETED, desired=0), desired=0)),
        "scaled to zero",
        ExitCode.ROLLOUT,
        "proved nothing",
    ),
    "service deleted meanwhile": Story(
        (BEGUN, service(deployment(), status="DRAINING")), "gone", ExitCode.ROLLOUT, "deleting it"
    ),
    "service gone meanwhile": Story(
        (*[BEGUN] * 25, None), "gone", ExitCode.ROLLOUT, "ended with the service"
    ),
    "throttled throughout": Story((BEGUN, HALFWAY, DONE), "completed", ExitCode.DONE, throttled=2),
    "throttled for ever": Story(
        (BEGUN,), "timed out", ExitCode.TIMED_OUT, "ThrottlingException", throttled=1_000_000
    ),
    "image missing": Story(
        (
            BEGUN,
            service(deployment(failed=2, pending=1), old()),
            service(way_back(state=COMPLETED), FELL),
        ),
        "rolled back",
        ExitCode.ROLLOUT,
        "web:6",
        (
            stopped(
                "TaskFailedToStart",
                "CannotPullContainerError: pull image manifest has been retried 5 time(s):"
                " registry/web@sha256:0: not found",
                container(),
            ),
        ),
    ),
    "task never placed": Story(
        (
            service(
                deployment(),
                old(),
                events=(
                    "(service web) was unable to place a task. Reason: You've reached the limit",
                ),
            ),
        ),
        "timed out",
        ExitCode.TIMED_OUT,
        "a limit of the account is reached",
    ),
    # With ECS's own record of the deployment
    "record: healthy": Story(
        (BEGUN, HALFWAY, DONE),
        "completed",
        ExitCode.DONE,
        records=(GOING, GOING, record("SUCCESSFUL")),
    ),
    "record: breaker with rollback, all else vanished": Story(
        (BEGUN, service(way_back(state=COMPLETED))),
        "rolled back",
        ExitCode.ROLLOUT,
        "failed and was rolled back to web:6",
        records=(GOING, went_back("ROLLBACK_SUCCESSFUL", deploymentCircuitBreaker=TRIPPED)),
    ),
    "record: rollback by alarm": Story(
        (BEGUN, service(deployment("ecs-svc/back", OLD, created=60, running=2), old())),
        "rolled back",
        ExitCode.ROLLOUT,
        "alarm too-many-5xx went off",
        records=(
            GOING,
            went_back(
                "ROLLBACK_IN_PROGRESS",
                alarms={"status": "TRIGGERED", "triggeredAlarmNames": ["too-many-5xx"]},
            ),
            went_back(
                "ROLLBACK_SUCCESSFUL",
                alarms={"status": "TRIGGERED", "triggeredAlarmNames": ["too-many-5xx"]},
            ),
        ),
    ),
    "record: the way back failed, too": Story(
        (BEGUN, service(deployment("ecs-svc/back", OLD, created=60), old())),
        "failed",
        ExitCode.ROLLOUT,
        "the way back failed, too",
        records=(GOING, went_back("ROLLBACK_FAILED")),
    ),
    "record: stopped by somebody": Story(
        (BEGUN, service(deployment(), old())),
        "stopped",
        ExitCode.ROLLOUT,
        "was stopped; web:6 still has running tasks",
        records=(GOING, record("STOP_REQUESTED"), record("STOPPED")),
    ),
    "record: stopped by the breaker": Story(
        (BEGUN, service(deployment(failed=3), old(), configuration=BREAKER_ALONE)),
        "failed",
        ExitCode.ROLLOUT,
        "was not rolled back",
        crashes(3),
        records=(GOING, record("STOPPED", deploymentCircuitBreaker=TRIPPED)),
    ),
    "record: blue/green waits for its end": Story(
        (service(deployment(state=None, running=2), configuration={"strategy": "BLUE_GREEN"}),),
        "timed out",
        ExitCode.TIMED_OUT,
        "bake time",
        records=(
            record(
                "IN_PROGRESS",
                lifecycleStage="BAKE_TIME",
                deploymentConfiguration={"strategy": "BLUE_GREEN"},
            ),
        ),
    ),
    "record: blue/green done": Story(
        (service(deployment(state=None, running=2), configuration={"strategy": "BLUE_GREEN"}),),
        "completed",
        ExitCode.DONE,
        records=(
            record(
                "IN_PROGRESS",
                lifecycleStage="CLEAN_UP",
                deploymentConfiguration={"strategy": "BLUE_GREEN"},
            ),
            record("SUCCESSFUL", deploymentConfiguration={"strategy": "BLUE_GREEN"}),
        ),
    ),
}


@dataclass
class Stage:
    """Plays a story as the answers of ECS; every other call is moto's."""

    story: Story
    begun: bool = False
    """Whether the update is through; `wait` comes after it."""
    polls: int = 0
    described: int = 0
    refused: int = 0
    updates: list[dict[str, Any]] = field(default_factory=list)
    stops: list[dict[str, Any]] = field(default_factory=list)

    def play(self, exchange: Exchange) -> None:
        told = exchange.body if exchange.headers.get("X-Amz-Target") else b"{}"
        answer = self._answer(exchange.operation, json.loads(told))
        if exchange.operation == "DescribeServices" and self.begun and self._is_refused():
            refuse(Trouble.THROTTLED)(exchange)
        elif answer is None:
            pass_on(exchange)
        else:
            exchange.reply(200, json.dumps(answer).encode())

    def _is_refused(self) -> bool:
        if self.refused < self.story.throttled:
            self.refused += 1
            self.polls -= 1
            return True
        self.refused = 0
        return False

    def _answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        story = self.story
        match operation:
            case "UpdateService":
                self.begun = True
                self.updates.append(request)
                return {"service": service_json(service(deployment(), old()))}
            case "DescribeServices" if self.begun:
                self.polls += 1
                number = min(self.polls, len(story.answers)) - 1
                return service_answer(story.answers[max(number, 0)])[0]
            case "ListTasks" if self.begun:
                ended = request.get("desiredStatus") == "STOPPED"
                return {"taskArns": [each.arn for each in story.tasks] if ended else []}
            case "DescribeTasks" if self.begun:
                return {"tasks": [task_json(each) for each in story.tasks]}
            case _:
                pass
        return self._record(operation, request) if self.begun and story.records else None

    def _record(self, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        match operation:
            case "ListServiceDeployments":
                brief = {**self._told(), "targetServiceRevisionArn": f"{REVISION}7"}
                return {"serviceDeployments": [brief]}
            case "DescribeServiceDeployments":
                told = self._told()
                self.described += 1
                return {"serviceDeployments": [told]}
            case "DescribeServiceRevisions":
                refs = {f"{REVISION}6": OLD.arn, f"{REVISION}7": NEW.arn}
                return {
                    "serviceRevisions": [
                        {"serviceRevisionArn": each, "taskDefinition": refs[each]}
                        for each in request["serviceRevisionArns"]
                    ]
                }
            case "StopServiceDeployment":
                self.stops.append(request)
                return {"serviceDeploymentArn": RECORD}
            case _:
                return None

    def _told(self) -> dict[str, Any]:
        records = self.story.records
        return records[min(self.described, len(records) - 1)]


@pytest.fixture
def account(aws: Aws, project: Project, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Give an account whose service runs 1.0, and an image 1.1 to deploy."""
    monkeypatch.setenv("MOTO_ECS_SERVICE_RUNNING", "2")
    simplify(project.directory)
    account = Account(aws)
    account.register("1.0")
    account.ecs.create_service(
        cluster="schoolapp", serviceName=NAME, taskDefinition=f"{NAME}:1", desiredCount=2
    )
    account.push("1.1")
    return account


def run(
    project: Project, faults: Faults, stage: Stage, *args: str, timeout: int = 300
) -> tuple[ExitCode, dict[str, Any], str]:
    faults.on_all(stage.play)
    done = project.invoke(*args, "--json", "--timeout", str(timeout), clock=FakeClock())
    document: dict[str, Any] = json.loads(done.stdout)
    return ExitCode(done.exit_code), document, done.stderr


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.usefixtures("account")
def test_deploy_gives_the_verdict(project: Project, faults: Faults, name: str) -> None:
    story = STORIES[name]
    code, document, said = run(project, faults, Stage(story), "deploy", "--tag", "1.1")
    assert (document["verdict"], code) == (story.verdict, story.code), said
    assert story.says in said
    if code is ExitCode.ROLLOUT:
        assert document["error"]["left"] == []


# `wait` has to see the service once before it can follow anything.
@pytest.mark.parametrize("name", [each for each in STORIES if each != "throttled for ever"])
@pytest.mark.usefixtures("account")
def test_wait_gives_the_same_verdict(project: Project, faults: Faults, name: str) -> None:
    story = STORIES[name]
    code, document, said = run(project, faults, Stage(story, begun=True), "wait")
    assert (document["verdict"], code) == (story.verdict, story.code), said
    assert story.says in said


# Ending a hopeless one

LIMPING = service(deployment(running=1, failed=2, pending=1), old(), configuration={})


@pytest.mark.usefixtures("account")
def test_fail_fast_goes_back_by_itself_where_ecs_cannot_be_told_to(
    project: Project, faults: Faults
) -> None:
    sent_back = service(
        deployment("ecs-svc/ours-back", OLD, COMPLETED, created=60, running=2), configuration={}
    )
    story = Story((*[LIMPING] * 3, sent_back), "", ExitCode.ROLLOUT, tasks=crashes(2))
    stage = Stage(story)
    code, document, said = run(project, faults, stage, "deploy", "--tag", "1.1", "--fail-fast", "2")
    assert (document["verdict"], code) == ("rolled back", ExitCode.ROLLOUT), said
    assert stage.updates[-1]["taskDefinition"] == OLD.arn
    assert "--fail-fast ended it: 2 tasks of it stopped with trouble" in document["error"]["why"]
    assert document["rollout"]["rolled_back_to"] == "web:6"
    assert document["rollout"]["stopped"] == 2


@pytest.mark.usefixtures("account")
def test_fail_fast_has_ecs_stop_the_deployment_where_it_can(
    project: Project, faults: Faults
) -> None:
    story = Story(
        (LIMPING,),
        "",
        ExitCode.ROLLOUT,
        tasks=crashes(2),
        records=(*[GOING] * 2, went_back("ROLLBACK_IN_PROGRESS"), went_back("ROLLBACK_SUCCESSFUL")),
    )
    stage = Stage(story)
    code, document, said = run(project, faults, stage, "deploy", "--tag", "1.1", "--fail-fast", "2")
    assert (document["verdict"], code) == ("rolled back", ExitCode.ROLLOUT), said
    assert stage.stops == [{"serviceDeploymentArn": RECORD, "stopType": "ROLLBACK"}]
    assert len(stage.updates) == 1


@pytest.mark.usefixtures("account")
def test_fail_fast_with_nothing_to_go_back_to_says_how_to_stop_the_tasks(
    project: Project, faults: Faults
) -> None:
    first = service(deployment(failed=2, pending=1), configuration={})
    stage = Stage(Story((first,), "", ExitCode.ROLLOUT, tasks=crashes(2)))
    code, document, said = run(project, faults, stage, "deploy", "--tag", "1.1", "--fail-fast", "2")
    assert (document["verdict"], code) == ("failed", ExitCode.ROLLOUT), said
    assert "there is nothing to roll back to" in document["error"]["what"]
    assert "`schoolctl scale 0`" in document["error"]["hint"]
    assert len(stage.updates) == 1


@pytest.mark.usefixtures("account")
def test_fail_fast_counts_the_tasks_of_this_deployment_alone(
    project: Project, faults: Faults
) -> None:
    others = crashes(5, started_by="ecs-svc/old")
    stage = Stage(Story((LIMPING, HALFWAY, DONE), "", ExitCode.DONE, tasks=others))
    code, document, said = run(project, faults, stage, "deploy", "--tag", "1.1", "--fail-fast", "2")
    assert (document["verdict"], code) == ("completed", ExitCode.DONE), said


@pytest.mark.parametrize("command", ["deploy", "rollback"])
def test_fail_fast_needs_somebody_who_counts(project: Project, command: str) -> None:
    done = project.invoke(command, "--fail-fast", "2", "--no-wait")
    assert done.exit_code == ExitCode.USAGE
    assert "--fail-fast does not go with --no-wait" in done.stderr


# Waiting for what another run began


@pytest.mark.parametrize(
    ("state", "verdict", "code", "says"),
    [
        (DONE, "completed", ExitCode.DONE, "no rollout of web is in progress"),
        (
            service(old(status="PRIMARY"), FELL),
            "rolled back",
            ExitCode.ROLLOUT,
            "failed and was rolled back to web:6",
        ),
        (
            service(
                way_back(state=COMPLETED),
                events=(
                    *["(service web) has started 1 tasks."] * 50,
                    "(service web) (deployment ecs-svc/new) deployment failed: tasks failed.",
                ),
            ),
            "failed",
            ExitCode.ROLLOUT,
            "the last rollout of web failed; it runs web:6",
        ),
        (
            service(deployment(state=FAILED, reason=NO_START), configuration=BREAKER_ALONE),
            "failed",
            ExitCode.ROLLOUT,
            "nothing to roll back to",
        ),
    ],
    ids=["steady", "rolled back, as the emulator has it", "rolled back long ago", "failed"],
)
@pytest.mark.usefixtures("account")
def test_wait_with_nothing_in_progress_tells_of_the_last_rollout(
    project: Project,
    faults: Faults,
    state: ServiceState,
    verdict: str,
    code: ExitCode,
    says: str,
) -> None:
    stage = Stage(Story((state,), verdict, code), begun=True)
    left, document, said = run(project, faults, stage, "wait")
    assert (document["verdict"], left) == (verdict, code), said
    assert says in said


def test_wait_marks_what_completed_while_nobody_watched(
    project: Project, faults: Faults, account: Account
) -> None:
    for _ in range(7):
        account.ecs.register_task_definition(
            family="web",
            containerDefinitions=[{"name": "web", "image": "example", "memory": 128}],
            tags=[{"key": "schoolctl:tag", "value": "1.1"}],
        )
    stage = Stage(Story((DONE,), "", ExitCode.DONE), begun=True)
    _, document, said = run(project, faults, stage, "wait")
    assert document["verdict"] == "completed", said
    assert "schoolctl:completed-at" in account.tags("web:7")


@pytest.mark.usefixtures("account")
def test_wait_for_a_revision_that_is_not_on_its_way_fails(project: Project, faults: Faults) -> None:
    stage = Stage(Story((DONE,), "", ExitCode.ROLLOUT), begun=True)
    code, document, _ = run(project, faults, stage, "wait", "--revision", "9")
    assert code is ExitCode.ROLLOUT
    assert document["error"]["why"] == "web is at web:7"


@pytest.mark.usefixtures("account")
def test_wait_asks_nothing_in_a_protected_environment(project: Project, faults: Faults) -> None:
    stage = Stage(Story((BEGUN, DONE), "", ExitCode.DONE), begun=True)
    code, document, said = run(project, faults, stage, "-e", "prod", "wait")
    assert (document["verdict"], code) == ("completed", ExitCode.DONE), said
