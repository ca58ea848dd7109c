"""The steps that a plan can hold, each a frozen dataclass that can describe itself.

A step that changes nothing on AWS but waits or verifies is a step too: the reader of a plan sees
everything that the command will do. What an earlier step yields stands in a later one as a
placeholder (`Registered`), which `execute` fills in on the way.

As with the model, a part is loaded when one of its names is first asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.late import loader

if TYPE_CHECKING:
    from schoolctl.plan.steps.images import (
        AnyImageStep,
        BuildImage,
        CopyImage,
        CreateRepository,
        PullImage,
        PushImage,
        ReadScan,
        StoreLogin,
    )
    from schoolctl.plan.steps.lock import (
        AnyLockStep,
        FreeLock,
    )
    from schoolctl.plan.steps.network import (
        AnyNetworkStep,
        AuthorizeEgress,
        AuthorizeIngress,
        CreateSecurityGroup,
        RevokeIngress,
    )
    from schoolctl.plan.steps.prune import (
        AnyPruneStep,
        ConfirmUnused,
        DeleteImages,
        Deletion,
        DeregisterTaskDefinitions,
    )
    from schoolctl.plan.steps.rotation import (
        AnyRotationStep,
        AwaitRotation,
        EndRotation,
        PromoteSecret,
        RotateSecret,
        StageSecret,
    )
    from schoolctl.plan.steps.scaling import (
        AnyScalingStep,
        DeregisterScalableTarget,
        PutScalingPolicy,
        RegisterScalableTarget,
    )
    from schoolctl.plan.steps.service import (
        AnyServiceStep,
        CreateLogGroup,
        CreateService,
        MarkCompleted,
        Registered,
        RegisterTaskDefinition,
        StopDeployment,
        UpdateService,
        WaitForCount,
        WaitForRollout,
    )
    from schoolctl.plan.steps.stack import (
        AnyStackStep,
        ChangeStack,
        CreateIdentityProvider,
        DeleteDatabase,
        DeleteLogGroup,
        DeleteService,
        DeleteStack,
        LayStack,
        ProtectStack,
        UnprotectDatabase,
    )
    from schoolctl.plan.steps.tasks import (
        AnyTaskStep,
        OpenSession,
        RunTask,
    )
    from schoolctl.plan.steps.values import (
        AnyValueStep,
        DeleteParameter,
        PutParameter,
        PutSecret,
        RestoreSecret,
    )

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

__all__ = [
    "AuthorizeEgress",
    "AuthorizeIngress",
    "AwaitRotation",
    "BuildImage",
    "ChangeStack",
    "ConfirmUnused",
    "CopyImage",
    "CreateIdentityProvider",
    "CreateLogGroup",
    "CreateRepository",
    "CreateSecurityGroup",
    "CreateService",
    "DeleteDatabase",
    "DeleteImages",
    "DeleteLogGroup",
    "DeleteParameter",
    "DeleteService",
    "DeleteStack",
    "Deletion",
    "DeregisterScalableTarget",
    "DeregisterTaskDefinitions",
    "EndRotation",
    "FreeLock",
    "LayStack",
    "MarkCompleted",
    "OpenSession",
    "Plan",
    "PromoteSecret",
    "ProtectStack",
    "PullImage",
    "PushImage",
    "PutParameter",
    "PutScalingPolicy",
    "PutSecret",
    "ReadScan",
    "RegisterScalableTarget",
    "RegisterTaskDefinition",
    "Registered",
    "RestoreSecret",
    "RevokeIngress",
    "RotateSecret",
    "RunTask",
    "StageSecret",
    "StopDeployment",
    "StoreLogin",
    "UnprotectDatabase",
    "UpdateService",
    "WaitForCount",
    "WaitForRollout",
]

_PARTS = {
    "images": (
        "CreateRepository",
        "BuildImage",
        "PushImage",
        "CopyImage",
        "ReadScan",
        "PullImage",
        "StoreLogin",
    ),
    "prune": (
        "ConfirmUnused",
        "Deletion",
        "DeleteImages",
        "DeregisterTaskDefinitions",
    ),
    "values": (
        "PutParameter",
        "DeleteParameter",
        "PutSecret",
        "RestoreSecret",
    ),
    "tasks": (
        "RunTask",
        "OpenSession",
    ),
    "service": (
        "Registered",
        "CreateLogGroup",
        "RegisterTaskDefinition",
        "CreateService",
        "UpdateService",
        "StopDeployment",
        "WaitForRollout",
        "WaitForCount",
        "MarkCompleted",
    ),
    "lock": ("FreeLock",),
    "network": (
        "CreateSecurityGroup",
        "AuthorizeIngress",
        "AuthorizeEgress",
        "RevokeIngress",
    ),
    "rotation": (
        "StageSecret",
        "PromoteSecret",
        "EndRotation",
        "RotateSecret",
        "AwaitRotation",
    ),
    "scaling": (
        "RegisterScalableTarget",
        "PutScalingPolicy",
        "DeregisterScalableTarget",
    ),
    "stack": (
        "LayStack",
        "ChangeStack",
        "DeleteStack",
        "ProtectStack",
        "DeleteService",
        "UnprotectDatabase",
        "DeleteDatabase",
        "DeleteLogGroup",
        "CreateIdentityProvider",
    ),
}
__getattr__ = loader(__name__, _PARTS)


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
