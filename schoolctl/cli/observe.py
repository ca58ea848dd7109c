"""What `deploy` and `taskdef` share: from an observation to the target, all gaps named at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from schoolctl.plan.needs import Gaps
from schoolctl.plan.target import BY_TAG, Target, image_target, revision_target

if TYPE_CHECKING:
    from schoolctl.aws.observe_task import TaskObservation
    from schoolctl.cli.run import Run
    from schoolctl.model import Revision
    from schoolctl.plan.target import Choice, ChosenImage


def environment_option(run: Run) -> str:
    """Give what a command needs to work on this environment: ` -e prod`, or nothing."""
    chosen, usual = run.config.environment, run.config_file.default_environment
    return "" if chosen == usual else f" -e {chosen}"


def target_of_image(
    run: Run,
    seen: TaskObservation,
    image: ChosenImage | None,
    gaps: Gaps,
    *,
    running: Revision | None,
) -> Target | None:
    """Give the target that an image makes; None where something is missing, which `gaps` names.

    Raises:
        ConfigError: `task.overrides` makes a request that ECS does not take.
    """
    from schoolctl.aws.request_form import check_form
    from schoolctl.plan.task_definition import render_task_definition
    from schoolctl.plan.task_needs import resolve_task

    names = resolve_task(run.config, seen.needs(lambda: run.identity().account), gaps)
    if image is None or gaps.missing:
        return None
    definition = render_task_definition(run.config, image.reference, names)
    check_form(run.clients, "RegisterTaskDefinition", definition, overrides="task.overrides")
    target = image_target(
        definition, image, run.config.task.container, running=running, newest=seen.newest()
    )
    if target.revision is not None:
        return target
    return replace(target, tags={**target.tags, BY_TAG: run.identity().arn})


def target_of_choice(
    run: Run, seen: TaskObservation, choice: Choice, gaps: Gaps, *, running: Revision | None
) -> tuple[Target | None, ChosenImage | None]:
    """Give the target that was chosen, and its image where an image was chosen."""
    if choice.revision is None:
        image = seen.image(gaps)
        return target_of_image(run, seen, image, gaps, running=running), image
    revision, image_exists = seen.revision()
    return revision_target(revision, run.config, running, image_exists=image_exists), None


def new_gaps(run: Run) -> Gaps:
    """Give an empty list of gaps, whose cures name the environment where they have to."""
    return Gaps(environment_option(run))
