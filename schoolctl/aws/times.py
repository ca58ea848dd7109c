"""The times in AWS's answers, in tags that schoolctl wrote, and in the files of `aws sso login`."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_time(value: float | str) -> datetime:
    """Return the time that AWS wrote, aware and in UTC.

    Every client of `Clients` reads its answers with this function, so the times in an answer are
    in UTC already.

    Args:
        value: seconds since the epoch, as the JSON protocols have them; or an ISO 8601 text, as
            the query protocols have it. A text without a zone is in UTC; so is one that ends in
            `UTC`, as older versions of `aws sso login` wrote it.

    Raises:
        ValueError: the value is neither, or not within the years 1 to 9999.
    """
    if isinstance(value, str):
        moment = datetime.fromisoformat(value.removesuffix("UTC"))
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{value} is not a time in seconds since the epoch") from error
