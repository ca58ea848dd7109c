"""Task definitions: rendered from a configuration, kept values filled in, revisions named. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from schoolctl.base.errors import ConflictError, UsageError
from schoolctl.base.plan import Plan
from schoolctl.base.text import ago
from schoolctl.config.merge import apply_overrides
from schoolctl.images.stored.steps import DeregisterTaskDefinitions
from schoolctl.model.services import TaskDefinitionRef

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from schoolctl.config.models import Config
    from schoolctl.model.images import ImageRef
    from schoolctl.model.services import Revision

SAME_IMAGE = "{image}"
"""As the image of a container in `task.overrides`: the one that the service's container has."""
_ARCHITECTURES = {"linux/amd64": "X86_64", "linux/arm64": "ARM64"}
KEEP = "{keep}"
_REVISION = re.compile(r"(?:([A-Za-z0-9_-]{1,255}):)?([1-9][0-9]{0,8})")


@dataclass(frozen=True)
class Names:
    """What the names in the configuration stand for on AWS.

    Attributes:
        region: where the tasks run.
        role_arns: by what `task.execution_role` and `task.task_role` say.
        secret_arns: by key of `secrets`, at least those with an `env`.
    """

    region: str
    role_arns: Mapping[str, str]
    secret_arns: Mapping[str, str]


def render_task_definition(
    config: Config, image: ImageRef | str, names: Names
) -> dict[str, object]:
    """Give the RegisterTaskDefinition request, without tags, `task.overrides` merged last.

    The container gets the *names* of parameters and secrets, never their values: the service
    reads them itself, so a changed password needs no new revision and stands in none.

    Args:
        config: the configuration of the environment.
        image: by digest, so that the revision means the same image for ever; or as a revision
            names it that is there.
        names: what roles and secrets stand for.

    Source: ECS RegisterTaskDefinition.
    """
    task = config.task
    request: dict[str, object] = {
        "family": task.family,
        "networkMode": config.launch.network_mode,
        "requiresCompatibilities": [config.launch.id],
        "cpu": str(task.cpu),
        "memory": str(task.memory),
        "runtimePlatform": {
            "cpuArchitecture": _ARCHITECTURES[config.image.platform],
            "operatingSystemFamily": "LINUX",
        },
        "executionRoleArn": names.role_arns.get(task.execution_role, ""),
    }
    if task.task_role is not None:
        request["taskRoleArn"] = names.role_arns.get(task.task_role, "")
    request["containerDefinitions"] = [_container(config, image, names)]
    made = apply_overrides(request, task.overrides)
    return replace_image(made, SAME_IMAGE, str(image))


def named_roles(config: Config) -> list[str]:
    """Give the roles that a task definition of the configuration names.

    One that `task.overrides` takes away need not exist.
    """
    task = config.task
    roles = {"executionRoleArn": task.execution_role, "taskRoleArn": task.task_role}
    return [each for name, each in roles.items() if each and name not in task.overrides]


def _container(config: Config, image: ImageRef | str, names: Names) -> dict[str, object]:
    task = config.task
    variables = environment(config, names)
    return {
        "name": task.container,
        "image": str(image),
        "essential": True,
        "portMappings": [{"containerPort": task.port, "protocol": "tcp"}],
        "environment": [{"name": name, "value": variables[name]} for name in sorted(variables)],
        "readonlyRootFilesystem": True,
        "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
        "stopTimeout": task.stop_timeout,
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": task.log_group,
                "awslogs-region": names.region,
                "awslogs-stream-prefix": task.container,
            },
        },
    }


def environment(config: Config, names: Names) -> dict[str, str]:
    """Give the container's variables: parameters as their paths, secrets as their ARNs."""
    paths = {
        each.env: config.parameter_name(key)
        for key, each in config.parameters.items()
        if each.env is not None
    }
    arns = {
        each.env: names.secret_arns[key]
        for key, each in config.secrets.items()
        if each.env is not None
    }
    return {"AWS_REGION": names.region, **paths, **arns, **config.task.environment}


def container_image(definition: Mapping[str, object], container: str) -> str:
    """Give the image of the container with that name, else of the first; empty without any."""
    containers = _containers(definition)
    chosen = next((each for each in containers if each.get("name") == container), None)
    if chosen is None:
        chosen = containers[0] if containers else {}
    return str(chosen.get("image", ""))


