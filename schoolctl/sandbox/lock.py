"""One command at a time on one sandbox."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from schoolctl.base.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from schoolctl.sandbox.layout import Layout


@contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Hold the sandbox's lock; the kernel lets go of it when this process ends, however it ends.

    Raises:
        BusyError: another command holds it.
    """
    layout.root.mkdir(mode=0o700, exist_ok=True)
    descriptor = _acquire(layout.lock_file)
    try:
        yield
    finally:
        # Removed while held; whoever opened it before finds that it is gone, and opens anew.
        layout.lock_file.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise BusyError(
                "another `schoolctl sandbox` command is at work on this sandbox",
                why=f"it holds {path}",
                hint="wait until it is done, then run the command again",
            ) from None
        if _is_still(path, descriptor):
            return descriptor
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
