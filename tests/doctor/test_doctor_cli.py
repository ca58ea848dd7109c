"""`doctor` in accounts that are not as they should be: what fails, is skipped, is told."""

from __future__ import annotations

import json
import os
import re
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.doctor import account as account_checks
from schoolctl.doctor import machine, network, service
from schoolctl.doctor.cli import CHECKS
from schoolctl.doctor.verdict import Check
from tests.fake_engine import FakeEngine
from tests.fakes import FakeClock
from tests.worlds.account import edit, make_database
from tests.worlds.healthy import Healthy, let_all_be_allowed
from tests.worlds.laid import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Aws, Project, Result
    from tests.faults import Faults


def doctor(project: Project, *args: str, ahead: float = 0) -> Result:
    """Run it on a machine with an engine, whose clock is so many seconds ahead."""
    clock = FakeClock(datetime.now(UTC) + timedelta(seconds=ahead))
    return project.invoke("doctor", *args, clock=clock, engine=FakeEngine())


def findings(project: Project, *args: str, ahead: float = 0) -> dict[str, dict[str, Any]]:
    """Return its checks by name."""
    done = doctor(project, *args, "--json", ahead=ahead)
    return {each["name"]: each for each in json.loads(done.stdout)["checks"]}


def at(found: dict[str, dict[str, Any]], level: str) -> list[str]:
    """Return the names of the checks at a level."""
    return [name for name, each in found.items() if each["level"] == level]


@pytest.fixture
def account(aws: Aws, project: Project) -> Healthy:
    """Return an account with all that is documented, and a project that can be built."""
    return Healthy(aws, project)


def test_every_name_is_there_once_and_after_what_it_needs() -> None:
    seen: list[str] = []
    for check in CHECKS:
        assert set(check.needs) <= set(seen), check.name
        assert check.name not in seen
        seen.append(check.name)


def test_every_check_is_in_the_table() -> None:
    declared = {
        value.name
        for module in (account_checks, machine, network, service)
        for value in vars(module).values()
        if isinstance(value, Check)
    }
    assert declared == {check.name for check in CHECKS}


def test_of_a_healthy_account_all_is_ok(project: Project, account: Healthy, faults: Faults) -> None:
    let_all_be_allowed(faults)
    account.edit("dev: {", f'dev: {{endpoint_url: "{os.environ["AWS_ENDPOINT_URL"]}", ')
    done = doctor(project, "--json")
    found = json.loads(done.stdout)
    assert [each for each in found["checks"] if each["level"] != "OK"] == []
    assert (done.exit_code, done.stderr) == (0, "")
    assert len(found["checks"]) == len(CHECKS)


def test_the_table_names_level_check_and_finding_below_their_group(
    project: Project, account: Healthy
) -> None:
    account.ecr.put_image_tag_mutability(
        repositoryName="schoolapp-backend", imageTagMutability="MUTABLE"
    )
    account.ecr.put_image_scanning_configuration(
        repositoryName="schoolapp-backend", imageScanningConfiguration={"scanOnPush": False}
    )

    done = doctor(project, "--only", "image")

    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "image",
        (
            "  OK    repository"
            "  123456789012.dkr.ecr.us-east-1.amazonaws.com/schoolapp-backend, encrypted (AES256)"
        ),
        "  WARN  tag rule    has mutable tags: another tool can move a tag to other content",
        (
            "        cure: `aws ecr put-image-tag-mutability --repository-name schoolapp-backend"
            " --image-tag-mutability IMMUTABLE`"
        ),
        "  WARN  scanning    does not scan on push",
        (
            "        cure: `aws ecr put-image-scanning-configuration --repository-name"
            " schoolapp-backend --image-scanning-configuration scanOnPush=true`"
        ),
        "  OK    images      the newest is 1.0",
        "",
        "2 OK, 2 WARN, 0 FAIL, 0 SKIP",
    ]


def test_a_failure_is_the_exit_code_and_stands_in_the_document(
    project: Project, account: Healthy, aws: Aws
) -> None:
    del account
    aws.client("ssm").delete_parameter(Name="/schoolapp/dev/db_name")

    done = doctor(project, "--only", "parameters", "--json")

    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert document["ok"] is False
    assert document["counts"] == {"OK": 1, "WARN": 0, "FAIL": 1, "SKIP": 0}
    assert document["checks"][0] == {
        "name": "parameters",
        "group": "parameters",
        "level": "FAIL",
        "what": "missing: parameter /schoolapp/dev/db_name",
        "cure": "`schoolctl params set db_name`",
    }


