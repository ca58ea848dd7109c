"""How the server at the other end of a database connection is recognised."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

# AWS's list of the RDS authorities of all regions. They are in no system's store.
# Source: https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
# SHA-256 e5bb2084ccf45087bda1c9bffdea0eb15ee67f0b91646106e466714f9de3c7e3
RDS_BUNDLE: Final = Path(__file__).parent / "certs" / "rds-global-bundle.pem"


@dataclass(frozen=True, slots=True)
class Tls:
    """Whether and with which authorities the database server is verified.

    Attributes:
        verify: False sends everything in clear text.
        ca_pem: the only authorities to trust, as PEM; empty means those of RDS and the system's
            (RDS Proxy has public certificates).
    """

    verify: bool = True
    ca_pem: str = field(default="", repr=False)

    def context(self) -> ssl.SSLContext | None:
        """Make the context for connections, or None when TLS is off.

        Raises:
            ValueError: `ca_pem` is no list of certificates.
        """
        if not self.verify:
            return None
        try:
            if self.ca_pem:
                context = ssl.create_default_context(cadata=self.ca_pem)
            else:
                context = ssl.create_default_context()
                context.load_verify_locations(cafile=RDS_BUNDLE)
        except ssl.SSLError as error:
            raise ValueError("no certificates") from error
        # Python 3.13 asks for key identifiers that certificates of RDS and of many private
        # authorities lack. Chain, dates and host name are checked all the same.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context
