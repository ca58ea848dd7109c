"""The MariaDB container: TLS only, reachable from this machine and its containers only."""

from __future__ import annotations

import io
import ipaddress
import tarfile
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib import resources
from typing import TYPE_CHECKING, ClassVar

import pymysql
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from docker.types import LogConfig

from schoolctl.base.errors import SchoolctlError, TimedOutError
from schoolctl.sandbox.host import (
    PortTakenError,
    check_reachable,
    choose_port,
    container_log,
    find_container,
    follow_container,
    remove_volume,
    start_container,
)
from schoolctl.sandbox.images import ensure_database_image
from schoolctl.sandbox.resources import LABEL, Part, Resource, save_state, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from docker.client import DockerClient
    from docker.models.containers import Container

    from schoolctl.base.clock import Clock
    from schoolctl.sandbox.resources import Layout, Setup, State


_PORT = "3306/tcp"
_PORTS = range(13306, 14000)
_READY_SECONDS = 30.0
_POLL_SECONDS = 0.1
_LOGIN_SECONDS = 5
_ACCESS_DENIED = 1045
_LOG_LINES = 12


class Database(Resource):
    """The MariaDB container, and the volume with its data."""

    name = "database"
    overlay_keys: ClassVar[Mapping[str, object]] = {
        "task": {"environment": {"DB_PORT": None, "DB_CA_PEM": None}}
    }

    _image: str
    _container: Container

    def prepare(self, setup: Setup) -> None:
        """Pull or make the MariaDB image."""
        del setup
        self._image = ensure_database_image(self.sandbox.docker, self.sandbox.tell)

    def start(self, setup: Setup) -> None:
        """Start the container, unless it runs; on another port if its own was taken."""
        layout = self.sandbox.layout
        image_id = str(self.sandbox.docker.images.get(self._image).id)
        now = self.sandbox.clock.now()
        certificates = ensure_certificates(
            layout.tls_folder, names(layout, setup.state.bridge), now
        )
        while True:
            self._container = self._ensure_container(setup, image_id, certificates)
            try:
                if self._container.status != "running":
                    start_container(self._container, "the database")
            except PortTakenError:
                # The data are in the volume; the container can go.
                self._container.remove(force=True, v=True)
                port = choose_database_port(setup.state.bridge, above=setup.state.database_port)
                setup.state = replace(setup.state, database_port=port)
                save_state(layout.state_file, setup.state)
            else:
                return

    def _ensure_container(
        self, setup: Setup, image_id: str, certificates: Certificates
    ) -> Container:
        docker, layout, state = self.sandbox.docker, self.sandbox.layout, setup.state
        container = find_container(docker, container_name(layout))
        if container is not None and not fits(container, state, image_id, certificates):
            container.remove(force=True, v=True)
            container = None
        if container is None:
            self.sandbox.tell("starting the database")
            container = create(docker, layout, state, image_id, certificates)
            setup.changes.append(f"database on port {state.database_port}")
        return container

    def wait(self, setup: Setup) -> None:
        """Wait for a login, then check that containers reach the emulator and the database."""
        state = setup.state
        wait_ready(self._container, self.sandbox.layout, state, self.sandbox.clock)
        for port, what in ((state.port, "the emulator"), (state.database_port, "the database")):
            check_reachable(self._container, state.bridge, port, what)

    def settings(self, setup: Setup) -> dict[str, object]:
        """Return the port, and the certificate of the authority that signed the server's."""
        authority = (self.sandbox.layout.tls_folder / "ca.pem").read_text()
        port = str(setup.state.database_port)
        return {"task": {"environment": {"DB_PORT": port, "DB_CA_PEM": authority}}}

    def parameters(self, state: State) -> dict[str, str]:
        """Return the host, the port, the names and the password."""
        return {
            "rds.endpoint": state.bridge,
            "rds.port": str(state.database_port),
            "rds.database": state.database_name,
            "rds.user": state.database_user,
            "rds.managed_secret": state.database_password,
            "db_host": state.bridge,
            "db_name": state.database_name,
            "db_user": state.database_user,
            "db_password": state.database_password,
        }

    def status(self, state: State | None) -> Part:
        """Return whether the container runs and takes a login."""
        layout = self.sandbox.layout
        log = f"docker logs {container_name(layout)}"
        container = find_container(self.sandbox.docker, container_name(layout))
        if state is None or container is None:
            return Part(self.name, "not there", None, log)
        address = f"{state.bridge}:{state.database_port}"
        if container.status != "running":
            return Part(self.name, container.status, address, log)
        reason = login_failure(layout, state)
        return Part(self.name, "up" if reason is None else reason, address, log)

    def logs(self, lines: int) -> list[str]:
        """Return the last `lines` lines of the log."""
        container = find_container(self.sandbox.docker, container_name(self.sandbox.layout))
        return [] if container is None else container_log(container, lines)

    def follow(self) -> Iterator[list[str]]:
        """Yield, at each step, the lines written since the step before."""
        container = find_container(self.sandbox.docker, container_name(self.sandbox.layout))
        return iter(()) if container is None else follow_container(container)

    def remove_data(self) -> list[str]:
        """Remove the volume."""
        name = container_name(self.sandbox.layout)
        return [f"volume {name}"] if remove_volume(self.sandbox.docker, name) else []


