"""Files that must not reach a builder, and the rules of .dockerignore.

Judged by content where content tells (a private key, a value in an `.env` file), by name where the
name is enough. Public certificates, `.env.example` and files that only speak of keys pass.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from schoolctl.base.errors import SchoolctlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


LARGEST_CONTEXT_BYTES = 500_000_000
"""A context above it is a mistake: an image of a service adds some ten megabytes to its base."""

_PRIVATE_KEY = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
    # A key goes on with its base64; a program that looks for keys does not. In JSON, the line's
    # end is written `\n`.
    rb"(?:\\[nr]|\s|[A-Za-z-]+: [^\n]*\n)+[A-Za-z0-9+/=]{20}"
)
_AGE_KEY = re.compile(rb"AGE-SECRET-KEY-1[0-9A-Z]{20}")
# In any file: the key that AWS's own documentation shows ends in EXAMPLEKEY, and is none.
_AWS_SECRET_KEY = re.compile(
    rb"(?i:secret_access_key)[\"'\]]{0,2}\s*[:=]\s*[\"']?"
    rb"(?![A-Za-z0-9/+]{30}EXAMPLEKEY)[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
)
_AWS_SECRET = re.compile(rb"(?im)^\s*aws_secret_access_key\s*=\s*\S+")
_KUBE_SECRET = re.compile(rb"(?m)^\s*-?\s*(?:client-key-data|token|password):\s*\S")
_ENV_VALUE = re.compile(rb"(?m)^[ \t]*(?:export[ \t]+)?[A-Za-z_][A-Za-z0-9_.]*[ \t]*=[ \t]*[^\s#]")
_ENV_EMPTY = re.compile(rb"(?m)=[ \t]*(?:\"\"|'')[ \t]*(?:#.*)?$")
_ENV_EXAMPLES = ("example", "sample", "template", "dist", "defaults")

_CLOUD_CLIS = frozenset({"gcloud", "gh", "doctl", "rclone"})
_FOLDERS = {
    ".git": "the whole history, with whatever was ever committed",
    ".hg": "the whole history, with whatever was ever committed",
    ".svn": "the whole history, with whatever was ever committed",
    ".aws": "AWS credentials",
    ".azure": "Azure credentials",
    ".gnupg": "GnuPG keys",
    ".kube": "Kubernetes credentials",
    ".schoolctl": "this machine's own settings, with credentials",
    ".ssh": "SSH keys",
    ".terraform": "Terraform's working files, with credentials",
}
_NAMES = {
    ".dockercfg": "Docker credentials",
    ".git-credentials": "git credentials",
    ".netrc": "passwords",
    "_netrc": "passwords",
    ".pgpass": "passwords",
    ".my.cnf": "a database password",
    "*.jks": "a key store",
    "*.keystore": "a key store",
    "*.kdbx": "a password safe",
    "*.p12": "a certificate with its private key",
    "*.pfx": "a certificate with its private key",
    "*.ppk": "a private key",
    ".boto": "cloud credentials",
    ".s3cfg": "cloud credentials",
    ".vault-token": "a token of Vault",
    "*.tfstate": "Terraform state, with the secrets in it",
    "*.tfstate.*": "Terraform state, with the secrets in it",
}
_CONTENTS = {
    ".npmrc": (re.compile(rb"(?m)_(?:authToken|auth|password)\s*=\s*[^\s$]"), "an npm token"),
    ".pypirc": (re.compile(rb"(?m)^\s*password\s*[=:]\s*\S"), "a PyPI password"),
    "pip.conf": (re.compile(rb"://[^/\s:@]+:[^/\s@]+@"), "a package index's password"),
    ".yarnrc.yml": (re.compile(rb"(?m)npmAuthToken:\s*[^\s$]"), "an npm token"),
    "config.json": (re.compile(rb'"(?:auth|identitytoken)"\s*:\s*"[^"]'), "Docker credentials"),
    "kubeconfig": (_KUBE_SECRET, "Kubernetes credentials"),
    "kubeconfig.yaml": (_KUBE_SECRET, "Kubernetes credentials"),
    "application_default_credentials.json": (
        re.compile(rb'"refresh_token"\s*:\s*"[^"]'),
        "Google Cloud credentials",
    ),
    "auth.json": (re.compile(rb'"(?:http-basic|github-oauth)"\s*:\s*\{\s*"'), "Composer's logins"),
    "credentials": (_AWS_SECRET, "AWS credentials"),
    "config": (_AWS_SECRET, "AWS credentials"),
}
_WILD = re.compile(r"[*?\[\\]")


@dataclass(frozen=True, order=True)
class Finding:
    """Something in the context that must not be sent."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def is_allowed(path: str, allow: Sequence[str]) -> bool:
    """Say whether `image.allow` lets a path pass: by its name, its folder's, or a pattern."""
    parts = path.split("/")
    prefixes = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return any(
        fnmatch.fnmatchcase(prefix, pattern.removeprefix("./").rstrip("/"))
        for pattern in allow
        for prefix in prefixes
    )


