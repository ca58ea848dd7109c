from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from schoolctl.sandbox.database import issue
from service.aws import AwsReadError, parse_secret
from service.ratelimit import RateLimit
from service.settings import (
    MySqlSettings,
    PoolSize,
    Settings,
    SettingsError,
    SqliteSettings,
    load_settings,
)
from service.tls import RDS_BUNDLE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Aws

PASSWORD = "canary-password"
SQLITE = {"DATABASE_URL": "sqlite:///dev.db"}
ENVIRON = {
    "AWS_REGION": "us-east-1",
    "PARAM_HOST_PATH": "/schoolapp/dev/db_host",
    "PARAM_DB_NAME_PATH": "/schoolapp/dev/db_name",
    "PARAM_USER_PATH": "/schoolapp/dev/db_user",
    "DB_SECRET_ARN": "schoolapp/dev/db_password",
}


def seed(aws: Aws, secret: str = PASSWORD) -> None:
    ssm = aws.client("ssm")
    for name, value in (("host", "db.example.com"), ("name", "school"), ("user", "admin")):
        ssm.put_parameter(Name=f"/schoolapp/dev/db_{name}", Value=value, Type="SecureString")
    aws.client("secretsmanager").create_secret(
        Name="schoolapp/dev/db_password", SecretString=secret
    )


def mysql(environ: dict[str, str]) -> MySqlSettings:
    database = load_settings(environ).database
    assert isinstance(database, MySqlSettings)
    return database


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return caught.value.problems


def test_the_database_is_read_from_ssm_and_secrets_manager(aws: Aws) -> None:
    seed(aws)
    database = mysql(ENVIRON)
    assert (database.host, database.port, database.name) == ("db.example.com", 3306, "school")
    assert (database.login.user, database.login.password) == ("admin", "canary-password")
    assert database.tls.verify


def test_the_secret_may_be_json_as_rds_writes_it(aws: Aws) -> None:
    seed(aws, json.dumps({"username": "admin_clone", "password": "p", "host": "elsewhere"}))
    database = mysql(ENVIRON)
    assert (database.login.user, database.login.password) == ("admin_clone", "p")
    assert database.host == "db.example.com"


def test_names_may_be_arns(aws: Aws) -> None:
    seed(aws)
    parameter = aws.client("ssm").get_parameter(Name="/schoolapp/dev/db_host")["Parameter"]
    secret = aws.client("secretsmanager").describe_secret(SecretId=ENVIRON["DB_SECRET_ARN"])
    environ = {**ENVIRON, "PARAM_HOST_PATH": parameter["ARN"], "DB_SECRET_ARN": secret["ARN"]}
    assert mysql(environ).host == "db.example.com"


def test_connections_are_as_many_as_asked_for_and_few_otherwise(aws: Aws) -> None:
    seed(aws)
    asked = {**ENVIRON, "DB_POOL_SIZE": "4", "DB_POOL_OVERFLOW": "0"}
    assert (mysql(ENVIRON).pool, mysql(asked).pool) == (PoolSize(2, 1), PoolSize(4, 0))


def test_the_number_of_processes_is_at_least_one() -> None:
    assert load_settings({**SQLITE, "WEB_CONCURRENCY": "3"}).processes == 3
    assert load_settings(SQLITE).processes in {1, 2}
    assert problems({**SQLITE, "WEB_CONCURRENCY": "0"}) == [
        "WEB_CONCURRENCY must be a whole number from 1 to 64"
    ]


def test_with_nothing_set_everything_missing_is_named() -> None:
    text = "\n".join(problems({}))
    assert all(name in text for name in ENVIRON)


def test_parameters_and_secret_that_do_not_exist_are_all_named(aws: Aws) -> None:
    seed(aws)
    environ = {**ENVIRON, "PARAM_USER_PATH": "/nope/user", "DB_SECRET_ARN": "nope/secret"}
    found = problems(environ)
    assert len(found) == 2
    assert "/nope/user does not exist in us-east-1" in found[0]
    assert "nope/secret" in found[1]
    assert "ResourceNotFoundException" in found[1]


def test_problems_never_quote_a_value(aws: Aws) -> None:
    seed(aws, '{"passwort": "canary-secret"}')
    aws.client("ssm").put_parameter(
        Name="/schoolapp/dev/db_host", Value="canary:3306", Type="SecureString", Overwrite=True
    )
    found = problems({**ENVIRON, "DB_PORT": "canary", "DB_CA_PEM": "canary"})
    assert len(found) == 4
    assert "canary" not in "\n".join(found)


def test_a_secret_that_is_scheduled_for_deletion_is_named(aws: Aws) -> None:
    seed(aws)
    aws.client("secretsmanager").delete_secret(SecretId=ENVIRON["DB_SECRET_ARN"])
    assert "scheduled for deletion" in problems(ENVIRON)[0]


def test_without_an_answer_from_aws_the_route_is_suspected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    found = problems(ENVIRON)
    assert len(found) == 2
    assert all("VPC endpoints" in problem for problem in found)


def test_settings_do_not_show_the_password_when_printed(aws: Aws) -> None:
    seed(aws)
    assert "canary-password" not in repr(load_settings(ENVIRON))


