"""CreateService and UpdateService requests, and the release command before them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from schoolctl.config.merge import apply_overrides, deep_merge
from schoolctl.ecs_service.define.canonical import without_empty
from schoolctl.ecs_service.define.needs import Denied
from schoolctl.ecs_service.steps.tasks import RunTask
from schoolctl.model.launch import FARGATE

if TYPE_CHECKING:
    from schoolctl.config.models import Config
    from schoolctl.ecs_service.define.needs import Places
    from schoolctl.ecs_service.define.target import Target

NOTHING_RUNS = "the desired count is 0, so nothing runs; `schoolctl scale N` raises it"
CREATE_ONLY = frozenset(
    {"clientToken", "launchType", "role", "schedulingStrategy", "serviceName", "tags"}
)
"""Members of CreateService that UpdateService does not take. Source: the ECS service model."""
# How many tasks run is decided by `--desired-count` and auto scaling once it is there; how its
# tasks are tagged, by whoever created it.
_LEFT_ALONE = CREATE_ONLY | {"desiredCount", "enableECSManagedTags", "propagateTags"}


_TOLD_BY_OTHERS = frozenset({"deploymentController", "desiredCount"})
_USUAL: Mapping[str, tuple[object, ...]] = {
    "availabilityZoneRebalancing": ("ENABLED",),
    "bakeTimeInMinutes": (0,),
    "healthCheckGracePeriodSeconds": (0,),
    "platformVersion": ("LATEST",),
    "strategy": ("ROLLING",),
}
"""What a service on Fargate has where nobody chose anything."""
RELEASE = "release command"


def create_request(config: Config, places: Places) -> dict[str, object]:
    """Give the CreateService request without names, task definition, count and token.

    Raises:
        AccessDeniedError: the network or the target group may not be read, and is needed here.
    """
    for place in (places.network, places.target_group_arn):
        if isinstance(place, Denied):
            raise place.error
    request = {
        **config.launch.settings,
        "enableECSManagedTags": True,
        "propagateTags": "SERVICE",
        **_settings(config, places),
    }
    overrides = config.service.overrides
    if "capacityProviderStrategy" in overrides:
        del request["launchType"]  # ECS takes one of the two
    return apply_overrides(request, overrides)


def update_request(
    config: Config, places: Places, actual: Mapping[str, object]
) -> dict[str, object]:
    """Give the members of an UpdateService request that differ from what the service has.

    A mapping that differs is sent whole, with what it has besides: ECS would take what is left
    out for its default.

    Args:
        config: the configuration of the environment.
        places: where the service runs; what AWS refused to tell is left as it is.
        actual: the service's settings as DescribeServices tells them.
    """
    wanted = apply_overrides(_settings(config, places), config.service.overrides)
    explicit = {"enableECSManagedTags", "propagateTags"} & config.service.overrides.keys()
    request: dict[str, object] = {}
    for name, value in wanted.items():
        if name in _LEFT_ALONE - explicit or _covers(value, actual.get(name)):
            continue
        before = actual.get(name)
        both = isinstance(value, Mapping) and isinstance(before, Mapping)
        request[name] = _merged(before, value) if both else value
    return request


def settings_overrides(
    config: Config, places: Places, actual: Mapping[str, object]
) -> dict[str, object]:
    """Give the `service.overrides` with which a configuration leaves a service as it is.

    Args:
        config: the configuration, without overrides of the service.
        places: where the service runs.
        actual: the service's settings as DescribeServices tells them.

    Returns:
        What the configuration would change otherwise, and what it has no keys for.
    """
    made = _settings(config, places)
    there = {
        name: value for name, value in without_empty(actual).items() if not _is_usual(name, value)
    }
    found = _instead(made, {name: each for name, each in there.items() if name not in _LEFT_ALONE})
    return {name: value for name, value in found.items() if name not in _TOLD_BY_OTHERS}


def _instead(made: Mapping[str, object], there: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in made.items():
        actual = there.get(name)
        if isinstance(value, Mapping) and isinstance(actual, Mapping):
            inner = _instead(value, actual)
            if inner:
                found[name] = inner
        elif not _covers(value, actual):
            found[name] = actual
    further = {name: value for name, value in there.items() if name not in made}
    return {**found, **{name: each for name, each in further.items() if not _is_usual(name, each)}}


def _is_usual(name: str, value: object) -> bool:
    """Say whether a service has this value where nobody chose one."""
    return name in _USUAL and value in _USUAL[name]


def _merged(before: object, value: object) -> dict[str, object]:
    return deep_merge(cast("Mapping[str, object]", before), cast("Mapping[str, object]", value))


def _settings(config: Config, places: Places) -> dict[str, object]:
    service, deployment = config.service, config.service.deployment
    settings: dict[str, object] = {
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {
                "enable": deployment.circuit_breaker,
                "rollback": deployment.rollback,
            },
            "minimumHealthyPercent": deployment.min_percent,
            "maximumPercent": deployment.max_percent,
        }
    }
    if not isinstance(places.network, Denied):
        settings["networkConfiguration"] = places.network
    if service.target_group is not None and isinstance(places.target_group_arn, str):
        settings["loadBalancers"] = [
            {
                "targetGroupArn": places.target_group_arn,
                "containerName": config.task.container,
                "containerPort": config.task.port,
            }
        ]
        # ECS takes a grace period only for a service that a load balancer checks.
        settings["healthCheckGracePeriodSeconds"] = deployment.grace_seconds
    return settings


def _covers(wanted: object, actual: object) -> bool:
    """Say whether `actual` has all that is wanted; what it has besides is ECS's own affair."""
    match wanted:
        case Mapping():
            there = actual if isinstance(actual, Mapping) else {}
            return all(_covers(value, there.get(name)) for name, value in wanted.items())
        case str():
            return wanted == (actual or "")
        case Sequence():
            return _covers_items(wanted, actual)
        case _:
            # Nothing, no and 0 are what ECS leaves out of its answers.
            return wanted == actual or not (wanted or actual)


