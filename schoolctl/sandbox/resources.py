"""A sandbox: its files, its state, and the base class of the resources that it consists of."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
import string
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from schoolctl.base.errors import BusyError, ConfigError, SchoolctlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from docker.client import DockerClient

    from schoolctl.base.clock import Clock
    from schoolctl.config.models import Config


LABEL = "schoolctl.sandbox"
"""Label of the containers and volumes that a sandbox makes; its value is the identity."""


@dataclass(frozen=True)
class Layout:
    """One sandbox: the folder of a schoolctl.yaml, and the environment it stands for."""

    directory: Path
    environment: str

    @property
    def identity(self) -> str:
        """Ten hexadecimal digits, the same at each run and different for each sandbox."""
        key = f"{self.directory.resolve()}\0{self.environment}"
        return hashlib.sha256(key.encode()).hexdigest()[:10]

    @property
    def owner(self) -> str:
        """The name under which the emulator and the engine know this sandbox."""
        return f"schoolctl-sandbox-{self.identity}"

    @property
    def root(self) -> Path:
        """The folder of all environments of this machine, ignored by git."""
        return self.directory / ".schoolctl"

    @property
    def folder(self) -> Path:
        """The folder of this sandbox; `down` removes it."""
        return self.root / self.environment

    @property
    def state_file(self) -> Path:
        """The file of the state: ports, keys, passwords."""
        return self.folder / "state.json"

    @property
    def process_file(self) -> Path:
        """The file with the emulator's process number."""
        return self.folder / "emulator.pid"

    @property
    def log_file(self) -> Path:
        """The emulator's log."""
        return self.folder / "emulator.log"

    @property
    def work_folder(self) -> Path:
        """The emulator's working folder."""
        return self.folder / "work"

    @property
    def tls_folder(self) -> Path:
        """The database's certificates."""
        return self.folder / "tls"

    @property
    def lock_file(self) -> Path:
        """Held by the command that changes this sandbox."""
        return self.root / f".{self.environment}.lock"

    @property
    def dotenv_file(self) -> Path:
        """The values that `params set --from-file` seeds."""
        return self.root / f"{self.environment}.env"

    def prepare(self) -> None:
        """Make the folders, readable by their owner alone."""
        for folder in (self.root, self.folder, self.work_folder, self.tls_folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        ignore = self.root / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path` atomically, readable by its owner alone."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    # Opened with the final mode: at no moment can another user read it.
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


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


_ALPHABET = string.ascii_letters + string.digits
_NAME_LIMIT = 32
"""MySQL allows 32 characters for a user; MariaDB more."""


@dataclass(frozen=True, repr=False)
class State:
    """Ports, addresses, names and secrets of one sandbox.

    Attributes:
        port: where the emulator answers, on loopback and on the bridge.
        bridge: address of this machine on the engine's bridge; the containers use it.
        database_port: where MariaDB answers, on the same two addresses.
    """

    port: int
    bridge: str
    database_port: int
    database_name: str
    database_user: str
    database_password: str
    access_key_id: str
    secret_access_key: str

    @property
    def endpoint(self) -> str:
        """The URL of the emulator for this machine."""
        return f"http://127.0.0.1:{self.port}"


_FORMAT = 1
_FORMATS = {_FORMAT: State}


def new_state(app: str, *, port: int, bridge: str, database_port: int) -> State:
    """Choose names from `app`, and keys and a password at random.

    The password is letters and digits: it has to pass through SQL, a dotenv file and JSON.
    """
    name = re.sub(r"[^A-Za-z0-9_]", "_", app)[:_NAME_LIMIT]
    return State(
        port=port,
        bridge=bridge,
        database_port=database_port,
        database_name=name,
        database_user=name,
        database_password=_random(32),
        access_key_id=f"AKIA{_random(16).upper()}",
        secret_access_key=_random(40),
    )


def save_state(path: Path, state: State) -> None:
    """Write `state` to `path`, readable by its owner alone."""
    write_private(path, json.dumps({"format": _FORMAT, **asdict(state)}, indent=2) + "\n")


def load_state(path: Path) -> State | None:
    """Read what `save_state` kept; None where there is no sandbox.

    Raises:
        SchoolctlError: the file is damaged or of another version.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        values = json.loads(text)
        return _FORMATS[values.pop("format")](**values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SchoolctlError(
            f"{path} cannot be read",
            why=f"it is damaged, or another version of schoolctl wrote it ({error!r})",
            hint="remove the sandbox with `schoolctl sandbox down`, then bring it up again",
        ) from error


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


@dataclass(frozen=True)
class Bridge:
    """The engine's default bridge.

    Attributes:
        address: this machine's address on it; published to containers as the host gateway.
        subnet: the containers' addresses, such as `172.17.0.0/16`.
        architecture: the engine's, as an image's platform names it: `amd64`, `arm64`.
    """

    address: str
    subnet: str
    architecture: str


@dataclass(frozen=True)
class Sandbox:
    """One sandbox, and the tools to work on it.

    Attributes:
        docker_host: address of the engine behind `docker`.
        tell: shows a line of progress.
    """

    layout: Layout
    docker: DockerClient
    docker_host: str
    clock: Clock
    tell: Callable[[str], None]


@dataclass
class Setup:
    """One run of `up`: what the resources share, and what they report.

    Attributes:
        state: the present state; a resource that changes it has to save it.
        base_image: value of the build argument BASE_IMAGE; None where the Dockerfile has none.
        new_account: the account holds nothing but what was seeded: no images, no parameters.
        changes: a line for each thing that this run made.
    """

    config: Config
    region: str
    bridge: Bridge
    state: State
    base_image: str | None = None
    new_account: bool = False
    changes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Part:
    """Status of a resource.

    Attributes:
        state: `up`, or what is wrong.
        address: where it answers; None where it was never brought up.
        log: the file of its log, or the command that shows it.
    """

    name: str
    state: str
    address: str | None
    log: str

    @property
    def is_up(self) -> bool:
        """Whether it is usable."""
        return self.state == "up"


class Resource:
    """One thing that a sandbox consists of; a subclass overrides the methods that it needs.

    `up` calls `prepare` of all resources, then `start` of all, and so on: a resource may count on
    the earlier steps of every other. Containers and volumes have the label LABEL: `down` removes
    containers by that label, so that a resource removes only its data.

    Attributes:
        name: name in the status and the logs.
        overlay_keys: the keys of `settings`, which `down` removes from the overlay.
    """

    name: ClassVar[str]
    overlay_keys: ClassVar[Mapping[str, object]] = {}

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def prepare(self, setup: Setup) -> None:
        """Pull or build the images, before anything is started."""

    def start(self, setup: Setup) -> None:
        """Create and start what is missing."""

    def wait(self, setup: Setup) -> None:
        """Wait until the resource is usable."""

    def settings(self, setup: Setup) -> dict[str, object]:
        """Return what the overlay of the configuration has to say about the resource."""
        del setup
        return {}

    def parameters(self, state: State) -> dict[str, str]:
        """Return values to seed, by the `from:` of a parameter and by its documented name."""
        del state
        return {}

    def seed(self, setup: Setup) -> None:
        """Add the content, once every resource is usable and the overlay is written."""

    def status(self, state: State | None) -> Part | None:
        """Return the status; None for a resource that has none."""
        del state
        return None

    def logs(self, lines: int) -> list[str]:
        """Return the last `lines` lines of the log."""
        del lines
        return []

    def follow(self) -> Iterator[list[str]]:
        """Yield, at each step, the lines written since the step before."""
        return iter(())

    def stop(self, state: State | None) -> list[str]:
        """End the processes; returns a line for each."""
        del state
        return []

    def remove_data(self) -> list[str]:
        """Remove what is left when the containers are gone; returns a line for each thing."""
        return []


_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def check_local(config: Config) -> None:
    """Check that an environment is meant for a local AWS: its overlay would hide a real one.

    Raises:
        ConfigError: its endpoint is missing or on another machine, or it is protected.
    """
    host = urlsplit(config.endpoint_url or "").hostname
    if host in _LOOPBACK and not config.protected:
        return
    if config.protected:
        reason = "it is protected"
    elif host is None:
        reason = "it has no `endpoint_url`, so it is a real AWS account"
    else:
        reason = f"its `endpoint_url` leads to {host}, not to this machine"
    raise ConfigError(
        f"environment {config.environment} is not a sandbox",
        why=reason,
        hint="name an environment whose `endpoint_url` is http://127.0.0.1:4566: `-e sandbox`",
    )


def dotenv_text(config: Config, values: Mapping[str, str]) -> str:
    """Return the lines for `params set --from-file`: the settings whose value a resource knows.

    Args:
        config: the configuration with the settings.
        values: the `parameters` of the resources.
    """
    entries: dict[str, str | None] = {
        **{key: each.source for key, each in config.parameters.items()},
        **{key: each.source for key, each in config.secrets.items()},
    }
    lines = []
    for key, source in entries.items():
        value = values.get(source or "", values.get(key))
        if value is not None:
            lines.append(f"{key}={value}\n")
    return "".join(lines)


def without(values: Mapping[str, object], ours: Mapping[str, object]) -> dict[str, object]:
    """Return `values` without the keys of `ours`, at every depth, and without emptied dicts."""
    kept: dict[str, object] = {}
    for key, value in values.items():
        mine = ours.get(key)
        if key not in ours:
            kept[key] = value
        elif isinstance(value, dict) and isinstance(mine, dict):
            rest = without(value, mine)
            if rest:
                kept[key] = rest
    return kept
