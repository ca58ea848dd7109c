"""The nouns of the product: image references, revisions, deployments, tasks, parameters.

Frozen, without behaviour that needs a network; AWS's own dictionaries are turned into these in
`schoolctl/aws/` and go no further.

A part is loaded when one of its names is first asked for: making forty dataclasses takes as long
as reading the configuration, and no command needs them all.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schoolctl.model.images import (
        Digest as Digest,
    )
    from schoolctl.model.images import (
        Image as Image,
    )
    from schoolctl.model.images import (
        ImageRef as ImageRef,
    )
    from schoolctl.model.images import (
        NoSource as NoSource,
    )
    from schoolctl.model.images import (
        RegistryLogin as RegistryLogin,
    )
    from schoolctl.model.images import (
        Repository as Repository,
    )
    from schoolctl.model.images import (
        RepositoryUri as RepositoryUri,
    )
    from schoolctl.model.images import (
        Source as Source,
    )
    from schoolctl.model.images import (
        fits_platform as fits_platform,
    )
    from schoolctl.model.images import (
        parse_tag as parse_tag,
    )
    from schoolctl.model.services import (
        ContainerState as ContainerState,
    )
    from schoolctl.model.services import (
        Deployment as Deployment,
    )
    from schoolctl.model.services import (
        LogLine as LogLine,
    )
    from schoolctl.model.services import (
        Revision as Revision,
    )
    from schoolctl.model.services import (
        RolloutState as RolloutState,
    )
    from schoolctl.model.services import (
        SecurityGroup as SecurityGroup,
    )
    from schoolctl.model.services import (
        ServiceEvent as ServiceEvent,
    )
    from schoolctl.model.services import (
        ServiceState as ServiceState,
    )
    from schoolctl.model.services import (
        Subnet as Subnet,
    )
    from schoolctl.model.services import (
        TargetGroup as TargetGroup,
    )
    from schoolctl.model.services import (
        TargetHealth as TargetHealth,
    )
    from schoolctl.model.services import (
        Task as Task,
    )
    from schoolctl.model.services import (
        TaskDefinitionRef as TaskDefinitionRef,
    )
    from schoolctl.model.values import (
        Identity as Identity,
    )
    from schoolctl.model.values import (
        Parameter as Parameter,
    )
    from schoolctl.model.values import (
        SecretInfo as SecretInfo,
    )
    from schoolctl.model.values import (
        SecretValue as SecretValue,
    )

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
        "TargetHealth",
        "TargetGroup",
        "Subnet",
        "SecurityGroup",
        "Revision",
        "LogLine",
    ),
    "values": (
        "SecretValue",
        "Parameter",
        "SecretInfo",
        "Identity",
    ),
}
_HOMES = {name: part for part, names in _PARTS.items() for name in names}


def __getattr__(name: str) -> object:
    """Load the part that has `name`."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
