"""`lock show`, `lock release`, and the lock around a deploy: when it is taken, and when not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from schoolctl.aws.session.clients import Clients
from schoolctl.aws.session.connection import Connection, Setting
from schoolctl.base.errors import ExitCode, UsageError
from schoolctl.core.lock_rules import Holder, parse_holder, render_holder
from schoolctl.core.locking import locked
from schoolctl.core.run import Run
from tests.worlds.account import NAME, Account, edit, serving

if TYPE_CHECKING:
    from tests.conftest import Aws, Project
    from tests.faults import Faults

LOCK = "/schoolctl/schoolapp/dev/lock"
THEIRS = Holder("theirs", who="ann", host="far", pid=7, command="schoolctl deploy --tag 1.4")


@pytest.fixture
def account(aws: Aws, project: Project, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Give a service at 1.0, and an image 1.1 to deploy."""
    monkeypatch.setenv("MOTO_ECS_SERVICE_RUNNING", "2")
    return serving(aws, project.directory)


def put(aws: Aws, holder: Holder = THEIRS) -> None:
    aws.client("ssm").put_parameter(
        Name=LOCK, Value=render_holder(holder), Type="String", Overwrite=True
    )


def held(aws: Aws) -> Holder | None:
    found = aws.client("ssm").get_parameters(Names=[LOCK])["Parameters"]
    return parse_holder(found[0]["Value"]) if found else None


def document(project: Project, *args: str, code: int = 0) -> dict[str, Any]:
    done = project.invoke(*args, "--json")
    assert done.exit_code == code, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


# Around a command


def test_it_is_taken_before_anything_is_looked_at_and_freed_at_the_end(
    project: Project, account: Account, faults: Faults
) -> None:
    document(project, "deploy", "--tag", "1.1", "--no-wait")
    guard = faults.calls.index("GetCallerIdentity")
    taken = faults.calls.index("PutParameter")
    assert (guard, taken) == (0, 1)
    assert faults.calls[-2:] == ["GetParameter", "DeleteParameter"]
    assert held(account.aws) is None


def test_it_says_what_was_typed_and_by_whom(
    project: Project, account: Account, faults: Faults
) -> None:
    seen: list[Holder | None] = []
    faults.before("UpdateService", lambda: seen.append(held(account.aws)))
    document(project, "deploy", "--tag", "1.1", "--no-wait")
    [holder] = seen
    assert holder is not None
    assert holder.command == "schoolctl deploy --tag 1.1 --no-wait --json"
    assert holder.who.startswith("arn:aws:sts::123456789012:")


@pytest.mark.parametrize("command", [("deploy", "--tag", "1.1"), ("rollback",)], ids=" ".join)
def test_who_is_turned_away_has_looked_at_nothing(
    project: Project, account: Account, faults: Faults, command: tuple[str, ...]
) -> None:
    put(account.aws)
    told = document(project, *command, code=ExitCode.BUSY)
    assert told["error"]["holder"]["host"] == "far"
    assert faults.calls == ["GetCallerIdentity", "PutParameter", "GetParameter"]
    assert held(account.aws) == THEIRS


def test_the_advice_names_the_environment(project: Project, account: Account) -> None:
    text = render_holder(THEIRS)
    account.aws.client("ssm").put_parameter(
        Name="/schoolctl/schoolapp/prod/lock", Value=text, Type="String"
    )
    told = document(project, "deploy", "-e", "prod", "--tag", "1.1", code=ExitCode.BUSY)
    assert "`schoolctl -e prod lock show`" in told["error"]["hint"]
    assert "`schoolctl -e prod lock release --id theirs`" in told["error"]["hint"]


def test_it_waits_for_the_lock_when_told_to(
    project: Project, account: Account, faults: Faults
) -> None:
    put(account.aws)
    faults.pass_on("GetParameter")
    faults.before("GetParameter", lambda: account.aws.client("ssm").delete_parameter(Name=LOCK))
    done = project.invoke("deploy", "--tag", "1.1", "--no-wait", "--lock-wait", "60")
    assert done.exit_code == 0, done.stderr
    assert "waiting for ann on far, pid 7: schoolctl deploy --tag 1.4" in done.stderr
    assert account.runs() == f"{NAME}:2"


def test_a_failure_frees_it(project: Project, account: Account, faults: Faults) -> None:
    faults.answer("UpdateService", "ClientException", "ECS is unwell")
    document(project, "deploy", "--tag", "1.1", code=ExitCode.FAILED)
    assert held(account.aws) is None


@pytest.mark.usefixtures("account")
def test_a_dry_run_takes_none(project: Project, faults: Faults) -> None:
    document(project, "deploy", "--tag", "1.1", "--dry-run")
    assert "PutParameter" not in faults.calls


@pytest.mark.parametrize("seconds", ["-1", "nan", "1e9"])
def test_a_wrong_use_asks_aws_nothing(project: Project, faults: Faults, seconds: str) -> None:
    told = document(project, "deploy", "--lock-wait", seconds, code=ExitCode.USAGE)
    assert "is no time to wait" in told["error"]["what"]
    assert faults.calls == []


