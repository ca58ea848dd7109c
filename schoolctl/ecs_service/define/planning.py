"""What `deploy` and `diff` share: from a choice to the plan, everything missing named at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from schoolctl.aws.ecs.request_form import check_form
from schoolctl.ecs_service.define.diff import deployment_diff
from schoolctl.ecs_service.define.observe import ServiceObservation
from schoolctl.ecs_service.define.observe_cli import new_gaps, target_of_choice
from schoolctl.ecs_service.define.observe_task import TaskObservation
from schoolctl.ecs_service.define.plan import plan_deploy, unproven_image, usable
from schoolctl.ecs_service.define.service_needs import resolve_service
from schoolctl.ecs_service.define.target import ChosenImage
from schoolctl.ecs_service.steps.service import CreateService, UpdateService

if TYPE_CHECKING:
    from schoolctl.base.plan import Plan
    from schoolctl.core.run import Run
    from schoolctl.ecs_service.define.diff import Diff
    from schoolctl.ecs_service.define.plan import DeployOptions, Present
    from schoolctl.ecs_service.define.target import Choice, Target


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
