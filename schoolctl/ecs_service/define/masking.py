"""Which values of a task definition may be shown: none whose name or form looks like a secret.

A task definition is no place for secrets, and holds them all the same: in variables, labels,
options of a log driver, arguments of a command. Whoever may read it sees them; a screen, a CI log
and a file that is committed have other readers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

MASK = "***"
_NAME = re.compile(
    r"passw|passphrase|passcode|(^|[^a-z])(pass|auth|key|salt|dsn)($|[^a-z])|pwd|secret|token"
    r"|credential|private|cookie|signature|connection[_.-]?string"
    r"|(api|access|account|encryption|signing|license|session)[_.-]?key",
    re.IGNORECASE,
)
_FORM = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@"  # a URL with a password
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\beyJ[\w-]+\.eyJ[\w-]+\."  # a JSON web token
    r"|\bgh[opsur]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bxox[abeoprs]-[\w-]{8,}"
    r"|\b[rs]k_(live|test)_\w{8,}|\bsk-[\w-]{16,}|\bSG\.[\w-]{16,}|\bAIza[\w-]{30,}"
    r"|(pass(word|wd)?|pwd|secret|token|api[_-]?key|access[_-]?key)[\"']?\s*[=:]\s*[\"']?[^\s\"']"
    r"|(^|\s)--(pass(word)?|token|secret|api-?key)(\s+|=)\S",
    re.IGNORECASE,
)
_DENSE = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9+/_=-]{32,}")
_REFERENCE = re.compile(r"arn:[\w-]+:[\w-]+:[\w-]*:[0-9]*:\S+")
_HARMLESS = {"", "true", "false", "yes", "no", "on", "off", "none", "null"}
PLAIN_MEMBERS = frozenset(
    {
        "credentialsParameter",
        "executionRoleArn",
        "expression",
        "image",
        "name",
        "taskRoleArn",
        "valueFrom",
    }
)
"""What stands under these is AWS's own vocabulary or a reference, and is always shown."""


def looks_secret(name: str, value: str) -> bool:
    """Say whether a value may be a secret, by what it is called or by its form.

    A reference to a secret (an ARN), a path of a parameter that says whose it is, and a switch are
    none.
    """
    if value.lower() in _HARMLESS or _REFERENCE.fullmatch(value):
        return False
    if _FORM.search(value) or _DENSE.fullmatch(value):
        return True
    return bool(_NAME.search(_words(name))) and not _is_path(name, value)


def masked(definition: Mapping[str, object]) -> dict[str, object]:
    """Give a task definition in AWS's shape with `***` for each value that looks like a secret."""
    return cast("dict[str, object]", replace_secrets(definition, MASK)[0])


def replace_secrets(value: object, by: str) -> tuple[object, tuple[str, ...]]:
    """Replace each text that looks like a secret.

    Args:
        value: what stands in an AWS request: mappings, lists, scalars.
        by: what to put in its place.

    Returns:
        The value after that, and what was replaced: each by its name, and what it is in.
    """
    found: list[str] = []
    return _replace(value, "", by, found, ""), tuple(found)


def mask_words(name: str, words: Sequence[str]) -> list[str]:
    """Give a list of texts, such as the arguments of a command, with `***` for the secret ones."""
    return [str(each) for each in _items(words, name, MASK, [], "")]


def _replace(value: object, name: str, by: str, found: list[str], where: str) -> object:
    match value:
        case Mapping():
            item = str(value.get("name") or "")
            inside = f"{where}/{item}" if where and item else item or where
            return {
                key: each
                if key in PLAIN_MEMBERS
                else _replace(each, item if key == "value" and item else key, by, found, inside)
                for key, each in value.items()
            }
        case str():
            if not looks_secret(name, value):
                return value
            found.append(where if where.endswith(name) else f"{where}/{name}".lstrip("/"))
            return by
        case Sequence():
            return _items(value, name, by, found, where)
        case _:
            return value


def _items(
    values: Sequence[object], name: str, by: str, found: list[str], where: str
) -> list[object]:
    made: list[object] = []
    for before, each in zip((None, *values), values, strict=False):
        # `--password`, then the word itself.
        is_argument = isinstance(before, str) and before.startswith("-") and "=" not in before
        called = before.lstrip("-") if is_argument and isinstance(before, str) else name
        made.append(_replace(each, called, by, found, where))
    return made


def _words(name: str) -> str:
    """Set the words of a name apart: `dbPassword` has two."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)


def _is_path(name: str, value: str) -> bool:
    """Say whether a variable holds the path of a parameter or of a file, as its name tells."""
    return bool(
        re.search(r"(path|file|dir|name|arn|id)$", name, re.IGNORECASE)
        and re.fullmatch(r"[\w./:@+-]*/[\w./:@+-]*", value)
    )
