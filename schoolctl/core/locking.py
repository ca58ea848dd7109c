"""Which deploy locks a command holds while it works, and over which connections."""

from __future__ import annotations

import shlex
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from schoolctl.aws.session.clients import get_identity
from schoolctl.base.errors import concerning
from schoolctl.core.lock import DeployLock, this_run
from schoolctl.core.lock_rules import lock_name
from schoolctl.core.options import parse_lock_wait

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from schoolctl.aws.session.clients import Clients
    from schoolctl.config.models import Config
    from schoolctl.core.lock_rules import Holder
    from schoolctl.core.run import Run


@contextmanager
def locked(run: Run, environments: Sequence[Config] = ()) -> Iterator[None]:
    """Hold the deploy lock while the block observes, plans and acts; a dry run needs none.

    Each lock is taken over its environment's own connection.

    They are taken in the order of their names: two commands that want the same ones never wait
    for each other.

    Args:
        run: the run.
        environments: whose locks, where it is not that of the chosen environment alone.

    Raises:
        LockHeldError: somebody else holds one of them, and did not free it within `--lock-wait`;
            none is held after that.
        WrongTargetError: credentials lead to another account than the pinned one.
    """
    parse_lock_wait(run.change.lock_wait)
    if run.change.dry_run:
        yield
        return
    ordered = sorted(environments or [run.config], key=lock_name)
    with ExitStack() as stack:
        locks = tuple(_lock(run, each, stack) for each in ordered)
        # Before the first call: whatever ends this from here on frees what was taken.
        for lock in locks:
            stack.callback(lock.release)
        if len(locks) == 1:
            locks[0].begin()
            _prepare(run)
        for lock in locks:
            lock.take(run.change.lock_wait)
        with run.holding(locks):
            yield


def _prepare(run: Run) -> None:
    """Use the time until the lock is there: making a client takes as long as its answer."""
    for service in ("ecs", "ecr"):
        getattr(run.clients, service)


def _lock(run: Run, config: Config, stack: ExitStack) -> DeployLock:
    clients = _clients(run, config, stack)

    def me() -> Holder:
        if config.environment == run.config.environment:
            run.check_account()
            who = run.identity().arn if config.account is not None else ""
        else:
            who = _guarded(run, clients, config)
        return this_run(who, shlex.join(["schoolctl", *run.words]), run.clock.now())

    usual = run.config_file.default_environment
    return DeployLock(
        clients,
        lock_name(config),
        me,
        clock=run.clock,
        reporter=run.reporter,
        option="" if config.environment == usual else f" -e {config.environment}",
    )


def _clients(run: Run, config: Config, stack: ExitStack) -> Clients:
    """Give the clients of an environment; those that are there where the connection is the same."""
    if config.environment == run.config.environment:
        return run.clients
    with concerning(config.environment):
        if _same_place(run, config):
            return run.clients
        clients = run.clients_for(run.connect(config), run.denied.note(config.environment))
    stack.callback(clients.close)
    return clients


def _same_place(run: Run, config: Config) -> bool:
    # What was overruled is told of a connection, too, and makes no other place of it.
    return replace(run.connect(config), notes=()) == replace(run.connection, notes=())


def sharing(run: Run, registry: str) -> list[Config]:
    """Give the configurations of every environment whose images come from this one's repository.

    That is: one of the same name in the same account and region, or one that is named by its
    `registry`. An account that is not pinned is taken for that of its credentials.

    Args:
        run: the run.
        registry: the host of this environment's repository.
    """
    ours = run.config
    return [
        each.config
        for each in run.config_file.all().values()
        if each.config.image.repository == ours.image.repository
        and _shares(run, each.config, registry)
    ]


def _shares(run: Run, config: Config, registry: str) -> bool:
    ours = run.config
    if config.environment == ours.environment:
        return True
    if config.registry is not None:
        return config.registry == registry
    if ours.registry is not None:
        return False
    if None not in (ours.account, config.account) and ours.account != config.account:
        return False
    with concerning(config.environment):
        there = run.connect(config)
    if ours.account is None or config.account is None:
        return _same_place(run, config)
    return (config.account, there.region.value, there.endpoint_url.value) == (
        ours.account,
        run.connection.region.value,
        run.connection.endpoint_url.value,
    )


def _guarded(run: Run, clients: Clients, config: Config) -> str:
    """Give whose credentials another environment's are; refuses where the account is not its."""
    if config.account is None:
        return ""
    identity = get_identity(clients)
    run.need_account(config, identity, clients.connection)
    return identity.arn
