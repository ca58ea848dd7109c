"""What `deploy` and `taskdef` share: from an observation to the target, all gaps named at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from schoolctl.ecs_service.define.needs import Gaps
from schoolctl.ecs_service.define.target import BY_TAG, Target, image_target, revision_target

if TYPE_CHECKING:
    from schoolctl.core.run import Run
    from schoolctl.ecs_service.define.observe_task import TaskObservation
    from schoolctl.ecs_service.define.plan import Present
    from schoolctl.ecs_service.define.target import Choice, ChosenImage, KeptImage


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
    from schoolctl.aws.ecs.request_form import check_form
    from schoolctl.ecs_service.define.keep import KEEP, fill_kept, kept_places
    from schoolctl.ecs_service.define.task_definition import render_task_definition
    from schoolctl.ecs_service.define.task_needs import resolve_task

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
