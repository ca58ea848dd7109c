"""The template of an environment's stack, for every combination of what can be asked for."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from schoolctl.config.file import parse_config
from schoolctl.iam.policy import Scope
from schoolctl.infra.template import Place, make_template

if TYPE_CHECKING:
    from schoolctl.model.stacks import Template

ACCOUNT = "123456789012"
CERTIFICATE = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/0a1b2c3d"
VPCS = ("default", "vpc-0123456789abcdef0", "{cidr: 10.20.0.0/20}")
CERTIFICATES = ("null", f'"{CERTIFICATE}"')
DATABASES = ("false", "{multi_az: true}")
INSIGHTS = ("false", "true")
CI_ROLES = ("null", "{github: school/web, branch: main}")
CHOICES = (VPCS, CERTIFICATES, DATABASES, INSIGHTS, CI_ROLES)
CONFIG = """\
app: college
infra: {stack: true, vpc: VPC, certificate: CERTIFICATE, database: DATABASE,
        container_insights: INSIGHTS, ci_role: CI}
image: {}
parameters: {db_host: {env: PARAM_HOST_PATH, from: rds.endpoint}}
secrets: {db_password: {env: DB_SECRET_ARN, from: rds.managed_secret}}
task: {family: college, port: 3000, health_path: /healthz, environment: {TOLD}}
service: {name: college}
environments: {dev: {region: us-east-1}}
"""


def template(
    vpc: str = "default",
    certificate: str = "null",
    database: str = "false",
    insights: str = "false",
    ci_role: str = "null",
    told: str = "",
) -> Template:
    text = CONFIG.replace("VPC", vpc, 1).replace("CERTIFICATE", certificate, 1)
    text = text.replace("DATABASE", database, 1).replace("INSIGHTS", insights, 1)
    text = text.replace("CI}", f"{ci_role}}}", 1).replace("TOLD", told, 1)
    config = parse_config(text, path=Path("/project/schoolctl.yaml")).resolve("dev").config
    scope = Scope(config, "us-east-1", ACCOUNT)
    return make_template(scope, Place("vpc-1", ("subnet-1", "subnet-2")))


def complaints(text: str) -> list[str]:
    """Give cfn-lint's errors and warnings on a template; its remarks are left out."""
    found = lint(text, config=ManualArgs(regions=["us-east-1"]))
    lines = (f"{each.rule.id}: {each.message}" for each in found)
    return [line for line in lines if not line.startswith("I")]


def properties(made: Template, name: str) -> dict[str, Any]:
    found: dict[str, Any] = made.document["Resources"][name]["Properties"]
    return found


def _covering() -> list[tuple[str, ...]]:
    """Give a few combinations in which each pair of choices occurs; all take two minutes."""
    others = [(0, 0, 0, 0), (0, 0, 1, 1), (0, 1, 0, 1)]
    rows = [
        (vpc, *(choices[at ^ turned] for choices, at in zip(CHOICES[1:], row, strict=True)))
        for vpc, row in zip(VPCS, others, strict=True)
        for turned in (0, 1)
    ]
    for one, two in itertools.combinations(range(len(CHOICES)), 2):
        pairs = set(itertools.product(CHOICES[one], CHOICES[two]))
        assert {(row[one], row[two]) for row in rows} == pairs
    return rows


@pytest.mark.parametrize("which", ["pairs", pytest.param("all", marks=pytest.mark.faults)])
def test_cfn_lint_finds_nothing_in_any_combination(which: str) -> None:
    every = list(itertools.product(*CHOICES))
    assert len(every) == 48
    combinations = every if which == "all" else _covering()
    found = {options: complaints(template(*options).text) for options in combinations}
    assert {options: lines for options, lines in found.items() if lines} == {}


def test_cfn_lint_sees_what_is_wrong() -> None:
    document = json.loads(template().text)
    document["Resources"]["TargetGroup"]["Properties"]["Port"] = "many"
    assert complaints(json.dumps(document))


@pytest.mark.parametrize("options", list(itertools.product(VPCS, DATABASES)))
def test_each_group_is_let_in_by_the_one_before(options: tuple[str, str]) -> None:
    made = template(options[0], database=options[1])
    found = {
        name: [
            (each["FromPort"], each["ToPort"], each.get("CidrIp"), _source(each))
            for each in properties(made, name)["SecurityGroupIngress"]
        ]
        for name in ("AlbGroup", "ServiceGroup", "DatabaseGroup")
    }
    assert found == {
        "AlbGroup": [(80, 80, "0.0.0.0/0", None), (443, 443, "0.0.0.0/0", None)],
        "ServiceGroup": [(3000, 3000, None, "AlbGroup")],
        "DatabaseGroup": [(3306, 3306, None, "ServiceGroup")],
    }