def test_while_the_stack_is_not_there_nothing_of_it_is_to_be_made_by_hand(
    project: Project, account: Healthy
) -> None:
    account.edit("dev: {", "dev: {infra: {stack: true}, service: {cluster: null}, ")
    found = findings(project)
    assert found["stack"]["level"] == "FAIL"
    assert found["stack"]["what"].startswith("stack schoolapp-dev is not there")
    assert found["stack"]["cure"] == "`schoolctl infra up` lays it"
    waiting = {each["name"] for each in found.values() if each["what"] == "stack failed"}
    assert {"execution role", "cluster", "subnets", "secrets"} <= waiting
    assert at(found, "FAIL") == ["stack"]


def test_the_secret_of_the_stacks_database_is_found_by_the_name_that_rds_gave_it(
    project: Project, account: Healthy, aws: Aws
) -> None:
    account.edit("dev: {", "dev: {infra: {stack: true, database: {name: school}}, ")
    secrets = aws.client("secretsmanager")
    secrets.delete_secret(SecretId="schoolapp/dev/db_password", ForceDeleteWithoutRecovery=True)
    made = secrets.create_secret(Name="rds!db-1", SecretString="canary-secret")["ARN"]
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {
            "DatabaseSecret": {"Value": made},
            "Subnets": {"Value": ",".join(account.subnets)},
        },
    }
    aws.client("cloudformation").create_stack(
        StackName="schoolapp-dev", TemplateBody=json.dumps(template)
    )
    found = findings(project)
    assert (found["stack"]["level"], found["stack"]["what"]) == ("OK", "schoolapp-dev is there")
    assert (found["secrets"]["level"], found["secrets"]["what"]) == ("OK", "1 secret there")


def test_a_cure_names_the_environment_that_was_chosen(project: Project, account: Healthy) -> None:
    del account
    edit(project.directory, ", protected: true", "")
    found = findings(project, "-e", "prod")
    assert found["parameters"]["cure"] == "`schoolctl -e prod params set`"


@pytest.mark.parametrize(
    ("ahead", "level", "what"),
    [(0, "OK", "in step"), (120, "WARN", "2 m ahead"), (-600, "FAIL", "10 m behind")],
)
def test_the_clock_is_compared_with_that_of_aws(
    project: Project, account: Healthy, ahead: float, level: str, what: str
) -> None:
    del account
    clock = findings(project, "--only", "account", ahead=ahead)["clock"]
    assert clock["level"] == level
    # The answer takes a second on its way, and its time is in whole ones.
    assert what in re.sub(r" \d+ s", "", clock["what"].replace("9 m 59 s", "10 m"))
    assert (level == "OK") or "timedatectl" in clock["cure"]


def test_in_another_account_that_line_alone_fails(project: Project, account: Healthy) -> None:
    del account
    found = findings(project, "-e", "other")
    assert at(found, "FAIL") == ["account"]
    assert "123456789012" in found["account"]["what"]
    assert found["repository"]["what"] == "account failed"
    assert found["repository"]["level"] == "SKIP"


def test_an_account_that_is_not_pinned_is_a_warning(project: Project, account: Healthy) -> None:
    del account
    edit(project.directory, 'dev: {region: us-east-1, account: "123456789012"}',
         "dev: {region: us-east-1}")  # fmt: skip
    found = findings(project, "--only", "account")
    assert found["account"]["level"] == "WARN"
    assert found["account"]["cure"].startswith('write `account: "123456789012"`')


def test_an_endpoint_of_the_shell_is_a_failure_where_the_environment_is_protected(
    project: Project, account: Healthy
) -> None:
    del account
    assert findings(project)["endpoint"]["level"] == "WARN"
    file = project.directory / "schoolctl.yaml"
    file.write_text(re.sub(r'endpoint_url: "[^"]*", ', "", file.read_text()))
    found = findings(project, "-e", "prod")["endpoint"]
    assert (found["level"], found["cure"]) == ("FAIL", "`unset AWS_ENDPOINT_URL`")


def test_without_a_configuration_the_machine_is_checked_all_the_same(project: Project) -> None:
    (project.directory / "schoolctl.yaml").write_text("app: [\n")
    found = findings(project)
    assert at(found, "FAIL") == ["configuration"]
    assert found["docker engine"]["level"] == "OK"
    assert set(at(found, "SKIP")) == set(found) - {"configuration", "docker engine", "disk space"}


