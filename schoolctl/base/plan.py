"""The steps that a plan can hold, each a frozen dataclass that can describe itself.

A step that changes nothing on AWS but waits or verifies is a step too: the reader of a plan sees
everything that the command will do. What an earlier step yields stands in a later one as a
placeholder (`Registered`), which `execute` fills in on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schoolctl.core.steps_lock import AnyLockStep
    from schoolctl.ecs_service.steps.scaling import AnyScalingStep
    from schoolctl.ecs_service.steps.service import AnyServiceStep
    from schoolctl.ecs_service.steps.tasks import AnyTaskStep
    from schoolctl.images.push.steps import AnyImageStep
    from schoolctl.images.stored.steps import AnyPruneStep
    from schoolctl.infra.steps import AnyStackStep
    from schoolctl.network.steps import AnyNetworkStep
    from schoolctl.params.steps import AnyValueStep
    from schoolctl.rotation.steps import AnyRotationStep

    Step = (
        AnyImageStep
        | AnyPruneStep
        | AnyValueStep
        | AnyTaskStep
        | AnyServiceStep
        | AnyLockStep
        | AnyNetworkStep
        | AnyRotationStep
        | AnyScalingStep
        | AnyStackStep
    )


@dataclass(frozen=True)
class Plan:
    """What a command is going to do, in order.

    `summary` says in one line what it is for; `nothing` is what the user reads where there is no
    step; `notes` and `warnings` are shown with the steps.
    """

    summary: str
    steps: tuple[Step, ...]
    nothing: str = "nothing to do"
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    deletes: bool = False
    """Whether something is deleted: such a plan asks first."""
    asks: bool = False
    """Whether it asks first for another reason, which its notes tell."""
    local: bool = False
    """Whether only this machine is changed: then a protected environment asks nothing."""
    watches: bool = False
    """Whether it only watches, and notes what came of it: that asks nothing, either."""
    quiet: bool = False
    """Whether a run need not show the steps first (`--dry-run` shows them all the same)."""