@pytest.mark.parametrize(("database", "port"), [("false", 13306), ("{user: eva}", 3306)])
def test_a_database_of_its_own_port_is_let_in_there(database: str, port: int) -> None:
    made = template(database=database, told='DB_PORT: "13306"')
    [rule] = properties(made, "DatabaseGroup")["SecurityGroupIngress"]
    # The stack's own database listens where MySQL does, whatever the service is told.
    assert (rule["FromPort"], rule["ToPort"]) == (port, port)


def _source(rule: dict[str, Any]) -> str | None:
    group = rule.get("SourceSecurityGroupId")
    return group["Fn::GetAtt"][0] if group else None


def test_the_database_is_private_encrypted_and_reached_by_tls_alone() -> None:
    made = template(vpc=VPCS[2], database="{user: eva}")
    database = properties(made, "Database")
    assert database["PubliclyAccessible"] is False
    assert database["StorageEncrypted"] is True
    assert database["DeletionProtection"] is True
    assert database["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in database
    assert properties(made, "DatabaseSettings")["Parameters"] == {"require_secure_transport": "1"}
    assert made.document["Resources"]["Database"]["DeletionPolicy"] == "Snapshot"
    assert made.document["Resources"]["Database"]["UpdateReplacePolicy"] == "Snapshot"
    subnets = properties(made, "DatabaseSubnets")["SubnetIds"]
    assert subnets == [{"Ref": "PrivateSubnetA"}, {"Ref": "PrivateSubnetB"}]


def test_without_a_certificate_port_80_serves_and_with_one_it_redirects() -> None:
    plain, secure = template(), template(certificate=CERTIFICATES[1])
    assert properties(plain, "HttpListener")["DefaultActions"][0]["Type"] == "forward"
    assert "HttpsListener" not in plain.document["Resources"]
    assert properties(secure, "HttpListener")["DefaultActions"][0]["Type"] == "redirect"
    assert properties(secure, "HttpsListener")["DefaultActions"][0]["Type"] == "forward"
    assert secure.parameters["Certificate"] == CERTIFICATE


def test_the_log_is_kept_when_the_stack_goes_and_not_when_making_it_fails() -> None:
    log = template().document["Resources"]["LogGroup"]
    assert log["DeletionPolicy"] == "RetainExceptOnCreate"


def test_the_task_role_reads_what_is_declared_and_nothing_else() -> None:
    made = properties(template(database="{user: eva}"), "TaskRole")
    statements = made["Policies"][0]["PolicyDocument"]["Statement"]
    assert [(each["Action"], each["Resource"]) for each in statements] == [
        (
            ["ssm:GetParameters"],
            f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/college/dev/db_host",
        ),
        (
            ["secretsmanager:GetSecretValue"],
            {"Fn::GetAtt": ["Database", "MasterUserSecret.SecretArn"]},
        ),
    ]


def test_the_pipeline_takes_its_role_from_one_branch_alone() -> None:
    trust = properties(template(ci_role=CI_ROLES[1]), "CiRole")["AssumeRolePolicyDocument"]
    condition = trust["Statement"][0]["Condition"]["StringEquals"]
    sub = "token.actions.githubusercontent.com:sub"
    assert condition[sub] == "repo:school/web:ref:refs/heads/main"


def test_every_physical_name_carries_the_environment() -> None:
    made = template(database="{user: eva}", ci_role=CI_ROLES[1]).document["Resources"]
    keys = ("GroupName", "Name", "ClusterName", "LogGroupName", "RoleName")
    names = [
        each["Properties"][key]
        for each in made.values()
        for key in keys
        if key in each["Properties"]
    ]
    assert len(names) == 10
    assert [each for each in names if "college-dev" not in each] == []


def test_the_fingerprint_follows_what_is_wanted() -> None:
    assert template().fingerprint == template().fingerprint
    assert template().fingerprint != template(insights="true").fingerprint
    assert template().fingerprint != template(vpc=VPCS[2]).fingerprint


def test_a_template_is_short_enough_to_be_sent() -> None:
    assert len(template(VPCS[2], CERTIFICATES[1], DATABASES[1], "true", CI_ROLES[1]).text) < 51_200
