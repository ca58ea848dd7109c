"""What `deploy` and `diff` share: from a choice to the plan, everything missing named at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from schoolctl.aws.ecs.changes import check_form
from schoolctl.ecs_service.define.diff import deployment_diff
from schoolctl.ecs_service.define.needs import Gaps, resolve_service
from schoolctl.ecs_service.define.observe import ServiceObservation, TaskObservation
from schoolctl.ecs_service.define.plan import plan_deploy, unproven_image, usable
from schoolctl.ecs_service.define.target import (
    BY_TAG,
    ChosenImage,
    Target,
    image_target,
    revision_target,
)
from schoolctl.ecs_service.define.task_definition import (
    KEEP,
    fill_kept,
    kept_places,
    render_task_definition,
)
from schoolctl.ecs_service.define.task_needs import resolve_task
from schoolctl.ecs_service.steps.service import CreateService, UpdateService

if TYPE_CHECKING:
    from schoolctl.base.plan import Plan
    from schoolctl.core.run import Run
    from schoolctl.ecs_service.define.diff import Diff
    from schoolctl.ecs_service.define.plan import DeployOptions, Present
    from schoolctl.ecs_service.define.target import Choice, KeptImage, Target


@dataclass(frozen=True)
class Planned:
    """The plan of a deploy, and what it was made of."""

    target: Target
    present: Present
    plan: Plan
    missing: tuple[str, ...]
    """What has to be made first; a plan that is carried out lacks nothing."""

    def diff(self, container: str) -> Diff:
        """Give what the plan changes."""
        return deployment_diff(self.plan, self.target, self.present, container, self.missing)


def plan_choice(run: Run, choice: Choice, options: DeployOptions) -> Planned:
    """Observe, name what is missing, and decide the steps.

    Raises:
        MissingThingsError: something is missing; where the plan is only looked at, something
            without which no task definition can be made.
    """
    config, clients = run.config, run.clients
    task = TaskObservation(clients, config, choice)
    around = ServiceObservation(clients, config, task.newest_revision)
    gaps = new_gaps(run)
    present = around.present()
    target, image = target_of_choice(run, task, choice, gaps, present)
    creating = usable(present.service, config) is None
    places = resolve_service(config, around.needs(), gaps, creating=creating)
    if target is None or not options.only_look:
        gaps.refuse(f"deploy {config.service.name}")
    if target is None:
        raise AssertionError("a target that cannot be made has a gap")
    plan = plan_deploy(config, target, present, places, options, run.clock.now())
    _check_forms(run, plan)
    notes = (image.describe(run.clock.now()),) if image is not None else ()
    warnings = (*gaps.warnings, *plan.warnings)
    if isinstance(image, ChosenImage) and not choice.is_made:
        warnings += unproven_image(image, task.newest(), present)
    plan = replace(plan, notes=(*notes, *plan.notes), warnings=warnings)
    return Planned(target, present, plan, tuple(gaps.missing))


def _check_forms(run: Run, plan: Plan) -> None:
    """Refuse service requests that `service.overrides` made impossible, before any is sent."""
    for step in plan.steps:
        if isinstance(step, CreateService):
            operation, request = "CreateService", {"serviceName": step.name, **step.request}
        elif isinstance(step, UpdateService):
            operation, request = "UpdateService", {"service": step.name, **step.request}
        else:
            continue
        check_form(run.clients, operation, request, overrides="service.overrides")


def environment_option(run: Run) -> str:
    """Give what a command needs to work on this environment: ` -e prod`, or nothing."""
    chosen, usual = run.config.environment, run.config_file.default_environment
    return "" if chosen == usual else f" -e {chosen}"


def target_of_image(
    run: Run,
    seen: TaskObservation,
    image: ChosenImage | KeptImage | None,
    gaps: Gaps,
    *,
    present: Present | None = None,
) -> Target | None:
    """Give the target that an image makes; None where something is missing, which `gaps` names.

    Raises:
        ConfigError: `task.overrides` makes a request that ECS does not take.
    """
    names = resolve_task(run.config, seen.needs(lambda: run.identity().account), gaps)
    if image is None or gaps.missing:
        return None
    running = present.running if present is not None else None
    definition = render_task_definition(run.config, image.reference, names)
    before = running or seen.newest()
    definition = fill_kept(definition, before.definition if before is not None else {})
    for place in kept_places(definition):
        gaps.lacks(
            f"a value for {place}",
            f"no revision of {run.config.task.family} has one that `{KEEP}` could keep; write it"
            " in schoolctl.yaml, or put it into Secrets Manager",
        )
    if gaps.missing:
        return None
    check_form(run.clients, "RegisterTaskDefinition", definition, overrides="task.overrides")
    target = image_target(
        definition,
        image,
        run.config.task.container,
        running=running,
        newest=seen.newest(),
        pulled=present.pulled if present is not None else (),
    )
    if target.revision is not None:
        return target
    return replace(target, tags={**target.tags, BY_TAG: run.identity().arn})


def target_of_choice(
    run: Run, seen: TaskObservation, choice: Choice, gaps: Gaps, present: Present
) -> tuple[Target | None, ChosenImage | KeptImage | None]:
    """Give the target that was chosen, and its image where an image was chosen."""
    if choice.revision is None:
        image = seen.image(gaps, keep=present.running)
        return target_of_image(run, seen, image, gaps, present=present), image
    revision, image_exists = seen.revision()
    return revision_target(revision, run.config, present.running, image_exists=image_exists), None


def new_gaps(run: Run) -> Gaps:
    """Give an empty list of gaps, whose cures name the environment where they have to."""
    return Gaps(environment_option(run))
