"""`infra` on the emulator's CloudFormation: laid, changed, refused, taken away."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

import pytest

from schoolctl.base.errors import ExitCode
from schoolctl.core.run import Services
from schoolctl.iam.permissions import permissions_of
from tests.conftest import Project
from tests.fakes import FakeClock
from tests.faults import Faults, lose_reply
from tests.matrix.emulator import Emulator
from tests.matrix.world import OwnAws

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Result
    from tests.faults import Exchange

CONFIG = """\
app: college
default_environment: dev
infra: {stack: true}
image: {}
parameters:
  db_host: {env: PARAM_HOST_PATH, hidden: false, from: rds.endpoint}
  db_user: {env: PARAM_USER_PATH, hidden: false, from: rds.user}
secrets:
  db_password: {env: DB_SECRET_ARN, from: rds.managed_secret}
task: {family: college}
service: {name: college}
environments:
  dev: {region: us-east-1}
  prod: {region: us-east-1, protected: true, endpoint_url: "HERE"}
  test:
    infra: {stack: false}
    region: us-east-1
    image: {repository: college}
    task: {execution_role: college}
    service: {cluster: college}
"""
STACK = "college-dev"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Give a local AWS without an engine."""
    started = Emulator(tmp_path_factory.mktemp("emulator"))
    yield started
    started.stop()


class College:
    """A project with a stack of its own, in an account that has nothing."""

    def __init__(self, aws: OwnAws, faults: Faults, project: Project) -> None:
        self.aws, self.faults, self.project = aws, faults, project

    def run(self, *words: str, code: int = ExitCode.DONE) -> Result:
        """Run `schoolctl words...`; `code` is the exit code that must come."""
        done = self.project.invoke(*words)
        assert done.exit_code == code, done.output
        return done

    def json(self, *words: str, code: int = ExitCode.DONE) -> dict[str, Any]:
        """Run a command with `--json`; gives its document."""
        document: dict[str, Any] = json.loads(self.run(*words, "--json", code=code).stdout)
        return document

    def edit(self, before: str, after: str) -> None:
        """Change schoolctl.yaml."""
        file = self.project.directory / "schoolctl.yaml"
        text = file.read_text()
        assert before in text
        file.write_text(text.replace(before, after))

    def stack(self, name: str = STACK) -> dict[str, Any]:
        """Give the stack as CloudFormation describes it."""
        found = self.aws.client("cloudformation").describe_stacks(StackName=name)
        stack: dict[str, Any] = found["Stacks"][0]
        return stack

    def stacks(self) -> list[str]:
        """Give the names of all stacks that are there."""
        found = self.aws.client("cloudformation").describe_stacks()["Stacks"]
        return [each["StackName"] for each in found]

    def change_sets(self) -> list[str]:
        """Give the names of the change sets that were not carried out."""
        found = self.aws.client("cloudformation").list_change_sets(StackName=STACK)["Summaries"]
        return [each["ChangeSetName"] for each in found if each["ExecutionStatus"] == "AVAILABLE"]


