"""The certificate authorities in the image are Amazon's own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import service

# Of global-bundle.pem as Amazon publishes it for RDS. A new bundle changes it: read that change.
_BUNDLE_SHA256 = "e5bb2084ccf45087bda1c9bffdea0eb15ee67f0b91646106e466714f9de3c7e3"


def test_bundle_is_the_published_one() -> None:
    bundle = next((Path(service.__file__).parent / "certs").glob("*.pem"))
    assert hashlib.sha256(bundle.read_bytes()).hexdigest() == _BUNDLE_SHA256
