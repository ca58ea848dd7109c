"""Settings and observations that the checks of `doctor` judge."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from schoolctl.aws.cloudformation import find_stack
from schoolctl.aws.ec2 import find_security_groups, find_subnets
from schoolctl.aws.ecr import find_repository
from schoolctl.aws.elbv2 import find_target_group
from schoolctl.aws.iam import find_role
from schoolctl.aws.logs import log_group_exists
from schoolctl.aws.secrets import find_secret
from schoolctl.aws.ssm import get_parameters
from schoolctl.base.errors import SchoolctlError
from schoolctl.base.process_mark import has_ended
from schoolctl.config.tree import OVERLAY_DIRECTORY
from schoolctl.core.lock import read_lock
from schoolctl.core.lock_rules import lock_name
from schoolctl.core.stack_values import left_to_stack, settled
from schoolctl.doctor.observe import (
    observe_caller,
    observe_denials,
    observe_disk,
    observe_listening,
    observe_newest,
    principal_of,
    questions_of_command,
    questions_of_statements,
)
from schoolctl.ecs_service.define.observe import observe_present, revision_image_exists
from schoolctl.ecs_service.define.target import TAG_TAG
from schoolctl.ecs_service.define.task_definition import container_image
from schoolctl.iam.policy import Scope
from schoolctl.iam.rules import execution_role_policy, task_role_policy
from schoolctl.images.push.git import is_ignored, read_source
from schoolctl.images.push.project import look_at_locks, read_files
from schoolctl.model.images import BuilderChoice
from schoolctl.network.observe import observe_network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from schoolctl.aws.session.clients import Clients
    from schoolctl.aws.session.connection import Connection
    from schoolctl.config.models import Config
    from schoolctl.core.lock_rules import Found
    from schoolctl.core.run import Run
    from schoolctl.docker.context import BuildContext
    from schoolctl.docker.engine import Engine, EngineInfo
    from schoolctl.doctor.observe import Caller, Denial, Disk
    from schoolctl.ecs_service.define.plan import Present
    from schoolctl.ecs_service.define.target import ChosenImage
    from schoolctl.iam.policy import Document
    from schoolctl.images.push.npm_lock import StaleLock
    from schoolctl.model.images import Builder, Ignored, NoSource, Repository, Source
    from schoolctl.model.stacks import StackState
    from schoolctl.model.surroundings import Role, SecurityGroup, Subnet, TargetGroup
    from schoolctl.model.values import Parameter, SecretInfo
    from schoolctl.network.state import NetworkState

T = TypeVar("T")


class Look:
    """Settings and observations of one run; an observation is a call that was started once.

    The properties are for one thread: what waits for another observation gets hold of it before
    its own thread begins.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        # What is cached is made once only where one thread makes it.
        with suppress(SchoolctlError):  # the check that is about it finds it again
            _ = run.clients

    # Settings: decided at once, or an error that is a finding

    @cached_property
    def config(self) -> Config:
        """The configuration; a `ConfigError` where there is none that can be used."""
        return self.run.config

    @cached_property
    def connection(self) -> Connection:
        """Profile, region and endpoint."""
        return self.run.connection

    @cached_property
    def clients(self) -> Clients:
        """The AWS clients."""
        return self.run.clients

    @cached_property
    def settings(self) -> Future[None]:
        """A finished observation of nothing, for a check that judges settings alone."""
        done: Future[None] = Future()
        done.set_result(None)
        return done

    # This machine

    @cached_property
    def engine(self) -> Future[Engine]:
        """The Docker engine."""
        return in_background(lambda: self.run.engine)

    @cached_property
    def engine_info(self) -> Future[EngineInfo]:
        """What the engine tells of itself."""
        engine = self.engine
        return in_background(lambda: engine.result().info())

    @cached_property
    def builder(self) -> Future[tuple[Builder, str]]:
        """What builds, and the text of the Dockerfile."""
        engine = self.engine

        def look() -> tuple[Builder, str]:
            file = self.run.resolved.dockerfile_path
            text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
            return engine.result().builder(BuilderChoice.AUTO), text

        return in_background(look)

    @cached_property
    def disk(self) -> Future[Disk]:
        """The disk that the engine builds on."""
        info = self.engine_info
        return in_background(lambda: observe_disk(info.result()))

    @cached_property
    def context(self) -> Future[BuildContext]:
        """The build context."""
        return in_background(lambda: read_files(self.run))

    @cached_property
    def stale_locks(self) -> Future[list[StaleLock]]:
        """The lock files that the build's `npm ci` would refuse."""
        context = self.context
        return in_background(lambda: look_at_locks(context.result()))

    @cached_property
    def source(self) -> Future[Source | NoSource]:
        """What git tells of the work tree."""

        def look() -> Source | NoSource:
            resolved = self.run.resolved
            root = resolved.context_path
            return read_source(root, [root, resolved.dockerfile_path], self.run.services.environ)

        return in_background(look)

    @cached_property
    def overlay(self) -> Future[Ignored]:
        """What git does with this machine's own settings."""

        def look() -> Ignored:
            folder = self.run.config_file.directory
            return is_ignored(folder, OVERLAY_DIRECTORY, self.run.services.environ)

        return in_background(look)

    # AWS

    @cached_property
    def caller(self) -> Future[Caller]:
        """Who we are, and what time AWS has."""
        return in_background(lambda: observe_caller(self.clients, self.run.clock))

    @property
    def overrides(self) -> tuple[str, ...]:
        """The variables of the environment that lead single services elsewhere than to AWS."""
        return tuple(
            sorted(
                name
                for name, value in self.run.services.environ.items()
                if name.startswith("AWS_ENDPOINT_URL_") and value
            )
        )

    def ask(self, call: Callable[[Clients, Config], T]) -> Future[T]:
        """Start something that reads AWS."""
        return in_background(lambda: call(self.clients, self.config))

    @property
    def from_stack(self) -> frozenset[str]:
        """The paths of the values that schoolctl.yaml leaves to the stack."""
        return left_to_stack(self.run.resolved)

    @cached_property
    def stack(self) -> Future[StackState | None]:
        """The stack; None where the environment wants none, too."""
        return self.ask(
            lambda clients, config: (
                find_stack(clients, config.stack_name) if config.infra.stack else None
            )
        )

    @cached_property
    def with_stack(self) -> Future[Config]:
        """The configuration with the values of its stack; as it is where it wants no stack.

        A `NotFoundError` where the stack is missing, a `MissingThingsError` where it is too old.
        """
        stack, left = self.stack, self.from_stack
        return self.ask(
            lambda _, config: (
                settled(config, stack.result(), left) if config.infra.stack else config
            )
        )

    @cached_property
    def repository(self) -> Future[Repository | None]:
        """The repository."""
        return self.ask(find_repository)

    @cached_property
    def newest(self) -> Future[ChosenImage | None]:
        """What a deploy without a choice takes."""
        repository = self.repository
        return in_background(lambda: observe_newest(self.clients, repository.result()))

    @cached_property
    def parameters(self) -> Future[Mapping[str, Parameter]]:
        """The declared parameters that exist, by name; their values are not read."""
        return self.ask(
            lambda clients, config: get_parameters(
                clients, [config.parameter_name(key) for key in config.parameters], decrypt=False
            )
        )

    @cached_property
    def secrets(self) -> Future[Mapping[str, SecretInfo | None]]:
        """The declared secrets by key; their values are not read."""
        with_stack = self.with_stack

        def look(clients: Clients, config: Config) -> Mapping[str, SecretInfo | None]:
            # The secret of the stack's database has a name that RDS gave it.
            if config.infra.stack and config.infra.database:
                config = with_stack.result()
            calls = {
                key: clients.start(find_secret, clients, config.secret_name(key))
                for key in config.secrets
            }
            return {key: call.result() for key, call in calls.items()}

        return self.ask(look)

    @cached_property
    def execution_role(self) -> Future[Role | None]:
        """The role that ECS starts the tasks with."""
        return self._role("execution")

    @cached_property
    def task_role(self) -> Future[Role | None]:
        """The role that the service's own code has; None where it has none, too."""
        return self._role("task")

    def _role(self, kind: str) -> Future[Role | None]:
        def look(clients: Clients, config: Config) -> Role | None:
            name = getattr(config.task, f"{kind}_role")
            return find_role(clients, name) if name is not None else None

        return self.ask(look)

    @cached_property
    def log_group(self) -> Future[bool]:
        """Whether the log group exists."""
        return self.ask(lambda clients, config: log_group_exists(clients, config.task.log_group))

    @cached_property
    def present(self) -> Future[tuple[bool, Present]]:
        """Whether the cluster exists, and the service in it."""
        return self.ask(observe_present)

    @cached_property
    def subnets(self) -> Future[tuple[Subnet, ...]]:
        """The subnets."""
        return self.ask(lambda clients, config: find_subnets(clients, config.service.subnets))

    @cached_property
    def groups(self) -> Future[tuple[SecurityGroup, ...]]:
        """The security groups."""
        return self.ask(
            lambda clients, config: find_security_groups(clients, config.service.security_groups)
        )

    @cached_property
    def target_group(self) -> Future[TargetGroup | None]:
        """The target group; None where the service has none, too."""
        return self.ask(
            lambda clients, config: (
                find_target_group(clients, config.service.target_group)
                if config.service.target_group is not None
                else None
            )
        )

    @cached_property
    def listening(self) -> Future[tuple[TargetGroup | None, str]]:
        """The target group, and the load balancer that could forward to it where none does."""
        target_group = self.target_group

        def look() -> tuple[TargetGroup | None, str]:
            return observe_listening(self.clients, target_group.result())

        return in_background(look)

    @cached_property
    def network(self) -> Future[NetworkState]:
        """The network around the service; no value of a parameter is decrypted for it."""
        return self.ask(
            lambda clients, config: observe_network(clients, config, decrypt=False, users=False)
        )

    @cached_property
    def running_image(self) -> Future[tuple[str, str | None, bool | None]]:
        """The image of the revision that runs, its tag, and whether it is in the repository."""
        present, repository = self.present, self.repository

        def look() -> tuple[str, str | None, bool | None]:
            running = present.result()[1].running
            if running is None:
                return "", None, None
            container = self.config.task.container
            exists = revision_image_exists(self.clients, repository.result(), running, container)
            image = container_image(running.definition, container)
            return image, running.tags.get(TAG_TAG), exists

        return in_background(look)

    @cached_property
    def lock(self) -> Future[tuple[Found | None, bool]]:
        """The deploy lock, and whether its holder is known to have ended."""

        def look(clients: Clients, config: Config) -> tuple[Found | None, bool]:
            found = read_lock(clients, lock_name(config), self.run.clock)
            return found, found is not None and has_ended(found.holder.process)

        return self.ask(look)

    # What is allowed

    @cached_property
    def scope(self) -> Future[Scope]:
        """Where permissions are asked about."""
        asked = self.caller

        def look() -> Scope:
            identity = asked.result().identity
            account = identity.account if identity is not None else ""
            return Scope(self.config, self.clients.region, account)

        return in_background(look)

    @cached_property
    def principal(self) -> Future[str | None]:
        """The ARN of the user or role that we are; None for the root user."""
        asked = self.caller

        def look() -> str | None:
            caller = asked.result()
            if caller.identity is None:
                raise caller.error or SchoolctlError("AWS did not tell who the caller is")
            return principal_of(self.clients, caller.identity)

        return in_background(look)

    @cached_property
    def may_push(self) -> Future[tuple[str | None, list[Denial], list[Denial]]]:
        """Who we are, and what we are denied of what `push` needs, and of what it can spare."""
        return self._may("push")

    @cached_property
    def may_deploy(self) -> Future[tuple[str | None, list[Denial], list[Denial]]]:
        """Who we are, and what we are denied of what `deploy` needs, and of what it can spare."""
        return self._may("deploy")

    def _may(self, command: str) -> Future[tuple[str | None, list[Denial], list[Denial]]]:
        asked, where = self.principal, self.scope

        def look() -> tuple[str | None, list[Denial], list[Denial]]:
            principal = asked.result()
            if principal is None:
                return None, [], []
            needed = questions_of_command(command, where.result(), optional=False)
            spared = questions_of_command(command, where.result(), optional=True)
            besides = in_background(lambda: observe_denials(self.clients, principal, spared))
            refused = observe_denials(self.clients, principal, needed)
            return principal, refused, besides.result()

        return in_background(look)

    @cached_property
    def execution_may(self) -> Future[tuple[str | None, list[Denial]]]:
        """The execution role, and what it is denied of what starts a task."""
        return self._role_may(self.execution_role, execution_role_policy)

    @cached_property
    def task_may(self) -> Future[tuple[str | None, list[Denial]]]:
        """The task role, and what it is denied of what the service reads."""
        return self._role_may(self.task_role, task_role_policy)

    def _role_may(
        self, role: Future[Role | None], policy: Callable[[Scope], list[Document]]
    ) -> Future[tuple[str | None, list[Denial]]]:
        where, secrets = self.scope, self.secrets

        def look() -> tuple[str | None, list[Denial]]:
            found = role.result()
            if found is None:
                return None, []
            known = [each.arn for each in secrets.result().values() if each is not None]
            questions = questions_of_statements(policy(where.result()), known)
            return found.arn, observe_denials(self.clients, found.arn, questions)

        return in_background(look)


def in_background(call: Callable[[], T]) -> Future[T]:
    """Start something in a thread of its own; it may wait for others that were started so.

    `Clients.start` lets only so many be under way, which those that wait must not use up. The
    thread is a daemon, for the same reason as there.
    """
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  # belongs to whoever asks
            future.set_exception(error)

    threading.Thread(target=work, name="check", daemon=True).start()
    return future
