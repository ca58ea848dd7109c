"""The database's certificates: what they say, and when they are kept."""

from __future__ import annotations

import ipaddress
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from schoolctl.sandbox.database import ensure_certificates, issue

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 23, tzinfo=UTC)
NAMES = ("localhost", "127.0.0.1", "172.17.0.1")


def verify(authority: str, server: str, name: str, at: datetime = NOW) -> None:
    """Check a server's certificate as a client does: chain, name, time, key usages."""
    subject: x509.DNSName | x509.IPAddress
    try:
        subject = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        subject = x509.DNSName(name)
    store = Store([x509.load_pem_x509_certificate(authority.encode())])
    verifier = PolicyBuilder().store(store).time(at).build_server_verifier(subject)
    verifier.verify(x509.load_pem_x509_certificate(server.encode()), [])


@pytest.mark.parametrize("name", NAMES)
def test_a_client_accepts_the_server_under_each_of_its_names(name: str) -> None:
    made = issue(NAMES, NOW)
    verify(made.authority, made.server, name)


@pytest.mark.parametrize("name", ["database", "192.0.2.2"])
def test_a_client_refuses_the_server_under_another_name(name: str) -> None:
    made = issue(NAMES, NOW)
    with pytest.raises(VerificationError):
        verify(made.authority, made.server, name)


def test_a_client_refuses_the_server_of_another_authority() -> None:
    made, other = issue(NAMES, NOW), issue(NAMES, NOW)
    with pytest.raises(VerificationError):
        verify(other.authority, made.server, "localhost")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give an empty folder."""
    made = tmp_path / "tls"
    made.mkdir()
    return made


def test_certificates_are_kept_while_they_serve(folder: Path) -> None:
    first = ensure_certificates(folder, NAMES, NOW)
    again = ensure_certificates(folder, NAMES, NOW + timedelta(days=300))
    assert again == first


@pytest.mark.parametrize(
    ("names", "days"), [((*NAMES, "10.9.0.1"), 0), (NAMES, 380), (NAMES, 4000)]
)
def test_certificates_are_made_anew_when_they_no_longer_serve(
    folder: Path, names: tuple[str, ...], days: int
) -> None:
    later = NOW + timedelta(days=days)
    first = ensure_certificates(folder, NAMES, NOW)
    again = ensure_certificates(folder, names, later)
    assert again.serial != first.serial
    verify(again.authority, again.server, names[-1], later)


def test_a_damaged_certificate_is_made_anew(folder: Path) -> None:
    ensure_certificates(folder, NAMES, NOW)
    (folder / "server.pem").write_text("-----BEGIN CERTIFICATE-----\nrubbish\n")
    made = ensure_certificates(folder, NAMES, NOW)
    verify(made.authority, made.server, "localhost")


def test_files_can_be_read_by_their_owner_alone(folder: Path) -> None:
    ensure_certificates(folder, NAMES, NOW)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()}
    assert modes == {"ca.pem": 0o600, "server.pem": 0o600, "server.key": 0o600}


def test_the_authority_s_key_is_kept_nowhere(folder: Path) -> None:
    made = ensure_certificates(folder, NAMES, NOW)
    keys = [each.name for each in folder.iterdir() if "PRIVATE KEY" in each.read_text()]
    assert keys == ["server.key"]
    assert made.key not in repr(made)
