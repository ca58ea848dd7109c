"""Opens a session in a container, and hands the terminal over to it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from schoolctl.aws.ecs.exec import open_session
from schoolctl.ecs_service.run.session_plugin import find_plugin, run_plugin

if TYPE_CHECKING:
    from schoolctl.core.executor import Outcome, Tools
    from schoolctl.ecs_service.steps.tasks import OpenSession


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
