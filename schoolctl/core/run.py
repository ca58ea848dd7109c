"""One run of a command: its options, configuration, AWS clients, engine, and the way to act.

A command observes, makes a plan, and hands it to `Run.carry_out`: there, and nowhere else, it is
decided whether the plan is only shown, whether the user is asked, and whether the account is right.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from schoolctl.base.clock import Clock, SystemClock
from schoolctl.base.errors import (
    AccessDeniedError,
    ConflictError,
    CredentialsError,
    DeclinedError,
    MissingThingsError,
    NotFoundError,
    RejectedKeyError,
    SchoolctlError,
    UnavailableError,
    UsageError,
    WrongTargetError,
)
from schoolctl.base.text import is_loopback
from schoolctl.core.denied import Denied, no_permissions
from schoolctl.core.executor import Outcome, execute
from schoolctl.core.options import ChangeOptions, GlobalOptions, merged
from schoolctl.output.reporter import Reporter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future

    import typer

    from schoolctl.aws.session.clients import Clients
    from schoolctl.aws.session.connection import Connection
    from schoolctl.aws.session.denials import Denials
    from schoolctl.base.plan import Plan
    from schoolctl.config.file import ConfigFile, ResolvedConfig
    from schoolctl.config.models import Config
    from schoolctl.core.denied import PermissionsOf
    from schoolctl.core.executor import Handlers, Tools
    from schoolctl.core.lock import DeployLock
    from schoolctl.docker.engine import Engine
    from schoolctl.model.surroundings import Identity


_MISLEADING = (AccessDeniedError, ConflictError, MissingThingsError, NotFoundError)
"""What AWS answers in a wrong account, too."""

_ADVISED = re.compile(
    r"`schoolctl (?!-|sandbox\b|init\b|profile list\b|config schema\b)((?:(?! -e | --env )[^`])+)`"
)
"""A command in a text that works on an environment and does not name one."""
_INNER = re.compile(r"\$\(schoolctl (?!-)")
"""One whose output is a part of another command."""


@dataclass(frozen=True)
class Services:
    """What a run takes from outside; tests hand in their own."""

    clock: Clock = field(default_factory=SystemClock)
    engine: Engine | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    directory: Path = field(default_factory=Path.cwd)


class Run:
    """One run of the command. Everything in it is made when it is first used."""

    def __init__(
        self,
        services: Services | None = None,
        *,
        json_output: bool = False,
        handlers: Handlers | None = None,
        permissions_of: PermissionsOf = no_permissions,
    ) -> None:
        self._handlers = handlers or {}
        self.services = services or Services()
        self.options = GlobalOptions(json=json_output)
        self.change = ChangeOptions()
        self.command = ""
        self.words: list[str] = []
        """The command line, for whoever has to wait for this run."""
        self.reporter = Reporter(json_output=json_output)
        self._identity: Future[Identity] | None = None
        self._locks: tuple[DeployLock, ...] = ()
        self._others: dict[str, tuple[Config, Clients]] = {}
        self.denied = Denied(permissions_of)

    @staticmethod
    def of(context: typer.Context) -> Run:
        """Give the run of a command's context."""
        return cast("Run", context.obj)

    def take(self, typed: dict[str, Any]) -> None:
        """Take note of shared options that were typed after the name of a group or command."""
        self.options = merged(self.options, typed)
        self.change = merged(self.change, typed)

    def begin(self, command: str, typed: dict[str, Any]) -> None:
        """Take note of the command and of its shared options; all of them are known by now."""
        self.command = self.denied.command = command
        self.take(typed)
        # The streams stay those of the start: `--json` turns away whatever else writes to stdout.
        self.reporter = Reporter(
            stdout=self.reporter.stdout,
            json_output=self.options.json,
            verbose=self.options.verbose,
            quiet=self.options.quiet,
            color=not self.options.no_color,
        )
        self.reporter.advice = self.for_environment
        self.reporter.cure = self.denied.with_policies
        self._refuse_empty_names()

    def _refuse_empty_names(self) -> None:
        """Refuse `-e "$ENV"` where the shell has no such variable: it is not the default's."""
        for option in ("env", "profile", "region"):
            if getattr(self.options, option) == "":
                raise UsageError(
                    f"--{option} is empty",
                    why="a variable that is not set leaves nothing between the quotes",
                    hint=f"give a name, or leave out --{option}",
                )

    @property
    def clock(self) -> Clock:
        """The time."""
        return self.services.clock

    # Configuration

    @cached_property
    def config_file(self) -> ConfigFile:
        """The parsed schoolctl.yaml; without one, a `ConfigError`."""
        from schoolctl.config.file import load_config_file

        return load_config_file(self.options.config, cwd=self.services.directory)

    @cached_property
    def resolved(self) -> ResolvedConfig:
        """The configuration of the chosen environment, with the origin of each value."""
        return self.config_file.resolve(self.options.env)

    @property
    def config(self) -> Config:
        """The configuration of the chosen environment."""
        return self.resolved.config

    def settle(self, resolved: ResolvedConfig) -> None:
        """Go on with a configuration that has what only AWS could tell."""
        self.__dict__["resolved"] = resolved

    def path(self, relative: str) -> Path:
        """Give the path that a relative one in schoolctl.yaml means."""
        return self.config_file.directory / relative

    # AWS and Docker

    def connect(self, config: Config | None) -> Connection:
        """Decide profile, region and endpoint, and say what is overruled."""
        from schoolctl.aws.session.connection import resolve_connection
        from schoolctl.aws.session.profiles import profile_endpoints, profile_region

        return resolve_connection(
            flag_profile=self.options.profile,
            flag_region=self.options.region,
            config=config,
            environ=self.services.environ,
            profile_region=profile_region,
            profile_endpoints=profile_endpoints,
        )

    @cached_property
    def connection(self) -> Connection:
        """The connection of the chosen environment."""
        connection = self.connect(self.config)
        for line in connection.notes:
            self.reporter.note(line)
        return connection

    @cached_property
    def clients(self) -> Clients:
        """The AWS clients; the caller's identity is asked for beside the first calls."""
        from schoolctl.aws.session.clients import get_identity

        clients = self.clients_for(self.connection)
        if self.config.account is not None:
            self._identity = clients.start(get_identity, clients)
        return clients

    def clients_for(self, connection: Connection, denials: Denials | None = None) -> Clients:
        """Make the AWS clients of a connection; asks for an MFA code where its profile wants one.

        Raises:
            CredentialsError: there is no terminal to ask on, or signing in failed.
        """
        from schoolctl.core.signing import open_clients

        return open_clients(connection, denials or self.denied.note(), self.reporter)

    def clients_of(self, environment: str) -> tuple[Config, Clients]:
        """Give another environment's configuration, and AWS clients to read there.

        `--profile` and `--region` are for the chosen environment; where the other one names none of
        its own, they are for both.

        Raises:
            WrongTargetError: the credentials do not lead to the account that it is pinned to.
        """
        if environment not in self._others:
            self._others[environment] = self._connect_to(environment)
        return self._others[environment]

    def _connect_to(self, environment: str) -> tuple[Config, Clients]:
        from schoolctl.aws.session.clients import get_identity
        from schoolctl.aws.session.connection import resolve_connection
        from schoolctl.aws.session.profiles import profile_endpoints, profile_region

        config = self.config_file.resolve(environment).config
        connection = resolve_connection(
            flag_profile=None if config.profile else self.options.profile,
            flag_region=None if config.region else self.options.region,
            config=config,
            environ=self.services.environ,
            profile_region=profile_region,
            profile_endpoints=profile_endpoints,
        )
        # What a push reads there is what a pull reads.
        command = "pull" if self.command == "push" else self.command
        clients = self.clients_for(connection, self.denied.note(environment, command))
        if config.account is not None:
            self.need_account(config, get_identity(clients), connection)
        return config, clients

    def identity(self) -> Identity:
        """Give whose credentials are used; AWS is asked once a run."""
        from schoolctl.aws.session.clients import get_identity

        clients = self.clients
        if self._identity is None:
            self._identity = clients.start(get_identity, clients)
        return self._identity.result()

    @cached_property
    def engine(self) -> Engine:
        """The Docker engine; an `EngineError` when none answers."""
        if self.services.engine is not None:
            return self.services.engine
        from schoolctl.docker.connect import connect_engine

        return connect_engine(self.services.environ)

    def check_account(self) -> None:
        """Refuse to go on where the credentials lead to another account than the pinned one."""
        if self.config.account is None or self._identity is None:
            return  # a command that never spoke to AWS, such as `build`, needs no credentials
        self.need_account(self.config, self.identity(), self.connection)

    def need_account(self, config: Config, identity: Identity, connection: Connection) -> None:
        """Refuse credentials of another account than the one that an environment is pinned to."""
        if identity.account != config.account:
            raise WrongTargetError(
                f"environment {config.environment} is account {config.account},"
                f" but the credentials lead to account {identity.account}",
                why=f"they belong to {identity.arn}"
                f" ({connection.credentials.origin}); nothing was changed",
                hint="choose another profile: `schoolctl profile list`,"
                f" `schoolctl profile use NAME -e {config.environment}`",
            )

    def for_environment(self, text: str) -> str:
        """Give advice with the environment in each command of it, so that it can be pasted.

        A command without one would act on the default environment.
        """
        chosen = self.options.env
        if chosen is None or (
            "config_file" in self.__dict__ and self.config_file.default_environment == chosen
        ):
            return text
        text = _INNER.sub(f"$(schoolctl -e {chosen} ", text)
        return _ADVISED.sub(rf"`schoolctl -e {chosen} \1`", text)

    def first_cause(self, error: SchoolctlError) -> SchoolctlError:
        """Give the error that explains `error`: in a wrong account, everything is missing.

        Any other error stands as it is: what was typed is wrong in every account, and nobody who
        pressed Ctrl-C waits for an answer. One of credentials is told whose they are.
        """
        if isinstance(error, CredentialsError):
            return self._with_source(error)
        if isinstance(error, UnavailableError) and "connection" in self.__dict__:
            region = self.connection.region
            error.hint = error.hint.replace(
                "spelling of the region", f"spelling of region {region.value} ({region.origin})"
            )
        if not isinstance(error, _MISLEADING) or self._identity is None or error.done:
            return error
        try:
            self.check_account()
        except WrongTargetError as cause:
            return cause
        except SchoolctlError:
            return error
        return error

    def _with_source(self, error: CredentialsError) -> CredentialsError:
        """Add to an error of credentials where they came from, once that is decided."""
        from schoolctl.base.partitions import has_to_be_enabled
        from schoolctl.core.signing import with_renewal

        if "connection" in self.__dict__:
            source = self.connection.credentials
            named = f"profile {source.value} ({source.origin})" if source.value else source.origin
            error.why = "\n".join(filter(None, [error.why, f"credentials: {named}"]))
            error.hint = with_renewal(error.hint, source)
            region = self.connection.region.value or ""
            if isinstance(error, RejectedKeyError) and has_to_be_enabled(region):
                error.hint += (
                    f"; region {region} has to be enabled for the account first:"
                    f" `aws account get-region-opt-status --region-name {region}`"
                )
            if self._lacks_a_local_aws():
                error.hint = f"bring it up: `schoolctl sandbox up -e {self.config.environment}`"
        return error

    def _lacks_a_local_aws(self) -> bool:
        """Say whether the endpoint is on this machine and nobody wrote keys for it."""
        host = urlsplit(self.config.endpoint_url or "").hostname or ""
        return self.config.credentials is None and is_loopback(host)

    # Acting

    @property
    def tools(self) -> Tools:
        """What the handlers of steps work with."""
        return _RunTools(self)

    @contextmanager
    def holding(self, locks: tuple[DeployLock, ...]) -> Iterator[None]:
        """Make sure of `locks` before each change, as long as the block lasts."""
        self._locks = locks
        try:
            yield
        finally:
            self._locks = ()

    def confirm_locks(self) -> None:
        """Make sure that the locks which this run took are still its own."""
        for lock in self._locks:
            lock.confirm()

    @property
    def unfinished(self) -> str:
        """The goal that a dead run left in the lock which this run took over; mostly empty."""
        return next((lock.inherited for lock in self._locks if lock.inherited), "")

    def declare(self, goal: str) -> None:
        """Leave in the lock what this run has set out to do, should it die on the way."""
        for lock in self._locks:
            lock.declare(goal)

    def carry_out(self, plan: Plan) -> Outcome | None:
        """Show a plan and, unless this is a dry run, apply it.

        Returns:
            What was done; None for a dry run, which has been reported by then.

        Raises:
            DeclinedError: the user did not agree, or could not be asked.
            WrongTargetError: the account is not the pinned one.
        """
        self.reporter.plan(plan, steps=self.change.dry_run or not plan.quiet)
        if self.change.dry_run:
            self.reporter.result(
                {
                    "dry_run": True,
                    "plan": [each.describe() for each in plan.steps],
                    "notes": list(plan.notes),
                    "warnings": list(plan.warnings),
                }
            )
            return None
        # In another account there may be nothing to do, too.
        self.check_account()
        if not plan.steps:
            return Outcome()
        self._agree(plan)
        return execute(plan, self.tools, self._handlers)

    def _agree(self, plan: Plan) -> None:
        config = self.config
        if plan.local or plan.watches:
            return
        if config.protected:
            self._agree_by_name(config.service.name, config.environment)
        elif (plan.deletes or plan.asks) and not self.change.yes:
            self.reporter.confirm(f"{plan.summary} Go on?")

    def _agree_by_name(self, name: str, environment: str) -> None:
        typed = self.change.confirm
        protected = f"environment {environment} is protected; nothing was changed"
        only = "; --yes is not enough" if self.change.yes else ""
        if typed is None:
            if not self.reporter.interactive:
                wants = "it wants the service's name, and there is no terminal to type it on"
                raise DeclinedError(
                    protected,
                    why=wants + only,
                    hint=f"add --confirm {name}",
                )
            typed = self.reporter.ask(
                f"environment {environment} is protected; type the service's name to go on:"
            ).strip()
        if typed != name:
            raise DeclinedError(
                protected,
                why=f"{typed!r} is not the name of its service{only}",
                hint=f"the service is {name}: type it, or add --confirm {name}",
            )

    def close(self) -> None:
        """Let go of threads that are still waiting for AWS."""
        if "clients" in self.__dict__:
            self.clients.close()
        for _, clients in self._others.values():
            clients.close()


