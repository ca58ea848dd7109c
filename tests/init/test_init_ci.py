"""`init --ci github`: what is written where, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Project

WORKFLOW = ".github/workflows/deploy.yml"


def test_the_workflow_is_written_beside_the_configuration(project: Project) -> None:
    before = (project.directory / "schoolctl.yaml").read_bytes()
    result = project.invoke("init", "--ci", "github")
    path = project.directory / WORKFLOW

    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == f"wrote {path}"
    assert "set the variable AWS_ROLE_ARN of the repository on GitHub" in result.stdout
    assert path.read_text().startswith("# Builds the image, deploys it to the environment ")
    assert (project.directory / "schoolctl.yaml").read_bytes() == before


def test_the_workflow_is_of_the_chosen_environment(project: Project) -> None:
    result = project.invoke("-e", "prod", "init", "--ci", "github", "--json")
    path = project.directory / WORKFLOW

    assert json.loads(result.stdout) == {
        "ok": True,
        "environment": "prod",
        "branch": "main",
        "variables": ["AWS_ROLE_ARN"],
        "written": [str(path)],
    }
    assert "schoolctl -e prod deploy" in path.read_text()


def test_a_workflow_that_is_there_is_left_as_it_is(project: Project) -> None:
    path = project.directory / WORKFLOW
    path.parent.mkdir(parents=True)
    path.write_text("mine\n")
    result = project.invoke("init", "--ci", "github")

    assert result.exit_code == 1
    assert f"error: {path} is there already; it is left as it is" in result.stderr
    assert path.read_text() == "mine\n"


def test_the_workflow_stands_at_the_root_of_the_repository(project: Project) -> None:
    (project.directory / ".git").mkdir()
    folder = project.directory / "apps" / "web"
    folder.mkdir(parents=True)
    (project.directory / "schoolctl.yaml").rename(folder / "schoolctl.yaml")
    result = project.invoke("-c", str(folder / "schoolctl.yaml"), "init", "--ci", "github")

    assert result.exit_code == 0
    text = (project.directory / WORKFLOW).read_text()
    assert 'working-directory: "apps/web"' in text
    assert "schoolctl -e " in text


def test_a_local_aws_is_warned_of(project: Project) -> None:
    path = project.directory / "schoolctl.yaml"
    path.write_text(
        path.read_text().replace("dev: {", "dev: {endpoint_url: 'http://127.0.0.1:4566', ")
    )
    result = project.invoke("init", "--ci", "github")
    assert "machines of GitHub have to reach it there" in result.stderr


@pytest.mark.parametrize(
    "other", [("--stack",), ("--app", "enrolment"), ("--from-service", "school/backend")]
)
def test_the_workflow_goes_with_no_other_way_to_begin(
    project: Project, other: tuple[str, ...]
) -> None:
    result = project.invoke("init", "--ci", "github", *other)
    assert result.exit_code == 2
    assert "--ci goes with none of --app, --stack and --from-service" in result.stderr
    assert not (project.directory / ".github").exists()


def test_without_a_configuration_there_is_no_workflow(project: Project) -> None:
    (project.directory / "schoolctl.yaml").unlink()
    result = project.invoke("init", "--ci", "github")
    assert result.exit_code != 0
    assert "schoolctl init" in result.stderr
    assert not (project.directory / ".github").exists()


def test_a_folder_that_cannot_be_made_is_told(project: Project) -> None:
    (project.directory / ".github").write_text("a file\n")
    result = project.invoke("init", "--ci", "github")
    assert result.exit_code == 1
    assert f"error: cannot write {project.directory / WORKFLOW}" in result.stderr
    assert "why:   Not a directory" in result.stderr
