"""Which tasks and events explain a deployment, and which belong to others."""

from __future__ import annotations

import botocore.exceptions as boto
import pytest

from schoolctl.aws.session.errors import from_botocore_error, from_client_error
from schoolctl.base.errors import SchoolctlError, UnavailableError
from schoolctl.ecs_service.causes.failure import FailureReport, events_since, tasks_of
from schoolctl.model.services import ServiceEvent
from tests.worlds.scenes import NEW, OLD, at, container, deployment, stopped

OURS = deployment()


def test_the_deployments_id_decides_whose_a_task_is() -> None:
    ours = stopped(id_="ours")
    other = stopped(id_="other", started_by="ecs-svc/another")
    assert tasks_of(OURS, [ours, other]) == (ours,)


def test_where_ecs_names_no_deployment_revision_and_time_decide() -> None:
    ours = stopped(id_="ours", started_by="web")
    old_revision = stopped(id_="revision", started_by="web", ref=OLD)
    before = stopped(id_="before", started_by="web", created=-100)
    assert tasks_of(OURS, [old_revision, before, ours]) == (ours,)


def test_the_newest_task_stands_first() -> None:
    first, second = stopped(id_="1", created=10), stopped(id_="2", created=20)
    assert tasks_of(OURS, [first, second]) == (second, first)


def test_tasks_that_were_replaced_in_passing_explain_nothing() -> None:
    reason = "Scaling activity initiated by (deployment ecs-svc/new)"
    replaced = stopped("ServiceSchedulerInitiated", reason, container(143), created=50)
    crashed = stopped(id_="crashed")
    assert tasks_of(OURS, [replaced, crashed]) == (crashed,)
    assert tasks_of(OURS, [replaced]) == (replaced,)


def test_a_task_that_somebody_stopped_hides_no_crash() -> None:
    by_hand = stopped("UserInitiated", "Deployment completed", container(0), created=50)
    crashed = stopped(id_="crashed")
    assert tasks_of(OURS, [by_hand, crashed]) == (crashed,)
    assert tasks_of(OURS, [by_hand]) == (by_hand,)


def test_events_of_trouble_are_told_before_all_others() -> None:
    events = [
        ServiceEvent("3", at(30), "(service web) has started 1 tasks"),
        ServiceEvent("2", at(20), "(service web) was unable to place a task"),
        ServiceEvent("1", at(-20), "(service web) was unable to place a task"),
    ]
    assert [each.id for each in events_since(OURS, events)] == ["2"]
    assert [each.id for each in events_since(OURS, events[:1])] == ["3"]


def test_many_tasks_that_ended_alike_take_one_line() -> None:
    tasks = tuple(stopped(id_=f"{number}") for number in range(40))
    report = FailureReport("web", tasks)
    assert report.lines()[:2] == (
        f"40 tasks of {NEW} stopped:",
        (
            "  40 x EssentialContainerExited: Essential container in task exited;"
            " container web ended with exit code 1"
        ),
    )
    stopped_tasks = report.document()["stopped_tasks"]
    assert isinstance(stopped_tasks, list)
    assert len(stopped_tasks) == 10


def _answer(code: str, status: int) -> SchoolctlError:
    response = {
        "Error": {"Code": code, "Message": ""},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    error = boto.ClientError(response, "DescribeServices")  # type: ignore[arg-type]  # a part of it
    return from_client_error(error, "look")


@pytest.mark.parametrize(
    "error",
    [
        _answer("ThrottlingException", 400),
        _answer("InternalFailure", 500),
        _answer("ServiceUnavailable", 503),
        from_botocore_error(boto.EndpointConnectionError(endpoint_url="http://x"), "look"),
        from_botocore_error(boto.ReadTimeoutError(endpoint_url="http://x"), "look"),
        from_botocore_error(boto.ConnectionClosedError(endpoint_url="http://x"), "look"),
    ],
    ids=["throttled", "500", "503", "refused", "timeout", "reset"],
)
def test_what_passes_by_itself_is_told_from_what_does_not(error: SchoolctlError) -> None:
    assert isinstance(error, UnavailableError)


def test_a_refusal_does_not_pass_by_itself() -> None:
    assert not isinstance(_answer("InvalidParameterException", 400), UnavailableError)