def replace_image(definition: Mapping[str, object], before: str, image: str) -> dict[str, object]:
    """Give a task definition in which every container with the image `before` has another."""
    changed = [
        {**each, "image": image} if each.get("image") == before else each
        for each in _containers(definition)
    ]
    return {**definition, "containerDefinitions": changed}


def names_log_group(definition: Mapping[str, object], group: str) -> bool:
    """Say whether a container of the definition logs to the log group."""
    return any(
        isinstance(log := each.get("logConfiguration"), Mapping)
        and isinstance(options := log.get("options"), Mapping)
        and options.get("awslogs-group") == group
        for each in _containers(definition)
    )


def _containers(definition: Mapping[str, object]) -> list[Mapping[str, object]]:
    found = definition.get("containerDefinitions")
    return list(found) if isinstance(found, list | tuple) else []


# Values that are kept


def kept_places(definition: Mapping[str, object]) -> tuple[str, ...]:
    """Name each place of a task definition that still says `{keep}`."""
    return tuple(_places(definition, ""))


def fill_kept(definition: Mapping[str, object], before: Mapping[str, object]) -> dict[str, object]:
    """Give a task definition with the values of `before` for each `{keep}` that has one there.

    Items of a list are the same that have the same `name`; without names, those that stand at the
    same place in lists of the same length.
    """
    return cast("dict[str, object]", _fill(definition, before))


def _fill(value: object, before: object) -> object:
    match value:
        case Mapping():
            known = before if isinstance(before, Mapping) else {}
            return {key: _fill(each, known.get(key)) for key, each in value.items()}
        case str():
            return before if value == KEEP and isinstance(before, str) else value
        case Sequence():
            old = _matching(value, before)
            return [_fill(each, there) for each, there in zip(value, old, strict=True)]
        case _:
            return value


def _matching(items: Sequence[object], before: object) -> list[object]:
    """Give for each item the one of `before` that it goes by; None where there is none."""
    there = before if isinstance(before, list | tuple) else ()
    if all(_name(item) for item in items):
        named = {_name(each): each for each in there}
        return [named.get(_name(item)) for item in items]
    return list(there) if len(there) == len(items) else [None] * len(items)


def _name(item: object) -> str:
    return str(item.get("name") or "") if isinstance(item, Mapping) else ""


def _places(value: object, where: str) -> Iterator[str]:
    match value:
        case Mapping():
            name = _name(value)
            for key, each in value.items():
                is_value = name and key == "value"
                inside = where if is_value else f"{where}.{key}".lstrip(".")
                yield from _places(each, inside)
        case str():
            if value == KEEP:
                yield where
        case Sequence():
            for number, each in enumerate(value):
                yield from _places(each, f"{where}[{_name(each) or number}]")
        case _:
            pass


# Revisions


def parse_revision(text: str, family: str) -> TaskDefinitionRef:
    """Read `12`, a revision of `family`, or `web:12`; anything else is a `UsageError`."""
    found = _REVISION.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{text!r} is no revision",
            why="a revision is a number, or FAMILY:NUMBER",
            hint="`schoolctl taskdef list` shows those there are",
        )
    return TaskDefinitionRef(found[1] or family, int(found[2]))


def plan_deregister(revision: Revision, used_by: Sequence[str], now: datetime) -> Plan:
    """Give the step that makes a revision INACTIVE.

    Args:
        revision: as ECS has it.
        used_by: the services, deployments and tasks that are at it.
        now: the present time.

    Raises:
        ConflictError: something is at it.
    """
    ref = revision.ref
    if used_by:
        raise ConflictError(
            f"{ref} is in use; nothing was changed",
            why=f"{', '.join(used_by)} is at it, and could start no further task of it",
            hint="deploy another revision first",
        )
    completed = revision.completed_at
    return Plan(
        f"deregister {ref}.",
        (DeregisterTaskDefinitions((ref,)),) if revision.active else (),
        nothing=f"nothing to do: {ref} is INACTIVE already",
        notes=(f"it completed {ago(completed, now)}: a rollback may want it",)
        if completed is not None and revision.active
        else (),
        asks=True,
    )
