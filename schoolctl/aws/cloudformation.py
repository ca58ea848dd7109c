"""CloudFormation: stacks, change sets, events and drift.

Source: CloudFormation API reference; each function names its operation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from schoolctl.aws.session.errors import error_message, is_code, translated
from schoolctl.base.errors import AccessDeniedError, UnavailableError, UnknownOperationError
from schoolctl.model.stacks import ChangeSet, Drift, ResourceChange, StackEvent, StackState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from schoolctl.aws.session.clients import Clients
    from schoolctl.base.clock import Clock
    from schoolctl.model.stacks import Template


_AT_MOST_SECONDS = 180.0
_POLL_SECONDS = 2.0


def find_stack(clients: Clients, name_or_id: str) -> StackState | None:
    """Give a stack; None where there is none, or where it is deleted. Source: DescribeStacks."""
    with translated(f"look at stack {name_or_id}"):
        try:
            found = clients.cloudformation.describe_stacks(StackName=name_or_id)["Stacks"]
        except ClientError as error:
            if is_code(error, "ValidationError") and "does not exist" in error_message(error):
                return None
            raise
    state = _stack(found[0]) if found else None
    return None if state is None or state.status == "DELETE_COMPLETE" else state


def stack_status(clients: Clients, stack_id: str) -> StackState:
    """Give a stack by its id, which is known for 90 days after it was deleted."""
    with translated("look at the stack"):
        return _stack(clients.cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0])


def _stack(found: Mapping[str, Any]) -> StackState:
    return StackState(
        name=found["StackName"],
        id=found["StackId"],
        status=found["StackStatus"],
        reason=found.get("StackStatusReason", ""),
        outputs={each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", ())},
        parameters={
            each["ParameterKey"]: each.get("ParameterValue", "")
            for each in found.get("Parameters", ())
        },
        protected=bool(found.get("EnableTerminationProtection")),
        changed_at=found.get("LastUpdatedTime") or found.get("CreationTime"),
    )


# Change sets


def create_change_set(
    clients: Clients, stack: str, name: str, template: Template, *, new: bool
) -> None:
    """Begin a change set; one of this name that is there already is left to be looked at.

    Args:
        clients: AWS.
        stack: the stack's name.
        name: the change set's.
        template: what the stack is to be.
        new: whether there is no stack yet. A log group that an earlier one left is taken over.

    Source: CreateChangeSet.
    """
    with translated(f"work out the changes of stack {stack}"):
        try:
            clients.cloudformation.create_change_set(
                StackName=stack,
                ChangeSetName=name,
                ChangeSetType="CREATE" if new else "UPDATE",
                TemplateBody=template.text,
                Parameters=[
                    {"ParameterKey": key, "ParameterValue": value}
                    for key, value in template.parameters.items()
                ],
                Tags=[{"Key": key, "Value": value} for key, value in template.tags.items()],
                Capabilities=["CAPABILITY_NAMED_IAM"],
                ImportExistingResources=True,
            )
        except ClientError as error:
            if not is_code(error, "AlreadyExistsException"):
                raise


def describe_change_set(clients: Clients, stack: str, name: str) -> ChangeSet | None:
    """Give a change set with all its changes; None where there is none.

    Source: DescribeChangeSet, all pages.
    """
    with translated(f"look at the changes of stack {stack}"):
        try:
            pages = list(_change_set_pages(clients, stack, name))
        except ClientError as error:
            missing = is_code(error, "ValidationError") and "does not exist" in error_message(error)
            if missing or is_code(error, "ChangeSetNotFound", "ChangeSetNotFoundException"):
                return None
            raise
    first = pages[0]
    return ChangeSet(
        name=first.get("ChangeSetName", name),
        id=first.get("ChangeSetId", ""),
        status=first.get("Status", ""),
        execution=first.get("ExecutionStatus", ""),
        reason=first.get("StatusReason", ""),
        changes=tuple(
            _change(each["ResourceChange"])
            for page in pages
            for each in page.get("Changes", ())
            if each.get("Type", "Resource") == "Resource"
        ),
    )


def _change_set_pages(clients: Clients, stack: str, name: str) -> Iterator[Mapping[str, Any]]:
    more: dict[str, Any] = {}
    while True:
        page = clients.cloudformation.describe_change_set(
            StackName=stack, ChangeSetName=name, **more
        )
        yield page
        if not page.get("NextToken"):
            return
        more = {"NextToken": page["NextToken"]}


def _change(found: Mapping[str, Any]) -> ResourceChange:
    targets = (each.get("Target", {}) for each in found.get("Details", ()))
    names = {each.get("Name") or each.get("Attribute", "") for each in targets}
    return ResourceChange(
        logical_id=found.get("LogicalResourceId", ""),
        type=found.get("ResourceType", ""),
        action=found.get("Action", ""),
        replacement=found.get("Replacement", ""),
        physical_id=found.get("PhysicalResourceId", ""),
        properties=tuple(sorted(filter(None, names))),
    )


def execute_change_set(clients: Clients, stack: str, change_set: ChangeSet, token: str) -> None:
    """Carry a change set out; the events of the operation have `token`.

    Source: ExecuteChangeSet. Repeated after a lost reply, it is refused: then it is under way.
    """
    with translated(f"change stack {stack}"):
        try:
            clients.cloudformation.execute_change_set(
                StackName=stack, ChangeSetName=change_set.name, ClientRequestToken=token
            )
        except ClientError as error:
            if not _is_begun(clients, stack, error, token):
                raise


def _is_begun(clients: Clients, stack: str, error: ClientError, token: str) -> bool:
    refused = ("InvalidChangeSetStatus", "ChangeSetNotFound", "ChangeSetNotFoundException")
    if not is_code(error, *refused, "InvalidChangeSetStatusException"):
        return False
    return any(each.token == token for each in newest_events(clients, stack))


def delete_change_set(clients: Clients, stack: str, name: str) -> None:
    """Remove a change set that is not carried out. Source: DeleteChangeSet."""
    with translated(f"remove the change set of stack {stack}"):
        clients.cloudformation.delete_change_set(StackName=stack, ChangeSetName=name)


# Operations


def delete_stack(clients: Clients, stack_id: str, token: str) -> None:
    """Begin to delete a stack. Source: DeleteStack."""
    with translated("delete the stack"):
        clients.cloudformation.delete_stack(StackName=stack_id, ClientRequestToken=token)


def protect_stack(clients: Clients, stack: str, *, protected: bool) -> None:
    """Refuse every deletion of a stack, or allow it. Source: UpdateTerminationProtection."""
    with translated(f"change the termination protection of stack {stack}"):
        clients.cloudformation.update_termination_protection(
            StackName=stack, EnableTerminationProtection=protected
        )


# Events


def newest_events(clients: Clients, stack: str, until: str = "") -> list[StackEvent]:
    """Give a stack's events, newest first, back to the one with the id `until`.

    Without one, the first page: a hundred.

    Source: DescribeStackEvents.
    """
    found: list[StackEvent] = []
    more: dict[str, str] = {}
    with translated(f"read the events of stack {stack}"):
        while True:
            page = clients.cloudformation.describe_stack_events(StackName=stack, **more)
            for each in page["StackEvents"]:
                if each["EventId"] == until:
                    return found
                found.append(_event(each))
            if not page.get("NextToken") or not until:
                return found
            more = {"NextToken": page["NextToken"]}


def _event(found: Mapping[str, Any]) -> StackEvent:
    return StackEvent(
        id=found["EventId"],
        at=found["Timestamp"],
        logical_id=found.get("LogicalResourceId", ""),
        type=found.get("ResourceType", ""),
        status=found.get("ResourceStatus", ""),
        reason=found.get("ResourceStatusReason", ""),
        physical_id=found.get("PhysicalResourceId", ""),
        token=found.get("ClientRequestToken", ""),
    )


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
