"""Whatever is wrong with a configuration is said at once, with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import ExitCode
from schoolctl.config.file import load_config_file
from schoolctl.config.tree import InvalidConfigError
from tests.config.samples import SMALL, parse, problems, resolve, small
from tests.conftest import CONFIG

if TYPE_CHECKING:
    from pathlib import Path


def test_a_configuration_without_problems_is_accepted() -> None:
    config = resolve(SMALL).config
    assert (config.app, config.environment, config.region) == ("schoolapp", "dev", "us-east-1")


def test_all_problems_come_at_once_sorted_by_line() -> None:
    text = small(
        image="platform: linux/amd46",
        task='port: "3000"',
        service="regoin: us-east-1",
        dev="account: 123456789012",
        prod="task: {stop_timeout: 121}",
    )
    with pytest.raises(InvalidConfigError) as caught:
        parse(text)
    assert caught.value.what == "schoolctl.yaml has 5 problems"
    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.why.splitlines() == [
        (
            "schoolctl.yaml:3:13  image.platform: expected linux/amd64 or linux/arm64, found the"
            ' text "linux/amd46"; did you mean linux/amd64?'
        ),
        (
            'schoolctl.yaml:6:9  task.port: expected a whole number, found the text "3000"; write'
            " it without quotes"
        ),
        "schoolctl.yaml:10:3  service.regoin: unknown key; did you mean region?",
        (
            "schoolctl.yaml:14:18  environments.dev.account: expected text, found the number"
            ' 123456789012; put it in quotes: "123456789012"'
        ),
        "schoolctl.yaml:15:31  environments.prod.task.stop_timeout: must be 120 or less",
    ]


def test_the_error_carries_its_problems_for_json() -> None:
    with pytest.raises(InvalidConfigError) as caught:
        parse(small(task="port: 0"))
    assert caught.value.document()["problems"] == [
        {
            "file": "schoolctl.yaml",
            "line": 5,
            "column": 9,
            "path": "task.port",
            "message": "must be 1 or more",
        }
    ]


@pytest.mark.parametrize(
    ("section", "line", "problem"),
    [
        ("task", "port: 0", "5:9  task.port: must be 1 or more"),
        ("task", "port: 70000", "5:9  task.port: must be 65535 or less"),
        (
            "task",
            "port: 3000.5",
            "5:9  task.port: expected a whole number, found the number 3000.5",
        ),
        ("task", "port: true", "5:9  task.port: expected a whole number, found true"),
        ("task", "port: [1]", "5:9  task.port: expected a whole number, found a list"),
        ("task", "stop_timeout: 1", "5:17  task.stop_timeout: must be 2 or more"),
        (
            "task",
            "cpu: 300",
            "5:8  task.cpu: 300 is no Fargate size (256, 512, 1024, 2048, 4096, 8192, 16384)",
        ),
        (
            "task",
            "memory: 700",
            "5:11  task.memory: 700 is no Fargate size (512, 1024, 2048, ...; it goes by `cpu`)",
        ),
        (
            "task",
            "health_path: healthz",
            '5:16  task.health_path: "healthz" cannot be a health path: a path that begins with /',
        ),
        (
            "task",
            "task_role: a b",
            '5:14  task.task_role: "a b" cannot be a role: letters, digits and _+=,.@-, or an ARN',
        ),
        (
            "task",
            "task_role: arn:aws:iam::1:role/x",
            '5:14  task.task_role: "arn:aws:iam::1:role/x" is not the ARN of a role',
        ),
        (
            "task",
            "log_group: a b",
            (
                '5:14  task.log_group: "a b" cannot be a log group:'
                " letters, digits and one of . - _ / #"
            ),
        ),
        (
            "task",
            "environment: {A: 1}",
            '5:20  task.environment.A: expected text, found the number 1; put it in quotes: "1"',
        ),
        (
            "task",
            "environment: {1A: x}",
            (
                '5:17  task.environment.1A: "1A" cannot be a variable\'s name: letters, digits and'
                " _, not beginning with a digit"
            ),
        ),
        (
            "task",
            "overrides: [a]",
            "5:14  task.overrides: expected a mapping of keys and values, found a list",
        ),
        (
            "service",
            "target_group: a_b",
            (
                '8:17  service.target_group: "a_b" cannot be a target group: letters, digits and -'
                " inside, or an ARN"
            ),
        ),
        (
            "service",
            f"target_group: {'a' * 33}",
            (
                f'8:17  service.target_group: "{"a" * 33}" has 33 characters; a target group has 1'
                " to 32"
            ),
        ),
        (
            "service",
            "security_groups: sg-1",
            '8:20  service.security_groups: expected a list, found the text "sg-1"; write [sg-1]',
        ),
        (
            "service",
            "security_groups: [a, b, c, d, e, f]",
            "8:20  service.security_groups: has 6 entries; 5 at most",
        ),
        (
            "service",
            "subnets: private",
            (
                "8:12  service.subnets: expected `default`, a list of subnet ids, or tags as"
                " {name: value}"
            ),
        ),
        (
            "service",
            "subnets: [subnet-1, net-2]",
            (
                '8:23  service.subnets[1]: "net-2" cannot be a subnet id: such as'
                " subnet-0123456789abcdef0"
            ),
        ),
        (
            "service",
            "subnets: {Tier: 1}",
            '8:19  service.subnets.Tier: expected text, found the number 1; put it in quotes: "1"',
        ),
        ("service", "subnets: []", "8:12  service.subnets: needs 1 entry or more"),
        ("service", "desired_count: -1", "8:18  service.desired_count: must be 0 or more"),
        (
            "service",
            "assign_public_ip: 1",
            "8:21  service.assign_public_ip: expected true or false, found the number 1",
        ),
        (
            "service",
            "deployment: {circuit_breaker: 1}",
            (
                "8:33  service.deployment.circuit_breaker: expected true or false, found the"
                " number 1"
            ),
        ),
        (
            "service",
            'assign_public_ip: "true"',
            (
                '8:21  service.assign_public_ip: expected true or false, found the text "true";'
                " write it without quotes"
            ),
        ),
        (
            "service",
            "release_command: python -m x",
            (
                '8:20  service.release_command: expected a list, found the text "python -m x";'
                " write [python, -m, x]"
            ),
        ),
        (
            "image",
            "build_args: {A: 1.10}",
            (
                "3:19  image.build_args.A: expected text, found the number 1.10; put it in quotes:"
                ' "1.10"'
            ),
        ),
        (
            "root",
            "images: {protect: [1.10]}",
            (
                "13:20  images.protect[0]: expected text, found the number 1.10; put it in quotes:"
                ' "1.10"'
            ),
        ),
        ("root", "images: {keep: 0}", "13:16  images.keep: must be 1 or more"),
        (
            "root",
            "parameters: {a b: {}}",
            (
                '13:14  parameters.a b: "a b" cannot be a parameter\'s key: letters, digits, _ . -'
                " and / inside"
            ),
        ),
        (
            "root",
            "parameters: {a: {type: Text}}",
            (
                "13:24  parameters.a.type: expected String or SecureString or StringList, found the"
                ' text "Text"'
            ),
        ),
        (
            "root",
            "parameters: {a: {from: rds.enpoint}}",
            (
                "13:24  parameters.a.from: expected rds.endpoint or rds.port or rds.database or"
                ' rds.user, found the text "rds.enpoint"; did you mean rds.endpoint?'
            ),
        ),
        (
            "root",
            "parameters: {a: }",
            "13:16  parameters.a: has no value; write a: {} to declare it",
        ),
        (
            "root",
            "secrets: {a: {arn: x}}",
            '13:20  secrets.a.arn: "x" cannot be a secret\'s ARN',
        ),
        (
            "dev",
            'account: "12345"',
            '11:18  environments.dev.account: "12345" has 5 characters; an account id has 12',
        ),
        (
            "dev",
            'account: "12345678901x"',
            (
                '11:18  environments.dev.account: "12345678901x" cannot be an account id: 12'
                " digits, in quotes"
            ),
        ),
        (
            "dev",
            "endpoint_url: ftp://x",
            '11:23  environments.dev.endpoint_url: "ftp://x" is no http:// or https:// URL',
        ),
        (
            "dev",
            "endpoint_url: http://user:pw@host",
            (
                "11:23  environments.dev.endpoint_url: holds credentials;"
                " they belong in .schoolctl/<environment>.yaml"
            ),
        ),
        (
            "dev",
            "registry: https://host",
            (
                '11:19  environments.dev.registry: "https://host" cannot be a registry: a host and'
                " a port, such as 127.0.0.1:4566, without https://"
            ),
        ),
        (
            "dev",
            "profile: 12",
            (
                "11:18  environments.dev.profile: expected text, found the number 12; put it in"
                ' quotes: "12"'
            ),
        ),
        ("dev", 'profile: ""', "11:18  environments.dev.profile: must not be empty"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(section: str, line: str, problem: str) -> None:
    found = problems(small(**{section: line}))
    assert len(found) == 1, found
    assert found[0].startswith(f"schoolctl.yaml:{problem}")


@pytest.mark.parametrize(
    ("section", "line", "problem"),
    [
        ("image", "dockerfle: x", "3:3  image.dockerfle: unknown key; did you mean dockerfile?"),
        (
            "service",
            "desiredCount: 2",
            "8:3  service.desiredCount: unknown key; did you mean desired_count?",
        ),
        ("image", "port: 80", "3:3  image.port: unknown key; did you mean task.port?"),
        ("task", "region: x", "5:3  task.region: unknown key; did you mean region?"),
        ("root", "environment: x", "13:1  environment: unknown key; did you mean environments?"),
        (
            "root",
            "Default-Environment: dev",
            "13:1  Default-Environment: unknown key; did you mean default_environment?",
        ),
        (
            "root",
            "git: {zzz: 1}",
            "13:7  git.zzz: unknown key; there are branch, clean",
        ),
        (
            "root",
            "parameters: {a: {evn: X}}",
            "13:18  parameters.a.evn: unknown key; did you mean env?",
        ),
        (
            "dev",
            "service: {deployment: {rolback: true}}",
            (
                "11:32  environments.dev.service.deployment.rolback: unknown key; did you mean"
                " rollback?"
            ),
        ),
        (
            "dev",
            "default_environment: dev",
            (
                "11:9  environments.dev.default_environment: unknown key; it belongs at the top"
                " level of schoolctl.yaml"
            ),
        ),
        ("dev", "regoin: ", "11:9  environments.dev.regoin: unknown key; did you mean region?"),
    ],
)
def test_an_unknown_key_is_refused_with_what_it_may_have_meant(
    section: str, line: str, problem: str
) -> None:
    assert problems(small(**{section: line})) == [f"schoolctl.yaml:{problem}"]


@pytest.mark.parametrize(
    ("section", "line", "place"),
    [
        ("service", "database_connections: 60", "8:3  service"),
        ("service", "database_connections: null", "8:3  service"),
        ("service", "database_connections: [none, here]", "8:3  service"),
        ("dev", "service: {database_connections: 60}", "11:19  environments.dev.service"),
    ],
)
def test_a_key_of_an_earlier_version_is_refused_as_removed(
    section: str, line: str, place: str
) -> None:
    assert problems(small(**{section: line})) == [
        f"schoolctl.yaml:{place}.database_connections: was removed in this version; delete the line"
    ]


def test_a_misspelt_key_is_not_missing_too() -> None:
    text = SMALL.replace("  repository:", "  repositry:")
    assert problems(text) == [
        "schoolctl.yaml:3:3  image.repositry: unknown key; did you mean repository?"
    ]


def test_a_required_key_is_missed_once_for_all_environments() -> None:
    text = SMALL.replace("  family: schoolapp-backend\n", "")
    assert problems(text) == [
        "schoolctl.yaml:4:1  task.family: required: family of the task definition"
    ]


def test_a_required_key_that_one_environment_unsets_is_missed_there() -> None:
    assert problems(small(prod="task: {family: null}")) == [
        (
            "schoolctl.yaml:12:25  environments.prod.task.family: required: family of the task"
            " definition"
        )
    ]


def test_a_file_that_says_next_to_nothing_is_told_all_that_is_missing() -> None:
    assert problems("app: x\n") == [
        (
            "schoolctl.yaml:1:1  environments: required: at least one environment, such as dev:"
            " {region: us-east-1}"
        ),
        "schoolctl.yaml:1:1  image: required: the image: where it is built from and kept",
        "schoolctl.yaml:1:1  service: required: the ECS service",
        "schoolctl.yaml:1:1  task: required: the task definition",
    ]


def test_an_empty_file_names_the_command_that_fills_it() -> None:
    assert problems("# nothing yet\n") == [
        "schoolctl.yaml:1:1  the file is empty; run `schoolctl init`"
    ]


def test_a_syntax_error_stands_alone() -> None:
    text = small(task="port: 0").replace("app: schoolapp", "app: 'schoolapp")
    assert problems(text) == [
        "schoolctl.yaml:1:6  not valid YAML: the quote that opens here is not closed"
    ]


def test_a_trap_is_not_reported_a_second_time_for_its_type() -> None:
    text = small(dev="account: 012345670123", prod="protected: no")
    assert [line.split(": ")[0] for line in problems(text)] == [
        "schoolctl.yaml:11:18  environments.dev.account",
        "schoolctl.yaml:12:21  environments.prod.protected",
    ]


def test_a_problem_of_the_shared_part_is_reported_once() -> None:
    assert len(problems(small(task="port: 0"))) == 1


def test_a_wrong_value_is_found_though_every_environment_overrides_it() -> None:
    text = small(task="port: 0", dev="task: {port: 80}", prod="task: {port: 80}")
    assert problems(text) == ["schoolctl.yaml:5:9  task.port: must be 1 or more"]


def test_credentials_do_not_belong_in_the_committed_file() -> None:
    keys = "credentials: {access_key_id: AKIAX, secret_access_key: s3cr3t}"
    found = problems(small(dev=keys, root=keys))
    assert [line.split(";")[0] for line in found] == [
        (
            "schoolctl.yaml:11:9  environments.dev.credentials: keys do not belong in"
            " schoolctl.yaml, which is committed"
        ),
        (
            "schoolctl.yaml:13:1  credentials: keys do not belong in schoolctl.yaml, which is"
            " committed"
        ),
    ]


@pytest.mark.parametrize(
    ("environments", "problem"),
    [
        ("[dev]", "2:15  environments: required: at least one environment"),
        ("{}", "2:1  environments: required: at least one environment"),
        ("{a b: {}, c: {}}", '2:16  environments.a b: "a b" cannot be an environment name'),
        ("{dev: 3, c: {}}", "2:21  environments.dev: expected a mapping of keys and values"),
    ],
)
def test_environments_are_checked(environments: str, problem: str) -> None:
    rest = SMALL.partition("environments:")[0].replace("app: schoolapp\n", "")
    found = problems(f"app: schoolapp\nenvironments: {environments}\n{rest}")
    assert len(found) == 1, found
    assert found[0].startswith(f"schoolctl.yaml:{problem}")


def test_an_environment_with_nothing_of_its_own_is_one() -> None:
    assert resolve("default_environment: bare\n" + SMALL + "  bare:\n", "bare").config.app


def test_the_default_environment_must_exist() -> None:
    assert problems(small(root="default_environment: pord")) == [
        (
            'schoolctl.yaml:13:22  default_environment: there is no environment "pord"; did you'
            " mean prod?"
        )
    ]


@pytest.mark.parametrize("dash", ["\u2010", "\u2013", "\u2212"])
def test_a_dash_that_only_looks_like_a_hyphen_is_pointed_out(dash: str) -> None:
    text = SMALL.replace("name: schoolapp-backend", f"name: schoolapp{dash}backend")
    (found,) = problems(text)
    assert f"holds U+{ord(dash):04X}" in found
    assert found.endswith("as character 10; type the hyphen of the keyboard, -")


def test_a_contradiction_is_told_once_also_where_overlays_are_read(tmp_path: Path) -> None:
    text = CONFIG.replace("memory: 512", "memory: 4096").replace(
        'prod: {region: us-east-1, account: "123456789012", protected: true}',
        'prod: {region: us-east-1, account: "123456789012", task: {cpu: 1024}}',
    )
    (tmp_path / "schoolctl.yaml").write_text(text)
    with pytest.raises(InvalidConfigError) as caught:
        load_config_file(None, cwd=tmp_path)
    assert len(caught.value.problems) == 1
