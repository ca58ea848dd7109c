"""The workflow of `init --ci github`: what each environment makes of it."""

from __future__ import annotations

import json
import os
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema.validators import validator_for

from schoolctl.config.file import parse_config
from schoolctl.init.workflow import Placed, missing_variables, render_workflow
from tests.snapshots import check_snapshot

if TYPE_CHECKING:
    from schoolctl.config.models import Config

CONFIG = """\
app: college
infra: {stack: true}
image: {}
task: {family: college, port: 3000, health_path: /healthz}
service: {name: college}
environments:
  dev: {}
  prod:
    region: eu-west-1
    account: "123456789012"
    protected: true
    git: {branch: release/2026, clean: true}
    infra: {ci_role: {github: school/web}}
"""
TEMPLATE = files("schoolctl").joinpath("templates/deploy.yml").read_text("utf-8")
SCHEMA = json.loads(
    files("check_jsonschema")
    .joinpath("builtin_schemas/vendor/github-workflows.json")
    .read_text("utf-8")
)
AT_ROOT = Placed(".", "schoolctl.yaml", "1.2.3")
ROLE_OF_PROD = "arn:aws:iam::123456789012:role/college-prod-ci"


def configuration(environment: str, before: str = "", after: str = "") -> Config:
    """Give an environment, with `after` in place of `before`."""
    assert before in CONFIG
    text = CONFIG.replace(before, after) if before else CONFIG
    return parse_config(text, path=Path("/project/schoolctl.yaml")).resolve(environment).config


def render(config: Config, placed: Placed = AT_ROOT) -> str:
    return render_workflow(TEMPLATE, config, placed)


def workflow(config: Config, placed: Placed = AT_ROOT) -> dict[str, Any]:
    # To YAML 1.1 the key `on` is true; GitHub reads it as it is written.
    loaded = yaml.load(render(config, placed), yaml.BaseLoader)  # noqa: S506  # strings alone
    assert isinstance(loaded, dict)
    return loaded


def steps(made: dict[str, Any]) -> dict[str, Any]:
    found = made["jobs"]["deploy"]["steps"]
    return {each.get("name") or each["uses"].partition("@")[0]: each for each in found}


def login(config: Config) -> dict[str, str]:
    found: dict[str, str] = steps(workflow(config))["aws-actions/configure-aws-credentials"]["with"]
    return found


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_workflow_is_as_reviewed(environment: str) -> None:
    check_snapshot(f"workflows/{environment}.yml", render(configuration(environment)))


def complaints(text: str) -> list[str]:
    """Give what GitHub's schema of workflows says against a text."""
    document = yaml.safe_load(text)
    document["on"] = document.pop(True)  # to YAML 1.1 the key `on` is true
    found = validator_for(SCHEMA)(SCHEMA).iter_errors(document)
    return [each.message for each in found]


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_workflow_keeps_to_the_schema_of_github(environment: str) -> None:
    assert complaints(render(configuration(environment))) == []


def test_the_schema_finds_what_is_wrong() -> None:
    broken = render(configuration("dev")).replace("id-token: write", "id-tken: write")
    assert [each for each in complaints(broken) if "id-tken" in each]


def test_nothing_of_the_template_is_left_open() -> None:
    assert "@" not in render(configuration("prod")).replace("@v6", "")


def test_the_stack_s_role_is_taken_by_its_arn() -> None:
    config = configuration("prod")
    assert login(config) == {"role-to-assume": ROLE_OF_PROD, "aws-region": "eu-west-1"}
    assert missing_variables(config) == ()


def test_the_role_of_another_partition_has_its_arn() -> None:
    arn = login(configuration("prod", "eu-west-1", "cn-north-1"))["role-to-assume"]
    assert arn == ROLE_OF_PROD.replace("arn:aws:", "arn:aws-cn:")


@pytest.mark.parametrize(
    ("environment", "before", "after", "told_by"),
    [
        ("prod", 'account: "123456789012"', "account: null", "schoolctl -e prod infra outputs"),
        ("prod", "{github: school/web}", "null", "schoolctl -e prod iam policy --for ci"),
        ("dev", "", "", "schoolctl -e dev iam policy --for ci"),
    ],
)
def test_a_role_that_is_not_known_is_a_variable_of_the_repository(
    environment: str, before: str, after: str, told_by: str
) -> None:
    config = configuration(environment, before, after)
    assert login(config)["role-to-assume"] == "${{ vars.AWS_ROLE_ARN }}"
    assert "AWS_ROLE_ARN" in missing_variables(config)
    assert told_by in " ".join(render(config).replace("#", "").split())


