"""The database's certificates: an authority that signs one server and is then forgotten."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from schoolctl.sandbox.layout import write_private

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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
        """The serial number of the server's certificate: names it, and gives nothing away."""
        return x509.load_pem_x509_certificate(self.server.encode()).serial_number


def ensure_certificates(folder: Path, names: Sequence[str], now: datetime) -> Certificates:
    """Give certificates for `names`, those of the last run where they still serve.

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
