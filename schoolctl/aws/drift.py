"""What somebody changed by hand in a stack's resources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from schoolctl.aws.session.errors import is_code, translated
from schoolctl.base.errors import AccessDeniedError, UnavailableError, UnknownOperationError
from schoolctl.model.stacks import Drift

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from schoolctl.aws.session.clients import Clients
    from schoolctl.base.clock import Clock

_AT_MOST_SECONDS = 180.0
_POLL_SECONDS = 2.0


def find_drift(
    clients: Clients, stack: str, clock: Clock, warn: Callable[[str], None]
) -> tuple[Drift, ...] | None:
    """Give the resources that are not as the template says; None where that is not known.

    Source: DetectStackDrift, DescribeStackDriftDetectionStatus, DescribeStackResourceDrifts.
    """
    try:
        return _detect(clients, stack, clock)
    except (AccessDeniedError, UnavailableError, UnknownOperationError) as error:
        warn(f"what was changed by hand is not known: {error.why or error.what}")
        return None


def _detect(clients: Clients, stack: str, clock: Clock) -> tuple[Drift, ...]:
    begun = clock.monotonic()
    api = clients.cloudformation
    with translated(f"look for changes by hand in stack {stack}"):
        try:
            detection = api.detect_stack_drift(StackName=stack)["StackDriftDetectionId"]
        except ClientError as error:
            if is_code(error, "ValidationError"):
                raise UnavailableError("drift is not looked for", why=str(error)) from error
            raise
        while True:
            found = api.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
            if found["DetectionStatus"] != "DETECTION_IN_PROGRESS":
                break
            if clock.monotonic() - begun > _AT_MOST_SECONDS:
                raise UnavailableError("drift is not known", why="CloudFormation took too long")
            clock.sleep(_POLL_SECONDS)
        return tuple(_drifts(clients, stack))


def _drifts(clients: Clients, stack: str) -> list[Drift]:
    found: list[Drift] = []
    more: dict[str, str] = {}
    while True:
        page: Mapping[str, Any] = clients.cloudformation.describe_stack_resource_drifts(
            StackName=stack,
            StackResourceDriftStatusFilters=["MODIFIED", "DELETED"],
            **more,  # type: ignore[arg-type]  # a token, where there is one
        )
        found += map(_drift, page.get("StackResourceDrifts", ()))
        if not page.get("NextToken"):
            return found
        more = {"NextToken": page["NextToken"]}


def _drift(found: Mapping[str, Any]) -> Drift:
    return Drift(
        logical_id=found.get("LogicalResourceId", ""),
        type=found.get("ResourceType", ""),
        status=found.get("StackResourceDriftStatus", ""),
        differences=tuple(
            f"{each.get('PropertyPath', '')}: {each.get('ExpectedValue', '')}"
            f" -> {each.get('ActualValue', '')}"
            for each in found.get("PropertyDifferences", ())
        ),
    )
