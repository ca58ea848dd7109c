"""Opens a session in a container, and hands the terminal over to it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from schoolctl.aws.ecs.tasks import open_session
from schoolctl.base.errors import NeverRanError
from schoolctl.base.interruption import left_to_a_child

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.aws.session.clients import Clients
    from schoolctl.core.executor import Outcome, Tools
    from schoolctl.ecs_service.steps.tasks import OpenSession
    from schoolctl.model.values import SecretValue

PLUGIN = "session-manager-plugin"
_RESPONSE = "AWS_SSM_START_SESSION_RESPONSE"
_FIRST_WITH_ENVIRONMENT = (1, 2, 497, 0)
"""The first version that takes the session from its environment. Source: the AWS CLI."""
_ASK_SECONDS = 10.0
_SIGNALLED = 128
_DOCUMENTATION = (
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "session-manager-working-with-install-plugin.html"
)


def run_session(step: OpenSession, tools: Tools, outcome: Outcome) -> str:
    """Run the step's command in its container; `outcome.exit_code` is what the plugin ended with.

    Raises:
        NeverRanError: there is no plugin, or the container cannot be reached.
    """
    clients = tools.clients
    plugin = find_plugin(tools.environ)
    session = open_session(
        clients,
        cluster=step.cluster,
        task_arn=step.task_arn,
        container=step.container,
        command=step.command,
    )
    code = run_plugin(
        plugin,
        session,
        target=step.target,
        clients=clients,
        environ=tools.environ,
        # Our own stdout is for the one document.
        stdout=sys.__stderr__.fileno() if tools.reporter.json_output and sys.__stderr__ else None,
    )
    outcome.exit_code = code
    return f"exit code {code}"


def find_plugin(environ: Mapping[str, str]) -> str:
    """Give the plugin's path.

    Raises:
        NeverRanError: it is not installed, or does not run, or is too old.
    """
    found = shutil.which(PLUGIN, path=environ.get("PATH", os.defpath))
    if found is None:
        raise NeverRanError(
            f"{PLUGIN} is not installed",
            why="AWS lets nothing else connect a terminal with a container",
            hint=f"install it: `brew install --cask {PLUGIN}` on macOS; elsewhere {_DOCUMENTATION}",
        )
    version = _version(found, environ)
    if version < _FIRST_WITH_ENVIRONMENT:
        shown, wanted = (".".join(map(str, each)) for each in (version, _FIRST_WITH_ENVIRONMENT))
        raise NeverRanError(
            f"{found} is too old: {shown}",
            why="it takes the session's token as an argument, where every user of this machine"
            " could read it",
            hint=f"install {wanted} or newer: {_DOCUMENTATION}",
        )
    return found


def _version(plugin: str, environ: Mapping[str, str]) -> tuple[int, ...]:
    try:
        answer = subprocess.run(
            [plugin, "--version"],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_ASK_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NeverRanError(
            f"{plugin} does not run", why=str(error), hint=f"install it anew: {_DOCUMENTATION}"
        ) from error
    numbers = re.search(rb"\d+(\.\d+)+", answer.stdout)
    return tuple(map(int, numbers[0].split(b"."))) if numbers else ()


def run_plugin(
    plugin: str,
    session: Mapping[str, SecretValue],
    *,
    target: str,
    clients: Clients,
    environ: Mapping[str, str],
    stdout: int | None = None,
) -> int:
    """Hand the terminal over to the plugin until the session ends; gives its exit code.

    Args:
        plugin: its path.
        session: what ExecuteCommand answered.
        target: what the session leads to, as Systems Manager names it.
        clients: the AWS clients: the plugin resumes the session at the same Systems Manager.
        environ: what it runs in.
        stdout: where its output goes; None for our own.

    Raises:
        NeverRanError: it could not be started.
    """
    response = json.dumps({name: value.reveal() for name, value in session.items()})
    with left_to_a_child():
        try:
            child = subprocess.Popen(
                [
                    plugin,
                    _RESPONSE,
                    clients.region,
                    "StartSession",
                    clients.connection.profile or "",
                    json.dumps({"Target": target}),
                    clients.ssm.meta.endpoint_url,
                ],
                env={**environ, _RESPONSE: response},
                stdout=stdout,
            )
        except OSError as error:
            raise NeverRanError(f"{plugin} does not run", why=str(error)) from error
        try:
            code = child.wait()
        except KeyboardInterrupt:  # SIGTERM, for Ctrl-C is the plugin's own
            child.terminate()
            child.wait()
            raise
    return code if code >= 0 else _SIGNALLED - code
