"""Whether the database has connections for all that the tasks may open. Pure.

The service counts its own share at its start; here the configuration is counted, before anything
runs. Nothing is guessed: a service that does not say how large its pools are is not counted, nor
is a database that nobody tells the size of.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from schoolctl.config.infra import DatabaseConfig
from schoolctl.text import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.config import Config
    from schoolctl.plan.steps import Plan

RESERVED: Final = 5
"""For what is not the service: migrations, backups, people. The service reserves as many."""
POOL_SIZE, POOL_OVERFLOW, PROCESSES = "DB_POOL_SIZE", "DB_POOL_OVERFLOW", "WEB_CONCURRENCY"
DEFAULTS: Final = {POOL_SIZE: 2, POOL_OVERFLOW: 1, PROCESSES: 2}
"""What the service takes where a variable is not set; of processes, the most that it takes."""
_LIMITS: Final = {POOL_SIZE: (1, 100), POOL_OVERFLOW: (0, 100), PROCESSES: (1, 64)}
_EXPLICIT: Final = ("service", "database_connections")
_CLASS: Final = ("infra", "database", "instance_class")
_PATHS: Final = (
    ("service", "desired_count"),
    ("service", "deployment", "max_percent"),
    *(("task", "environment", name) for name in DEFAULTS),
)


@dataclass(frozen=True)
class Pool:
    """What one task may open."""

    processes: int
    size: int
    overflow: int

    @property
    def connections(self) -> int:
        """The connections of all its processes."""
        return self.processes * (self.size + self.overflow)


@dataclass(frozen=True)
class Limit:
    """What the database allows.

    Attributes:
        connections: how many at once.
        told: the same for people, such as `db.t4g.micro allows at least 56`.
        path: the setting that it follows from.
    """

    connections: int
    told: str
    path: tuple[str, ...]


@dataclass(frozen=True)
class Budget:
    """The connections of a number of tasks beside those that there are.

    Attributes:
        tasks: how many there are to be.
        percent: how many may run while they are replaced, in percent of that.
        pool: what each opens.
        limit: what the database allows.
    """

    tasks: int
    percent: int
    pool: Pool
    limit: Limit

    @property
    def at_once(self) -> int:
        """How many tasks may run during a rollout; ECS rounds down."""
        return _at_once(self.tasks, self.percent)

    @property
    def connections(self) -> int:
        """How many they may open."""
        return self.at_once * self.pool.connections

    @property
    def fits(self) -> bool:
        """Whether the database has so many."""
        return self.connections <= self.limit.connections - RESERVED

    @property
    def tasks_at_most(self) -> int:
        """How many tasks would fit; 0 where not even one does."""
        most = max(0, self.limit.connections - RESERVED) // self.pool.connections
        return next((n for n in range(most, 0, -1) if _at_once(n, self.percent) <= most), 0)

    @property
    def paths(self) -> tuple[tuple[str, ...], ...]:
        """The settings that it follows from."""
        return (*_PATHS, self.limit.path)

    def describe(self) -> str:
        """Say in figures what is needed and what is there."""
        pool = self.pool
        each = f"{count(pool.processes, 'worker')} of {pool.size} + {pool.overflow}"
        more = f", {self.at_once} while they are replaced" if self.at_once > self.tasks else ""
        return (
            f"{count(self.tasks, 'task')}{more}, may open"
            f" {count(self.connections, 'database connection')} ({each} in each);"
            f" {self.limit.told}, and {RESERVED} are for others"
        )

    def problem(self) -> str:
        """Say what does not fit, and the ways out; empty where it fits."""
        if self.fits:
            return ""
        most = self.tasks_at_most
        fewer = f"run {count(most, 'task')} at most, " if most else ""
        known = " (or give its own figure as service.database_connections)"
        guessed = known if self.limit.path == _CLASS else ""
        return (
            f"{self.describe()}: {fewer}lower {POOL_SIZE}, {POOL_OVERFLOW} or {PROCESSES}, or take"
            f" a larger database{guessed}"
        )

    def document(self) -> dict[str, object]:
        """Give the figures as `--json` shows them."""
        return {
            "tasks": self.tasks,
            "tasks_at_once": self.at_once,
            "each_task": self.pool.connections,
            "connections": self.connections,
            "limit": self.limit.connections,
            "reserved": RESERVED,
            "tasks_at_most": self.tasks_at_most,
        }


def _at_once(tasks: int, percent: int) -> int:
    return max(tasks, math.floor(tasks * percent / 100))


def budget_of(config: Config, tasks: int | None = None) -> Budget | None:
    """Count the connections of an environment; None where a part of it is not known.

    Args:
        config: the environment.
        tasks: how many; None for those that the service is created with.
    """
    pool, limit = pool_of(config.task.environment), limit_of(config)
    if pool is None or limit is None:
        return None
    wanted = config.service.desired_count if tasks is None else tasks
    return Budget(wanted, _max_percent(config), pool, limit)


def with_budget(plan: Plan, config: Config, tasks: int | None) -> Plan:
    """Give a plan with a warning where so many tasks may open more connections than there are.

    Args:
        plan: as it was decided.
        config: the environment.
        tasks: how many the plan leads to; None where it leaves the count alone.
    """
    budget = budget_of(config, tasks) if tasks is not None else None
    if budget is None or budget.fits:
        return plan
    return replace(plan, warnings=(*plan.warnings, budget.problem()))


def unchecked(config: Config) -> str:
    """Say why an environment is not counted, where one half is known; else empty."""
    pool, limit = pool_of(config.task.environment), limit_of(config)
    if pool is None and limit is not None:
        return f"task.environment does not tell the pools ({POOL_SIZE}, {POOL_OVERFLOW})"
    if pool is not None and limit is None:
        return "how many the database allows is not known; service.database_connections says it"
    return ""


def pool_of(environment: Mapping[str, str]) -> Pool | None:
    """Give what one task opens; None where nothing tells of pools, or not in whole numbers.

    WEB_CONCURRENCY alone tells nothing: programs without such pools read it, too.
    """
    if not any(environment.get(name, "").strip() for name in (POOL_SIZE, POOL_OVERFLOW)):
        return None
    size, overflow, processes = (
        _number(environment, name) for name in (POOL_SIZE, POOL_OVERFLOW, PROCESSES)
    )
    if size is None or overflow is None or processes is None:
        return None  # the service would say so and not start
    return Pool(processes, size, overflow)


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "").strip()
    if not text:
        return DEFAULTS[name]
    lowest, highest = _LIMITS[name]
    return (
        int(text) if re.fullmatch("[0-9]{1,9}", text) and lowest <= int(text) <= highest else None
    )


def _max_percent(config: Config) -> int:
    override = config.service.overrides.get("deploymentConfiguration")
    told = override.get("maximumPercent") if isinstance(override, dict) else None
    return told if isinstance(told, int) else config.service.deployment.max_percent


# What the database allows


def limit_of(config: Config) -> Limit | None:
    """Give what the database allows: as the configuration says, or by the size of the stack's."""
    told = config.service.database_connections
    if told is not None:
        return Limit(told, f"the database allows {told}", _EXPLICIT)
    database = config.infra.database
    if not config.infra.stack or not isinstance(database, DatabaseConfig):
        return None
    allowed = default_connections(database.instance_class)
    if allowed is None:
        return None
    return Limit(allowed, f"{database.instance_class} allows at least {allowed}", _CLASS)


