"""One-off tasks beside the service: the release command, and on what their tasks run. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.ecs_service.steps.tasks import RunTask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.config.models import Config
    from schoolctl.ecs_service.define.target import Target

RELEASE = "release command"


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
    return {"launchType": "FARGATE"}
