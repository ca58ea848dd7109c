"""New random passwords for a database."""

from __future__ import annotations

import secrets
import string

from schoolctl.model.secret_value import SecretValue

_LENGTH = 40
# Neither what RDS refuses (`/`, `@`, `"` and space), nor what a shell, a URL or YAML would read.
_MARKS = "-_.~"
_KINDS = (string.ascii_lowercase, string.ascii_uppercase, string.digits, _MARKS)


def new_password() -> SecretValue:
    """Make a password of 40 characters: small and capital letters, digits, and marks.

    Each kind is in it, as the rules of many databases ask for.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html
    """
    while True:
        text = "".join(secrets.choice("".join(_KINDS)) for _ in range(_LENGTH))
        if all(set(text) & set(kind) for kind in _KINDS):
            return SecretValue(text)
