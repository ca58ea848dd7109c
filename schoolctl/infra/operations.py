"""A stack's status: what it means for the next operation, why one failed, how it is shown.

Source: CloudFormation guide, "Stack status codes" and "Troubleshooting CloudFormation".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.base.errors import BusyError, ConflictError, RolloutError, SchoolctlError
from schoolctl.base.text import count, iso, local_time
from schoolctl.infra.changes import going_on, outcome, resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from schoolctl.model.stacks import Drift, StackEvent, StackState


TOKEN = "schoolctl-"  # noqa: S105  # what the tokens of our operations begin with; no secret
_TAKEN = re.compile(r"already exist in your account.*affected resources are (.+)", re.DOTALL)
_CANCELLED = ("creation cancelled", "update cancelled", "deletion cancelled", "creation aborted")


def is_success(status: str) -> bool:
    """Say whether an operation that ended in a status went well."""
    return status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "DELETE_COMPLETE"}


def refuse_stuck(stack: StackState) -> ConflictError:
    """Give the error for a stack that nothing can be done with from here."""
    name = stack.name
    cures = {
        "UPDATE_ROLLBACK_FAILED": "correct what the reason names, then"
        f" `aws cloudformation continue-update-rollback --stack-name {name}`"
        " (`--resources-to-skip ID` leaves one out)",
        "UPDATE_FAILED": f"`aws cloudformation rollback-stack --stack-name {name}`",
        "IMPORT_ROLLBACK_FAILED": "`aws cloudformation continue-update-rollback"
        f" --stack-name {name}`",
    }
    return ConflictError(
        f"stack {name} is {stack.status}",
        why=stack.reason or "CloudFormation takes no change of it in this state",
        hint=cures.get(stack.status, "`schoolctl infra status` shows its last events"),
    )


def refuse_busy(stack: StackState) -> BusyError:
    """Give the error for a stack that somebody else is changing."""
    return BusyError(
        f"stack {stack.name} is {stack.status}",
        why="another operation is in progress, which schoolctl did not begin",
        hint="`schoolctl infra status` shows how it is getting on; then run this again",
    )


@dataclass(frozen=True)
class Operation:
    """One operation on a stack: its own event, and the events of it, oldest first."""

    token: str
    events: tuple[StackEvent, ...]

    @property
    def is_ours(self) -> bool:
        """Whether a run of schoolctl began it."""
        return self.token.startswith(TOKEN)


def last_operation(newest_first: Sequence[StackEvent]) -> Operation:
    """Give the newest operation of a stack, as far as its events are known."""
    if not newest_first:
        return Operation("", ())
    token = newest_first[0].token
    if token:
        events = [each for each in newest_first if each.token == token]
    else:
        events = _back_to_the_user(newest_first)
    return Operation(token, tuple(reversed(events)))


def _back_to_the_user(newest_first: Sequence[StackEvent]) -> list[StackEvent]:
    found = []
    for each in newest_first:
        found.append(each)
        if each.of_stack and "User Initiated" in each.reason:
            break
    return found


def first_causes(events: Iterable[StackEvent]) -> tuple[StackEvent, ...]:
    """Give what failed by itself, the first of all first.

    What was given up because something else had failed is left out, and so is the stack itself,
    which only counts the others: unless nothing else tells anything.

    Args:
        events: of one operation, oldest first.
    """
    failed = [each for each in events if each.failed]
    own = [
        each
        for each in failed
        if not each.of_stack and not any(words in each.reason.lower() for words in _CANCELLED)
    ]
    return tuple(own or [each for each in failed if each.of_stack] or failed)


def failure(
    stack: StackState, events: Sequence[StackEvent], *, doing: str, again: str
) -> RolloutError:
    """Give the error for an operation that failed: the resource and AWS's reason first.

    Args:
        stack: how it ended.
        events: of the operation, oldest first.
        doing: what was being done, such as `create`.
        again: the command that does it once more.
    """
    causes = first_causes(events)
    first = causes[0] if causes else None
    if first is None:
        what, why = f"could not {doing} stack {stack.name}", stack.reason
    elif first.of_stack:
        what, why = f"could not {doing} stack {stack.name}", first.reason
    else:
        named = resource(first.type, first.logical_id)
        told = "made" if first.status.startswith("CREATE") else "changed"
        told = "deleted" if first.status.startswith("DELETE") else told
        what = f"could not {doing} stack {stack.name}: {named} could not be {told}"
        why = first.reason
    error = RolloutError(what, why=why or "AWS gave no reason", hint=_hint(stack, again))
    error.details = tuple(
        f"{resource(each.type, each.logical_id)} {outcome(each)}" for each in causes[1:]
    )
    return error


def refused_template(stack: str, reason: str) -> SchoolctlError:
    """Give the error for a change set that CloudFormation does not make.

    What exists under a name of the stack's, and is not its own, comes as a refused import.
    """
    taken = _TAKEN.search(reason)
    if taken is None:
        return SchoolctlError(
            f"CloudFormation refuses the template of stack {stack}",
            why=reason,
            hint="nothing was changed; correct `infra`, or what the reason names",
        )
    return ConflictError(
        f"stack {stack} cannot make what exists already: {taken[1].strip()}",
        why=reason,
        hint="nothing was changed; give it another name in schoolctl.yaml, or delete the other one"
        " where it is not needed",
    )


def _hint(stack: StackState, again: str) -> str:
    match stack.status:
        case "ROLLBACK_COMPLETE":
            after = "what had been made was taken back"
        case "UPDATE_ROLLBACK_COMPLETE":
            after = "the stack is as it was before"
        case "UPDATE_ROLLBACK_FAILED":
            return refuse_stuck(stack).hint
        case _:
            after = f"the stack is {stack.status}"
    return f"{after}; correct the cause, then `{again}`"


def status_lines(
    stack: StackState, drift: Sequence[Drift] | None, events: Sequence[str]
) -> list[str]:
    """Give the stack, line by line."""
    since = f" since {local_time(stack.changed_at)}" if stack.changed_at else ""
    lines = [f"stack {stack.name}: {stack.status}{since}"]
    if stack.reason:
        lines.append(f"  {stack.reason}")
    lines += [f"  {each}" for each in events]
    if stack.protected:
        lines.append("protected from deletion")
    if drift is not None and not drift:
        lines.append("nothing was changed by hand")
    elif drift:
        lines.append(f"{count(len(drift), 'resource')} changed by hand:")
        for each in drift:
            told = "deleted" if each.status == "DELETED" else "changed"
            lines.append(f"  {resource(each.type, each.logical_id)}: {told}")
            lines += [f"    {difference}" for difference in each.differences]
    if stack.outputs:
        width = max(map(len, stack.outputs))
        lines += [f"  {key:{width}}  {value}" for key, value in sorted(stack.outputs.items())]
    return lines


def status_document(
    stack: StackState, drift: Sequence[Drift] | None, events: Sequence[str]
) -> dict[str, object]:
    """Give the stack for `--json`; `drift` is null where it is not known."""
    return {
        "stack": stack.name,
        "id": stack.id,
        "status": stack.status,
        "reason": stack.reason,
        "changed_at": iso(stack.changed_at),
        "protected": stack.protected,
        "outputs": dict(stack.outputs),
        "events": list(events),
        "drift": None
        if drift is None
        else [
            {
                "resource": each.logical_id,
                "type": each.type,
                "status": each.status,
                "differences": list(each.differences),
            }
            for each in drift
        ],
    }


def operation_lines(events: Sequence[StackEvent]) -> list[str]:
    """Give what an operation failed at, the cause first; else what it is doing.

    Args:
        events: of the operation, oldest first.
    """
    causes = first_causes(events)
    if causes:
        return [f"{resource(each.type, each.logical_id)} {outcome(each)}" for each in causes]
    newest = {each.logical_id: each for each in events if not each.of_stack}
    return [
        f"{going_on(each)} {resource(each.type, each.logical_id)}"
        for each in newest.values()
        if not outcome(each)
    ]
