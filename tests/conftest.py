"""What every test gets: a clean environment, a moto server, and the command in process."""

from __future__ import annotations

import io
import os
import signal
import sys
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import hypothesis
import pytest
from moto.server import ThreadedMotoServer

from schoolctl.app import click_app
from schoolctl.base.errors import SchoolctlError
from schoolctl.core.run import Services
from tests.fakes import FakeClock
from tests.faults import Faults
from tests.scripted_aws import ScriptedAws

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_INHERITED = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")

# Properties are tried on the same few examples in every run, so that a change is what turns one
# red; `make test-thorough` tries many more, and others each time.
hypothesis.settings.register_profile("quick", max_examples=40, derandomize=True, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=1000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

REGION = "us-east-1"
ACCOUNT = "123456789012"


# A shell without a terminal starts what it puts in the background deaf to Ctrl-C, and a process
# hands that on to its children: the commands that the tests interrupt would not hear it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave nothing of the developer's own AWS, Docker or terminal settings."""
    for name in tuple(os.environ):
        if name not in _INHERITED and not name.startswith(("PYTEST", "DOCKER_HOST", "CI")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="session", autouse=True)
def _botocore_prepared_once() -> Iterator[None]:
    """Let botocore read AWS's service models, and make what follows from them, once.

    A process makes its clients once; the tests run the command in one process a thousand times.
    """
    import botocore.client
    import botocore.hooks
    import botocore.session

    loader = botocore.session.get_session().get_component("data_loader")
    creators: Any = botocore.client.ClientCreator  # the stubs leave out what is botocore's own
    make_methods = creators._create_methods  # noqa: SLF001  # likewise
    methods: dict[str, dict[str, Any]] = {}

    def share(session: Any) -> None:
        session._components.register_component("data_loader", loader)  # noqa: SLF001  # likewise

    def methods_of(creator: Any, model: Any) -> dict[str, Any]:
        if model.service_name not in methods:
            methods[model.service_name] = make_methods(creator, model)
        return dict(methods[model.service_name])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session.Session, "_register_data_loader", share)
        patch.setattr(botocore.client.ClientCreator, "_create_methods", methods_of)
        patch.setattr(botocore.hooks, "accepts_kwargs", cache(botocore.hooks.accepts_kwargs))
        yield


