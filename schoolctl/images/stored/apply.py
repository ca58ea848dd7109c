"""The steps of `images prune`, carried out."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, assert_never

from schoolctl.aws.ecr_images import delete_images
from schoolctl.aws.ecs.changes import deregister_revisions
from schoolctl.base.errors import ConflictError, SchoolctlError
from schoolctl.base.text import batches, count
from schoolctl.images.stored.observe import observe_everywhere
from schoolctl.images.stored.steps import ConfirmUnused, DeleteImages, DeregisterTaskDefinitions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    from schoolctl.core.executor import Outcome, Tools
    from schoolctl.images.stored.steps import (
        AnyPruneStep,
        Deletion,
    )
    from schoolctl.model.images import Digest
    from schoolctl.output.reporter import View

_IMAGES_A_CALL = 100
_CALLS_SIDE_BY_SIDE = 8
"""ECR throttles; eight calls of 100 images are 10,000 images in a few seconds."""


def apply(step: AnyPruneStep, tools: Tools, outcome: Outcome) -> str:
    """Apply a step; gives what to say beside its description, or nothing."""
    match step:
        case ConfirmUnused():
            return confirm_unused(step, tools)
        case DeleteImages():
            return delete(step, tools, outcome)
        case DeregisterTaskDefinitions():
            return deregister(step, tools)
        case _:
            assert_never(step)


def confirm_unused(step: ConfirmUnused, tools: Tools) -> str:
    """End the plan where something has come to use one of the images since it was made.

    A user may take minutes to agree, and a deployment takes seconds.
    """
    used = observe_everywhere(
        tools.clients,
        step.repository,
        tools.environments,
        tools.connect,
        window=step.window,
        known=step.known,
    )
    names = {image.digest: image for image in step.images}
    names_by_tag = {tag: image for image in step.images for tag in image.tags}
    for use in used.uses:
        image = names.get(use.digest) if use.digest else None
        image = image or (names_by_tag.get(use.tag) if use.tag else None)
        if image is not None:
            raise ConflictError(
                f"image {image.digest.short} has come into use since the plan was made;"
                " nothing was deleted",
                why=use.reason,
                hint="run it again: the new plan keeps it",
            )
    return ""


def deregister(step: DeregisterTaskDefinitions, tools: Tools) -> str:
    """Make the revisions INACTIVE; what runs goes on running."""
    deregister_revisions(tools.clients, step.revisions)
    return ""


def delete(step: DeleteImages, tools: Tools, outcome: Outcome) -> str:
    """Delete the images; what ECR refuses is noted, what belongs to it stays, the others go."""
    deleting = _Deleting(step, tools)
    try:
        with tools.reporter.view() as view:
            for wave in step.waves:
                deleting.wave(wave, view)
    except (SchoolctlError, KeyboardInterrupt):
        outcome.done.append(deleting.said())
        raise
    finally:
        outcome.deleted = tuple(deleting.gone)
    outcome.failures.extend(f"{digest}: {why}" for digest, why in deleting.left.items())
    return deleting.said() if deleting.left else ""


class _Deleting:
    """Deletes wave after wave, each in calls side by side.

    Attributes:
        gone: the images that are deleted.
        left: those that are not, each with the reason.
    """

    def __init__(self, step: DeleteImages, tools: Tools) -> None:
        self._name = step.repository.name
        self._all = sum(map(len, step.waves))
        self._tools = tools
        self.gone: list[Digest] = []
        self.left: dict[Digest, str] = {}

    def said(self) -> str:
        """Say how far it came."""
        return f"{len(self.gone)} of {count(self._all, 'image')} deleted"

    def wave(self, wave: Sequence[Deletion], view: View) -> None:
        """Delete the images of a wave, without those that belong to one that is still there."""
        clients = self._tools.clients
        under_way: deque[tuple[Future[dict[Digest, str]], list[Digest]]] = deque()
        try:
            for batch in batches(list(self._free(wave)), _IMAGES_A_CALL):
                if len(under_way) == _CALLS_SIDE_BY_SIDE:
                    self._count(*under_way.popleft())
                    view.update([], moving=f"  {self.said()}")
                call = clients.start(delete_images, clients, self._name, batch)
                under_way.append((call, batch))
            while under_way:
                self._count(*under_way.popleft())
        except SchoolctlError:
            for call, batch in under_way:
                if call.exception() is None:
                    self._count(call, batch)
            raise

    def _free(self, wave: Sequence[Deletion]) -> Iterator[Digest]:
        for each in wave:
            stays = next((digest for digest in each.after if digest in self.left), None)
            if stays is None:
                yield each.digest
            else:
                self.left[each.digest] = f"it belongs to {stays.short}, which could not be deleted"

    def _count(self, call: Future[dict[Digest, str]], batch: Sequence[Digest]) -> None:
        left = call.result()
        self.left |= left
        self.gone += [digest for digest in batch if digest not in left]
