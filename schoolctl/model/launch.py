"""Launch types: what tasks run on, and what that asks of their definition and their network.

Whoever sizes, defines or connects tasks asks the object that `Config.launch` returns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class LaunchType:
    """What tasks run on.

    Attributes:
        id: as ECS spells it, in `launchType` and `requiresCompatibilities`.
        name: as people know it.
        network_mode: of its task definitions.
        target_type: of the target groups that its tasks can be in.
        memory_mib: the memory sizes in MiB for each number of CPU units (1024 are one vCPU).
    """

    id: str
    name: str
    network_mode: str
    target_type: str
    memory_mib: Mapping[int, tuple[int, ...]]

    @property
    def settings(self) -> dict[str, object]:
        """The members of CreateService and RunTask that choose it."""
        return {"launchType": self.id}


FARGATE: Final = LaunchType(
    id="FARGATE",
    name="Fargate",
    network_mode="awsvpc",
    target_type="ip",
    # Source: ECS RegisterTaskDefinition, member `memory`.
    memory_mib={
        256: (512, 1024, 2048),
        512: tuple(range(1024, 4096 + 1, 1024)),
        1024: tuple(range(2048, 8192 + 1, 1024)),
        2048: tuple(range(4096, 16384 + 1, 1024)),
        4096: tuple(range(8192, 30720 + 1, 1024)),
        8192: tuple(range(16384, 61440 + 1, 4096)),
        16384: tuple(range(32768, 122880 + 1, 8192)),
    },
)
