"""What the checks of `doctor` look at on this machine: each is started once, when first wanted.

The properties are for one thread: what waits for another observation gets hold of it before its own
thread begins.
"""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import Future
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from schoolctl.base.errors import SchoolctlError
from schoolctl.config.tree import OVERLAY_DIRECTORY
from schoolctl.doctor.machine import Disk
from schoolctl.images.push.git import is_ignored, read_source
from schoolctl.images.push.project import look_at_locks, read_files
from schoolctl.model.images import BuilderChoice

if TYPE_CHECKING:
    from collections.abc import Callable

    from schoolctl.aws.session.clients import Clients
    from schoolctl.aws.session.connection import Connection
    from schoolctl.config.models import Config
    from schoolctl.core.run import Run
    from schoolctl.docker.context import BuildContext
    from schoolctl.docker.engine import Engine, EngineInfo
    from schoolctl.images.push.npm_lock import StaleLock
    from schoolctl.model.images import Builder, Ignored, NoSource, Source


T = TypeVar("T")


class MachineLook:
    """The settings, and the observations of this machine; each is a call that was started."""

    def __init__(self, run: Run) -> None:
        self.run = run
        # What is cached is made once only where one thread makes it.
        with suppress(SchoolctlError):  # the check that is about it finds it again
            _ = run.clients

    # Settings: decided at once, or an error that is a finding

    @cached_property
    def config(self) -> Config:
        """The configuration; a `ConfigError` where there is none that can be used."""
        return self.run.config

    @cached_property
    def connection(self) -> Connection:
        """Profile, region and endpoint."""
        return self.run.connection

    @cached_property
    def clients(self) -> Clients:
        """The AWS clients."""
        return self.run.clients

    # This machine

    @cached_property
    def engine(self) -> Future[Engine]:
        """The Docker engine."""
        return in_background(lambda: self.run.engine)

    @cached_property
    def engine_info(self) -> Future[EngineInfo]:
        """What the engine tells of itself."""
        engine = self.engine
        return in_background(lambda: engine.result().info())

    @cached_property
    def builder(self) -> Future[tuple[Builder, str]]:
        """What builds, and the text of the Dockerfile."""
        engine = self.engine

        def look() -> tuple[Builder, str]:

            file = self.run.resolved.dockerfile_path
            text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
            return engine.result().builder(BuilderChoice.AUTO), text

        return in_background(look)

    @cached_property
    def disk(self) -> Future[Disk]:
        """The disk that the engine builds on."""
        info = self.engine_info
        return in_background(lambda: observe_disk(info.result()))

    @cached_property
    def context(self) -> Future[BuildContext]:
        """The build context."""
        return in_background(lambda: read_files(self.run))

    @cached_property
    def stale_locks(self) -> Future[list[StaleLock]]:
        """The lock files that the build's `npm ci` would refuse."""
        context = self.context
        return in_background(lambda: look_at_locks(context.result()))

    @cached_property
    def source(self) -> Future[Source | NoSource]:
        """What git tells of the work tree."""

        def look() -> Source | NoSource:

            resolved = self.run.resolved
            root = resolved.context_path
            return read_source(root, [root, resolved.dockerfile_path], self.run.services.environ)

        return in_background(look)

    @cached_property
    def overlay(self) -> Future[Ignored]:
        """What git does with this machine's own settings."""

        def look() -> Ignored:

            folder = self.run.config_file.directory
            return is_ignored(folder, OVERLAY_DIRECTORY, self.run.services.environ)

        return in_background(look)


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