DENIED = {
    "DescribeRepositories": ("repository", "ecr:DescribeRepositories"),
    "GetParameters": ("parameters", "ssm:GetParameters"),
    "DescribeSecret": ("secrets", "secretsmanager:DescribeSecret"),
    "GetRole": ("execution role", "iam:GetRole"),
    "DescribeServices": ("cluster", "ecs:DescribeServices"),
    "DescribeLogGroups": ("log group", "logs:DescribeLogGroups"),
    "DescribeSubnets": ("subnets", "ec2:DescribeSubnets"),
    "DescribeSecurityGroups": ("security groups", "ec2:DescribeSecurityGroups"),
    "DescribeTargetGroups": ("target group", "elasticloadbalancing:DescribeTargetGroups"),
    "DescribeListeners": ("listener", "elasticloadbalancing:DescribeListeners"),
    "GetParameter": ("deploy lock", "ssm:GetParameter"),
    "SimulatePrincipalPolicy": ("execution role may", "iam:SimulatePrincipalPolicy"),
}
DENIED_OF_NETWORK = {
    "DescribeLoadBalancers": ("load balancer", "elasticloadbalancing:DescribeLoadBalancers"),
    "DescribeSecurityGroupRules": ("load balancer", "ec2:DescribeSecurityGroupRules"),
    "DescribeDBInstances": ("database rules", "rds:DescribeDBInstances"),
    "DescribeDBClusters": ("database rules", "rds:DescribeDBClusters"),
    "DescribeRouteTables": ("routes", "ec2:DescribeRouteTables"),
    "DescribeVpcEndpoints": ("routes", "ec2:DescribeVpcEndpoints"),
}


@pytest.mark.parametrize("operation", [*DENIED, *DENIED_OF_NETWORK])
def test_a_read_that_is_denied_is_told_once_with_its_cure_and_fails_nothing(
    project: Project, account: Healthy, faults: Faults, operation: str
) -> None:
    del account
    name, action = {**DENIED, **DENIED_OF_NETWORK}[operation]
    let_all_be_allowed(faults)
    said = f"User: arn:aws:iam::123456789012:user/ann is not authorized to perform: {action}"
    faults.answer_always(operation, "AccessDeniedException", said)

    done = doctor(project, "--json")
    found = {each["name"]: each for each in json.loads(done.stdout)["checks"]}

    assert at(found, "FAIL") == []
    assert found[name]["level"] == ("SKIP" if operation in DENIED_OF_NETWORK else "WARN")
    assert found[name]["what"] == f"not verified: {action} is denied"
    assert found[name]["cure"].endswith("`schoolctl iam policy --for doctor`")
    assert re.findall(rf"{action}\b", done.output) == [action]


def _no_listener(account: Healthy) -> None:
    arn = account.balancer["LoadBalancerArn"]
    for each in account.elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
        account.elb.delete_listener(ListenerArn=each["ListenerArn"])


def _no_target_group(account: Healthy) -> None:
    account.edit("target_group: schoolapp-tg", "target_group: another-tg")


@pytest.mark.parametrize(
    ("operation", "code", "breaks", "failing"),
    [
        ("DescribeSubnets", "AccessDeniedException", _no_listener, "listener"),
        ("DescribeSubnets", "ThrottlingException", _no_listener, "listener"),
        ("DescribeSubnets", "AccessDeniedException", _no_target_group, "target group"),
        ("DescribeLoadBalancers", "AccessDeniedException", _no_listener, "listener"),
    ],
)
def test_what_cannot_be_read_hides_no_failure_that_can_be_seen_without_it(
    project: Project,
    account: Healthy,
    faults: Faults,
    operation: str,
    code: str,
    breaks: Callable[[Healthy], object],
    failing: str,
) -> None:
    let_all_be_allowed(faults)
    breaks(account)
    faults.answer_always(operation, code, "no")
    done = doctor(project, "--json")
    found = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
    assert at(found, "FAIL") == [failing]
    assert found[failing]["what"].startswith("missing: ")
    assert done.exit_code == 1


def test_of_one_group_the_action_is_told_there(
    project: Project, account: Healthy, faults: Faults
) -> None:
    del account
    faults.deny("DescribeSubnets", "ec2:DescribeSubnets")
    faults.deny("DescribeSubnets", "ec2:DescribeSubnets")
    done = doctor(project, "--only", "network")
    assert done.stderr == ""
    assert done.stdout.splitlines()[1:4] == [
        "  SKIP  load balancer   not verified: ec2:DescribeSubnets is denied",
        ("        cure: let a policy of yours allow it: `schoolctl iam policy --for doctor`"),
        "  SKIP  balancer rules  load balancer could not be verified",
    ]