def choose_database_port(bridge: str, *, above: int = 0) -> int:
    """Return a port over `above` that is free on loopback and on the bridge.

    Raises:
        SchoolctlError: there is none.
    """
    return choose_port(("127.0.0.1", bridge), _PORTS, "the database", above=above)


def container_name(layout: Layout) -> str:
    """Name of the database's container, and of the volume with its data."""
    return f"{layout.owner}-db"


def names(layout: Layout, bridge_address: str) -> tuple[str, ...]:
    """Return the names and addresses of the server: the subjects of its certificate."""
    return (
        "localhost",
        "host.docker.internal",
        container_name(layout),
        "127.0.0.1",
        bridge_address,
    )


def fits(container: Container, state: State, image_id: str, certificates: Certificates) -> bool:
    """Return whether `container` is what `create` would make now."""
    expected = _labels_for(state, image_id, certificates)
    return all(container.labels.get(name) == value for name, value in expected.items())


def create(
    docker: DockerClient, layout: Layout, state: State, image_id: str, certificates: Certificates
) -> Container:
    """Make the container, not yet started, over the volume with the data.

    Files go in by copy: secrets are then neither in its environment nor among its arguments,
    and no folder of this machine is mounted.
    """
    docker.volumes.create(container_name(layout), labels={LABEL: layout.identity})
    container = docker.containers.create(
        image_id,
        entrypoint=["sh", "/schoolctl/entry.sh"],
        command=[],
        name=container_name(layout),
        labels={LABEL: layout.identity, **_labels_for(state, image_id, certificates)},
        ports={
            _PORT: [  # the stubs know a list of ports, not one of addresses with ports
                ("127.0.0.1", state.database_port),  # type: ignore[list-item]
                (state.bridge, state.database_port),  # type: ignore[list-item]
            ]
        },
        volumes={container_name(layout): {"bind": "/var/lib/mysql", "mode": "rw"}},
        log_config=LogConfig(type=LogConfig.types.JSON, config={"max-size": "5m"}),
    )
    container.put_archive("/", _files(state, certificates))
    return container


def wait_ready(container: Container, layout: Layout, state: State, clock: Clock) -> None:
    """Wait until the database takes a login over verified TLS.

    Raises:
        SchoolctlError: the container ended; its last lines are the why.
        TimedOutError: it takes no login in time.
    """
    deadline = clock.monotonic() + _READY_SECONDS
    while (reason := login_failure(layout, state)) is not None:
        container.reload()
        if container.status not in {"running", "created"}:
            raise SchoolctlError(
                "the database's container ended",
                why=_log_tail(container),
                hint="`schoolctl sandbox down`, then up again",
            )
        if clock.monotonic() >= deadline:
            raise TimedOutError(
                f"the database takes no login after {_READY_SECONDS:.0f} seconds",
                why=f"{reason}\n{_log_tail(container)}",
                hint="`schoolctl sandbox logs`, then `schoolctl sandbox down` and up again",
            )
        clock.sleep(_POLL_SECONDS)


