"""What is known of a service's deployments, joined from three sources."""

from __future__ import annotations

from schoolctl.ecs_service.status.history import _VERDICTS, Attempt, attempts
from schoolctl.model.deployments import ServiceDeploymentBrief, ServiceDeploymentStatus
from schoolctl.model.services import Revision, TaskDefinitionRef
from tests.worlds.scenes import COMPLETED, FAILED, NEW, OLD, OTHER, at, deployment, old, service


def record(
    ref: TaskDefinitionRef,
    seconds: float,
    status: ServiceDeploymentStatus = ServiceDeploymentStatus.SUCCESSFUL,
) -> ServiceDeploymentBrief:
    return ServiceDeploymentBrief(
        arn=f"arn:deployment/{ref.revision}/{seconds}",
        status=status,
        reason="",
        created_at=at(seconds),
        started_at=at(seconds),
        finished_at=at(seconds + 60),
        revision_arn="r",
        task_definition=ref,
    )


def revision(
    ref: TaskDefinitionRef,
    registered: float,
    completed: float | None = None,
    again: float | None = None,
) -> Revision:
    done, last = (None if each is None else at(each) for each in (completed, again))
    return Revision(ref, True, at(registered), {}, (), {}, done, last)


def told(found: list[Attempt]) -> list[tuple[str, str]]:
    return [(str(each.ref), each.verdict) for each in found]


STEADY = service(deployment(state=COMPLETED, created=-10))


def test_ecs_s_record_and_what_describes_services_are_one_attempt() -> None:
    found = attempts(STEADY, [record(NEW, -12)], [revision(NEW, -60, -1)], None)
    assert told(found) == [("web:7", "completed")]


def test_without_a_record_deployments_and_notes_are_told_of() -> None:
    state = service(deployment(state=FAILED, created=-10), old())
    notes = [revision(NEW, -60), revision(OLD, -4000, -3500), revision(OTHER, -5000)]
    assert told(attempts(state, [], notes, None)) == [
        ("web:7", "failed"),
        ("web:6", "completed"),
        ("web:8", "not known to have completed"),
    ]


def test_each_attempt_of_one_revision_is_listed_and_the_newest_good_one_runs() -> None:
    failed = record(NEW, -5000, ServiceDeploymentStatus.ROLLBACK_SUCCESSFUL)
    found = attempts(STEADY, [record(NEW, -10), failed, record(OLD, -9000)], [], OLD)
    assert told(found) == [("web:7", "completed"), ("web:7", "rolled back"), ("web:6", "completed")]
    assert [each.runs for each in found] == [True, False, False]
    assert [each.is_target for each in found] == [False, False, True]


def test_an_attempt_that_did_not_complete_has_no_time_of_completion() -> None:
    [failed] = attempts(service(), [record(NEW, -10, ServiceDeploymentStatus.STOPPED)], [], None)
    assert failed.completed_at is None


def test_what_the_service_was_rolled_back_from_is_told() -> None:
    notes = [revision(OLD, -60, -50, again=-10), revision(NEW, -40, -30)]
    state = service(deployment(ref=OLD, state=COMPLETED, created=-12))
    found = attempts(state, [], notes, None)
    assert [(str(each.ref), each.is_left) for each in found] == [("web:6", False), ("web:7", True)]


def test_every_status_of_ecs_has_a_word() -> None:
    assert set(_VERDICTS) == set(ServiceDeploymentStatus)
