"""Which steps bring the service to a target. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from schoolctl.base.errors import BusyError, ConflictError
from schoolctl.base.plan import Plan
from schoolctl.base.text import ago, count
from schoolctl.ecs_service.define.changes import settings_changes
from schoolctl.ecs_service.define.needs import Denied
from schoolctl.ecs_service.define.service_request import (
    NOTHING_RUNS,
    create_request,
    release_steps,
    update_request,
)
from schoolctl.ecs_service.define.target import TAG_TAG
from schoolctl.ecs_service.define.task_definition import container_image, names_log_group
from schoolctl.ecs_service.steps.service import (
    CreateLogGroup,
    CreateService,
    MarkCompleted,
    UpdateService,
    WaitForRollout,
)
from schoolctl.model.services import RolloutState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from schoolctl.base.plan import Step
    from schoolctl.config.models import Config
    from schoolctl.ecs_service.define.needs import Places
    from schoolctl.ecs_service.define.target import ChosenImage, Target
    from schoolctl.ecs_service.steps.tasks import RunTask
    from schoolctl.model.images import Digest
    from schoolctl.model.services import Deployment, Revision, ServiceState

WATCH = "follow it with `schoolctl wait`, which gives the verdict"


@dataclass(frozen=True)
class DeployOptions:
    """What the command line asks for besides the target."""

    wait: bool = True
    timeout_seconds: float = 1200
    force: bool = False
    desired_count: int | None = None
    only_look: bool = False
    """Whether the plan is only looked at: then a deployment in progress is no obstacle."""
    fail_fast: int | None = None
    """After how many failed tasks the rollout is ended."""


@dataclass(frozen=True)
class Present:
    """The service as it is: None where there is none, and the revision that it is at."""

    service: ServiceState | None
    running: Revision | None
    pulled: frozenset[Digest] | None = frozenset()
    """The digests that its tasks pulled, looked at where the revision names the image by a tag;
    None where they may not be seen."""


def plan_deploy(
    config: Config,
    target: Target,
    present: Present,
    places: Places,
    options: DeployOptions,
    now: datetime,
) -> Plan:
    """Decide the steps that bring the service to `target`; none where it is there already.

    Args:
        config: the configuration of the environment.
        target: what the service is to run.
        present: the service as it was observed.
        places: where it is to run.
        options: what the command line asks for.
        now: the present time, for ages in messages.

    Raises:
        BusyError: another deployment is in progress, or the service is being deleted.
        ConflictError: something else than ECS's own controller deploys the service.
        AccessDeniedError: the service has to be created, and AWS hides what that takes.
    """
    service = usable(present.service, config)
    group = config.task.log_group
    logs_there = names_log_group(target.definition, group)
    log_group = (CreateLogGroup(group),) if places.create_log_group and logs_there else ()
    if service is None:
        change: tuple[Step, ...] = _creation(config, target, places, options)
        name = f"create {config.service.name} with {target.label}"
        return Plan(name, (*log_group, *change, *_follow(config, target, options)))
    return _Update(config, target, present, service, places, options, now).plan(log_group)


def usable(service: ServiceState | None, config: Config) -> ServiceState | None:
    """Give the service if it can be updated; None where it is to be created.

    Raises:
        BusyError: it is being deleted.
        ConflictError: ECS's own deployment controller does not deploy it.
    """
    name = f"{config.service.cluster}/{config.service.name}"
    if service is None or service.status == "INACTIVE":
        return None
    if service.status == "DRAINING":
        raise BusyError(
            f"service {name} is being deleted",
            why="it is DRAINING: its tasks are still stopping",
            hint="run it again in a minute; the service is then created anew",
        )
    controller = cast("Mapping[str, object]", service.settings.get("deploymentController") or {})
    if controller.get("type", "ECS") != "ECS":
        raise ConflictError(
            f"service {name} is deployed by {controller['type']}",
            why="only ECS's own deployment controller takes a task definition by UpdateService",
            hint="create a service of another name, and set `service.name`",
        )
    return service


def _creation(
    config: Config, target: Target, places: Places, options: DeployOptions
) -> tuple[Step, ...]:
    wanted = config.service.desired_count
    create = CreateService(
        config.service.cluster,
        config.service.name,
        target.ref,
        create_request(config, places),
        wanted if options.desired_count is None else options.desired_count,
    )
    network = places.network
    release = () if isinstance(network, Denied) else release_steps(config, target, network, {})
    return (*target.registration(), *release, create)


def _follow(
    config: Config, target: Target, options: DeployOptions, service: ServiceState | None = None
) -> tuple[Step, ...]:
    if not options.wait:
        return ()
    wait = WaitForRollout(
        config.service.cluster,
        config.service.name,
        options.timeout_seconds,
        fail_fast=options.fail_fast,
    )
    if service is not None and service.task_definition == target.ref:
        return (wait, *_mark(target))
    return (wait, MarkCompleted(target.ref, again=_is_marked(target)))


def _mark(target: Target) -> tuple[MarkCompleted, ...]:
    """Mark a revision as completed, where it has no mark yet."""
    return () if _is_marked(target) else (MarkCompleted(target.ref),)


def _is_marked(target: Target) -> bool:
    return target.revision is not None and target.revision.completed_at is not None


def in_progress(service: ServiceState) -> Deployment | None:
    """Give the newest deployment whose rollout is not decided yet; None without one."""
    return next(
        (each for each in service.deployments if each.rollout_state is RolloutState.IN_PROGRESS),
        None,
    )


def unproven_image(
    image: ChosenImage, newest: Revision | None, present: Present
) -> tuple[str, ...]:
    """Warn that an image which nobody chose was deployed before, and not with success.

    Args:
        image: the newest one with a tag.
        newest: the newest ACTIVE revision of the family.
        present: the service as it was observed.
    """
    service, running = present.service, present.running
    if newest is None or newest.completed_at is not None:
        return ()
    moving = in_progress(service) if service is not None else None
    under_way = moving is not None and moving.task_definition == newest.ref
    at = running is not None and running.ref == newest.ref
    if str(image.reference) not in newest.images or under_way or at:
        return ()
    told = f"no rollout of {newest.ref}, which has image {image.label}, is known to have completed"
    tag = running.tags.get(TAG_TAG) if running is not None and running.completed_at else None
    if tag is not None and running is not None:
        told += f"; that of {running.ref} has: `schoolctl deploy --tag {tag}` stays with it"
    return (told,)


@dataclass(frozen=True)
class _Update:
    """Decides for a service that is there."""

    config: Config
    target: Target
    present: Present
    service: ServiceState
    places: Places
    options: DeployOptions
    now: datetime

    def plan(self, before: tuple[Step, ...]) -> Plan:
        """Give the plan; `before` are steps that come first in any case."""
        moving = in_progress(self.service)
        goes_on = self.options.force or self.options.only_look
        if moving is not None and not self._is_target(moving) and not goes_on:
            raise self._busy(moving)
        update = self._update()
        if update is not None:
            return self._updating(before, update)
        if moving is not None:
            return self._waiting(before, moving)
        return self._unchanged(before)

    def _is_target(self, deployment: Deployment | None) -> bool:
        revision = self.target.revision
        return (
            deployment is not None
            and revision is not None
            and deployment.task_definition == revision.ref
        )

    @property
    def _failed(self) -> bool:
        primary = self.service.primary
        return primary is not None and primary.rollout_state is RolloutState.FAILED

    def _update(self) -> UpdateService | None:
        """Give the update that brings the service to the target; None where it is there."""
        service, config = self.service, self.config
        request = update_request(config, self.places, service.settings)
        changes = settings_changes({name: service.settings.get(name) for name in request}, request)
        wanted = self.options.desired_count
        if wanted is not None and wanted != service.desired:
            request["desiredCount"] = wanted
            changes = (*changes, f"desiredCount {service.desired} -> {wanted}")
        there = self._is_target(service.primary) and service.task_definition == self.target.ref
        again = there and (self.options.force or self._failed)
        if there and not again and not request:
            return None
        if self.target.revision is not None and not there:
            changes = (*self.target.changes, *changes)  # else they stand with the registration
        return UpdateService(
            config.service.cluster,
            config.service.name,
            self.target.ref,
            request,
            running=service.task_definition,
            changes=changes,
            force=again,
        )

    def _updating(self, before: tuple[Step, ...], update: UpdateService) -> Plan:
        notes = []
        if self._is_target(self.service.primary) and self._failed:
            notes.append(f"the last rollout of {self.target.ref} failed; it is tried again")
        desired = self.service.desired
        if self.options.desired_count is not None:
            desired = self.options.desired_count
        warnings: tuple[str, ...] = ()
        if desired == 0:
            warnings = (f"the desired count of {self.config.service.name} is 0: no task will run",)
        return Plan(
            f"deploy {self.target.label} to {self.config.service.name}",
            (
                *before,
                *self.target.registration(),
                *self._release_if_new_image(),
                update,
                *_follow(self.config, self.target, self.options, self.service),
            ),
            notes=tuple(notes),
            warnings=warnings,
        )

    def _release_if_new_image(self) -> tuple[RunTask, ...]:
        container = self.config.task.container
        running = self.present.running
        if running is not None and container_image(
            running.definition, container
        ) == container_image(self.target.definition, container):
            return ()
        network = self.places.network
        if isinstance(network, Denied):
            told = self.service.settings.get("networkConfiguration") or {}
            network = cast("Mapping[str, object]", told)
        return release_steps(self.config, self.target, network, self.service.settings)

    def _waiting(self, before: tuple[Step, ...], moving: Deployment) -> Plan:
        name = self.config.service.name
        started = f"{moving.task_definition} is being deployed already, {self._age(moving)}"
        if not self.options.wait:
            return Plan(f"deploy to {name}", before, nothing=f"nothing to do: {started}")
        wait = WaitForRollout(
            self.config.service.cluster,
            name,
            self.options.timeout_seconds,
            deployment=moving,
            fail_fast=self.options.fail_fast,
        )
        steps = (*before, wait, *_mark(self.target))
        return Plan(f"follow the rollout of {self.target.label} on {name}", steps, notes=(started,))

    def _unchanged(self, before: tuple[Step, ...]) -> Plan:
        name, primary = self.config.service.name, self.service.primary
        revision = self.target.revision
        at = revision.completed_at if revision and revision.completed_at else None
        if at is None and primary is not None:
            at = primary.created_at
        since = f", deployed {ago(at, self.now)}" if at else ""
        nothing = f"nothing to do: {name} runs {self.target.label} ({self.target.ref}){since}"
        steps: tuple[Step, ...] = before
        if primary is not None and primary.rollout_state is RolloutState.COMPLETED:
            proven = self.service.desired > 0 and self.service.running >= self.service.desired
            steps = (*before, *(_mark(self.target) if proven else ()))
        summary = f"{name} runs {self.target.label} ({self.target.ref}) already; what is left:"
        idle = () if self.service.desired else (f"{name} has no tasks: {NOTHING_RUNS}",)
        return Plan(summary, steps, nothing=nothing, warnings=idle)

    def _busy(self, moving: Deployment) -> BusyError:
        name = f"{self.config.service.cluster}/{self.config.service.name}"
        return BusyError(
            f"another deployment of {name} is in progress: {moving.task_definition},"
            f" started {self._age(moving)}",
            why=f"{moving.running} of {count(moving.desired, 'task')} run (deployment {moving.id})",
            hint="wait until it is decided (`schoolctl wait`), or go over it with --force",
        )

    def _age(self, deployment: Deployment) -> str:
        return ago(deployment.created_at, self.now)