@pytest.fixture
def college(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[College]:
    """Give a project with a stack, on an empty account."""
    directory = tmp_path / "college"
    directory.mkdir()
    aws, faults = OwnAws(emulator.url, emulator.new_account()), Faults(emulator.url)
    config = CONFIG.replace("HERE", faults.endpoint_url)
    (directory / "schoolctl.yaml").write_text(config)
    monkeypatch.setenv("AWS_ENDPOINT_URL", faults.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws.account)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    services = Services(clock=FakeClock(), directory=directory)
    yield College(aws, faults, Project(directory, services))
    faults.close()


@pytest.fixture
def laid(college: College) -> College:
    """Give one whose stack is there."""
    college.run("infra", "up")
    return college


# Plan


def test_a_plan_of_a_new_stack_names_every_resource_and_makes_nothing(college: College) -> None:
    said = college.run("infra", "plan").stdout
    assert "stack college-dev: 10 to create" in said
    assert "+ create load balancer LoadBalancer" in said
    assert "1. create repository college" in said
    assert college.stacks() == []
    assert college.faults.calls.count("CreateChangeSet") == 0


def test_a_plan_names_the_command_for_its_own_environment(college: College) -> None:
    assert "`schoolctl infra up` would:" in college.run("infra", "plan").stdout
    of_another = college.run("-e", "prod", "infra", "plan").stdout
    assert "`schoolctl -e prod infra up` would:" in of_another


def test_a_plan_tells_a_change_and_leaves_no_change_set(laid: College) -> None:
    laid.edit("infra: {stack: true}", "infra: {stack: true, log_retention_days: 90}")
    said = laid.run("infra", "plan").stdout
    # The emulator is not sure whether it would be replaced; AWS is.
    assert "stack college-dev: 1 to change" in said
    assert "log group LogGroup (RetentionInDays)" in said
    assert laid.change_sets() == []
    assert laid.json("infra", "plan", "--exit-code", code=ExitCode.DIFFERENCES)["changes"]


def test_another_port_is_another_target_group(laid: College) -> None:
    laid.edit("task: {family: college}", "task: {family: college, port: 8080}")
    said = laid.run("infra", "plan").stdout
    assert "! replace target group TargetGroup" in said
    laid.run("infra", "up", "--yes")
    found = laid.aws.client("elbv2").describe_target_groups()["TargetGroups"]
    assert [(each["TargetGroupName"], each["Port"]) for each in found] == [
        ("college-dev-8080", 8080)
    ]


def test_a_replacement_asks_first(laid: College) -> None:
    laid.edit("task: {family: college}", "task: {family: college, port: 8080}")
    said = laid.run("infra", "up", code=ExitCode.FAILED)
    assert "nothing was changed" in said.stderr
    assert laid.change_sets() == []
    found = laid.aws.client("elbv2").describe_target_groups()["TargetGroups"]
    assert [each["Port"] for each in found] == [3000]


def test_the_template_is_printed_for_others(college: College) -> None:
    document = json.loads(college.run("infra", "plan", "--template").stdout)
    assert document["Resources"]["TargetGroup"]["Properties"]["TargetType"] == "ip"


def test_an_environment_without_a_stack_is_told_so(college: College) -> None:
    for words in (("plan",), ("up",), ("status",), ("outputs",), ("down", "--yes")):
        said = college.run("-e", "test", "infra", *words, code=ExitCode.USAGE)
        assert "environment test has no stack of its own" in said.stderr


# Up


def test_up_lays_the_stack_and_again_changes_nothing(college: College) -> None:
    made = college.json("infra", "up")
    assert made["status"] == "CREATE_COMPLETE"
    assert made["outputs"]["Cluster"] == "college-dev"
    college.faults.calls.clear()
    said = college.run("infra", "up")
    assert "nothing to do: stack college-dev is as the configuration says" in said.stderr
    assert "ExecuteChangeSet" not in college.faults.calls
    assert college.change_sets() == []


def test_up_changes_what_the_configuration_changed(laid: College) -> None:
    laid.edit("infra: {stack: true}", "infra: {stack: true, container_insights: true}")
    said = laid.run("infra", "up")
    assert "cluster Cluster: changed" in said.stderr
    assert laid.stack()["StackStatus"] == "UPDATE_COMPLETE"


def test_a_dry_run_changes_nothing(college: College) -> None:
    college.run("infra", "up", "--dry-run")
    assert college.stacks() == []
    college.run("infra", "up")
    college.edit("infra: {stack: true}", "infra: {stack: true, log_retention_days: 90}")
    planned = college.json("infra", "up", "--dry-run")
    assert planned["plan"] == ["change stack college-dev (1 resource)"]
    assert college.stack()["StackStatus"] == "CREATE_COMPLETE"
    assert college.change_sets() == []


def test_a_lost_reply_is_no_failure(college: College) -> None:
    for call in ("CreateChangeSet", "ExecuteChangeSet"):
        college.faults.at(_first(call), lose_reply)
    college.run("infra", "up")
    assert college.stack()["StackStatus"] == "CREATE_COMPLETE"


def test_two_environments_live_in_one_account(laid: College) -> None:
    laid.run("-e", "prod", "infra", "up", "--confirm", "college")
    assert sorted(laid.stacks()) == ["college-dev", "college-prod"]
    assert laid.stack("college-prod")["EnableTerminationProtection"] is True
    assert laid.stack()["EnableTerminationProtection"] is False


def test_what_exists_under_the_name_of_a_role_is_named_and_left_alone(college: College) -> None:
    college.aws.client("iam").create_role(
        RoleName="college-dev-task", AssumeRolePolicyDocument='{"Version":"2012-10-17"}'
    )
    said = college.run("infra", "up", code=ExitCode.FAILED)
    first = said.stderr[said.stderr.index("error:") :].splitlines()[0]
    assert "cannot make what exists already: TaskRole ({RoleName=college-dev-task})" in first
    assert college.stacks() == []
    college.aws.client("iam").delete_role(RoleName="college-dev-task")
    college.run("infra", "up")


# Up that fails


def test_each_resource_refused_in_turn_is_named_first_and_up_works_again(
    college: College, record_property: Callable[[str, object], None]
) -> None:
    college.edit("infra: {stack: true}", "infra: {stack: true, vpc: {cidr: 10.20.0.0/16}}")
    resources = list(json.loads(college.run("infra", "plan", "--template").stdout)["Resources"])
    for name in resources:
        college.faults.at(_first("CreateChangeSet"), _break(name))
        said = college.run("infra", "up", code=ExitCode.ROLLOUT)
        lines = said.stderr[said.stderr.index("error:") :].splitlines()
        assert lines[0].endswith(f" {name} could not be made"), said.stderr
        assert "Requested attribute NoSuch does not exist" in lines[1]
        assert "`schoolctl infra up`" in lines[-1]
        assert college.stack()["StackStatus"] == "ROLLBACK_COMPLETE"
    done = college.run("infra", "up")
    assert "delete stack college-dev (it is ROLLBACK_COMPLETE)" in done.stderr
    assert college.stack()["StackStatus"] == "CREATE_COMPLETE"
    record_property("cases", len(resources))


def test_a_change_that_fails_leaves_the_stack_as_it_was(laid: College) -> None:
    laid.edit("infra: {stack: true}", "infra: {stack: true, log_retention_days: 90}")
    laid.faults.at(_first("CreateChangeSet"), _break("LogGroup"))
    said = laid.run("infra", "up", code=ExitCode.ROLLOUT)
    assert "log group LogGroup could not be changed" in said.stderr
    assert "the stack is as it was before" in said.stderr
    assert laid.stack()["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    laid.run("infra", "up")
    groups = laid.aws.client("logs").describe_log_groups()["logGroups"]
    assert [each["retentionInDays"] for each in groups] == [90]


def _first(call: str) -> Any:
    from tests.faults import Call

    return Call(call, 1)


def _break(name: str) -> Callable[[Exchange], None]:
    """Give a rule that sends a template whose resource `name` cannot be made."""

    def rule(exchange: Exchange) -> None:
        form = {key: values[0] for key, values in parse_qs(exchange.body.decode()).items()}
        template = json.loads(form["TemplateBody"])
        properties = template["Resources"][name]["Properties"]
        other = "LogGroup" if name != "LogGroup" else "Cluster"
        # `other` comes before it then; nothing else in these templates leads back.
        properties["Tags"] = [{"Key": "broken", "Value": {"Fn::GetAtt": [other, "NoSuch"]}}]
        exchange.body = urlencode({**form, "TemplateBody": json.dumps(template)}).encode()
        exchange.reply(*exchange.forward())

    return rule


# Status and outputs


def test_status_tells_what_was_changed_by_hand(laid: College) -> None:
    said = laid.run("infra", "status").stdout
    assert "stack college-dev: CREATE_COMPLETE" in said
    assert "nothing was changed by hand" in said
    laid.aws.client("logs").put_retention_policy(logGroupName="/ecs/college-dev", retentionInDays=1)
    said = laid.run("infra", "status", "--exit-code", code=ExitCode.DIFFERENCES).stdout
    assert "log group LogGroup: changed" in said
    assert "/RetentionInDays: 30 -> 1" in said


def test_status_tells_of_a_failure_what_was_first(college: College) -> None:
    college.faults.at(_first("CreateChangeSet"), _break("Cluster"))
    college.run("infra", "up", code=ExitCode.ROLLOUT)
    document = college.json("infra", "status")
    assert document["status"] == "ROLLBACK_COMPLETE"
    assert document["events"][0].startswith("cluster Cluster not created: Requested attribute")


def test_outputs_are_those_of_the_stack(laid: College) -> None:
    wanted = {each["OutputKey"]: each["OutputValue"] for each in laid.stack()["Outputs"]}
    assert laid.json("infra", "outputs")["outputs"] == wanted


def test_there_is_nothing_to_show_before_up(college: College) -> None:
    for words in ("status", "outputs"):
        said = college.run("infra", words, code=ExitCode.FAILED)
        assert "there is no stack college-dev in us-east-1" in said.stderr
    said = college.run("infra", "down", "--yes")
    assert "nothing to do: there is no stack college-dev" in said.stderr


# Down


def test_down_asks_and_keeps_the_log(laid: College) -> None:
    said = laid.run("infra", "down", code=ExitCode.FAILED)
    assert "nothing was changed" in said.stderr
    gone = laid.json("infra", "down", "--yes")
    assert gone["deleted"] is True
    assert "log group /ecs/college-dev" in gone["kept"]
    assert laid.stacks() == []
    assert len(laid.aws.client("logs").describe_log_groups()["logGroups"]) == 1
    # The log group that was kept is not in the next one's way.
    laid.run("infra", "up")
    laid.run("infra", "down", "--yes", "--delete-data")
    assert laid.aws.client("logs").describe_log_groups()["logGroups"] == []


def test_down_is_refused_while_a_task_runs(laid: College) -> None:
    ecs = laid.aws.client("ecs")
    ecs.register_task_definition(
        family="college", containerDefinitions=[{"name": "web", "image": "x", "memory": 128}]
    )
    ecs.create_service(
        cluster="college-dev", serviceName="college", taskDefinition="college", desiredCount=1
    )
    said = laid.run("infra", "down", "--yes", code=ExitCode.FAILED)
    assert "a service runs in cluster college-dev; nothing was changed" in said.stderr
    assert "`schoolctl scale 0`" in said.stderr
    assert laid.stack()["StackStatus"] == "CREATE_COMPLETE"
    ecs.update_service(cluster="college-dev", service="college", desiredCount=0)
    done = laid.run("infra", "down", "--yes")
    assert "delete service college-dev/college, which runs no task" in done.stderr
    assert laid.stacks() == []


def test_a_protected_environment_wants_its_name(college: College) -> None:
    college.run("-e", "prod", "infra", "up", "--confirm", "college")
    college.run("-e", "prod", "infra", "down", "--yes", code=ExitCode.FAILED)
    assert college.stacks() == ["college-prod"]
    college.run("-e", "prod", "infra", "down", "--confirm", "college")
    assert college.stacks() == []


# What an environment takes from its stack


def test_a_deploy_takes_its_network_from_the_stack(laid: College) -> None:
    outputs = laid.json("infra", "outputs")["outputs"]
    for key in ("db_host", "db_user"):
        laid.run("params", "set", f"{key}=value")
    laid.aws.client("secretsmanager").create_secret(
        Name="college/dev/db_password", SecretString="canary"
    )
    _push(laid)
    laid.faults.calls.clear()
    laid.run("deploy", "--tag", "1.0", "--no-wait")
    assert laid.faults.calls.count("DescribeStacks") == 1
    service = laid.aws.client("ecs").describe_services(cluster="college-dev", services=["college"])[
        "services"
    ][0]
    network = service["networkConfiguration"]["awsvpcConfiguration"]
    assert network["securityGroups"] == [outputs["ServiceGroup"]]
    assert sorted(network["subnets"]) == sorted(outputs["Subnets"].split(","))
    assert service["loadBalancers"][0]["targetGroupArn"] == outputs["TargetGroup"]


def test_a_deploy_without_the_stack_says_how_to_lay_it(college: College) -> None:
    said = college.run("deploy", code=ExitCode.FAILED)
    assert "stack college-dev is not there" in said.stderr
    assert "`schoolctl infra up`" in said.stderr


def test_no_other_command_asks_the_stack(laid: College) -> None:
    laid.faults.calls.clear()
    for words in (("params", "list"), ("secrets", "list"), ("config", "show"), ("repo", "show")):
        laid.run(*words)
    assert "DescribeStacks" not in laid.faults.calls


def test_config_show_tells_what_is_the_stacks(college: College) -> None:
    said = college.run("config", "show").stdout
    line = next(line for line in said.splitlines() if line.startswith("service.cluster"))
    assert line.split() == ["service.cluster", "stack", "college-dev", "college-dev"]


def test_the_database_fills_what_is_declared(college: College) -> None:
    """The emulator's template engine does not know the secret of RDS; the account does."""
    college.edit("infra: {stack: true}", "infra: {stack: true, database: {user: eva}}")
    secret = college.aws.client("secretsmanager").create_secret(
        Name="rds-db-1", SecretString="canary"
    )["ARN"]
    college.faults.always("CreateChangeSet", _name_the_secret(secret))
    college.run("infra", "up")
    instance = college.json("infra", "outputs")["outputs"]["DatabaseInstance"]
    college.aws.client("rds").modify_db_instance(
        DBInstanceIdentifier=instance, DeletionProtection=True
    )
    found = college.json("params", "set")
    assert sorted(each["key"] for each in found["written"]) == ["db_host", "db_user"]
    stored = college.aws.client("ssm").get_parameter(
        Name="/college/dev/db_user", WithDecryption=True
    )
    assert stored["Parameter"]["Value"] == "eva"
    listed = college.json("secrets", "list")["secrets"]
    assert [each["name"] for each in listed] == [secret]

    refused = college.run("infra", "plan").stdout
    assert "nothing to do" in refused
    gone = college.json("infra", "down", "--yes")
    assert f"a last snapshot of database {instance}" in gone["kept"]


def test_a_database_is_not_replaced_unless_it_is_said(college: College) -> None:
    college.edit("infra: {stack: true}", "infra: {stack: true, database: {user: eva}}")
    college.faults.always("CreateChangeSet", _name_the_secret(SECRET))
    college.run("infra", "up")
    college.edit("user: eva", "user: ada")
    assert "DATA AT RISK" in college.run("infra", "plan").stdout
    said = college.run("infra", "up", "--yes", code=ExitCode.FAILED)
    assert "the database of stack college-dev would not survive this" in said.stderr
    assert "--delete-data" in said.stderr


SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf"


def _name_the_secret(arn: str) -> Callable[[Exchange], None]:
    """Give a rule that sends the template with the secret's ARN itself, which AWS fills in."""

    def rule(exchange: Exchange) -> None:
        form = {key: values[0] for key, values in parse_qs(exchange.body.decode()).items()}
        attribute = json.dumps({"Fn::GetAtt": ["Database", "MasterUserSecret.SecretArn"]})
        plain = json.dumps(json.loads(form["TemplateBody"]))
        assert attribute in plain
        body = plain.replace(attribute, json.dumps(arn))
        exchange.body = urlencode({**form, "TemplateBody": body}).encode()
        exchange.reply(*exchange.forward())

    return rule


def _push(college: College) -> None:
    """Note an image in ECR, as a push would."""
    college.aws.client("ecr").put_image(
        repositoryName="college",
        imageManifest=json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "layers": [],
            }
        ),
        imageManifestMediaType="application/vnd.oci.image.manifest.v1+json",
        imageTag="1.0",
    )


