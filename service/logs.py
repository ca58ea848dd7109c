"""Logs as JSON lines on stdout: one object a line, times in UTC, no personal data."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, TextIO

# Made once: `json.dumps` with an option makes a new encoder for each line.
_ENCODE: Final = json.JSONEncoder(default=str).encode

LOGGER: Final = logging.getLogger("service")


class JsonFormatter(logging.Formatter):
    """One JSON object for each record.

    Escaped as ASCII, so that nothing a client sends can begin a new line. Of an exception the
    type and the places are kept and its text is not: texts of libraries quote values, and values
    are people's names, numbers and passwords.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Give the line for a record; `extra={"fields": {...}}` adds members."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[0] is not None:
            entry["exception"] = record.exc_info[0].__qualname__
            entry["stack"] = _places(record.exc_info[2])
        return _ENCODE(entry)


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes a record as one line, in one piece: that needs no lock, which takes longer."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Write a record, unless a filter keeps it back."""
        wanted = bool(self.filter(record))
        if wanted:
            self.emit(record)
        return wanted

    def flush(self) -> None:
        """Hand over what was written."""
        self.stream.flush()


def configure_logging() -> None:
    """Send this process's logs to stdout as JSON lines. Calling it again changes nothing."""
    handler = LineHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # What no line shows is not looked up for each.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - so Python's manual says
    # botocore says at INFO where it found credentials, and at DEBUG what they are.
    logging.getLogger("botocore").setLevel(logging.WARNING)


def log(level: int, message: str, **fields: object) -> None:
    """Write one line of the service's own log."""
    LOGGER.log(level, message, extra={"fields": fields})


def log_request(fields: dict[str, object]) -> None:
    """Write the line of one request."""
    LOGGER.info("request", extra={"fields": fields})


def _places(stack: TracebackType | None) -> list[str]:
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(stack)
    ]
