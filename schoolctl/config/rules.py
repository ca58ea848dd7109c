"""Values that contradict each other."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from schoolctl.config.infra import DatabaseConfig, is_name
from schoolctl.config.tree import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schoolctl.config.models import Config
    from schoolctl.config.tree import Path_

_RANDOM_SUFFIX: Final = re.compile(r"-[A-Za-z0-9]{6}$")
_MOST_LEVELS: Final = 15
_LISTED_SIZES: Final = 8


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Values that cannot stand together; `paths` are those involved, the likeliest first."""

    paths: tuple[Path_, ...]
    message: str


def find_contradictions(config: Config) -> Iterator[Contradiction]:
    """Yield every contradiction in an environment's configuration."""
    yield from _task_size(config)
    yield from _percents(config)
    yield from _rollback(config)
    yield from _variables(config)
    yield from _parameter_levels(config)
    yield from _secret_names(config)
    yield from _stack(config)


def _task_size(config: Config) -> Iterator[Contradiction]:
    cpu, memory = config.task.cpu, config.task.memory
    sizes = config.launch.memory_mib[cpu]
    if memory not in sizes:
        yield Contradiction(
            (("task", "memory"), ("task", "cpu")),
            f"{config.launch.name} has no task with cpu {cpu} and memory {memory};"
            f" cpu {cpu} takes memory {_list_sizes(sizes)}",
        )


def _list_sizes(sizes: tuple[int, ...]) -> str:
    if len(sizes) <= _LISTED_SIZES:
        return ", ".join(map(str, sizes))
    return f"{sizes[0]} to {sizes[-1]} in steps of {sizes[1] - sizes[0]}"


def _percents(config: Config) -> Iterator[Contradiction]:
    deployment, count = config.service.deployment, config.service.desired_count
    low, high = deployment.min_percent, deployment.max_percent
    section: Path_ = ("service", "deployment")
    paths: tuple[Path_, ...] = ((*section, "min_percent"), (*section, "max_percent"))
    if low >= high:
        yield Contradiction(paths, f"min_percent {low} must be below max_percent {high}")
        return
    # ECS rounds the lower limit up and the upper one down.
    must_run, may_run = math.ceil(count * low / 100), math.floor(count * high / 100)
    if count > 0 and must_run >= count >= may_run:
        yield Contradiction(
            (*paths, ("service", "desired_count")),
            f"no rollout could begin: of {count} task{'' if count == 1 else 's'}, {must_run} must"
            f" run (min_percent {low}) and no more than {may_run} may (max_percent {high})",
        )


def _rollback(config: Config) -> Iterator[Contradiction]:
    deployment = config.service.deployment
    if deployment.rollback and not deployment.circuit_breaker:
        section: Path_ = ("service", "deployment")
        yield Contradiction(
            ((*section, "rollback"), (*section, "circuit_breaker")),
            "ECS rolls back only where the circuit breaker is on; set circuit_breaker: true or"
            " rollback: false",
        )


def _variables(config: Config) -> Iterator[Contradiction]:
    """Yield variables that the container would get twice."""
    taken: dict[str, Path_] = {}
    for name, path in _list_variables(config):
        if name == "AWS_REGION":
            yield Contradiction(
                (path,), "AWS_REGION is set to the environment's region anyway; remove it"
            )
        elif name in taken:
            yield Contradiction(
                (path, taken[name]),
                f"{name} is set twice: by {dotted(taken[name])} and by {dotted(path)}",
            )
        else:
            taken[name] = path


def _list_variables(config: Config) -> Iterator[tuple[str, Path_]]:
    for key, parameter in config.parameters.items():
        if parameter.env is not None:
            yield parameter.env, ("parameters", key, "env")
    for key, secret in config.secrets.items():
        if secret.env is not None:
            yield secret.env, ("secrets", key, "env")
    for name in config.task.environment:
        yield name, ("task", "environment", name)


def _parameter_levels(config: Config) -> Iterator[Contradiction]:
    for key in config.parameters:
        levels = config.parameter_name(key).count("/")
        if levels > _MOST_LEVELS:
            yield Contradiction(
                (("parameters", key),),
                f"has {levels} levels with /<app>/<environment>; SSM takes {_MOST_LEVELS}",
            )


def _secret_names(config: Config) -> Iterator[Contradiction]:
    for key, secret in config.secrets.items():
        suffix = _RANDOM_SUFFIX.search(key)
        if secret.arn is None and suffix is not None:
            yield Contradiction(
                (("secrets", key),),
                f"ends with {suffix[0]}: the ARNs of Secrets Manager end with a hyphen and six"
                " characters too, and the two are confused; choose another ending",
            )


def _stack(config: Config) -> Iterator[Contradiction]:
    """Yield what an environment's own stack cannot make, or cannot be told."""
    infra = config.infra
    database = infra.database
    if isinstance(database, DatabaseConfig) and database.max_storage < database.storage:
        section: Path_ = ("infra", "database")
        yield Contradiction(
            ((*section, "max_storage"), (*section, "storage")),
            f"max_storage {database.max_storage} is less than storage {database.storage}",
        )
    if len(infra.subnets) == 1:
        yield Contradiction(
            (("infra", "subnets"),), "a load balancer needs subnets in two zones or more"
        )
    if infra.subnets and not isinstance(infra.vpc, str):
        yield Contradiction(
            (("infra", "subnets"), ("infra", "vpc")), "a new VPC has subnets of its own"
        )
    if not infra.stack:
        return
    made: dict[Path_, str | None] = {
        ("service", "target_group"): config.service.target_group,
        ("network", "alb_group"): config.network.alb_group,
        ("network", "service_group"): config.network.service_group,
        ("network", "database_group"): config.network.database_group,
    }
    for path, name in made.items():
        if not is_name(name):
            yield Contradiction(
                (path, ("infra", "stack")),
                f"the stack makes it: give it a name instead of {name}, or leave it out",
            )
