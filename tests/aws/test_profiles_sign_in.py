"""Each way to sign in, with real files in a home of its own; and what each failure advises."""

from __future__ import annotations

import hashlib
import json
import stat
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.conftest import Aws, Project
    from tests.faults import Faults

MFA = "arn:aws:iam::123456789012:mfa/ann"
ROLE = "arn:aws:iam::123456789012:role/deployer"
KEYS = """\
[base]
aws_access_key_id = AKIAABCDEFGHWXYZ
aws_secret_access_key = canary-secret-key
"""
CONFIG = f"""\
[profile first]
role_arn = {ROLE}
source_profile = base
[profile second]
role_arn = arn:aws:iam::123456789012:role/second
source_profile = first
[profile guarded]
role_arn = {ROLE}
source_profile = base
mfa_serial = {MFA}
[profile after-guarded]
role_arn = arn:aws:iam::123456789012:role/second
source_profile = guarded
[profile itself]
role_arn = {ROLE}
source_profile = round
[profile round]
role_arn = {ROLE}
source_profile = itself
[profile nowhere]
role_arn = {ROLE}
source_profile = gone
[profile sourceless]
role_arn = {ROLE}
[profile odd-source]
role_arn = {ROLE}
credential_source = Fortune
[profile wide]
sso_session = school
sso_account_id = 123456789012
sso_role_name = admin
[profile old-sso]
sso_start_url = https://school.awsapps.com/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = admin
[profile over-sso]
role_arn = {ROLE}
source_profile = wide
[sso-session school]
sso_start_url = https://school.awsapps.com/start
sso_region = us-east-1
[profile no-program]
credential_process = /no/such/program
[profile silent-program]
credential_process = /bin/true
[profile failing-program]
credential_process = /bin/false
[profile garbage-program]
credential_process = /bin/echo canary-garbage
[profile old-program]
credential_process = /bin/echo '{{"Version": 9}}'
[profile program]
credential_process = /bin/echo '{{"Version": 1, "AccessKeyId": "AKIAPROGRAM1", \
"SecretAccessKey": "canary-program"}}'
[profile no-token]
role_arn = {ROLE}
web_identity_token_file = /no/such/token
[profile half]
aws_access_key_id = AKIAHALF
[profile keyless]
region = us-east-1
"""


