"""Where a task's log lines are, and which of them are wanted."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from schoolctl.base.errors import UsageError
from schoolctl.model.services import LogPlace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_AGO = re.compile(r"(\d+)([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def log_place(definition: Mapping[str, object], container: str) -> LogPlace | None:
    """Give where `container` logs; None where it does not log to CloudWatch under a prefix.

    Args:
        definition: in the shape of RegisterTaskDefinition.
        container: the container's name.
    """
    for each in _containers(definition):
        if each.get("name") != container:
            continue
        logging = each.get("logConfiguration") or {}
        options = logging.get("options") or {}
        group, prefix = options.get("awslogs-group"), options.get("awslogs-stream-prefix")
        if logging.get("logDriver") == "awslogs" and group and prefix:
            return LogPlace(str(group), str(prefix), container)
    return None


def log_places(
    definitions: Sequence[Mapping[str, object]], containers: Sequence[str] | None
) -> tuple[LogPlace, ...]:
    """Give where `containers` (None: all of them) log, by any of the definitions, each once."""
    found = (
        log_place(definition, name)
        for definition in definitions
        for name in container_names(definition)
        if containers is None or name in containers
    )
    return tuple(dict.fromkeys(each for each in found if each is not None))


def container_names(definition: Mapping[str, object]) -> tuple[str, ...]:
    """Give the names of a task definition's containers, in its order."""
    return tuple(str(each.get("name", "")) for each in _containers(definition))


def _containers(definition: Mapping[str, object]) -> Iterator[Mapping[str, Any]]:
    found = definition.get("containerDefinitions")
    if isinstance(found, list | tuple):
        yield from found


def moment(at: datetime) -> str:
    """Write a line's time for JSON: ISO 8601, UTC, with the milliseconds that order lines."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def line_time(at: datetime, now: datetime) -> str:
    """Write a line's time in the user's own zone: with the date where that is not today's."""
    local = at.astimezone()
    today = local.date() == now.astimezone().date()
    return local.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")


def parse_since(text: str, now: datetime) -> datetime:
    """Read a moment in the past: `30s`, `10m`, `2h`, `1h30m`, `1d`, or an ISO 8601 time.

    A time without a zone is in the user's own zone.

    Raises:
        UsageError: it is neither, or lies in the future.
    """
    spans = _AGO.findall(text)
    if spans and "".join(number + unit for number, unit in spans) == text:
        try:
            return now - sum(
                (timedelta(**{_UNITS[unit]: int(number)}) for number, unit in spans), timedelta()
            )
        except OverflowError:
            raise _not_a_moment(text, "that is longer than time has been counted") from None
    try:
        given = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _not_a_moment(text, "it is neither a duration nor a time") from None
    if given > now:
        raise _not_a_moment(text, "it lies in the future")
    return given


def _not_a_moment(text: str, why: str) -> UsageError:
    return UsageError(
        f"--since {text!r} cannot be read",
        why=why,
        hint="write 30s, 10m, 2h, 1d, or a time such as 2026-11-02T09:00",
    )