@pytest.fixture(scope="session")
def _moto_server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@cache
def _client(service: str, endpoint_url: str) -> Any:
    """Make a client once for all tests of a process: it takes longer than most calls do."""
    return boto3.client(  # type: ignore[call-overload]  # the name is a variable
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


@dataclass(frozen=True)
class Aws:
    """An empty AWS account on moto's server."""

    endpoint_url: str
    account: str = ACCOUNT

    def client(self, service: str) -> Any:
        """Give a plain boto3 client, for setting the scene and looking at the result."""
        return _client(service, self.endpoint_url)


@pytest.fixture
def aws(_moto_server: str, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """Give an empty account; the process's environment leads to it."""
    import requests  # moto brings it

    # No test looks at an AMI, and moto would make all of Amazon's anew for each empty account.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    requests.post(f"{_moto_server}/moto-api/reset", timeout=10).raise_for_status()
    monkeypatch.setenv("AWS_ENDPOINT_URL", _moto_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return Aws(_moto_server)


@pytest.fixture
def faults(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """Give a proxy before the empty account that fails chosen calls; all calls go through it."""
    proxy = Faults(aws.endpoint_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint_url)
    yield proxy
    proxy.close()
    assert proxy.unused() == [], "calls that were to fail never came"


@pytest.fixture(scope="session")
def _scripted_server() -> Iterator[ScriptedAws]:
    script = ScriptedAws()
    yield script
    script.close()


@pytest.fixture
def scripted(_scripted_server: ScriptedAws, monkeypatch: pytest.MonkeyPatch) -> ScriptedAws:
    """Give an AWS that says what the test writes; the process's environment leads to it."""
    _scripted_server.reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL", _scripted_server.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return _scripted_server


CONFIG = """\
app: schoolapp
default_environment: dev
image: {repository: schoolapp-backend}
parameters:
  db_host: {type: SecureString, env: PARAM_HOST_PATH, hidden: false, from: rds.endpoint}
  db_name: {type: SecureString, env: PARAM_DB_NAME_PATH, hidden: false, from: rds.database}
  db_user: {type: SecureString, env: PARAM_USER_PATH, hidden: false, from: rds.user}
secrets:
  db_password: {env: DB_SECRET_ARN, from: rds.managed_secret}
task:
  family: schoolapp-backend
  container: web
  cpu: 256
  memory: 512
  port: 3000
  health_path: /healthz
  execution_role: schoolapp-execution
  task_role: schoolapp-task
  log_group: /ecs/schoolapp-backend
service:
  cluster: schoolapp
  name: schoolapp-backend
  security_groups: [schoolApp-ecs-sg]
  target_group: schoolapp-tg
environments:
  dev: {region: us-east-1, account: "123456789012"}
  prod: {region: us-east-1, account: "123456789012", protected: true}
  other: {region: us-east-1, account: "999999999999"}
"""


@dataclass(frozen=True)
class Result:
    """What a run of the command left: both streams, apart and in the order of writing."""

    exit_code: int
    stdout: str
    stderr: str
    output: str


class _Tee(io.BytesIO):
    """Keeps what is written to it, and adds it to `both`."""

    def __init__(self, both: io.BytesIO) -> None:
        super().__init__()
        self._both = both

    def write(self, data: Any) -> int:
        self._both.write(data)
        return super().write(data)


def lead_to_aws(directory: Path, url: str | None = None) -> None:
    """Write the endpoint into the protected environment: it takes none from anywhere else."""
    file, url = directory / "schoolctl.yaml", url or os.environ.get("AWS_ENDPOINT_URL")
    if url is None or not file.exists():
        return
    text = file.read_text()
    for line in text.splitlines():
        if line.startswith("  prod: {") and "endpoint_url" not in line:
            led = line.replace("{", f'{{endpoint_url: "{url}", ', 1)
            file.write_text(text.replace(line, led))


@dataclass(frozen=True)
class Project:
    """A directory with a schoolctl.yaml, and the command run in it, in process."""

    directory: Path
    services: Services

    def invoke(self, *args: str, stdin: str | bytes | None = None, **services: Any) -> Result:
        """Run `schoolctl args...`; standard input is no terminal. Both streams are kept apart."""
        given = replace(self.services, **services) if services else self.services
        content = stdin.encode() if isinstance(stdin, str) else stdin or b""
        both = io.BytesIO()
        out, err = _Tee(both), _Tee(both)
        code: object = None
        # Held until the end: a stream that nobody holds closes what it writes to.
        streams = (
            io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"),
            io.TextIOWrapper(out, encoding="utf-8", write_through=True),
            io.TextIOWrapper(err, encoding="utf-8", write_through=True),
        )
        before = sys.stdin, sys.stdout, sys.stderr
        sys.stdin, sys.stdout, sys.stderr = streams
        try:
            click_app().main(list(args), obj=given, prog_name="schoolctl")
        except SystemExit as leaving:
            code = leaving.code
        finally:
            sys.stdin, sys.stdout, sys.stderr = before
        assert isinstance(code, int)
        texts = (each.getvalue().decode() for each in (out, err, both))
        return Result(code, *texts)


@pytest.fixture
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Project:
    """Give a new project; its clock is a fake."""
    for name in ("aws", "faults", "scripted"):
        if name in request.fixturenames:
            request.getfixturevalue(name)  # it says where AWS is
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "schoolctl.yaml").write_text(CONFIG)
    lead_to_aws(directory)
    return Project(directory, Services(clock=FakeClock(), directory=directory))


def engine_answers() -> bool:
    """Say whether a Docker engine answers: to the library, as there may be no docker command."""
    from docker.errors import DockerException

    from schoolctl.docker.connect import connect_docker

    try:
        client, _ = connect_docker(os.environ)
        client.ping()
    except (DockerException, SchoolctlError):
        return False
    client.close()
    return True


def browser_is_there() -> bool:
    """Say whether there is a Chromium."""
    from tests.service.browser import find_chromium

    return find_chromium() is not None


_ON_ENGINE = {"engine", "e2e"}


@pytest.hookimpl(trylast=True)  # after -m and -k chose: who wants no such test needs no engine
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs something that is not there, and say so; in CI that is a failure."""
    for item in items:
        # The first of them on a new machine waits until the base images are made, too.
        if _ON_ENGINE & _markers(item) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(900))
    _need(items, _ON_ENGINE, engine_answers, "no Docker engine answers")
    _need(items, {"browser"}, browser_is_there, "there is no Chromium (scripts/browser.sh)")


def _markers(item: pytest.Item) -> set[str]:
    return {each.name for each in item.iter_markers()}


def _need(
    items: list[pytest.Item], markers: set[str], there: Callable[[], bool], reason: str
) -> None:
    needing = [item for item in items if markers & _markers(item)]
    if not needing or there():
        return
    if os.environ.get("CI") == "true":
        pytest.exit(f"{reason}, and CI=true wants every test run", returncode=1)
    for item in needing:
        item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the cases of tests that each go through many, and tell what was measured."""
    reports = [
        report
        for key in ("passed", "failed")
        for report in terminalreporter.stats.get(key, ())
        if report.when == "call"
    ]
    many = [each for each in reports if dict(each.user_properties).get("cases")]
    if many:
        cases = sum(dict(each.user_properties)["cases"] for each in many)
        seconds = sum(each.duration for each in many)
        terminalreporter.write_line(
            f"{cases} cases of faults in {len(many)} tests, {seconds:.0f} s of their time"
        )
    for each in reports:
        for name, value in each.user_properties:
            if name == "figures":
                terminalreporter.write_line(f"{each.nodeid.rpartition('::')[2]}: {value}")
