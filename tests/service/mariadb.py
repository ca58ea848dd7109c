"""A real MariaDB in a container, for tests: with TLS, or without to be refused."""

from __future__ import annotations

import io
import secrets
import socket
import tarfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from schoolctl.sandbox.database import issue
from schoolctl.sandbox.images import ensure_database_image
from service.aws import Login, SecretSource
from service.db import make_engine
from service.migrate import migrate
from service.settings import MySqlSettings
from service.tls import Tls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.client import DockerClient
    from docker.models.containers import Container

DATABASE = "school"
USER = "registrar"
PASSWORD = "correct horse € battery"
READY_SECONDS = 60.0

_ENTRY = """\
set -eu
data=/var/lib/mysql
install -d -o mysql -g mysql "$data" /run/mysqld
if [ ! -d "$data/mysql" ]; then
    mariadb-install-db --user=mysql --skip-test-db --auth-root-authentication-method=socket \
        >/dev/null
fi
exec mariadbd --user=mysql --datadir="$data" --bind-address=0.0.0.0 --skip-name-resolve \
    --init-file=/tls/init.sql --innodb-buffer-pool-size=32M "$@"
"""
_TLS_OPTIONS = ("--ssl-cert=/tls/server.pem", "--ssl-key=/tls/server.key")


@dataclass(frozen=True)
class MariaDb:
    """A server in a container, reached at 127.0.0.1."""

    container: Container
    port: int
    authority: str

    def settings(self, login: Login | None = None) -> MySqlSettings:
        """Give what the service needs to use this server."""
        return MySqlSettings(
            host="127.0.0.1",
            port=self.port,
            name=DATABASE,
            login=login or Login(USER, PASSWORD),
            secret=SecretSource("unused", "us-east-1"),
            tls=Tls(ca_pem=self.authority),
        )

    def sql(self, statement: str) -> str:
        """Run a statement as root inside the container; gives the rows, tab separated."""
        command = ["mariadb", "--batch", "--skip-column-names", DATABASE, "--execute", statement]
        code, output = self.container.exec_run(command)
        assert isinstance(output, bytes)
        text = output.decode().strip()
        assert code == 0, text
        return text

    def set_password(self, password: str) -> None:
        """Give the service's user a new password and end its connections."""
        self.sql(f"ALTER USER '{USER}'@'%' IDENTIFIED BY '{password}'")
        self.cut_connections()

    def cut_connections(self) -> None:
        """End every connection of the service's user."""
        self.sql(f"KILL USER '{USER}'@'%'")

    def reset(self) -> None:
        """Make the database empty and migrated, and the server writable, whatever it was before."""
        if self.container.status != "running":
            self.start()
        self.sql(f"SET GLOBAL read_only = 0; DROP DATABASE {DATABASE}; CREATE DATABASE {DATABASE}")
        self.set_password(PASSWORD)
        engine = make_engine(self.settings(), time.monotonic)
        migrate(engine)
        engine.dispose()

    def kill(self) -> None:
        """End the server as a power failure would."""
        self.container.kill()
        self.container.reload()

    def start(self) -> None:
        """Start the server and wait until it takes a statement."""
        self.container.start()
        deadline = time.monotonic() + READY_SECONDS
        while self.container.exec_run(["mariadb", DATABASE, "--execute", "SELECT 1"])[0] != 0:
            if time.monotonic() > deadline:
                raise TimeoutError(bytes(self.container.logs(tail=20)).decode())
            time.sleep(0.1)
        self.container.reload()


@contextmanager
def run_mariadb(engine: DockerClient, *, tls: bool = True) -> Iterator[MariaDb]:
    """Run a server until the end of the context."""
    image = ensure_database_image(engine, lambda _text: None)
    port = free_port()
    certificates = issue(["127.0.0.1", "database.test"], datetime.now(UTC))
    container = engine.containers.create(
        image,
        name=f"service-test-mariadb-{secrets.token_hex(4)}",
        entrypoint=["sh", "/tls/entry.sh"],
        command=list(_TLS_OPTIONS) if tls else ["--skip-ssl"],
        ports={"3306/tcp": ("127.0.0.1", port)},
    )
    try:
        files = {
            "entry.sh": _ENTRY,
            "init.sql": _init_sql(),
            "server.pem": certificates.server,
            "server.key": certificates.key,
        }
        container.put_archive("/", _archive(files))
        server = MariaDb(container, port, certificates.authority)
        server.start()
        yield server
    finally:
        container.remove(force=True, v=True)


def free_port() -> int:
    """Find a port that is free on this machine now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def through(settings: MySqlSettings, port: int) -> MySqlSettings:
    """Give the settings that lead to the same server by another port."""
    return replace(settings, port=port)


def _init_sql() -> str:
    # Runs at every start; one statement a line.
    return (
        f"CREATE DATABASE IF NOT EXISTS {DATABASE};\n"
        f"CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n"
        f"GRANT ALL ON {DATABASE}.* TO '{USER}'@'%';\n"
    )


def _archive(files: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, text in files.items():
            data = text.encode()
            member = tarfile.TarInfo(f"tls/{name}")
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()
