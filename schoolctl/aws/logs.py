"""CloudWatch Logs: the lines of tasks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import botocore.exceptions as boto

from schoolctl.aws.errors import error_message, is_code, translated
from schoolctl.errors import NotFoundError
from schoolctl.model import LogLine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from mypy_boto3_logs.type_defs import FilteredLogEventTypeDef

    from schoolctl.aws.clients import Clients
    from schoolctl.plan.logs import LogPlace

_PAGE = 10_000
"""The most events that FilterLogEvents and GetLogEvents give at once."""
_LATE = timedelta(seconds=15)
"""How much later a line may become visible than one that was written after it."""


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

        Source: logs GetLogEvents: at the end of the stream the token stays as it is, and a page
        may be empty although there are more.
        """
        found: list[LogLine] = []
        while True:
            position: dict[str, Any] = {"startFromHead": True, "limit": _PAGE}
            if self._token is not None:
                position["nextToken"] = self._token
            lines, token = _get_events(self._clients, self._place, self._task_id, position)
            found.extend(lines)
            if token in {None, self._token}:
                return found
            self._token = token


class ServiceLog:
    """Reads the lines of all tasks of a service, in the order of time, as they arrive."""

    def __init__(
        self, clients: Clients, place: LogPlace, since: datetime, *, task_prefix: str = ""
    ) -> None:
        """Begin at `since`.

        Args:
            clients: the AWS clients.
            place: where the service's container logs.
            since: the time of the oldest line that is wanted.
            task_prefix: the beginning of a task's id; empty for all tasks.
        """
        self._clients = clients
        self._place = place
        self._since = since
        self._streams = place.stream(task_prefix)
        self._newest: datetime | None = None
        self._seen: dict[str, datetime] = {}

    def new_lines(self) -> list[LogLine]:
        """Give the lines that have arrived since the last call, oldest first.

        Lines of different tasks become visible out of order, so each call looks back a little
        and leaves out what was given before.

        Raises:
            NotFoundError: the log group does not exist.

        Source: logs FilterLogEvents.
        """
        since = self._since if self._newest is None else max(self._since, self._newest - _LATE)
        found: list[LogLine] = []
        for event in _filter_events(self._clients, self._place.group, self._streams, since):
            # Not everything that speaks this API heeds the prefix; AWS does.
            if event["eventId"] in self._seen or not _in(event, self._streams):
                continue
            line = _line(event, event["logStreamName"].rpartition("/")[2])
            self._seen[event["eventId"]] = line.at
            found.append(line)
        found.sort(key=lambda each: each.at)
        if found:
            newest = found[-1].at
            self._newest = newest if self._newest is None else max(self._newest, newest)
            kept = self._newest - 2 * _LATE
            self._seen = {key: at for key, at in self._seen.items() if at >= kept}
        return found


def _filter_events(
    clients: Clients, group: str, stream_prefix: str, since: datetime
) -> Iterator[FilteredLogEventTypeDef]:
    try:
        with translated(f"read log group {group}"):
            pages = clients.logs.get_paginator("filter_log_events").paginate(
                logGroupName=group,
                logStreamNamePrefix=stream_prefix,
                startTime=_milliseconds(since),
            )
            for page in pages:
                yield from page["events"]
    except NotFoundError as error:
        raise _no_group(group, error.why) from error


def _in(event: FilteredLogEventTypeDef, stream_prefix: str) -> bool:
    return event["logStreamName"].startswith(stream_prefix)


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
                raise _no_group(place.group, error_message(error)) from error
            return (), None
    return tuple(_line(each, task_id) for each in answer["events"]), answer.get("nextForwardToken")


def _no_group(group: str, why: str) -> NotFoundError:
    return NotFoundError(
        f"there is no log group {group}",
        why=why,
        hint="check `task.log_group`; `schoolctl deploy` creates it",
    )


def _line(event: Mapping[str, Any], task_id: str) -> LogLine:
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    return LogLine(at, task_id, event["message"].rstrip("\n"))


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