@pytest.mark.parametrize(
    ("text", "user", "password"),
    [
        ("hunter2", "admin", "hunter2"),
        ("hunter2\n", "admin", "hunter2"),
        (" spaces stay ", "admin", " spaces stay "),
        ("12345", "admin", "12345"),
        ('"quoted"', "admin", '"quoted"'),
        ("{not json", "admin", "{not json"),
        ("€uro", "admin", "€uro"),
        ('{"password": "p"}', "admin", "p"),
        ('{"username": "u", "password": "p", "engine": "mysql", "port": 3306}', "u", "p"),
    ],
)
def test_a_secret_is_a_bare_password_or_json(text: str, user: str, password: str) -> None:
    login = parse_secret(text, "admin")
    assert (login.user, login.password) == (user, password)


@pytest.mark.parametrize(
    "text", ["", "\n", "{}", '{"username": "u"}', '{"password": 7}', '{"password": ""}']
)
def test_a_secret_without_a_password_is_refused(text: str) -> None:
    with pytest.raises(AwsReadError):
        parse_secret(text, "admin")


def test_sqlite_must_be_asked_for_and_names_a_file() -> None:
    assert load_settings(SQLITE).database == SqliteSettings("dev.db")
    for url in ("sqlite://", "sqlite:///:memory:", "mysql://u:canary@h/db", "postgresql:///x"):
        (problem,) = problems({"DATABASE_URL": url})
        assert "DATABASE_URL" in problem
        assert "canary" not in problem


def test_the_defaults_are_strict_about_tls_and_generous_about_rates() -> None:
    settings = load_settings(SQLITE)
    assert settings.rate_limit == RateLimit(1200, 60)
    assert settings.rules.phone_region is None
    assert settings.rules.programs == ()
    assert settings.cors_origins == frozenset()


@pytest.mark.parametrize(
    ("text", "programs"),
    [
        ("Mathematics", ("Mathematics",)),
        ("Mathematics, Fine Art ,", ("Mathematics", "Fine Art")),
        ('["Law, Economics", "Art"]', ("Law, Economics", "Art")),
        ("", ()),
    ],
)
def test_programs_are_a_list(text: str, programs: tuple[str, ...]) -> None:
    assert load_settings({**SQLITE, "PROGRAMS": text}).rules.programs == programs


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("5/second", RateLimit(5, 1)),
        ("60 / minute", RateLimit(60, 60)),
        ("100/hour", RateLimit(100, 3600)),
        ("off", None),
    ],
)
def test_the_rate_limit_is_a_number_in_a_time(text: str, limit: RateLimit | None) -> None:
    assert load_settings({**SQLITE, "RATE_LIMIT": text}).rate_limit == limit


def test_origins_are_written_as_browsers_write_them() -> None:
    text = "https://School.example, http://localhost:5173,https://a.example:443/"
    settings = load_settings({**SQLITE, "CORS_ORIGINS": text})
    assert settings.cors_origins == {
        "https://school.example",
        "http://localhost:5173",
        "https://a.example",
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("RATE_LIMIT", "lots"),
        ("RATE_LIMIT", "0/minute"),
        ("PHONE_REGION", "XX"),
        ("PHONE_REGION", "44"),
        ("PROGRAMS", "[1]"),
        ("PROGRAMS", "["),
        ("PROGRAMS", "x" * 101),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "https://*.example.com"),
        ("CORS_ORIGINS", "school.example"),
        ("CORS_ORIGINS", "https://school.example/path"),
        ("TRUSTED_PROXIES", "-1"),
        ("TRUSTED_PROXIES", "one"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_name(name: str, text: str) -> None:
    (problem,) = problems({**SQLITE, name: text})
    assert name in problem


@pytest.mark.parametrize("text", ["1", "on", "VERIFY-CA", "false"])
def test_tls_is_verified_or_off_and_nothing_between(aws: Aws, text: str) -> None:
    seed(aws)
    (problem,) = problems({**ENVIRON, "DB_TLS": text})
    assert "DB_TLS" in problem


def test_tls_is_off_only_when_asked(aws: Aws) -> None:
    seed(aws)
    assert mysql({**ENVIRON, "DB_TLS": "off"}).tls.context() is None


def test_the_authority_may_come_as_pem_base64_escaped_or_file(aws: Aws, tmp_path: Path) -> None:
    seed(aws)
    pem = issue(["db.example.com"], datetime.now(UTC)).authority
    file = tmp_path / "ca.pem"
    file.write_text(pem)
    for environ in (
        {"DB_CA_PEM": pem},
        {"DB_CA_PEM": base64.b64encode(pem.encode()).decode()},
        {"DB_CA_PEM": pem.replace("\n", "\\n")},
        {"DB_CA_FILE": str(file)},
    ):
        context = mysql({**ENVIRON, **environ}).tls.context()
        assert context is not None
        assert context.cert_store_stats()["x509_ca"] == 1


def test_without_an_authority_those_of_rds_are_trusted(aws: Aws) -> None:
    seed(aws)
    context = mysql(ENVIRON).tls.context()
    assert context is not None
    assert context.cert_store_stats()["x509_ca"] >= RDS_BUNDLE.read_text().count("BEGIN CERT")


def test_settings_can_be_compared_with_their_defaults() -> None:
    assert load_settings({**SQLITE, "RATE_LIMIT": "off"}) == Settings(SqliteSettings("dev.db"))
