"""`repo create` and `repo show`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Aws, Project

NAME = "schoolapp-backend"
URI = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{NAME}"


def test_create_makes_an_immutable_scanned_repository(aws: Aws, project: Project) -> None:
    done = project.invoke("repo", "create")

    assert (done.exit_code, done.stdout) == (0, f"{URI}\n")
    made = aws.client("ecr").describe_repositories()["repositories"]
    assert [each["repositoryName"] for each in made] == [NAME]
    assert made[0]["imageTagMutability"] == "IMMUTABLE"
    assert made[0]["imageScanningConfiguration"] == {"scanOnPush": True}


def test_create_again_is_nothing_to_do(aws: Aws, project: Project) -> None:
    del aws
    project.invoke("repo", "create")

    done = project.invoke("repo", "create", "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)["created"] is False
    assert done.stderr == f"nothing to do: repository {NAME} is there\n"


def test_create_warns_of_a_repository_with_other_settings_and_leaves_it(
    aws: Aws, project: Project
) -> None:
    aws.client("ecr").create_repository(repositoryName=NAME)

    done = project.invoke("repo", "create")

    assert done.exit_code == 0
    assert "mutable tags" in done.stderr
    assert "does not scan on push" in done.stderr
    made = aws.client("ecr").describe_repositories()["repositories"][0]
    assert made["imageTagMutability"] == "MUTABLE"


def test_a_dry_run_creates_nothing(aws: Aws, project: Project) -> None:
    assert project.invoke("repo", "create", "--dry-run").exit_code == 0
    assert aws.client("ecr").describe_repositories()["repositories"] == []


def test_create_in_another_account_is_refused(aws: Aws, project: Project) -> None:
    assert project.invoke("repo", "create", "-e", "other").exit_code == 5
    assert aws.client("ecr").describe_repositories()["repositories"] == []


def test_show_tells_the_settings(aws: Aws, project: Project) -> None:
    del aws
    project.invoke("repo", "create")

    lines = project.invoke("repo", "show").stdout.splitlines()
    document = json.loads(project.invoke("repo", "show", "--json").stdout)

    assert lines[0] == f"repository   {URI}"
    assert "tags         immutable" in lines
    assert (document["uri"], document["immutable_tags"]) == (URI, True)


def test_show_without_a_repository_names_the_cure(aws: Aws, project: Project) -> None:
    del aws
    done = project.invoke("repo", "show")
    assert done.exit_code == 1
    assert "schoolctl repo create" in done.stderr
