"""Whether the database has connections for all that a deployment may open. Pure."""

from dataclasses import dataclass
from typing import Final

RESERVED: Final = 5  # for what is not the service: migrations, backups, people
SIDE_BY_SIDE: Final = 2  # a rolling deployment may run twice the tasks


@dataclass(frozen=True, slots=True)
class Budget:
    """The connections of one task beside those that there are.

    Attributes:
        each_task: what one task may open in all of its processes.
        limit: what the database allows the service's user.
    """

    each_task: int
    limit: int

    @property
    def tasks_at_most(self) -> int:
        """How many tasks a service may have so that they fit while they are replaced, too."""
        return max(0, self.limit - RESERVED) // (SIDE_BY_SIDE * self.each_task)

    def problem(self) -> str | None:
        """Say what to change where not even one task fits, or None."""
        if self.tasks_at_most > 0:
            return None
        return (
            f"one task may open {self.each_task} database connections, twice as many while it is "
            f"replaced, and {RESERVED} are for others: the database allows {self.limit}. Lower "
            "DB_POOL_SIZE, DB_POOL_OVERFLOW or WEB_CONCURRENCY, or raise max_connections there"
        )
