"""The command on a terminal: a child process whose streams are a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PATIENCE_SECONDS = 30


class Terminal:
    """Runs `schoolctl words...` as a person would, who reads and types."""

    def __init__(self, words: Sequence[str], directory: Path) -> None:
        self.shown = ""
        """Everything that the terminal has shown so far."""
        self._seen = 0
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.chdir(directory)
            os.execv(sys.executable, [sys.executable, "-m", "schoolctl", *words])  # noqa: S606  # the child

    def expect(self, text: str) -> None:
        """Wait until `text` is shown after what was expected before."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (found := self.shown.find(text, self._seen)) < 0:
            if time.monotonic() > deadline or not self._read():
                raise AssertionError(f"{text!r} was not shown: {self.shown!r}")
        self._seen = found + len(text)

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self._fd, f"{text}\n".encode())

    def press(self, control: str) -> None:
        """Press Ctrl and a letter."""
        os.write(self._fd, bytes([ord(control.upper()) - ord("@")]))

    def finish(self) -> int:
        """Wait for the end and give the exit code."""
        while self._read():
            pass
        _, status = os.waitpid(self._pid, 0)
        os.close(self._fd)
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        # Not select(): it takes no file descriptor above 1023, and a long test run has such.
        waiting = select.poll()
        waiting.register(self._fd, select.POLLIN)
        if not waiting.poll(_PATIENCE_SECONDS * 1000):
            raise AssertionError(f"nothing more was shown: {self.shown!r}")
        try:
            data = os.read(self._fd, 65_536)
        except OSError:  # how Linux says that the child has gone
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)