def test_a_role_that_every_branch_may_take_is_told_of() -> None:
    text = render(configuration("prod", "branch: release/2026, ", ""))
    assert "It trusts every branch" in text
    assert "It trusts every branch" not in render(configuration("prod"))


def test_a_region_that_is_not_told_is_a_variable_of_the_repository() -> None:
    config = configuration("dev")
    assert login(config)["aws-region"] == "${{ vars.AWS_REGION }}"
    assert missing_variables(config) == ("AWS_ROLE_ARN", "AWS_REGION")


@pytest.mark.parametrize(
    ("environment", "branch"),
    [("dev", "main"), ("prod", "release/2026")],
)
def test_the_branch_is_that_of_git_or_main(environment: str, branch: str) -> None:
    assert workflow(configuration(environment))["on"]["push"] == {"branches": [branch]}


def branches(role: str) -> list[str]:
    config = configuration("prod", "github: school/web", role)
    found: list[str] = workflow(config)["on"]["push"]["branches"]
    return found


def test_the_branch_that_the_role_trusts_goes_first() -> None:
    assert branches("github: school/web, branch: trunk") == ["trunk"]


def test_a_branch_is_no_pattern() -> None:
    assert branches("github: school/web, branch: c++") == [r"c\+\+"]


def test_a_protected_environment_is_named_to_both_commands() -> None:
    made = steps(workflow(configuration("prod")))
    for name in ("Build and push", "Deploy"):
        assert " --confirm college " in made[name]["run"]
    assert "--confirm" not in render(configuration("dev"))


def test_two_runs_of_an_environment_wait_for_each_other() -> None:
    assert workflow(configuration("prod"))["concurrency"] == {
        "group": "deploy-prod",
        "cancel-in-progress": "false",
    }


def test_an_image_for_arm_is_built_on_arm() -> None:
    made = workflow(configuration("prod", "image: {}", "image: {platform: linux/arm64}"))
    assert made["jobs"]["deploy"]["runs-on"] == "ubuntu-24.04-arm"


def test_a_configuration_in_a_folder_of_another_name_is_found() -> None:
    made = workflow(configuration("dev"), Placed("apps/web", "web ctl.yaml", "1.2.3"))
    assert made["defaults"]["run"]["working-directory"] == "apps/web"
    run = steps(made)["Deploy"]["run"]
    assert run.startswith("schoolctl -c 'web ctl.yaml' -e dev deploy ")


def summary(folder: Path, **documents: str) -> str:
    """Run the last step on what the commands before it left, and give what it wrote."""
    for name, text in documents.items():
        (folder / f"{name}.json").write_text(text)
    written = folder / "summary.md"
    environ = {
        "PATH": os.environ["PATH"],
        "RUNNER_TEMP": str(folder),
        "GITHUB_STEP_SUMMARY": str(written),
        "GITHUB_SHA": "1f6c0de5",
    }
    script = steps(workflow(configuration("prod")))["Summary"]["run"]
    subprocess.run(["bash", "-eo", "pipefail", "-c", script], env=environ, check=True)
    return written.read_text()


def test_the_summary_of_a_job_that_never_came_to_a_command_says_so(tmp_path: Path) -> None:
    assert summary(tmp_path) == "## college in prod: not started\n\n- commit: `1f6c0de5`\n"


def test_the_summary_does_not_guess_what_became_of_a_run_that_was_killed(tmp_path: Path) -> None:
    text = summary(tmp_path, push='{"ok": true, "reference": "web@sha256:0"}', deploy="")
    assert text.startswith("## college in prod: unknown, the run was cut off\n")
    assert "- image: `web@sha256:0`\n" in text


def test_the_summary_has_the_last_lines_of_a_release_command_that_failed(tmp_path: Path) -> None:
    lines = [{"at": None, "message": f"line {number}"} for number in range(30)]
    document = {
        "verdict": "not started",
        "release_command": {"exit_code": 1, "lines": lines},
        "error": {"what": "the release command failed", "why": "", "hint": "look"},
    }
    text = summary(tmp_path, push="{}", deploy=json.dumps(document))
    assert "\nerror: the release command failed\nhint: look\n  | line 10\n" in text
    assert text.endswith("  | line 29\n~~~~\n")
