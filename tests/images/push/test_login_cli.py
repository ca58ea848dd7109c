"""`login`: Docker's login, kept as Docker keeps it."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from tests.conftest import ACCOUNT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Aws, Project

REGISTRY = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
TOKEN = f"{ACCOUNT}-auth-token"


def docker_config(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".docker" / "config.json"


def test_login_stores_the_token_where_docker_looks(
    aws: Aws, project: Project, tmp_path: Path
) -> None:
    del aws
    done = project.invoke("login")

    assert done.exit_code == 0
    assert done.stdout.startswith(f"logged in to {REGISTRY} until ")
    stored = json.loads(docker_config(tmp_path).read_text())["auths"][REGISTRY]["auth"]
    assert base64.b64decode(stored).decode() == f"AWS:{TOKEN}"


def test_login_never_shows_the_token(aws: Aws, project: Project) -> None:
    del aws
    for args in (("login",), ("login", "--json"), ("login", "--dry-run"), ("login", "-vv")):
        output = project.invoke(*args).output
        assert TOKEN not in output
        assert base64.b64encode(f"AWS:{TOKEN}".encode()).decode() not in output


def test_a_dry_run_of_login_writes_nothing(aws: Aws, project: Project, tmp_path: Path) -> None:
    del aws
    assert project.invoke("login", "--dry-run").exit_code == 0
    assert not docker_config(tmp_path).exists()


def test_login_leaves_a_broken_config_alone(aws: Aws, project: Project, tmp_path: Path) -> None:
    del aws
    file = docker_config(tmp_path)
    file.parent.mkdir()
    file.write_text("{ broken")

    done = project.invoke("login")

    assert done.exit_code == 1
    assert "left as it is" in done.stderr
    assert file.read_text() == "{ broken"


def test_login_says_when_amazons_helper_makes_it_needless(
    aws: Aws, project: Project, tmp_path: Path
) -> None:
    del aws
    file = docker_config(tmp_path)
    file.parent.mkdir()
    file.write_text(json.dumps({"credHelpers": {REGISTRY: "ecr-login"}}))

    done = project.invoke("login", "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)["stored"] is False
    assert "nothing to do" in done.stderr


def test_login_to_another_account_is_refused(aws: Aws, project: Project, tmp_path: Path) -> None:
    del aws
    assert project.invoke("login", "-e", "other").exit_code == 5
    assert not docker_config(tmp_path).exists()


def test_login_to_a_protected_environment_asks_nothing(aws: Aws, project: Project) -> None:
    del aws
    assert project.invoke("login", "-e", "prod").exit_code == 0
