"""CloudWatch Logs: the lines of all tasks of a service, in the order of time, as they arrive."""

from __future__ import annotations

import heapq
from datetime import timedelta
from typing import TYPE_CHECKING

from schoolctl.aws.logs import no_group, read_line
from schoolctl.aws.session.errors import translated
from schoolctl.base.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from mypy_boto3_logs.type_defs import FilteredLogEventTypeDef

    from schoolctl.aws.session.clients import Clients
    from schoolctl.ecs_service.causes.logs import LogPlace
    from schoolctl.model.services import LogLine

_LATE = timedelta(seconds=15)
"""How much later a line may become visible than one that was written after it."""
_PRUNE = 20_000
"""How many ids are kept at least before the old ones are looked for."""


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
