"""CloudWatch Logs: the lines of tasks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import botocore.exceptions as boto

from schoolctl.aws.session.errors import error_message, is_code, translated
from schoolctl.base.errors import NotFoundError, UnavailableError
from schoolctl.model.services import LogLine

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from schoolctl.aws.session.clients import Clients
    from schoolctl.ecs_service.causes.logs import LogPlace

_PAGE = 10_000
"""The most events that GetLogEvents gives at once."""


def last_lines(
    clients: Clients, place: LogPlace, task_id: str, *, limit: int
) -> tuple[LogLine, ...]:
    """Give the newest lines of one task, oldest first; none where it wrote nothing (yet).

    Args:
        clients: the AWS clients.
        place: where the task's container logs.
        task_id: the task.
        limit: how many lines at most, up to 10,000.

    Raises:
        NotFoundError: the log group does not exist.

    Source: logs GetLogEvents.
    """
    lines, _ = _get_events(clients, place, task_id, {"startFromHead": False, "limit": limit})
    return lines


class TaskLog:
    """Reads the lines of one task as they arrive."""

    def __init__(self, clients: Clients, place: LogPlace, task_id: str) -> None:
        self._clients = clients
        self._place = place
        self._task_id = task_id
        self._token: str | None = None

    def new_lines(self) -> list[LogLine]:
        """Give the lines that have arrived since the last call, oldest first.

        Raises:
            UnavailableError: AWS does not answer, and nothing had been read by then.

        Source: logs GetLogEvents: at the end of the stream the token stays as it is, and a page
        may be empty although there are more.
        """
        found: list[LogLine] = []
        while True:
            position: dict[str, Any] = {"startFromHead": True, "limit": _PAGE}
            if self._token is not None:
                position["nextToken"] = self._token
            try:
                lines, token = _get_events(self._clients, self._place, self._task_id, position)
            except UnavailableError:
                if not found:
                    raise
                return found  # the token stands at the page that is missing
            found.extend(lines)
            if token in {None, self._token}:
                return found
            self._token = token


def _get_events(
    clients: Clients, place: LogPlace, task_id: str, position: Mapping[str, Any]
) -> tuple[tuple[LogLine, ...], str | None]:
    """Give a page of a stream's lines, and the token of the page after it."""
    with translated(f"read the log of task {task_id}"):
        try:
            answer = clients.logs.get_log_events(
                logGroupName=place.group, logStreamName=place.stream(task_id), **position
            )
        except boto.ClientError as error:
            if not is_code(error, "ResourceNotFoundException"):
                raise
            # ECS makes the stream when the container writes its first line.
            if "log group does not exist" in error_message(error).lower():
                raise no_group(place.group, error_message(error)) from error
            return (), None
    lines = tuple(read_line(each, task_id, place.container) for each in answer["events"])
    return lines, answer.get("nextForwardToken")


def no_group(group: str, why: str) -> NotFoundError:
    """Give the error for a log group that is not there."""
    return NotFoundError(
        f"there is no log group {group}",
        why=why,
        hint="check `task.log_group`; `schoolctl deploy` creates it",
    )


def read_line(event: Mapping[str, Any], task_id: str, container: str) -> LogLine:
    """Read an event of GetLogEvents or FilterLogEvents."""
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    return LogLine(at, task_id, event["message"].rstrip("\n"), container)