@pytest.fixture(autouse=True)
def _home(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give profiles of every kind, and no keys but theirs."""
    del aws
    folder = Path.home() / ".aws"
    folder.mkdir()
    (folder / "config").write_text(CONFIG)
    (folder / "credentials").write_text(KEYS)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_a_role_is_taken_by_the_keys_of_another_profile(project: Project) -> None:
    done = project.invoke("profile", "show", "--profile", "first")
    assert done.exit_code == 0, done.output
    assert "(assume-role)" in done.stdout
    assert "arn:aws:sts::123456789012:assumed-role/deployer/" in done.stdout


def test_a_role_is_taken_by_way_of_another_role(project: Project, faults: Faults) -> None:
    done = project.invoke("profile", "show", "--profile", "second")
    assert done.exit_code == 0, done.output
    assert "assumed-role/second/" in done.stdout
    assert faults.calls.count("AssumeRole") == 2


def test_no_role_but_a_guarded_one_leaves_anything_on_the_disk(project: Project) -> None:
    before = sorted(Path.home().rglob("*"))
    assert project.invoke("params", "list", "--profile", "second").exit_code == 0
    assert sorted(Path.home().rglob("*")) == before


def test_a_program_gives_the_keys(project: Project) -> None:
    done = project.invoke("profile", "show", "--profile", "program")
    assert done.exit_code == 0, done.output
    assert "key       ****RAM1  (custom-process)" in done.stdout
    assert "canary" not in done.output


# Each of these ends with exit code 6, one error, and advice that fits its own way to sign in.
FAILURES = {
    "itself": "correct the profile in ~/.aws/config",
    "nowhere": "correct the profile in ~/.aws/config",
    "sourceless": "source_profile",
    "odd-source": "correct the profile in ~/.aws/config",
    "wide": "sign in again: `aws sso login --profile wide`",
    "old-sso": "sign in again: `aws sso login --profile old-sso`",
    # A role has no SSO of its own: the profile that it starts from is what is signed in.
    "over-sso": "sign in again: `aws sso login --profile wide`",
    "no-program": "run the profile's `credential_process` by hand",
    "silent-program": "run the profile's `credential_process` by hand",
    "garbage-program": "run the profile's `credential_process` by hand",
    "failing-program": "run the `credential_process` of profile failing-program by hand",
    "old-program": "run the `credential_process` of profile old-program by hand",
    "no-token": "web_identity_token_file",
    "half": "give both the access key and the secret key",
    "keyless": "schoolctl profile list",
    "wid": "did you mean wide?",
}


@pytest.mark.parametrize("profile", FAILURES)
@pytest.mark.parametrize("words", [("params", "set", "db_host=h"), ("profile", "show")])
def test_what_does_not_sign_in_ends_with_6_and_its_own_cure(
    project: Project, faults: Faults, profile: str, words: tuple[str, ...]
) -> None:
    done = project.invoke(*words, "--profile", profile)
    assert done.exit_code == 6, done.output
    assert done.stderr.count("error:") == 1
    assert FAILURES[profile] in done.stderr
    assert "Traceback" not in done.stderr
    assert "canary" not in done.output
    assert "PutParameter" not in faults.calls


@pytest.mark.parametrize("profile", ["over-sso", "no-program", "itself"])
def test_a_failure_to_sign_in_is_one_document(project: Project, profile: str) -> None:
    done = project.invoke("params", "list", "--profile", profile, "--json")
    told = json.loads(done.stdout)
    assert (told["ok"], told["error"]["exit_code"]) == (False, 6)


def test_an_expired_sso_token_names_the_very_command(project: Project) -> None:
    cache = Path.home() / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    gone = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    name = hashlib.sha1(b"school", usedforsecurity=False).hexdigest()
    token = {
        "startUrl": "https://school.awsapps.com/start",
        "region": "us-east-1",
        "accessToken": "canary-token",
        "expiresAt": gone,
    }
    (cache / f"{name}.json").write_text(json.dumps(token))
    done = project.invoke("params", "list", "--profile", "wide")
    assert done.exit_code == 6
    assert "hint:  sign in again: `aws sso login --profile wide`" in done.stderr
    assert "canary" not in done.output


@pytest.mark.parametrize("profile", ["guarded", "after-guarded"])
def test_without_a_terminal_nobody_is_asked_for_a_code(
    project: Project, faults: Faults, profile: str
) -> None:
    done = project.invoke("params", "list", "--profile", profile)
    assert done.exit_code == 6
    assert f"error: a code of the MFA device {MFA} is needed" in done.stderr
    assert "why:   there is no terminal to ask for it" in done.stderr
    assert "schoolctl profile show" in done.stderr
    assert faults.calls == []


def test_on_a_terminal_the_code_is_asked_for_once_and_counts_for_later_runs(
    project: Project, faults: Faults
) -> None:
    terminal = Terminal(["profile", "show", "--profile", "guarded"], project.directory)
    terminal.expect(f"code of the MFA device {MFA}: ")
    terminal.type("246802")
    assert terminal.finish() == 0, terminal.shown
    assert "246802" not in terminal.shown
    asked = [body for body in faults.bodies if b"Action=AssumeRole" in body]
    assert [b"TokenCode=246802" in body for body in asked] == [True]

    # Where the AWS CLI keeps its own, and for this user alone.
    [kept] = (Path.home() / ".aws" / "cli" / "cache").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    later = project.invoke("params", "list", "--profile", "guarded")
    assert later.exit_code == 0, later.output
    assert faults.calls.count("AssumeRole") == 1


class Keys(BaseHTTPRequestHandler):
    """What hands out keys to a container or an instance."""

    answers: Mapping[str, str] = {}

    def do_PUT(self) -> None:  # the name that http.server calls
        """Hand out a token."""
        self.do_GET()

    def do_GET(self) -> None:  # likewise
        """Hand out what is there."""
        text = self.answers.get(self.path)
        self.send_response(404 if text is None else 200)
        content = (text or "").encode()
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


@contextmanager
def handing_out(answers: Mapping[str, str]) -> Iterator[str]:
    """Hand out keys at an address of this machine."""
    handler = type("Handler", (Keys,), {"answers": answers})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _keys(**more: str) -> str:
    until = (datetime.now(UTC) + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
    keys = {"AccessKeyId": "ASIAROLE1234", "SecretAccessKey": "canary-role", "Token": "canary"}
    return json.dumps({**keys, "Expiration": until, **more})


def test_a_container_has_the_keys_of_its_role(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with handing_out({"/keys": _keys()}) as address:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{address}/keys")
        done = project.invoke("profile", "show")
    assert done.exit_code == 0, done.output
    assert "key       ****1234  (container-role)" in done.stdout
    assert "canary" not in done.output


def test_an_instance_has_the_keys_of_its_role(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = "/latest/meta-data/iam/security-credentials"
    answers = {
        "/latest/api/token": "token",
        f"{base}/": "role",
        f"{base}/role": _keys(Code="Success", Type="AWS-HMAC", LastUpdated="2026-11-27T00:00:00Z"),
    }
    with handing_out(answers) as address:
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", address)
        done = project.invoke("profile", "show")
    assert done.exit_code == 0, done.output
    assert "key       ****1234  (iam-role)" in done.stdout
    assert "canary" not in done.output


def test_a_container_that_hands_out_nothing_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/keys")
    done = project.invoke("params", "list")
    assert done.exit_code == 6, done.output
    assert done.stderr.count("error:") == 1
    assert "Traceback" not in done.stderr


def test_an_address_that_hands_out_keys_to_others_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # botocore takes keys from this machine and from AWS's own address alone.
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/keys")
    done = project.invoke("params", "list")
    assert done.exit_code == 6, done.output
    assert "check AWS_CONTAINER_CREDENTIALS_FULL_URI" in done.stderr
