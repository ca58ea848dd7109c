"""The names that an environment takes from its stack, and the settings of the stack itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schoolctl.config.file import parse_config
from schoolctl.config.tree import InvalidConfigError

if TYPE_CHECKING:
    from schoolctl.config.file import ResolvedConfig

_SUBNETS = "infra.subnets"
SMALL = """\
app: college
infra: {stack: true%s}
image: {}
task: {family: college%s}
service: {name: college%s}
environments: {dev: {region: us-east-1}, prod: {region: us-east-1%s}}
"""


def resolve(
    infra: str = "", task: str = "", service: str = "", prod: str = "", environment: str = "dev"
) -> ResolvedConfig:
    text = SMALL % (infra, task, service, prod)
    return parse_config(text, path=Path("/project/schoolctl.yaml")).resolve(environment)


def problems(infra: str = "", service: str = "") -> dict[str, str]:
    with pytest.raises(InvalidConfigError) as caught:
        resolve(infra, service=service)
    return {each.path: each.message for each in caught.value.problems}


def test_each_environment_has_names_of_its_own() -> None:
    dev, prod = resolve().config, resolve(environment="prod").config
    assert dev.service.cluster == "college-dev"
    assert prod.service.cluster == "college-prod"
    assert dev.task.execution_role == "college-dev-execution"
    assert dev.task.log_group == "/ecs/college-dev"
    assert dev.network.service_group == "college-dev-ecs-sg"
    assert dev.service.security_groups == ("college-dev-ecs-sg",)
    assert dev.image.repository == prod.image.repository == "college"


def test_what_is_written_counts_more_and_null_takes_it_back() -> None:
    written = ", execution_role: boss"
    named = resolve(task=written)
    assert named.config.task.execution_role == "boss"
    assert str(named.origins["task.execution_role"]) == "schoolctl.yaml:4"
    back = resolve(task=written, prod=", task: {execution_role: null}", environment="prod")
    assert back.config.task.execution_role == "college-prod-execution"
    assert str(back.origins["task.execution_role"]) == "stack college-prod"


def test_tags_that_are_written_stand_alone() -> None:
    assert resolve(service=", subnets: {Tier: web}").config.service.subnets == {"Tier": "web"}


def test_the_target_group_carries_its_port() -> None:
    assert resolve().config.service.target_group == "college-dev-3000"
    assert resolve(task=", port: 8080").config.service.target_group == "college-dev-8080"


def test_a_long_name_is_cut_and_stays_its_own() -> None:
    long = "a" * 40
    text = (SMALL % ("", "", "", "")).replace("app: college", f"app: {long}")
    file = parse_config(text, path=Path("/project/schoolctl.yaml"))
    names = {str(file.resolve(each).config.service.target_group) for each in ("dev", "prod")}
    assert len(names) == 2
    assert all(len(each) <= 32 for each in names)


def test_without_a_stack_nothing_is_made_up() -> None:
    text = (SMALL % ("", "", "", "")).replace("stack: true", "stack: false")
    with pytest.raises(InvalidConfigError) as caught:
        parse_config(text, path=Path("/project/schoolctl.yaml"))
    assert {each.path for each in caught.value.problems} == {
        "image.repository",
        "service.cluster",
        "task.execution_role",
    }


@pytest.mark.parametrize(
    ("infra", "path", "words"),
    [
        (", vpc: mine", "infra.vpc", "is no VPC|cannot be a VPC"),
        (", vpc: 3", "infra.vpc", "expected `default`"),
        (", vpc: {cidr: 10.0.0.1/16}", "infra.vpc.cidr", "no block of addresses"),
        (", vpc: {cidr: 10.0.0.0/28}", "infra.vpc.cidr", "no place for four subnets"),
        (", vpc: {cidr: 8.8.0.0/16}", "infra.vpc.cidr", "is public"),
        (
            ", vpc: {cidr: 10.0.0.0/16}, subnets: [subnet-1, subnet-2]",
            "infra.subnets",
            "of its own",
        ),
        (", subnets: [subnet-1]", "infra.subnets", "two zones"),
        (", database: true", "infra.database", "expected false"),
        (", database: {user: root}", "infra.database.user", "MySQL keeps"),
        (", database: {storage: 200}", "infra.database.storage", "max_storage 100 is less"),
        (", database: {engine_version: 8.4}", "infra.database.engine_version", ""),
        (", log_retention_days: 31", "infra.log_retention_days", "keeps nothing for 31 days"),
        (", certificate: arn:aws:iam::1:x", "infra.certificate", "certificate"),
        (", ci_role: {github: school}", "infra.ci_role.github", "OWNER/REPO"),
        (", ci_role: {github: a/b, branch: 'x*'}", "infra.ci_role.branch", "branch"),
    ],
)
def test_what_cannot_be_is_told_with_its_place(infra: str, path: str, words: str) -> None:
    found = problems(infra)
    assert list(found) == [path]
    assert re.search(words, found[path]), found


def test_the_stack_makes_what_has_a_name_not_what_has_an_id() -> None:
    arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/0123456789abcdef"
    found = problems(service=f", target_group: '{arn}'")
    assert "give it a name instead" in found["service.target_group"]


def test_a_new_file_leaves_the_names_to_the_stack() -> None:
    from schoolctl.config.schema import render_template
    from schoolctl.init.cli import with_stack

    path = Path("/project/schoolctl.yaml")
    text = with_stack(render_template(path, "college", region="us-east-1", profile=None))
    file = parse_config(text, path=path)
    dev, prod = file.resolve("dev"), file.resolve("prod")
    taken = {key for key, each in dev.origins.items() if str(each) == "stack college-dev"}
    assert taken >= {
        "task.execution_role",
        "task.task_role",
        "task.log_group",
        "service.cluster",
        "service.subnets",
        "service.security_groups",
        "service.target_group",
        "network.alb_group",
    }
    assert (dev.config.task.family, prod.config.task.family) == ("college-dev", "college-prod")
    assert not re.search(r"^ +#[^\n]*\n\n", text.partition("environments:")[0].split("infra:")[0])