def _covers_items(wanted: Sequence[object], actual: object) -> bool:
    """Say whether two lists have the same items, in whatever order."""
    rest = list(actual) if isinstance(actual, list | tuple) else []
    if len(rest) != len(wanted):
        return False
    for item in wanted:
        match = next((each for each in rest if _covers(item, each)), None)
        if match is None:
            return False
        rest.remove(match)
    return True


# The release command


def release_steps(
    config: Config,
    target: Target,
    network: Mapping[str, object],
    settings: Mapping[str, object],
) -> tuple[RunTask, ...]:
    """Give the step that runs the release command, where there is one.

    It runs whenever another image is deployed, also where a deploy that was interrupted has run it
    for the same one: nobody knows how far it came. So it has to bear being run again.

    Args:
        config: the configuration of the environment.
        target: what is deployed.
        network: in the shape of RunTask's `networkConfiguration`.
        settings: of the service as it is; empty where there is none.
    """
    command = config.service.release_command
    if command is None:
        return ()
    return (
        RunTask(
            config.service.cluster,
            config.task.container,
            target.ref,
            command,
            network,
            purpose=RELEASE,
            log_group=config.task.log_group,
            timeout_seconds=config.service.release_timeout,
            launch=launch_of(config.service.overrides, settings),
            alone=True,
        ),
    )


def launch_of(*settings: Mapping[str, object]) -> dict[str, object]:
    """Give what a task is to run on, as the service's do: members of a RunTask request.

    Args:
        settings: of the service, in the shape of CreateService; the first that says it counts.
    """
    for each in settings:
        if each.get("capacityProviderStrategy"):
            return {"capacityProviderStrategy": each["capacityProviderStrategy"]}
        if each.get("launchType"):
            return {"launchType": each["launchType"]}
    return FARGATE.settings
