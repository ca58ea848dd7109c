"""What `doctor` sees of this machine: the engine's disk, and calls that run beside each other."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from schoolctl.doctor.machine import Disk

if TYPE_CHECKING:
    from collections.abc import Callable

    from schoolctl.docker.engine import EngineInfo

T = TypeVar("T")


def observe_disk(engine: EngineInfo) -> Disk:
    """Give the free space where the engine keeps its images, if that is on this machine."""
    folder = Path(engine.folder)
    if not engine.host.startswith(("unix://", "http+unix://", "http+docker://")):
        return Disk(engine.folder, None)
    # Docker Desktop's engine is a machine of its own behind a socket of this one.
    try:
        return Disk(engine.folder, shutil.disk_usage(folder).free)
    except OSError:
        return Disk(engine.folder, None)


def in_background(call: Callable[[], T]) -> Future[T]:
    """Start something in a thread of its own; it may wait for others that were started so.

    `Clients.start` lets only so many be under way, which those that wait must not use up. The
    thread is a daemon, for the same reason as there.
    """
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  # belongs to whoever asks
            future.set_exception(error)

    threading.Thread(target=work, name="check", daemon=True).start()
    return future
