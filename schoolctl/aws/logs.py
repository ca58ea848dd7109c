"""CloudWatch Logs: the lines of tasks and services, and log groups."""

from __future__ import annotations

import heapq
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import botocore.exceptions as boto
from botocore.exceptions import ClientError

from schoolctl.aws.session.errors import error_message, is_code, translated
from schoolctl.base.clock import parse_time
from schoolctl.base.errors import NotFoundError, UnavailableError
from schoolctl.model.services import LogLine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from mypy_boto3_logs.type_defs import FilteredLogEventTypeDef

    from schoolctl.aws.session.clients import Clients
    from schoolctl.model.services import LogPlace


_PAGE = 10_000
"""The most events that GetLogEvents gives at once."""
_LATE = timedelta(seconds=15)
"""How much later a line may become visible than one that was written after it."""
_PRUNE = 20_000
"""How many ids are kept at least before the old ones are looked for."""


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
    at = parse_time(event["timestamp"] / 1000)
    return LogLine(at, task_id, event["message"].rstrip("\n"), container)


def log_group_exists(clients: Clients, name: str) -> bool:
    """Say whether there is a log group of that very name.

    Source: CloudWatch Logs DescribeLogGroups, which looks for a prefix; all pages.
    """
    pages = clients.logs.get_paginator("describe_log_groups")
    with translated(f"look for log group {name}"):
        return any(
            group.get("logGroupName") == name
            for page in pages.paginate(logGroupNamePrefix=name)
            for group in page["logGroups"]
        )


def create_log_group(clients: Clients, name: str) -> bool:
    """Create a log group; False where it was there already.

    Source: CloudWatch Logs CreateLogGroup.
    """
    with translated(f"create log group {name}"):
        try:
            clients.logs.create_log_group(logGroupName=name)
        except ClientError as error:
            # Somebody was first, or the reply to our own call was lost and it was repeated.
            if is_code(error, "ResourceAlreadyExistsException"):
                return False
            raise
    return True


def delete_log_group(clients: Clients, name: str) -> None:
    """Delete a log group; one that is gone counts as deleted. Source: Logs DeleteLogGroup."""
    with translated(f"delete log group {name}"):
        try:
            clients.logs.delete_log_group(logGroupName=name)
        except ClientError as error:
            if not is_code(error, "ResourceNotFoundException"):
                raise


class ServiceLog:
    """Reads the logs of some containers of all tasks, page by page: memory does not grow.

    A pass that fails half-way has lost nothing: what it gave is remembered by its event ids, and
    the next pass goes on from there.
    """

    def __init__(
        self,
        clients: Clients,
        places: Sequence[LogPlace],
        since: datetime,
        *,
        task_prefix: str = "",
    ) -> None:
        """Begin at `since`.

        Args:
            clients: the AWS clients.
            places: where the service's containers log.
            since: the time of the oldest line that is wanted.
            task_prefix: the beginning of a task's id; empty for all tasks.
        """
        self._clients = clients
        self._places = places
        self._since = since
        self._task_prefix = task_prefix
        self._newest: int | None = None
        self._seen: dict[str, int] = {}
        self._prune_at = _PRUNE

    def new_lines(self) -> Iterator[LogLine]:
        """Give the lines that have arrived since the last pass, oldest first.

        Lines of different tasks become visible out of order, so each pass looks back a little
        and leaves out what was given before.

        Raises:
            NotFoundError: a log group does not exist.
            UnavailableError: AWS does not answer; the next pass goes on.

        Source: logs FilterLogEvents, whose events are in the order of time.
        """
        since = _milliseconds(self._since)
        if self._newest is not None:
            since = max(since, self._newest - _LATE // timedelta(milliseconds=1))
        logs = [self._events(place, since) for place in self._places]
        for event, place in heapq.merge(*logs, key=lambda each: each[0]["timestamp"]):
            if event["eventId"] in self._seen:
                continue
            task_id = event["logStreamName"].rpartition("/")[2]
            # Remembered when it is given, not when it is read: a failure may come in between.
            self._note(event)
            yield read_line(event, task_id, place.container)

    def _events(
        self, place: LogPlace, since: int
    ) -> Iterator[tuple[FilteredLogEventTypeDef, LogPlace]]:
        streams = place.stream(self._task_prefix)
        pages = self._clients.logs.get_paginator("filter_log_events").paginate(
            logGroupName=place.group, logStreamNamePrefix=streams, startTime=since
        )
        numbered = iter(pages)
        while True:
            try:
                with translated(f"read log group {place.group}"):
                    page = next(numbered, None)
            except NotFoundError as error:
                raise no_group(place.group, error.why) from error
            if page is None:
                return
            # Not everything that speaks this API heeds the prefix or the order; AWS does both.
            found = [each for each in page["events"] if each["logStreamName"].startswith(streams)]
            for event in sorted(found, key=lambda each: each["timestamp"]):
                yield event, place

    def _note(self, event: FilteredLogEventTypeDef) -> None:
        # A container whose clock is ahead must not make us look for later lines only.
        at = min(event["timestamp"], event.get("ingestionTime", event["timestamp"]))
        self._newest = at if self._newest is None else max(self._newest, at)
        self._seen[event["eventId"]] = at
        if len(self._seen) > self._prune_at:
            kept = self._newest - 2 * (_LATE // timedelta(milliseconds=1))
            self._seen = {id_: at for id_, at in self._seen.items() if at >= kept}
            self._prune_at = max(_PRUNE, 2 * len(self._seen))


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