def test_in_a_wrong_account_nothing_is_written(project: Project, faults: Faults) -> None:
    document(project, "deploy", "-e", "other", "--tag", "1.1", code=ExitCode.WRONG_TARGET)
    assert faults.calls == ["GetCallerIdentity"]


@pytest.mark.usefixtures("account")
def test_a_denied_lock_names_the_action(project: Project, faults: Faults) -> None:
    faults.deny("PutParameter", "ssm:PutParameter")
    told = document(project, "deploy", "--tag", "1.1", code=ExitCode.FAILED)
    assert told["error"]["what"] == f"could not take the deploy lock {LOCK}"
    assert "ssm:PutParameter" in told["error"]["why"]


def test_a_lock_that_cannot_be_freed_changes_no_verdict(
    project: Project, account: Account, faults: Faults
) -> None:
    faults.deny("DeleteParameter", "ssm:DeleteParameter")
    done = project.invoke("deploy", "--tag", "1.1", "--no-wait")
    assert done.exit_code == 0
    left = held(account.aws)
    assert left is not None
    assert f"`schoolctl lock release --id {left.id}` frees it now" in done.stderr


# By hand


@pytest.mark.usefixtures("aws")
def test_a_free_lock_is_shown_as_free(project: Project) -> None:
    assert document(project, "lock", "show") == {"ok": True, "lock": LOCK, "held": False}
    assert project.invoke("lock", "show").stdout == f"nobody holds {LOCK}\n"


def test_a_lock_is_shown_with_its_holder(aws: Aws, project: Project) -> None:
    put(aws)
    told = document(project, "lock", "show")
    assert told["holder"] == THEIRS.document()
    assert told["state"] == "busy"
    lines = project.invoke("lock", "show").stdout.splitlines()
    assert lines[1:4] == ["id      theirs", "who     ann", "where   far, pid 7"]


def test_it_is_freed_by_its_id(aws: Aws, project: Project) -> None:
    put(aws)
    told = document(project, "lock", "release", "--id", "theirs", "--yes")
    assert told["freed"] is True
    assert held(aws) is None


def test_a_wrong_id_is_refused(aws: Aws, project: Project) -> None:
    put(aws)
    told = document(project, "lock", "release", "--id", "other", "--yes", code=ExitCode.FAILED)
    assert told["error"]["what"] == f"the deploy lock {LOCK} was not freed: its id is not other"
    assert held(aws) == THEIRS


def test_one_that_changed_hands_meanwhile_is_not_freed(
    aws: Aws, project: Project, faults: Faults
) -> None:
    put(aws)
    new = Holder("new", who="eve", host="near", pid=8)
    faults.pass_on("GetParameter")
    faults.before("GetParameter", lambda: put(aws, new))
    document(project, "lock", "release", "--id", "theirs", "--yes", code=ExitCode.FAILED)
    assert held(aws) == new


def test_without_a_terminal_and_without_yes_it_stays(aws: Aws, project: Project) -> None:
    put(aws)
    told = document(project, "lock", "release", "--id", "theirs", code=ExitCode.FAILED)
    assert told["error"]["what"] == "nothing was changed"
    assert held(aws) == THEIRS


@pytest.mark.usefixtures("aws")
def test_freeing_a_free_lock_does_nothing(project: Project) -> None:
    assert document(project, "lock", "release", "--id", "x")["freed"] is False


def test_prune_takes_the_locks_of_all_that_share_the_repository(
    project: Project, account: Account, faults: Faults
) -> None:
    account.push("1.2")
    put(account.aws)
    edit(
        project.directory,
        "image: {repository: schoolapp-backend}",
        "image: {repository: schoolapp-backend}\nimages: {keep: 1, keep_days: 0}",
    )
    told = document(project, "images", "prune", "-e", "prod", "--yes", "--confirm", NAME, code=4)
    assert told["error"]["holder"]["host"] == "far"
    assert "BatchDeleteImage" not in faults.calls


class Broken(Clients):
    """Clients of which one cannot be made."""

    @property
    def ecr(self) -> NoReturn:
        raise UsageError("the endpoint for ecr is no URL")


def test_what_fails_while_the_lock_is_being_taken_leaves_none(
    project: Project, account: Account, faults: Faults
) -> None:
    run = Run(project.services)
    nowhere = Setting(None, "test")
    run.clients = Broken(
        Connection(nowhere, Setting("us-east-1", "test"), Setting(faults.endpoint_url, "test"))
    )
    with pytest.raises(UsageError), locked(run):
        pass
    faults.settle()
    assert faults.calls[-3:] == ["PutParameter", "GetParameter", "DeleteParameter"]
    assert held(account.aws) is None


@pytest.mark.usefixtures("aws")
def test_freeing_what_nobody_holds_says_so_once(project: Project) -> None:
    done = project.invoke("lock", "release", "--id", "theirs", "--yes")
    assert done.exit_code == ExitCode.DONE
    assert done.output.count("nobody holds") == 1