def judge_folder(path: str) -> Finding | None:
    """Judge a directory by its name; what is found is not looked into."""
    parent, _, name = path.rpartition("/")
    reason = _FOLDERS.get(name)
    if name in _CLOUD_CLIS and parent.rpartition("/")[2] == ".config":
        reason = f"the logins of {name}"
    return Finding(f"{path}/", reason) if reason else None


def judge_link(path: str, target: str) -> Finding | None:
    """Judge a symbolic link by where it leads, without following it."""
    if target.startswith("/"):
        return Finding(path, f"a link out of the context, to {target}")
    depth = 0
    for part in (*path.split("/")[:-1], *target.split("/")):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            return Finding(path, f"a link out of the context, to {target}")
    return None


def judge_file(path: str, content: bytes) -> Finding | None:
    """Judge a file by its name and content.

    Args:
        path: relative to the context, with `/`.
        content: all of it; for a large file a piece, with the files' pieces overlapping.
    """
    name = path.rpartition("/")[2]
    for pattern, reason in _NAMES.items():
        if fnmatch.fnmatchcase(name, pattern):
            return Finding(path, reason)
    if _is_env_file(name) and _has_values(content):
        return Finding(path, "an environment file with values in it")
    if name in _CONTENTS:
        regex, reason = _CONTENTS[name]
        if regex.search(content):
            return Finding(path, reason)
    # A file without the words is most files, and looking for them is a hundred times faster.
    if b"PRIVATE KEY" in content and _PRIVATE_KEY.search(content):
        return Finding(path, "a private key")
    if b"AGE-SECRET-KEY-1" in content and _AGE_KEY.search(content):
        return Finding(path, "a private key of age")
    named = b"SECRET_ACCESS_KEY" in content or b"secret_access_key" in content
    if named and _AWS_SECRET_KEY.search(content):
        return Finding(path, "an AWS secret access key")
    return None


def _is_env_file(name: str) -> bool:
    if name.endswith(_ENV_EXAMPLES):
        return False
    return name in {".env", ".envrc"} or name.startswith(".env.") or name.endswith(".env")


def _has_values(content: bytes) -> bool:
    return bool(_ENV_VALUE.search(_ENV_EMPTY.sub(b"=", content)))


@dataclass(frozen=True)
class _Pattern:
    takes_back: bool
    regex: re.Pattern[str]
    fixed: tuple[str, ...]
    """Its leading parts without a wildcard."""


class DockerIgnore:
    """The patterns of one ignore file.

    Args:
        text: the file's content.
        name: the file, for the message about a pattern that cannot be read.
    """

    def __init__(self, text: str, name: str = ".dockerignore") -> None:
        self._patterns = tuple(_patterns(text, name))

    def leaves_out(self, path: str) -> bool:
        """Say whether `path`, relative to the context and with `/`, is not sent."""
        prefixes = _with_parents(path)
        left_out = False
        for pattern in self._patterns:
            # A pattern that would change nothing need not be tried.
            if pattern.takes_back == left_out and any(map(pattern.regex.fullmatch, prefixes)):
                left_out = not pattern.takes_back
        return left_out

    def may_take_back_in(self, folder: str) -> bool:
        """Say whether something in a folder that is left out could be sent after all.

        It may say so in vain; where it says no, the folder need not be walked.
        """
        parts = folder.split("/")
        return any(
            all(ours == theirs for ours, theirs in zip(parts, each.fixed, strict=False))
            for each in self._patterns
            if each.takes_back
        )


def _with_parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _patterns(text: str, name: str) -> Iterator[_Pattern]:
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if raw.startswith("#") or not raw.strip():
            continue
        line = raw.strip()
        takes_back = line.startswith("!")
        pattern = posixpath.normpath("/" + line.removeprefix("!").strip()).lstrip("/")
        if not pattern:  # `.` and `/`, which Docker ignores for historical reasons
            continue
        try:
            regex = re.compile(_regex(pattern), re.DOTALL)
        except re.error as error:
            raise SchoolctlError(
                f"{name}:{number}: Docker cannot read the pattern {line}",
                why=str(error),
                hint="close every `[`, and put a backslash before a bracket that is a name's own",
            ) from error
        plain = takewhile(lambda part: not _WILD.search(part), pattern.split("/"))
        yield _Pattern(takes_back, regex, tuple(plain))


def _regex(pattern: str) -> str:
    """Give the regular expression of a cleaned pattern."""
    found = []
    rest = pattern
    while rest:
        if rest.startswith("**"):
            rest = rest.lstrip("*")
            found.append("(?:.*/)?" if rest.startswith("/") else ".*")
            rest = rest.removeprefix("/")
            continue
        piece, rest = rest[0], rest[1:]
        match piece:
            case "*":
                found.append("[^/]*")
            case "?":
                found.append("[^/]")
            case "[":
                end = _end_of_class(rest)
                found.append("[" + rest[:end])
                rest = rest[end:]
            case "\\" if rest:
                found.append(re.escape(rest[0]))
                rest = rest[1:]
            case _:
                found.append(re.escape(piece))
    return "".join(found)


def _end_of_class(text: str) -> int:
    """Give the length of a character class after its `[`; all of `text`, where it does not end."""
    end = text.find("]", 2 if text.startswith("^") else 1)
    return len(text) if end < 0 else end + 1
