"""What a deploy would change, from its very plan: empty just where it has nothing to do. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.ecs_service.define.changes import Change, compare_definitions, compare_settings
from schoolctl.ecs_service.define.masking import MASK, PLAIN_MEMBERS, looks_secret, mask_words
from schoolctl.ecs_service.define.target import COMMIT_TAG, TAG_TAG, Target
from schoolctl.ecs_service.define.task_definition import container_image
from schoolctl.ecs_service.steps.service import (
    MarkCompleted,
    RegisterTaskDefinition,
    UpdateService,
    WaitForRollout,
)
from schoolctl.images.push.release import short_commit
from schoolctl.model.images import ImageRef

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from schoolctl.base.plan import Plan, Step
    from schoolctl.ecs_service.define.canonical import Canonical
    from schoolctl.ecs_service.define.plan import Present
    from schoolctl.model.services import Revision

_COMMANDS = {"command", "entryPoint"}
_BOOKKEEPING = (MarkCompleted, WaitForRollout)
"""Steps that change nothing of what runs."""


@dataclass(frozen=True)
class NamedImage:
    """An image with what is known of it."""

    reference: str
    tag: str | None
    commit: str | None

    @property
    def digest(self) -> str | None:
        """Its digest, where the reference has one."""
        named = ImageRef.parse(self.reference)
        return str(named.digest) if named is not None and named.digest is not None else None

    def text(self) -> str:
        """Say it with tag, digest and commit."""
        named = ImageRef.parse(self.reference)
        if named is None:
            return self.reference
        digest = f"sha256:{named.digest.short}" if named.digest is not None else None
        known = [self.tag or named.tag, digest]
        if self.commit:
            known.append(f"commit {short_commit(self.commit)}")
        return ", ".join(each for each in known if each) or self.reference

    def document(self) -> dict[str, object]:
        """Give it for JSON."""
        return {
            "image": self.reference,
            "tag": self.tag,
            "digest": self.digest,
            "commit": self.commit,
        }


@dataclass(frozen=True)
class Diff:
    """What differs between a service and what a deploy makes of it.

    Attributes:
        before: the revision that it is at; None where there is no service.
        after: the one that it is to be at; None where it has to be registered first.
        images: of its container, where they differ.
        definition: of the task definition.
        settings: of the service.
        actions: what else a deploy does, in sentences.
        missing: what has to be made before it can, each with the command.
    """

    before: str | None
    after: str | None
    images: tuple[NamedImage | None, NamedImage] | None = None
    definition: tuple[Change, ...] = ()
    settings: tuple[Change, ...] = ()
    actions: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to change."""
        return not (self.definition or self.settings or self.actions or self.missing)

    def lines(self, *, reveal: bool = False) -> list[str]:
        """Give it for people; empty where nothing differs."""
        if self.is_empty:
            return []
        after = self.after or "a new revision"
        head = [] if self.before == self.after else [f"{self.before or 'nothing'} -> {after}"]
        images = []
        if self.images is not None:
            old, new = self.images
            images = [f"{old.text() if old else 'none'} -> {new.text()}"]
        return [
            *head,
            *_section("image", images),
            *_section("task definition", change_lines(self._rest(), reveal=reveal)),
            *_section("service", change_lines(self.settings, reveal=reveal)),
            *_section("and", self.actions),
            *_section("missing", self.missing),
        ]

    def _rest(self) -> tuple[Change, ...]:
        """Give the changes of the definition without that of the image, which is told apart."""
        if self.images is None:
            return self.definition
        old, new = self.images
        both = (old.reference if old else None, new.reference)
        return tuple(each for each in self.definition if (each.before, each.after) != both)

    def document(self, *, reveal: bool = False) -> dict[str, object]:
        """Give it for JSON."""
        image = None
        if self.images is not None:
            old, new = self.images
            image = {"from": old.document() if old else None, "to": new.document()}
        return {
            "differs": not self.is_empty,
            "from": self.before,
            "to": self.after,
            "image": image,
            "task_definition": change_documents(self.definition, reveal=reveal),
            "settings": change_documents(self.settings, reveal=reveal),
            "actions": list(self.actions),
            "missing": list(self.missing),
        }


def deployment_diff(
    plan: Plan, target: Target, present: Present, container: str, missing: Sequence[str] = ()
) -> Diff:
    """Give what the steps of a deploy's plan change.

    Args:
        plan: of a deploy.
        target: what the plan brings the service to.
        present: the service as it was observed.
        container: the name of the service's container.
        missing: what has to be made before, each with the command.
    """
    steps = [step for step in plan.steps if not isinstance(step, _BOOKKEEPING)]
    running = present.running
    before = str(present.service.task_definition) if present.service is not None else None
    after = str(target.revision.ref) if target.revision is not None else None
    if not steps:
        return Diff(before, after, missing=tuple(missing))
    old = running.definition if running is not None else {}
    definition = compare_definitions(old, target.definition)
    return Diff(
        before,
        after,
        _images(running, target, container),
        definition,
        tuple(_settings(steps, present)),
        tuple(_actions(steps, told=bool(definition))),
        tuple(missing),
    )