# What others, and earlier runs, have begun


def test_what_a_run_that_ended_began_is_followed_first(laid: College) -> None:
    laid.faults.rewrite("DescribeStacks", _once(b"CREATE_COMPLETE", b"CREATE_IN_PROGRESS"))
    said = laid.run("infra", "up")
    assert "stack college-dev is CREATE_IN_PROGRESS: an earlier run began it" in said.stderr
    assert "that is through: 10 resources" in said.stderr
    assert "nothing to do" in said.stderr


def test_what_somebody_else_does_is_not_interfered_with(laid: College) -> None:
    laid.faults.rewrite("DescribeStacks", _once(b"CREATE_COMPLETE", b"UPDATE_IN_PROGRESS"))
    laid.faults.rewrite(
        "DescribeStackEvents", lambda content: content.replace(b"schoolctl-", b"console-")
    )
    said = laid.run("infra", "up", code=ExitCode.BUSY)
    assert "stack college-dev is UPDATE_IN_PROGRESS" in said.stderr
    assert "which schoolctl did not begin" in said.stderr


def test_a_stack_that_takes_too_long_is_left_to_cloudformation(college: College) -> None:
    college.faults.rewrite(
        "DescribeStacks", lambda content: content.replace(b"CREATE_COMPLETE", b"CREATE_IN_PROGRESS")
    )
    said = college.run("infra", "up", "--timeout", "60", code=ExitCode.TIMED_OUT)
    assert "stack college-dev is still CREATE_IN_PROGRESS after 1 m" in said.stderr
    assert "CloudFormation goes on" in said.stderr


def _once(before: bytes, after: bytes) -> Callable[[bytes], bytes]:
    """Give a change of the first answer that has `before` in it."""
    left = [after]

    def change(content: bytes) -> bytes:
        return content.replace(before, left.pop()) if left and before in content else content

    return change


def test_the_table_of_permissions_has_every_call(college: College) -> None:
    for words in (("plan",), ("up",), ("plan",), ("status",), ("outputs",), ("down", "--yes")):
        college.faults.calls.clear()
        college.run("infra", *words)
        calls = set(college.faults.calls) - {"GetCallerIdentity"}
        table = permissions_of(f"infra {words[0]}")
        assert calls - {each.action.partition(":")[2] for each in table} == set(), words