_MIB: Final = 1024 * 1024
_BYTES_FOR_EACH: Final = 12_582_880
_MOST: Final = 16_000
_SIZES: Final = {
    "micro": 1,
    "small": 2,
    "medium": 4,
    "large": 8,
    **{f"{n}xlarge" if n > 1 else "xlarge": 16 * n for n in (1, 2, 4, 8, 12, 16, 24, 32, 48)},
}
"""GiB of the classes that begin with t or m; those with r have twice as much.

Source: RDS User Guide, "Hardware specifications for DB instance classes".
"""
_CLASSES: Final = re.compile(r"db\.(?:t[234]g?|(?P<most>[mr])[5-8][a-z]*)\.(?P<size>[a-z0-9]+)")
_TWICE: Final = "r"


def default_connections(instance_class: str) -> int | None:
    """Give how many connections RDS for MySQL allows at least; None for an unknown class.

    It allows `DBInstanceClassMemory / 12582880`, at most 16,000, where that memory is what is left
    by the operating system and by RDS. How much that is AWS does not tell: of what is known of
    real instances (66 for 1 GiB, 150 for 2, 312 for 4, 648 for 8, 1,320 for 16), 4 % and 300 MiB
    less than the nominal memory is always below.

    Source: RDS User Guide, "Quotas and constraints": maximum concurrent connections.
    """
    found = _CLASSES.fullmatch(instance_class)
    nominal = _SIZES.get(found["size"]) if found else None
    if found is None or nominal is None:
        return None
    mebibytes = nominal * 1024 * (2 if found["most"] == _TWICE else 1) * 0.96 - 300
    return min(_MOST, int(mebibytes * _MIB / _BYTES_FOR_EACH))