class _RunTools:
    """The `Tools` of a run. Its clients are refused in a wrong account."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @property
    def clients(self) -> Clients:
        """The AWS clients; in a wrong account, a `WrongTargetError` instead."""
        clients = self._run.clients
        # Once more for a plan that was made without AWS: nothing is written before this.
        self._run.check_account()
        return clients

    def confirm_locks(self) -> None:
        """Make sure, before something is changed, that the locks of this run are still its own."""
        self._run.confirm_locks()

    @property
    def engine(self) -> Engine:
        """The Docker engine."""
        return self._run.engine

    @property
    def clock(self) -> Clock:
        """The time."""
        return self._run.clock

    @property
    def reporter(self) -> Reporter:
        """Where progress is shown."""
        return self._run.reporter

    @property
    def config(self) -> Config:
        """The configuration of the chosen environment."""
        return self._run.config

    @property
    def environments(self) -> list[Config]:
        """The configurations of all environments."""
        return [each.config for each in self._run.config_file.all().values()]

    def connect(self, config: Config) -> Connection:
        """Decide the connection of another environment."""
        return self._run.connect(config)

    def clients_of(self, environment: str) -> tuple[Config, Clients]:
        """The configuration and the AWS clients of another environment."""
        return self._run.clients_of(environment)

    @property
    def environ(self) -> Mapping[str, str]:
        """The process's environment."""
        return self._run.services.environ