def definition_diff(before: Revision | None, after: Target | Revision, container: str) -> Diff:
    """Give what differs between a revision and another, or what is to be registered."""
    revision = after.revision if isinstance(after, Target) else after
    old = before.definition if before is not None else {}
    changes = compare_definitions(old, after.definition)
    return Diff(
        str(before.ref) if before is not None else None,
        str(revision.ref) if revision is not None else None,
        _images(before, after, container) if changes else None,
        changes,
    )


def _images(
    running: Revision | None, target: Target | Revision, container: str
) -> tuple[NamedImage | None, NamedImage] | None:
    new = container_image(target.definition, container)
    revision = target.revision if isinstance(target, Target) else None
    noted = target.tags if revision is None else revision.tags
    to = NamedImage(new, noted.get(TAG_TAG), noted.get(COMMIT_TAG))
    if running is None:
        return None, to
    old = container_image(running.definition, container)
    if old == new:
        return None
    return NamedImage(old, running.tags.get(TAG_TAG), running.tags.get(COMMIT_TAG)), to


def _settings(steps: Sequence[Step], present: Present) -> Iterator[Change]:
    for step in steps:
        if isinstance(step, UpdateService) and present.service is not None:
            actual = {**present.service.settings, "desiredCount": present.service.desired}
            before = {name: actual.get(name) for name in step.request}
            yield from compare_settings(before, step.request)


def _actions(steps: Sequence[Step], *, told: bool) -> Iterator[str]:
    """Give what no comparison tells. `told` says whether one tells why a revision is registered."""
    for step in steps:
        match step:
            case RegisterTaskDefinition():
                if not told:
                    yield step.describe()
            case UpdateService(force=force, running=running, task_definition=wanted):
                if force or (running != wanted and not told):
                    yield step.describe()
            case _:
                yield step.describe()


# Changes in words


def change_lines(changes: Sequence[Change], *, reveal: bool) -> list[str]:
    """Give a line for each change, with its values where they do not look like secrets."""
    several = len({each.container for each in changes if each.container}) > 1
    return [_change_line(each, several=several, reveal=reveal) for each in changes]


def _change_line(change: Change, *, several: bool, reveal: bool) -> str:
    whole = change.name.startswith("container ")
    prefix = f"{change.container}: " if several and change.container and not whole else ""
    if whole:
        return f"{change.name} {change.verb}"
    old, new = (_text(change, side, reveal=reveal) for side in (change.before, change.after))
    hint = f" ({change.verb})" if MASK in {old, new} else ""
    return f"{prefix}{change.name}: {old} -> {new}{hint}"


def _text(change: Change, value: Canonical | None, *, reveal: bool) -> str:
    shown = value if reveal else _masked(change, value)
    match shown:
        case {"value": str(only)} | {"valueFrom": str(only)} if (
            isinstance(shown, dict) and len(shown) == 1
        ):
            return only
        case dict():
            return json.dumps(shown, ensure_ascii=False, sort_keys=True)
        case tuple() if any(isinstance(each, dict | tuple) for each in shown):
            return json.dumps(shown, ensure_ascii=False, sort_keys=True)
        case tuple() if change.path[-1] in _COMMANDS:
            return json.dumps(shown, ensure_ascii=False)
        case str() if not shown:
            return '""'
        case True if not isinstance(value, bool):
            return "there"
        case _:
            return change.value(shown, {})


def change_documents(changes: Sequence[Change], *, reveal: bool) -> list[dict[str, object]]:
    """Give each change for JSON: where it is, and both values; null where a side has none."""
    return [
        {
            "path": list(each.path),
            "from": each.before if reveal else _masked(each, each.before),
            "to": each.after if reveal else _masked(each, each.after),
        }
        for each in changes
    ]


def _masked(change: Change, value: Canonical | None) -> Canonical | None:
    path = change.path
    # A variable goes by its name, all else by its member.
    called = path[-2] if path[-1] == "value" and len(path) > 1 else path[-1]
    return _mask(value, path[-1], called)


def _mask(value: Canonical | None, key: str, called: str) -> Canonical | None:
    match value:
        case dict():
            return {
                name: _mask(each, name, called if name == "value" else name) or ""
                for name, each in value.items()
            }
        case str():
            return MASK if key not in PLAIN_MEMBERS and looks_secret(called, value) else value
        case tuple() if all(isinstance(each, str) for each in value):
            return tuple(mask_words(called, [str(each) for each in value]))
        case tuple():
            return tuple(_mask(each, key, called) or "" for each in value)
        case _:
            return value


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"{title}:", *(f"  {line}" for line in lines)] if lines else []
