"""`secrets list`: what is stored, how it is rotated, and whether the tasks that run have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.aws.ecs.services import describe_revision, list_tasks
from schoolctl.base.errors import AccessDeniedError, NotFoundError
from schoolctl.base.text import iso, local_time
from schoolctl.model.values import CURRENT
from schoolctl.params.freshness import Freshness, oldest_start
from schoolctl.params.observe_settings import SettingsObservation
from schoolctl.params.rules import declared_secrets
from schoolctl.rotation.rules import is_managed, staged_version

if TYPE_CHECKING:
    from schoolctl.core.run import Run
    from schoolctl.model.services import Task
    from schoolctl.model.values import SecretInfo
    from schoolctl.params.rules import Entry

_IN_USE = {True: "yes", False: "not yet", None: "-"}


def list_secrets(run: Run) -> None:
    """List the declared secrets; no value is read."""
    entries = declared_secrets(run.config)
    where = run.config.service
    tasks = run.clients.start(list_tasks, run.clients, where.cluster, service=where.name)
    observed = SettingsObservation(run.clients, run.config, only_secrets=True)
    found = observed.secrets()
    run.check_account()
    try:
        fresh = _freshness(run, observed, tasks.result())
    except (AccessDeniedError, NotFoundError) as error:
        # Whether tasks have it is an extra; without a service, none has.
        run.reporter.detail(f"{error.what}: {error.why}")
        fresh = Freshness((), None)
    rows = [_row(run, entry, found[entry.name], fresh) for entry in entries]
    run.reporter.table(
        {
            "environment": run.config.environment,
            "secrets": [_document(run, entry, found[entry.name], fresh) for entry in entries],
        },
        ("KEY", "NAME", "VALUE", "STATE", "CHANGED", "ROTATED BY", "IN USE"),
        rows,
    )
    for line in fresh.lines(run.clock.now()) if fresh.changed else ():
        run.reporter.note(line)


def _freshness(run: Run, observed: SettingsObservation, tasks: list[Task]) -> Freshness:
    refs = {each.task_definition for each in tasks if each.desired_status != "STOPPED"}
    # During a rollout there are two revisions, which mostly get their secrets alike.
    newest = max(refs, key=lambda each: each.revision, default=None)
    revision = describe_revision(run.clients, newest) if newest is not None else None
    return observed.since(oldest_start(tasks), revision.definition if revision else None)


def _row(run: Run, entry: Entry, secret: SecretInfo | None, fresh: Freshness) -> list[str]:
    changed_at = secret.changed_at if secret is not None else None
    return [
        entry.key,
        entry.name,
        "***" if secret is not None else "-",
        _state(secret),
        local_time(changed_at) if changed_at else "-",
        _rotation(run, entry, secret) or "-",
        _use(entry, fresh),
    ]


def _use(entry: Entry, fresh: Freshness) -> str:
    reread = any(each.name == entry.name and each.is_reread for each in fresh.changed)
    return "read anew" if reread else _IN_USE[fresh.in_use(entry.name)]


def _state(secret: SecretInfo | None) -> str:
    if secret is None:
        return "missing"
    if secret.deleted_at is not None:
        return f"to be deleted on {secret.deleted_at:%Y-%m-%d}"
    if staged_version(secret) is not None:
        return "being rotated"
    if secret.stages and secret.version(CURRENT) is None:
        return "without a value"
    return f"managed by {secret.owner}" if secret.owner else "set"


def _rotation(run: Run, entry: Entry, secret: SecretInfo | None) -> str | None:
    """Say who gives the database a new password; None where nobody does."""
    if secret is not None and is_managed(secret):
        return secret.owner or "Secrets Manager"
    command = run.config.secrets[entry.key].rotate_command
    return "rotate_command" if command is not None else None


def _document(
    run: Run, entry: Entry, secret: SecretInfo | None, fresh: Freshness
) -> dict[str, object]:
    stamp = next((each for each in fresh.stamps if each.name == entry.name), None)
    return {
        "key": entry.key,
        "name": entry.name,
        "variable": entry.env,
        "exists": secret is not None,
        "arn": secret.arn if secret is not None else None,
        "changed_at": iso(secret.changed_at) if secret is not None else None,
        "deleted_at": iso(secret.deleted_at) if secret is not None else None,
        "managed_by": (secret.owner or None) if secret is not None else None,
        "stages": {key: list(each) for key, each in secret.stages.items()} if secret else {},
        "rotates_by_itself": secret.rotates if secret is not None else None,
        "rotated_by": _rotation(run, entry, secret),
        "rotated_at": iso(secret.rotated_at) if secret is not None else None,
        "last_read_on": iso(secret.read_at) if secret is not None else None,
        "delivery": stamp.delivery if stamp is not None else None,
        "in_use": fresh.in_use(entry.name),
    }
