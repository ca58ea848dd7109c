"""The nouns of the product: image references, revisions, deployments, tasks, parameters.

Frozen, without behaviour that needs a network; AWS's own dictionaries are turned into these in
`schoolctl/aws/` and go no further.

A part is loaded when one of its names is first asked for: making forty dataclasses takes as long
as reading the configuration, and no command needs them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.late import loader

if TYPE_CHECKING:
    from schoolctl.model.identity import Identity
    from schoolctl.model.images import (
        Digest,
        Ignored,
        Image,
        ImageRef,
        NoSource,
        RegistryLogin,
        Repository,
        RepositoryUri,
        Source,
        fits_platform,
        parse_tag,
    )
    from schoolctl.model.secret_value import SecretValue
    from schoolctl.model.services import (
        ContainerState,
        Deployment,
        LogLine,
        Revision,
        RolloutState,
        ServiceEvent,
        ServiceState,
        Task,
        TaskDefinitionRef,
    )
    from schoolctl.model.surroundings import (
        Role,
        SecurityGroup,
        Subnet,
        TargetGroup,
        TargetHealth,
    )
    from schoolctl.model.values import (
        Database,
        Parameter,
        ParameterVersion,
        SecretInfo,
    )

__all__ = [
    "ContainerState",
    "Database",
    "Deployment",
    "Digest",
    "Identity",
    "Ignored",
    "Image",
    "ImageRef",
    "LogLine",
    "NoSource",
    "Parameter",
    "ParameterVersion",
    "RegistryLogin",
    "Repository",
    "RepositoryUri",
    "Revision",
    "Role",
    "RolloutState",
    "SecretInfo",
    "SecretValue",
    "SecurityGroup",
    "ServiceEvent",
    "ServiceState",
    "Source",
    "Subnet",
    "TargetGroup",
    "TargetHealth",
    "Task",
    "TaskDefinitionRef",
    "fits_platform",
    "parse_tag",
]

_PARTS = {
    "images": (
        "Digest",
        "parse_tag",
        "RepositoryUri",
        "ImageRef",
        "Repository",
        "Image",
        "Source",
        "NoSource",
        "Ignored",
        "RegistryLogin",
        "fits_platform",
    ),
    "services": (
        "TaskDefinitionRef",
        "RolloutState",
        "Deployment",
        "ServiceEvent",
        "ServiceState",
        "ContainerState",
        "Task",
        "Revision",
        "LogLine",
    ),
    "surroundings": (
        "TargetHealth",
        "TargetGroup",
        "Role",
        "Subnet",
        "SecurityGroup",
    ),
    "identity": ("Identity",),
    "secret_value": ("SecretValue",),
    "values": (
        "Parameter",
        "ParameterVersion",
        "Database",
        "SecretInfo",
    ),
}
__getattr__ = loader(__name__, _PARTS)
