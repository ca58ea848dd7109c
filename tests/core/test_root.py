"""What every command has in common: shared options, one document, exit codes, interruption."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl import __version__
from schoolctl.core.options import GlobalOptions
from schoolctl.core.run import Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Aws, Project, Result
    from tests.faults import Faults


def document_of(result: Result) -> dict[str, Any]:
    """Give the one document; anything beside it on stdout fails."""
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["ok"] is (result.exit_code == 0)
    return found


@pytest.mark.parametrize(
    "words",
    [
        ("-e", "other", "params", "list"),
        ("params", "-e", "other", "list"),
        ("params", "list", "-e", "other"),
        ("-e", "dev", "params", "-e", "prod", "list", "-e", "other"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("aws")
def test_a_shared_option_stands_anywhere_and_the_last_one_counts(
    project: Project, words: tuple[str, ...]
) -> None:
    result = project.invoke(*words)

    assert result.exit_code == 5
    assert "environment other" in result.stderr


@pytest.mark.usefixtures("aws")
def test_the_environments_variable_stands_in_for_the_option(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCHOOLCTL_ENV", "other")

    assert project.invoke("params", "list").exit_code == 5
    assert project.invoke("params", "list", "-e", "dev").exit_code == 0
    assert project.invoke("-e", "dev", "params", "list").exit_code == 0


@pytest.mark.usefixtures("aws")
def test_the_configuration_is_found_by_option_and_variable(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = project.directory / "elsewhere.yaml"
    (project.directory / "schoolctl.yaml").rename(moved)

    assert project.invoke("params", "list").exit_code == 2
    assert project.invoke("-c", str(moved), "params", "list").exit_code == 0
    monkeypatch.setenv("SCHOOLCTL_CONFIG", str(moved))
    assert project.invoke("params", "list").exit_code == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("nosuch",), 2, "No such command 'nosuch'."),
        (("pus",), 2, "Did you mean 'push'?"),
        (("params", "nosuch"), 2, "No such command 'nosuch'."),
        (("params", "list", "--bogus"), 2, "No such option: --bogus"),
        (("params", "get"), 2, "Missing argument 'KEY'."),
        (("params", "list", "-e"), 2, "Option '-e' requires an argument."),
        (("params", "list", "-e", "nowhere"), 2, "there is no environment nowhere"),
        (("params", "list", "-c", "nowhere.yaml"), 2, "nowhere.yaml"),
        (("params", "get", "db_host"), 1, "does not exist"),
        (("params", "list", "-e", "other"), 5, "account 999999999999"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
@pytest.mark.usefixtures("aws")
def test_a_failure_is_said_on_stderr_and_in_the_one_document(
    project: Project, words: tuple[str, ...], code: int, message: str
) -> None:
    plain = project.invoke(*words)
    found = document_of(project.invoke("--json", *words))

    assert (plain.exit_code, plain.stdout) == (code, "")
    assert plain.stderr.startswith("error: ")
    assert plain.stderr.count("error: ") == 1
    assert message in plain.stderr
    assert found["error"]["exit_code"] == code
    assert message in found["error"]["what"]


@pytest.mark.parametrize("words", [(), ("params",), ("profile",)], ids=" ".join)
def test_a_group_without_a_command_shows_its_help_and_exits_with_2(
    project: Project, words: tuple[str, ...]
) -> None:
    result = project.invoke(*words)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Usage: {' '.join(('schoolctl', *words))} [OPTIONS]")


@pytest.mark.parametrize("words", [("--json",), ("--json", "params"), ("params", "--json")])
def test_a_missing_command_is_a_document_under_json(
    project: Project, words: tuple[str, ...]
) -> None:
    assert document_of(project.invoke(*words))["error"]["exit_code"] == 2


def test_version(project: Project) -> None:
    result = project.invoke("--version")

    assert (result.exit_code, result.stdout) == (0, f"schoolctl {__version__}\n")


@pytest.mark.parametrize("words", [("--help",), ("params", "--help"), ("params", "set", "-h")])
def test_help_goes_to_stdout_and_into_the_document(
    project: Project, words: tuple[str, ...]
) -> None:
    page = project.invoke(*words)
    found = document_of(project.invoke(*words, "--json"))

    assert (page.exit_code, page.stderr) == (0, "")
    assert page.stdout.startswith("Usage: schoolctl")
    assert found["text"] == page.stdout


def test_an_option_after_two_dashes_is_not_ours(project: Project) -> None:
    result = project.invoke("params", "set", "--", "--json")

    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.usefixtures("aws")
def test_quiet_leaves_results_and_errors(project: Project) -> None:
    done = project.invoke("params", "set", "db_host=h", "-q")
    failed = project.invoke("params", "get", "db_name", "-q")

    assert (done.stdout, done.stderr) == (
        "set parameter /schoolapp/dev/db_host of environment dev\n",
        "",
    )
    assert failed.stderr.startswith("error: ")


def test_a_bug_keeps_its_traceback_and_is_a_document_all_the_same(project: Project) -> None:
    # An environment that is no mapping: nothing that a user could bring about.
    result = project.invoke("params", "list", "--json", environ=None)

    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert "error: this is a bug in schoolctl: AttributeError" in result.stderr
    assert "AttributeError" in document_of(result)["error"]["what"]


@pytest.fixture
def silent_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take connections and never answer."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        yield


@pytest.mark.parametrize(
    ("number", "code", "message"),
    [(signal.SIGINT, 130, "stopped by Ctrl-C"), (signal.SIGTERM, 143, "stopped by SIGTERM")],
)
@pytest.mark.usefixtures("silent_aws")
def test_a_signal_ends_a_run_at_once_even_when_aws_does_not_answer(
    project: Project, number: int, code: int, message: str
) -> None:
    # Says `ready` when the first call is under way: from there on it waits for AWS.
    program = (
        "import sys, threading\n"
        "from schoolctl.aws.session.clients import Clients\n"
        "from schoolctl.app import click_app\n"
        "sys.addaudithook(lambda name, args: name == 'socket.connect'"
        " and print('ready', file=sys.stderr, flush=True))\n"
        "click_app().main(['params', 'list', '--json'], prog_name='schoolctl')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=project.directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as running:
        assert running.stderr is not None
        assert running.stderr.readline() == "ready\n"
        running.send_signal(number)
        stdout, stderr = running.communicate(timeout=10)

    assert running.returncode == code
    assert f"error: {message}" in stderr
    assert json.loads(stdout)["error"]["exit_code"] == code


def test_a_reader_that_has_gone_is_no_bug(aws: Aws, project: Project) -> None:
    del aws
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "schoolctl", "params", "list"],
        cwd=project.directory,
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
        check=False,
    )
    os.close(writing)

    assert done.returncode == 1
    assert done.stderr == ""


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1"])
def test_a_locale_without_unicode_still_works(
    aws: Aws, project: Project, monkeypatch: pytest.MonkeyPatch, locale: str
) -> None:
    aws.client("ssm").put_parameter(
        Name="/schoolapp/dev/db_host", Value="h\u20acst\u2028", Type="SecureString"
    )
    monkeypatch.setenv("LC_ALL", locale)
    monkeypatch.setenv("PYTHONCOERCECLOCALE", "0")
    monkeypatch.setenv("PYTHONUTF8", "0")
    done = subprocess.run(
        [sys.executable, "-m", "schoolctl", "params", "list", "--reveal"],
        cwd=project.directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=dict(os.environ),
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"db_host" in done.stdout


def test_a_narrow_pipe_does_not_cut_values(
    aws: Aws, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.client("ssm").put_parameter(
        Name="/schoolapp/dev/db_host", Value="h" * 300, Type="SecureString"
    )
    monkeypatch.setenv("COLUMNS", "20")

    assert "h" * 300 in project.invoke("params", "list", "--reveal").stdout


def test_the_identity_is_asked_once_a_run(faults: Faults, project: Project) -> None:
    project.invoke("params", "set", "db_host=h", "db_name=n")

    assert faults.calls.count("GetCallerIdentity") == 1


def test_advice_names_the_environment_that_the_command_worked_on(
    aws: Aws, project: Project
) -> None:
    """Pasted without it, the command would act on the default environment."""
    del aws
    there = project.invoke("-e", "prod", "repo", "show")
    assert "`schoolctl -e prod repo create`" in there.stderr
    usual = project.invoke("-e", "dev", "repo", "show")
    assert "`schoolctl repo create`" in usual.stderr
    document = json.loads(project.invoke("--json", "-e", "prod", "repo", "show").stdout)
    assert "schoolctl -e prod repo create" in document["error"]["hint"]


def test_advice_names_the_environment_in_reasons_and_notes_too(aws: Aws, project: Project) -> None:
    reasons = project.invoke("-e", "prod", "params", "set").stderr
    assert "`schoolctl -e prod params set db_host=VALUE`" in reasons
    parameter = "/schoolapp/prod/db_name"
    aws.client("ssm").put_parameter(Name=parameter, Value="old", Type="SecureString")
    change = ("params", "set", "db_name=new", "--yes", "--confirm", "schoolapp-backend")
    assert "`schoolctl -e prod restart`" in project.invoke("-e", "prod", *change).stderr


def test_a_value_that_reads_like_advice_is_printed_as_it_is(aws: Aws, project: Project) -> None:
    value = "see `schoolctl status`"
    aws.client("ssm").put_parameter(
        Name="/schoolapp/prod/db_name", Value=value, Type="SecureString"
    )
    told = project.invoke("-e", "prod", "params", "get", "db_name", "--reveal")
    assert told.stdout == f"{value}\n"


def test_advice_that_names_an_environment_is_left_as_it_is() -> None:
    run = Run()
    run.options = GlobalOptions(env="prod")
    told = "`schoolctl profile use NAME -e dev`, `schoolctl sandbox up`, `schoolctl init`"
    assert run.for_environment(told) == told
    assert run.for_environment("`schoolctl status`, `schoolctl logs -f`") == (
        "`schoolctl -e prod status`, `schoolctl -e prod logs -f`"
    )


def test_a_full_disk_behind_stdout_is_no_bug() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123  # a device, not a file
        done = subprocess.run(
            [sys.executable, "-m", "schoolctl", "push", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "error: could not write the output" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("scale", "two"), "Invalid value for 'N': it is no whole number"),
        (("rollback", "--to", "web:2"), "Invalid value for '--to': it is no whole number"),
        (("deploy", "--timeout", "long"), "Invalid value for '--timeout': it is no number"),
        (("deploy", "--fail-fast", "0"), "Invalid value for '--fail-fast': it must be 1 or more"),
    ],
)
def test_a_value_that_is_no_number_is_refused_in_plain_words(
    project: Project, words: tuple[str, ...], said: str
) -> None:
    result = project.invoke(*words)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[0] == f"error: {said}"


def test_a_group_without_a_command_is_one_short_error_in_json(project: Project) -> None:
    document = json.loads(project.invoke("--json", "taskdef").stdout)
    assert document["error"]["what"] == "Missing command."
