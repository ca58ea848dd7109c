"""A stack as `infra status` shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.base.text import count, iso, local_time
from schoolctl.infra.operations import first_causes
from schoolctl.infra.words import going_on, outcome, resource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.model.stacks import Drift, StackEvent, StackState


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