def test_an_answer_that_does_not_come_is_no_failure_of_the_thing(
    project: Project, account: Healthy, faults: Faults
) -> None:
    del account
    let_all_be_allowed(faults)
    faults.answer_always("DescribeSubnets", "ThrottlingException", "Rate exceeded")
    found = findings(project)
    assert at(found, "WARN") == ["endpoint", "subnets"]
    assert found["subnets"]["what"].startswith("not verified: could not look for the subnets")
    assert found["routes"]["what"] == "subnets could not be verified"


def test_nothing_is_changed_and_no_value_is_read(
    project: Project, account: Healthy, faults: Faults
) -> None:
    del account
    doctor(project)
    called = {each.operation for each in faults.numbered()}
    reads = ("Describe", "Get", "List", "Simulate", "BatchGet")
    assert [each for each in called if not each.startswith(reads)] == []
    assert "GetSecretValue" not in called
    asked = [each for each in faults.bodies if b"WithDecryption" in each]
    assert len(asked) > 1
    assert [each for each in asked if b'"WithDecryption": false' not in each] == []


def test_the_checks_run_side_by_side(project: Project, account: Healthy, faults: Faults) -> None:
    del account
    operations = ("DescribeSubnets", "DescribeLogGroups", "GetParameters", "DescribeSecret")
    together = threading.Barrier(len(operations), timeout=30)
    for operation in operations:
        faults.before(operation, together.wait)
    found = findings(project)
    assert not together.broken
    assert found["subnets"]["level"] == "OK"


# The network


def _no_public_address(account: Healthy) -> None:
    account.ecs.update_service(
        cluster="schoolapp",
        service="schoolapp-backend",
        networkConfiguration=account.place(public=False),
    )


def _in_one_zone(account: Healthy) -> None:
    account.subnets = account.subnets[:1]
    account.ecs.update_service(
        cluster="schoolapp",
        service="schoolapp-backend",
        networkConfiguration=account.place(),
    )


def _no_route(account: Healthy) -> None:
    account.ec2.delete_route(RouteTableId=account.table, DestinationCidrBlock=ANYWHERE)


def _fewer_zones(account: Healthy) -> None:
    arn = account.balancer["LoadBalancerArn"]
    account.elb.set_subnets(LoadBalancerArn=arn, Subnets=account.subnets[:2])


NETWORK: dict[str, tuple[str, Callable[[Healthy], object], str]] = {
    "port 443 missing": (
        "balancer rules",
        lambda it: it.forbid("alb", 443, ANYWHERE),
        "network apply",
    ),
    "the load balancer's group open on 22": (
        "balancer rules",
        lambda it: it.allow("alb", 22, ANYWHERE),
        "network apply --fix",
    ),
    "the service closed to the load balancer": (
        "service rules",
        lambda it: it.forbid("ecs", 3000, it.ids["alb"]),
        "network apply",
    ),
    "a way around the load balancer": (
        "service rules",
        lambda it: it.allow("ecs", 3000, ANYWHERE),
        "network apply --fix",
    ),
    "the database closed to the service": (
        "database rules",
        lambda it: it.forbid("rds", 3306, it.ids["ecs"]),
        "network apply",
    ),
    "the database open to the world": (
        "database rules",
        lambda it: it.allow("rds", 3306, ANYWHERE),
        "network apply --fix",
    ),
    "no route to the internet": ("routes", _no_route, "aws ec2 create-route"),
    "no public addresses": ("routes", _no_public_address, "set service.assign_public_ip to true"),
    "a load balancer with too few zones": ("zones", _fewer_zones, "aws elbv2 set-subnets"),
}
"""What fails, what breaks it, and its cure."""


@pytest.mark.parametrize("name", NETWORK)
def test_a_fault_of_the_network_is_one_line_and_our_own_command_repairs_it(
    project: Project, account: Healthy, name: str
) -> None:
    check, breaks, cure = NETWORK[name]
    breaks(account)

    found = findings(project)
    assert at(found, "FAIL") == [check]
    assert cure in found[check]["cure"]

    if cure.startswith("network "):
        assert found[check]["cure"] == f"`schoolctl {cure}`"
        done = project.invoke(*cure.split(), "--yes")
        assert done.exit_code == 0, done.output
        assert findings(project)[check]["level"] == "OK"