def login_failure(layout: Layout, state: State) -> str | None:
    """Log in as the application does, verifying the certificate; None when that works.

    A refused password counts as working: the server has proved who it is by then, and somebody
    may have rotated the password, which is a thing to try in a sandbox.
    """
    try:
        pymysql.connect(
            host=state.bridge,
            port=state.database_port,
            user=state.database_user,
            password=state.database_password,
            database=state.database_name,
            ssl_ca=str(layout.tls_folder / "ca.pem"),
            ssl_verify_cert=True,
            ssl_verify_identity=True,
            connect_timeout=_LOGIN_SECONDS,
            read_timeout=_LOGIN_SECONDS,
        ).close()
    except pymysql.err.MySQLError as error:
        return None if error.args[0] == _ACCESS_DENIED else str(error)
    return None


def _log_tail(container: Container) -> str:
    return "\n".join(container_log(container, _LOG_LINES)).strip()


def _labels_for(state: State, image_id: str, certificates: Certificates) -> dict[str, str]:
    return {
        f"{LABEL}.image": image_id,
        f"{LABEL}.address": f"{state.bridge}:{state.database_port}",
        f"{LABEL}.certificate": str(certificates.serial),
    }


def _files(state: State, certificates: Certificates) -> bytes:
    entry = resources.files("schoolctl.sandbox") / "files" / "mariadb-entry.sh"
    texts = {
        "entry.sh": entry.read_text(encoding="utf-8"),
        "server.pem": certificates.server,
        "server.key": certificates.key,
        "init.sql": _init_sql(state),
    }
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        folder = tarfile.TarInfo("schoolctl")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o700
        archive.addfile(folder)
        for name, text in texts.items():
            data = text.encode()
            member = tarfile.TarInfo(f"schoolctl/{name}")
            member.size, member.mode = len(data), 0o600
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def _init_sql(state: State) -> str:
    # It runs at every start, so it must not undo a password that was rotated since. One statement
    # a line: MariaDB's init file takes no others. Names and password are letters, digits and _.
    database, user = f"`{state.database_name}`", f"'{state.database_user}'@'%'"
    return "\n".join(
        (
            f"CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET utf8mb4;",
            f"CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '{state.database_password}';",
            f"GRANT ALL ON {database}.* TO {user};",
            "",
        )
    )


_LIFETIME = timedelta(days=398)
_RENEWAL = timedelta(days=30)
_SKEW = timedelta(minutes=5)
"""Clocks of containers and host are one, but a virtual machine's may jump when it wakes."""
_FILES = ("ca.pem", "server.pem", "server.key")


@dataclass(frozen=True, repr=False)
class Certificates:
    """PEM texts: the authority's certificate, the server's, and the server's private key."""

    authority: str
    server: str
    key: str

    @property
    def serial(self) -> int:
        """The serial number of the server's certificate: an identifier without a secret."""
        return x509.load_pem_x509_certificate(self.server.encode()).serial_number


def ensure_certificates(folder: Path, names: Sequence[str], now: datetime) -> Certificates:
    """Return certificates for `names`, those of the last run where they still serve.

    They are kept, so that tasks deployed earlier still trust a database that is made anew.

    Args:
        folder: where they are kept.
        names: DNS names and IP addresses under which clients call the server.
        now: the present time, aware.
    """
    kept = _load(folder)
    if kept is not None and _serves(kept, names, now):
        return kept
    made = issue(names, now)
    for name, text in zip(_FILES, (made.authority, made.server, made.key), strict=True):
        write_private(folder / name, text)
    return made


def issue(names: Sequence[str], now: datetime) -> Certificates:
    """Make an authority and a server certificate for `names`; the authority's key is dropped."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "schoolctl sandbox CA")])
    root = (
        _builder(root_name, root_name, root_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "schoolctl sandbox database")])
    server = (
        _builder(name, root_name, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([_general_name(each) for each in names]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()),
            critical=False,
        )
        .sign(root_key, hashes.SHA256())
    )
    return Certificates(_pem(root), _pem(server), _pem_key(key))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _load(folder: Path) -> Certificates | None:
    try:
        return Certificates(*((folder / name).read_text() for name in _FILES))
    except FileNotFoundError:
        return None


def _serves(kept: Certificates, names: Sequence[str], now: datetime) -> bool:
    try:
        server = x509.load_pem_x509_certificate(kept.server.encode())
        held = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    wanted = {_general_name(each) for each in names}
    return wanted <= set(held) and now + _RENEWAL < server.not_valid_after_utc


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _pem_key(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
