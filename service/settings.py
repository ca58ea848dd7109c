"""Everything the service is told: its environment, SSM and Secrets Manager -> Settings."""

import base64
import binascii
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import phonenumbers

from service.aws import (
    PENDING,
    REFRESH_ATTEMPTS,
    START_ATTEMPTS,
    AwsReadError,
    Login,
    SecretSource,
    read_login,
    read_parameters,
)
from service.cors import parse_origin
from service.ratelimit import RateLimit
from service.tls import Tls
from service.validation import MAX_PROGRAM, Rules

DEFAULT_RATE_LIMIT: Final = "1200/minute"

_PERIODS: Final = {"second": 1, "minute": 60, "hour": 3600}
_PARAMETERS: Final = {
    "PARAM_HOST_PATH": "the database host",
    "PARAM_DB_NAME_PATH": "the database name",
    "PARAM_USER_PATH": "the database user",
}
_SQLITE_PREFIX: Final = "sqlite:///"


class SettingsError(Exception):
    """The service cannot start as it is configured.

    Attributes:
        problems: every problem found, one sentence each. They name what is wrong and quote no
            value.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class PoolSize:
    """Connections of one process: `size` stay open, `overflow` more may be opened at once.

    Each that stays open carries one group of registrations at a time. One is in use, and another
    where a group is held up; more would only make the groups smaller. What is beyond is for the
    health check.
    """

    size: int = 2
    overflow: int = 1


@dataclass(frozen=True, slots=True)
class MySqlSettings:
    """A MySQL or MariaDB database, and where its password can be read again."""

    host: str
    port: int
    name: str
    login: Login
    secret: SecretSource
    tls: Tls
    pool: PoolSize = PoolSize()

    def read_logins(self) -> Iterator[Login]:
        """Read the login again: as it is now, and then as a rotation under way is making it.

        While a password is rotated, the database has the new one a moment before it is called the
        current one. The second is read only where it is asked for.

        Raises:
            AwsReadError: the first cannot be read.
        """
        yield read_login(self.secret, self.login.user, attempts=REFRESH_ATTEMPTS)
        # Mostly nothing is being rotated, and there is no such version.
        with suppress(AwsReadError):
            yield read_login(self.secret, self.login.user, attempts=REFRESH_ATTEMPTS, stage=PENDING)


@dataclass(frozen=True, slots=True)
class SqliteSettings:
    """A SQLite file, for development."""

    path: str


def default_processes() -> int:
    """Give the number of processes that serve where nothing else is said.

    A process has one interpreter; more of them than processors only cost memory.
    """
    return min(2, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked."""

    database: MySqlSettings | SqliteSettings
    rules: Rules = field(default_factory=Rules)
    cors_origins: frozenset[str] = frozenset()
    rate_limit: RateLimit | None = None
    trusted_proxies: int = 1
    processes: int = field(default_factory=default_processes)


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read and check all settings, and the values that they point to.

    Raises:
        SettingsError: with every problem, not only the first.
    """
    reader = _Reader(environ)
    rules = Rules(phone_region=reader.phone_region(), programs=reader.programs())
    origins = reader.cors_origins()
    rate_limit = reader.rate_limit()
    proxies = reader.number("TRUSTED_PROXIES", 1, 0, 10)
    processes = reader.number("WEB_CONCURRENCY", default_processes(), 1, 64)
    database = reader.database()
    if reader.problems or database is None:
        raise SettingsError(reader.problems)
    return Settings(database, rules, origins, rate_limit, proxies, processes)


class _Reader:
    """Reads one setting after the other and collects what is wrong."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        """Give a variable, without spaces around it; set to nothing means not set."""
        return self._environ.get(name, "").strip()

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        text = self.text(name)
        if not text:
            return default
        # Not int() alone: that also takes "1_000", "+5" and digits of other scripts.
        if re.fullmatch("[0-9]{1,9}", text) and lowest <= int(text) <= highest:
            return int(text)
        self.problems.append(f"{name} must be a whole number from {lowest} to {highest}")
        return default

    def phone_region(self) -> str | None:
        region = self.text("PHONE_REGION").upper()
        if region and region not in phonenumbers.SUPPORTED_REGIONS:
            self.problems.append("PHONE_REGION must be a country's two letters, like GB")
        return region or None

    def programs(self) -> tuple[str, ...]:
        """Read PROGRAMS: separated by commas, or a JSON list for names that contain one."""
        text = self.text("PROGRAMS")
        if not text.startswith("["):
            items: object = [item.strip() for item in text.split(",") if item.strip()]
        else:
            try:
                items = json.loads(text)
            except (ValueError, RecursionError):
                items = None
        if not isinstance(items, list) or not all(
            isinstance(item, str) and 0 < len(item) <= MAX_PROGRAM for item in items
        ):
            self.problems.append(
                f"PROGRAMS must be names of 1 to {MAX_PROGRAM} characters, separated by commas or "
                "as a JSON list",
            )
            return ()
        return tuple(items)

    def cors_origins(self) -> frozenset[str]:
        origins = set()
        for item in self.text("CORS_ORIGINS").split(","):
            if not item.strip():
                continue
            try:
                origins.add(parse_origin(item))
            except ValueError as error:
                self.problems.append(f"CORS_ORIGINS has an entry that is {error}")
        return frozenset(origins)

    def rate_limit(self) -> RateLimit | None:
        text = (self.text("RATE_LIMIT") or DEFAULT_RATE_LIMIT).lower()
        if text == "off":
            return None
        match = re.fullmatch(r"([1-9][0-9]{0,8})\s*/\s*(second|minute|hour)", text)
        if match is None:
            self.problems.append(
                'RATE_LIMIT must be like 600/minute (second, minute, hour) or "off"'
            )
            return None
        return RateLimit(int(match[1]), _PERIODS[match[2]])

    def database(self) -> MySqlSettings | SqliteSettings | None:
        url = self.text("DATABASE_URL")
        if url:
            return self._sqlite(url)
        return self._mysql()

    def _sqlite(self, url: str) -> SqliteSettings | None:
        path = url.removeprefix(_SQLITE_PREFIX)
        if url.startswith(_SQLITE_PREFIX) and path and path != ":memory:":
            return SqliteSettings(path)
        # A MySQL URL would hold a password, and an in-memory database ends with the process that
        # migrated it.
        self.problems.append("DATABASE_URL may only be sqlite:///FILE, for development")
        return None

    def _mysql(self) -> MySqlSettings | None:
        region = self.text("AWS_REGION") or self.text("AWS_DEFAULT_REGION")
        secret_id = self.text("DB_SECRET_ARN")
        self._require("AWS_REGION", region, "the region of the parameters and the secret")
        for name, meaning in _PARAMETERS.items():
            self._require(name, self.text(name), f"the SSM parameter with {meaning}")
        self._require("DB_SECRET_ARN", secret_id, "the secret with the database password")
        port = self.number("DB_PORT", 3306, 1, 65535)
        pool = PoolSize(
            self.number("DB_POOL_SIZE", PoolSize().size, 1, 100),
            self.number("DB_POOL_OVERFLOW", PoolSize().overflow, 0, 100),
        )
        tls = self._tls()
        values = self._parameters(region) if region else {}
        user = values.get("PARAM_USER_PATH", "")
        login = self._login(SecretSource(secret_id, region), user) if region and secret_id else None
        if len(values) < len(_PARAMETERS) or login is None or tls is None:
            return None
        return MySqlSettings(
            host=values["PARAM_HOST_PATH"],
            port=port,
            name=values["PARAM_DB_NAME_PATH"],
            login=login,
            secret=SecretSource(secret_id, region),
            tls=tls,
            pool=pool,
        )

    def _require(self, name: str, value: str, meaning: str) -> None:
        if not value:
            self.problems.append(f"{name} is not set: {meaning}")

    def _parameters(self, region: str) -> dict[str, str]:
        """Give the parameters' values by the variable that names them; without those at fault."""
        paths = {name: self.text(name) for name in _PARAMETERS if self.text(name)}
        if not paths:
            return {}
        try:
            found = read_parameters(list(paths.values()), region)
        except AwsReadError as error:
            self.problems.append(f"the SSM parameters in {region} cannot be read: {error}")
            return {}
        values: dict[str, str] = {}
        for name, path in paths.items():
            value = found.get(path)
            if value is None:
                self.problems.append(f"{name}: SSM parameter {path} does not exist in {region}")
            elif not value.strip():
                self.problems.append(f"{name}: SSM parameter {path} is empty")
            elif name == "PARAM_HOST_PATH" and not re.fullmatch(r"[\w.\-]+", value.strip()):
                self.problems.append(
                    f"{name}: SSM parameter {path} is no host name (a port belongs into DB_PORT)",
                )
            else:
                values[name] = value.strip()
        return values

    def _login(self, source: SecretSource, user: str) -> Login | None:
        try:
            return read_login(source, user, attempts=START_ATTEMPTS)
        except AwsReadError as error:
            self.problems.append(
                f"DB_SECRET_ARN: secret {source.secret_id} cannot be read: {error}"
            )
            return None

    def _tls(self) -> Tls | None:
        mode = self.text("DB_TLS").lower() or "verify"
        if mode not in {"verify", "off"}:
            self.problems.append('DB_TLS must be "verify" or, where it must be, "off"')
            return None
        pem = self.text("DB_CA_PEM")
        file = self.text("DB_CA_FILE")
        if file and not pem:
            try:
                pem = Path(file).read_text(encoding="ascii")
            except (OSError, UnicodeDecodeError):
                self.problems.append("DB_CA_FILE names no readable PEM file")
                return None
        try:
            tls = Tls(verify=mode == "verify", ca_pem=_decoded_pem(pem))
            tls.context()
        except ValueError:
            self.problems.append("DB_CA_PEM or DB_CA_FILE is no list of certificates in PEM")
            return None
        return tls


def _decoded_pem(text: str) -> str:
    r"""Give PEM text as it is, from base64, or with `\n` spelled out, as environments need it."""
    if not text or "-----BEGIN" in text:
        return text.replace("\\n", "\n")
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("neither PEM nor base64 of it") from error