def test_a_route_that_is_gone_is_repaired_by_its_cure(project: Project, account: Healthy) -> None:
    _no_route(account)
    cure = findings(project)["routes"]["cure"]
    command = (
        "aws ec2 create-route --route-table-id {} --destination-cidr-block {} --gateway-id IGW"
    )
    assert cure.startswith(
        f"`{command.format(account.table, ANYWHERE)}`; `schoolctl network check`"
    )
    account.ec2.create_route(
        RouteTableId=account.table,
        DestinationCidrBlock=ANYWHERE,
        GatewayId=account.gateway,
    )
    assert findings(project)["routes"]["level"] == "OK"


@pytest.mark.parametrize("protocol", ["HTTP", "HTTPS"])
def test_what_a_target_group_asks_the_tasks_keeps_nothing_else_from_being_told(
    project: Project, account: Healthy, faults: Faults, protocol: str
) -> None:
    let_all_be_allowed(faults)
    if protocol == "HTTP":
        account.elb.modify_target_group(
            TargetGroupArn=account.target_group_arn, HealthCheckPath="/nowhere"
        )
    else:
        faults.rewrite(
            "DescribeTargetGroups",
            lambda content: content.replace(
                b"<Protocol>HTTP</Protocol>", b"<Protocol>HTTPS</Protocol>"
            ),
        )
    found = findings(project)
    assert at(found, "FAIL") == ["target group"]
    assert at(found, "SKIP") == []

    account.forbid("ecs", 3000, account.ids["alb"])
    assert at(findings(project), "FAIL") == ["target group", "service rules"]


def test_one_zone_alone_is_a_warning(project: Project, account: Healthy) -> None:
    _in_one_zone(account)
    found = findings(project)
    assert at(found, "FAIL") == []
    assert found["zones"]["level"] == "WARN"
    assert found["zones"]["what"].startswith("every task runs in one zone, ")


def test_several_faults_of_one_part_are_one_line_with_one_cure(
    project: Project, account: Healthy
) -> None:
    account.forbid("rds", 3306, account.ids["ecs"])
    account.allow("rds", 3306, "10.0.0.0/8")
    found = findings(project)
    assert at(found, "FAIL") == ["database rules"]
    assert found["database rules"]["what"].endswith("; and 1 other")
    assert found["database rules"]["cure"] == "`schoolctl network apply --fix`"


def test_what_is_missing_already_is_not_told_again_by_the_network(
    project: Project, account: Healthy
) -> None:
    account.edit("target_group: schoolapp-tg", "target_group: another-tg")
    found = findings(project, "--only", "network")
    assert {
        name: each["what"] for name, each in found.items() if each["level"] != "OK"
    } == dict.fromkeys(("load balancer", "balancer rules", "service rules"), "target group failed")


def test_without_a_load_balancer_there_is_nothing_to_compare(
    project: Project, account: Healthy
) -> None:
    account.edit("target_group: schoolapp-tg", "target_group: null")
    account.allow("ecs", 3000, ANYWHERE)
    found = findings(project, "--only", "network")
    assert at(found, "OK") == list(found)
    assert found["service rules"]["what"] == "none: the service has no load balancer"


def test_a_database_that_is_none_of_rds_is_skipped_or_known_by_the_name_of_its_group(
    project: Project, account: Healthy
) -> None:
    account.rds.delete_db_instance(DBInstanceIdentifier="school", SkipFinalSnapshot=True)
    found = findings(project, "--only", "network")["database rules"]
    assert found["level"] == "OK"
    assert found["what"] == (
        "schoolApp-rds-sg: 3306 alone is open; which database has it is not known, for doctor does"
        " not decrypt /schoolapp/dev/db_host"
    )
    account.ec2.delete_security_group(GroupId=account.ids["rds"])
    found = findings(project, "--only", "network")["database rules"]
    assert found == {
        "name": "database rules",
        "group": "network",
        "level": "SKIP",
        "what": "no database of RDS is known to be the service's, and there is no group"
        " schoolApp-rds-sg",
        "cure": None,
    }


def test_a_host_that_is_no_secret_tells_the_database(project: Project, account: Healthy) -> None:
    other = account.ec2.create_security_group(
        GroupName="other", Description="of the database", VpcId=account.vpc
    )["GroupId"]
    database = make_database(account.aws, "real", VpcSecurityGroupIds=[other])
    ssm = account.aws.client("ssm")
    ssm.delete_parameter(Name="/schoolapp/dev/db_host")
    host = database["Endpoint"]["Address"]
    ssm.put_parameter(Name="/schoolapp/dev/db_host", Value=host, Type="String")
    found = findings(project, "--only", "network")["database rules"]
    assert (found["level"], found["what"]) == (
        "FAIL",
        "service -> database: port 3306 is not allowed",
    )
