"""What `deploy` and `diff` share: from a choice to the plan, everything missing named at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from schoolctl.aws.observe_service import ServiceObservation
from schoolctl.aws.observe_task import TaskObservation
from schoolctl.aws.request_form import check_form
from schoolctl.cli.observe import new_gaps, target_of_choice
from schoolctl.plan.deploy import plan_deploy, unproven_image, usable
from schoolctl.plan.diff import deployment_diff
from schoolctl.plan.service_needs import resolve_service
from schoolctl.plan.steps import CreateService, UpdateService
from schoolctl.plan.target import ChosenImage

if TYPE_CHECKING:
    from schoolctl.cli.run import Run
    from schoolctl.plan.deploy import DeployOptions, Present
    from schoolctl.plan.diff import Diff
    from schoolctl.plan.steps import Plan
    from schoolctl.plan.target import Choice, Target


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
