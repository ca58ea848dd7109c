"""`init --from-service`: a configuration with which nothing changes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.base.errors import ExitCode
from schoolctl.config.file import parse_config
from tests.definitions import DEFINITIONS, SECRET, definition
from tests.worlds.account import NAME, Account

if TYPE_CHECKING:
    from tests.conftest import Aws, Project, Result


class Adopted:
    """An account with a service that somebody made by hand, and an empty project."""

    def __init__(self, aws: Aws, project: Project, name: str, **settings: Any) -> None:
        (project.directory / "schoolctl.yaml").unlink()
        self.project = project
        self.account = Account(aws, balancer=True)
        self.digest = self.account.push("1.0")
        aws.client("logs").create_log_group(logGroupName="/ecs/schoolapp-backend")
        text = json.dumps(definition(name, self.digest.removeprefix("sha256:")))
        made = json.loads(text.replace(SECRET, self.account.secret_arn))
        self.create(made, **settings)

    def create(self, made: dict[str, Any], *, desired: int = 2, **settings: Any) -> None:
        """Register a definition as it is, and create the service of it."""
        aws = self.account.aws
        self.account.ecs.register_task_definition(**made)
        subnets = aws.client("ec2").describe_subnets()["Subnets"]
        web = next(
            (e["name"] for e in made["containerDefinitions"] if e["name"] == "web"),
            made["containerDefinitions"][0]["name"],
        )
        self.account.ecs.create_service(
            cluster="schoolapp",
            serviceName=NAME,
            taskDefinition=made["family"],
            desiredCount=desired,
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": sorted(each["SubnetId"] for each in subnets)[:2],
                    "securityGroups": [self.account.group_id],
                    "assignPublicIp": "DISABLED",
                }
            },
            loadBalancers=[
                {
                    "targetGroupArn": self.account.target_group_arn,
                    "containerName": web,
                    "containerPort": 3000,
                }
            ],
            **({"launchType": "FARGATE"} | settings),
        )

    def init(self, *args: str) -> Result:
        done = self.project.invoke("init", "--from-service", f"schoolapp/{NAME}", *args)
        assert done.exit_code == 0, done.stderr
        return done

    @property
    def text(self) -> str:
        return (self.project.directory / "schoolctl.yaml").read_text()

    def config(self) -> dict[str, Any]:
        path = self.project.directory / "schoolctl.yaml"
        return parse_config(self.text, path=path).resolve(None).config.model_dump(mode="json")

    def assert_nothing_to_do(self) -> None:
        """Say that nothing differs, and that a deploy does nothing and registers nothing."""
        before = self.account.revisions()
        looked = self.project.invoke("diff", "--exit-code")
        assert looked.output.splitlines()[-1] == "no differences", looked.output + self.text
        assert (looked.exit_code, looked.stdout) == (0, "")
        done = self.project.invoke("deploy", "--json")
        assert done.exit_code == 0, done.stderr
        assert json.loads(done.stdout)["verdict"] == "nothing to do"
        assert self.account.revisions() == before


@pytest.fixture(autouse=True)
def _completes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_ECS_SERVICE_RUNNING", "2")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


@pytest.mark.parametrize("name", DEFINITIONS)
def test_with_what_init_writes_of_a_service_nothing_changes(
    aws: Aws, project: Project, name: str
) -> None:
    adopted = Adopted(aws, project, name)
    adopted.init()
    adopted.assert_nothing_to_do()


def test_the_next_command_compares_the_image_that_runs_and_not_a_newer_one(
    aws: Aws, project: Project
) -> None:
    adopted = Adopted(aws, project, "as little as there can be")
    adopted.account.push("9.9")
    advised = re.search(r"next: `schoolctl (diff [^`]+)`", adopted.init().stdout)
    assert advised is not None
    looked = project.invoke(*advised[1].split(), "--exit-code")
    assert looked.exit_code == 0, looked.output


def test_without_a_region_the_hint_names_no_file_that_is_yet_to_be_written(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.directory / "schoolctl.yaml").unlink(missing_ok=True)
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    done = project.invoke("init", "--from-service", f"schoolapp/{NAME}")
    assert done.exit_code == 2
    assert "hint:  give --region, or set AWS_REGION" in done.stderr


def test_no_value_that_looks_secret_reaches_the_file(aws: Aws, project: Project) -> None:
    adopted = Adopted(aws, project, "plain text that ought to be secret")
    done = adopted.init()
    assert "canary" not in adopted.text
    assert "canary" not in done.output
    assert "web/API_TOKEN, web/BROKER" in done.stderr
    assert "agent/DD_API_KEY" in done.stderr
    assert adopted.config()["task"]["environment"] == {
        "API_TOKEN": "{keep}",
        "BROKER": "{keep}",
        "LOG_LEVEL": "info",
    }


def test_what_is_kept_goes_into_the_next_revision(aws: Aws, project: Project) -> None:
    adopted = Adopted(aws, project, "plain text that ought to be secret")
    adopted.init()
    adopted.account.push("1.1")
    done = project.invoke("deploy", "--tag", "1.1")
    assert done.exit_code == 0, done.stderr
    assert "canary" not in done.output
    told = adopted.account.definition(adopted.account.runs())
    assert json.dumps(told).count("canary") == 6


def test_a_value_to_keep_that_no_revision_has_is_named(aws: Aws, project: Project) -> None:
    adopted = Adopted(aws, project, "as little as there can be")
    adopted.init()
    file = project.directory / "schoolctl.yaml"
    file.write_text(adopted.text.replace("environment: {}", 'environment: {NEW: "{keep}"}'))
    done = project.invoke("deploy")
    assert done.exit_code == ExitCode.FAILED
    assert "a value for containerDefinitions[app].environment[NEW]" in done.stderr


def test_parameters_and_secrets_are_declared_by_their_keys(aws: Aws, project: Project) -> None:
    adopted = Adopted(aws, project, "secrets in every form")
    adopted.init()
    config = adopted.config()
    assert (config["app"], config["environment"]) == ("schoolapp", "dev")
    assert config["parameters"]["db_host"]["env"] == "PARAM_HOST_PATH"
    assert config["parameters"]["db_name"]["env"] is None
    assert config["secrets"]["db_password"]["env"] == "DB_SECRET_ARN"
    assert config["task"]["environment"] == {}


def test_overrides_say_only_what_the_keys_cannot(aws: Aws, project: Project) -> None:
    adopted = Adopted(aws, project, "init containers")
    adopted.init()
    config = adopted.config()
    assert config["task"]["overrides"] == {
        "containerDefinitions": [
            {
                "name": "web",
                "environment": [{"name": "AWS_REGION", "value": None}],
                "readonlyRootFilesystem": None,
                "linuxParameters": None,
                "dependsOn": [{"containerName": "migrate", "condition": "SUCCESS"}],
                "startTimeout": 120,
            },
            {
                "name": "migrate",
                "image": "{image}",
                "essential": False,
                "command": ["python", "-m", "service.migrate"],
                "environment": [{"name": "LOG_LEVEL", "value": "debug"}],
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": "/ecs/schoolapp-backend",
                        "awslogs-region": "us-east-1",
                        "awslogs-stream-prefix": "migrate",
                    },
                },
            },
        ]
    }
    assert config["task"]["stop_timeout"] == 90
    assert config["service"]["security_groups"] == ["schoolApp-ecs-sg"]
    assert config["service"]["target_group"] == "schoolapp-tg"
    assert config["service"]["desired_count"] == 2
    assert config["service"]["assign_public_ip"] is False


def test_a_container_with_the_same_image_gets_the_new_one_too(aws: Aws, project: Project) -> None:
    adopted = Adopted(aws, project, "init containers")
    adopted.init()
    new = adopted.account.push("1.1")
    assert project.invoke("deploy", "--tag", "1.1").exit_code == 0
    told = adopted.account.definition(adopted.account.runs())
    images = {each["image"].partition("@")[2] for each in told["containerDefinitions"]}
    assert images == {new}


def test_the_file_explains_itself(aws: Aws, project: Project) -> None:
    adopted = Adopted(aws, project, "a sidecar that came first")
    adopted.init()
    assert adopted.text.startswith("# yaml-language-server: $schema=.schoolctl/schema.json\n")
    assert "  # port that the container listens on\n  port: 3000\n" in adopted.text
    comments = [line for line in adopted.text.splitlines() if line.lstrip().startswith("#")]
    assert len(comments) > 30
    assert max(map(len, comments)) <= 100


@pytest.mark.parametrize("image", ["nginx:1.27", "ghcr.io/school/web:2", "public.ecr.aws/x/y:1"])
def test_an_image_of_another_registry_is_kept(aws: Aws, project: Project, image: str) -> None:
    adopted = Adopted(aws, project, "as little as there can be")
    made = definition("as little as there can be", "")
    made["containerDefinitions"][0]["image"] = image
    _replace(adopted, made)
    done = adopted.init()
    assert f"the image {image} is in none of this account's repositories" in done.stderr
    adopted.assert_nothing_to_do()


def test_an_image_by_the_newest_tag_is_no_difference(aws: Aws, project: Project) -> None:
    adopted = Adopted(aws, project, "as little as there can be")
    _by_tag(adopted, "1.0")
    adopted.init()
    adopted.assert_nothing_to_do()


def test_an_image_by_the_tag_latest_is_kept_where_there_is_no_other(
    aws: Aws, project: Project
) -> None:
    adopted = Adopted(aws, project, "as little as there can be")
    adopted.account.push("latest")
    adopted.account.ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageTag": "1.0"}])
    _by_tag(adopted, "latest")
    adopted.init()
    adopted.assert_nothing_to_do()


def test_a_newer_image_is_the_only_difference(aws: Aws, project: Project) -> None:
    adopted = Adopted(aws, project, "firelens")
    adopted.init()
    adopted.account.push("1.1")
    document = json.loads(project.invoke("diff", "--json").stdout)
    assert [each["path"] for each in document["task_definition"]] == [
        ["containerDefinitions", "web", "image"]
    ]


def test_capacity_providers_are_told(aws: Aws, project: Project) -> None:
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]
    adopted = Adopted(aws, project, "as little as there can be")
    made = definition("as little as there can be", adopted.digest.removeprefix("sha256:"))
    _replace(adopted, made, launchType="FARGATE", capacityProviderStrategy=strategy)
    adopted.init()
    adopted.assert_nothing_to_do()


def _replace(adopted: Adopted, made: dict[str, Any], **settings: Any) -> None:
    adopted.account.ecs.delete_service(cluster="schoolapp", service=NAME, force=True)
    adopted.create(made, **settings)


def _by_tag(adopted: Adopted, tag: str) -> None:
    made = definition("as little as there can be", "")
    made["containerDefinitions"][0]["image"] = (
        f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{NAME}:{tag}"
    )
    _replace(adopted, made)


@pytest.mark.parametrize(
    ("which", "code", "words"),
    [
        ("schoolapp", ExitCode.USAGE, "names no service"),
        ("schoolapp/nosuch", ExitCode.FAILED, "there is no service nosuch in cluster schoolapp"),
        ("nosuch/web", ExitCode.FAILED, "cluster nosuch does not exist"),
    ],
)
def test_a_service_that_is_not_there_is_refused_and_nothing_written(
    aws: Aws, project: Project, which: str, code: ExitCode, words: str
) -> None:
    adopted = Adopted(aws, project, "as little as there can be")
    done = adopted.project.invoke("init", "--from-service", which)
    assert done.exit_code == code
    assert words in done.stderr
    assert not (project.directory / "schoolctl.yaml").exists()


def test_a_file_that_is_there_is_left_as_it_is(aws: Aws, project: Project) -> None:
    Account(aws)
    before = (project.directory / "schoolctl.yaml").read_text()
    done = project.invoke("init", "--from-service", f"schoolapp/{NAME}")
    assert done.exit_code == ExitCode.FAILED
    assert "is there already" in done.stderr
    assert (project.directory / "schoolctl.yaml").read_text() == before
