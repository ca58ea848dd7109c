"""The two shapes of a database secret: plain text, or a JSON object as RDS writes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from schoolctl.base.errors import ConflictError, UsageError
from schoolctl.model.values import SecretValue
from schoolctl.params.rules import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.params.rules import Entry, Stored


def shape_secret(
    given: SecretValue, stored: SecretValue | None, *, username: str | None, plain: bool
) -> SecretValue:
    """Give the text to store for the password `given`.

    A secret that holds an object keeps its other fields (host, engine, ...), as whoever else reads
    it expects them; text that is itself an object is stored as it is.

    Args:
        given: what the user gave.
        stored: what the secret holds now; None where there is none or it could not be read.
        username: makes it an object with `username` and `password`.
        plain: whether an object may become plain text.

    Raises:
        UsageError: `username` is given together with a value that is an object already.

    Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
    """
    if plain:
        return given
    if _object(given) is not None:
        if username is not None:
            raise UsageError(
                "the value is a JSON object, and --username would wrap it in another",
                why="nothing was changed",
                hint='give the password alone, or leave out --username and put "username" into'
                " the object",
            )
        return given
    fields = _object(stored)
    if username is None and (fields is None or "password" not in fields):
        return given
    changes = {"password": given.reveal()}
    if username is not None:
        changes = {"username": username, **changes}
    if fields is not None and all(fields.get(key) == text for key, text in changes.items()):
        return stored or given  # its own spelling: spaces and order are no difference
    return SecretValue(json.dumps({**(fields or {}), **changes}, ensure_ascii=False))


def with_new_password(stored: SecretValue, password: SecretValue) -> SecretValue:
    """Give what a secret holds with another password in it, in the shape that it has.

    Raises:
        ConflictError: it is an object without a text `password`, so that nobody can tell which of
            its fields is the password.
    """
    fields = _object(stored)
    if fields is not None and not isinstance(fields.get("password"), str):
        raise ConflictError(
            'the secret is a JSON object without a text "password"',
            why="only the password is rotated, and it cannot be told apart; nothing was changed",
            hint='store it as RDS does, {"username": ..., "password": ...}, or as plain text',
        )
    return shape_secret(password, stored, username=None, plain=False)


def shape_secrets(
    given: Mapping[Entry, SecretValue], stored: Mapping[Entry, Stored]
) -> dict[Entry, SecretValue]:
    """Give `given` with each secret in the shape that it has now; parameters stay as they are."""
    return {
        entry: shape_secret(value, stored[entry].value, username=None, plain=False)
        if entry.kind is Kind.SECRET
        else value
        for entry, value in given.items()
    }


def _object(value: SecretValue | None) -> dict[str, object] | None:
    if value is None:
        return None
    try:
        found = json.loads(value.reveal())
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
