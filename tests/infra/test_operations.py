"""What a stack's status means, why an operation failed, and what a change set says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.session import get_session

from schoolctl.base.errors import (
    BusyError,
    ConflictError,
    ExitCode,
    MissingThingsError,
    NotFoundError,
)
from schoolctl.config.file import parse_config
from schoolctl.core.stack_values import settled
from schoolctl.infra.changes import ends_database, tell, totals
from schoolctl.infra.operations import (
    failure,
    first_causes,
    last_operation,
    refuse_stuck,
    refused_template,
)
from schoolctl.infra.rules import Found, Standing, plan_down, plan_up, refuse_move
from schoolctl.model.stacks import (
    STACK_TYPE,
    ChangeSet,
    Condition,
    ResourceChange,
    StackEvent,
    StackState,
    Template,
    condition_of,
)

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
NAME = "college-dev"
CONFIG = """\
app: college
infra: {stack: true, database: {}}
image: {}
secrets: {db_password: {env: DB_SECRET_ARN, from: rds.managed_secret}}
task: {family: college}
service: {name: college}
environments: {dev: {region: us-east-1}, prod: {region: us-east-1, protected: true}}
"""
RESOLVED = parse_config(CONFIG, path=Path("/project/schoolctl.yaml")).resolve("dev")
PROTECTED = parse_config(CONFIG, path=Path("/project/schoolctl.yaml")).resolve("prod").config
FROM_STACK = {"service.subnets", "service.security_groups", "service.target_group"}
TEMPLATE = Template({"Resources": {"Cluster": {"Type": "AWS::ECS::Cluster"}}})
OUTPUTS = {
    "Subnets": "subnet-1,subnet-2",
    "ServiceGroup": "sg-1",
    "TargetGroup": "arn:tg",
    "DatabaseSecret": "arn:secret",
}


def stack(status: str, **more: object) -> StackState:
    return StackState(NAME, "arn:stack", status, **more)  # type: ignore[arg-type]  # a shorthand


def event(
    number: int,
    name: str,
    status: str,
    reason: str = "",
    *,
    kind: str = "",
    token: str = "t",  # noqa: S107  # of an operation
) -> StackEvent:
    types = {NAME: STACK_TYPE, "Cluster": "AWS::ECS::Cluster", "Database": "AWS::RDS::DBInstance"}
    kind = kind or types.get(name, "AWS::IAM::Role")
    at = NOW + timedelta(seconds=number)
    return StackEvent(str(number), at, name, kind, status, reason, token=token)


FAILED = (
    event(1, NAME, "CREATE_IN_PROGRESS", "User Initiated"),
    event(2, "Cluster", "CREATE_IN_PROGRESS"),
    event(3, "TaskRole", "CREATE_IN_PROGRESS"),
    event(4, "Database", "CREATE_FAILED", "DB instance class db.x is not available"),
    event(5, "TaskRole", "CREATE_FAILED", "Resource creation cancelled"),
    event(6, "Cluster", "CREATE_FAILED", "Resource creation cancelled"),
    event(7, NAME, "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [a, b]"),
    event(8, "Cluster", "DELETE_COMPLETE"),
    event(9, NAME, "ROLLBACK_COMPLETE"),
)


# Status


def test_every_status_of_a_stack_is_known() -> None:
    model = get_session().get_service_model("cloudformation")
    every: set[str] = set(model.shape_for("StackStatus").enum)  # type: ignore[attr-defined]  # the stubs know no texts
    found = {status: condition_of(stack(status)) for status in every}
    stuck = {status for status, condition in found.items() if condition is Condition.STUCK}
    # Deleted ones are never asked about; of the others somebody is told what to do.
    assert stuck == {
        "UPDATE_ROLLBACK_FAILED",
        "UPDATE_FAILED",
        "IMPORT_ROLLBACK_FAILED",
        "DELETE_COMPLETE",
    }
    busy = {status for status, condition in found.items() if condition is Condition.BUSY}
    assert busy == {each for each in every if each.endswith("_IN_PROGRESS")} - {
        "REVIEW_IN_PROGRESS"
    }


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "CREATE_FAILED", "DELETE_FAILED"])
def test_a_stack_that_failed_is_deleted_and_made_again(status: str) -> None:
    plan = plan_up(RESOLVED.config, Found(stack(status), None), TEMPLATE, timeout_seconds=9)
    assert [each.describe() for each in plan.steps] == [
        "create repository college (immutable tags, scan on push, AES-256)",
        f"delete stack college-dev (it is {status})",
        "create stack college-dev (1 resource)",
    ]
    assert not plan.deletes


def test_a_stack_under_review_is_made() -> None:
    found = Found(stack("REVIEW_IN_PROGRESS"), None)
    plan = plan_up(RESOLVED.config, found, TEMPLATE, timeout_seconds=9)
    assert plan.steps[-1].describe() == "create stack college-dev (1 resource)"


def test_a_stack_that_somebody_else_changes_is_busy() -> None:
    found = Found(stack("UPDATE_IN_PROGRESS"), None)
    with pytest.raises(BusyError) as caught:
        plan_up(RESOLVED.config, found, TEMPLATE, timeout_seconds=9)
    assert caught.value.exit_code is ExitCode.BUSY
    with pytest.raises(BusyError):
        plan_down(RESOLVED.config, Standing(stack("DELETE_IN_PROGRESS")), timeout_seconds=9)


def test_a_rollback_that_failed_is_told_its_cure() -> None:
    found = Found(stack("UPDATE_ROLLBACK_FAILED"), None)
    with pytest.raises(ConflictError) as caught:
        plan_up(RESOLVED.config, found, TEMPLATE, timeout_seconds=9)
    assert "continue-update-rollback --stack-name college-dev" in caught.value.hint
    assert "rollback-stack" in refuse_stuck(stack("UPDATE_FAILED")).hint


def test_a_protected_environment_gets_a_protected_stack() -> None:
    done = Found(stack("CREATE_COMPLETE"), None)
    plan = plan_up(PROTECTED, done, TEMPLATE, timeout_seconds=9)
    assert plan.steps[-1].describe() == "protect stack college-prod from deletion"
    again = Found(stack("CREATE_COMPLETE", protected=True), None)
    plan = plan_up(PROTECTED, again, TEMPLATE, timeout_seconds=9)
    assert [each for each in plan.steps if "protect" in each.describe()] == []


def test_a_stack_does_not_move_to_another_vpc() -> None:
    found = Found(stack("CREATE_COMPLETE", parameters={"Vpc": "vpc-1"}), None)
    refuse_move(found, Template({}, {"Vpc": "vpc-1"}))
    for other in ({"Vpc": "vpc-2"}, {"VpcCidr": "10.0.0.0/16"}):
        with pytest.raises(ConflictError, match="another VPC"):
            refuse_move(found, Template({}, other))


# Why it failed


def test_the_first_cause_is_what_failed_by_itself() -> None:
    assert [each.logical_id for each in first_causes(FAILED)] == ["Database"]


def test_an_error_names_the_resource_and_its_reason_first() -> None:
    error = failure(stack("ROLLBACK_COMPLETE"), FAILED, doing="create", again="schoolctl infra up")
    assert error.what == ("could not create stack college-dev: database Database could not be made")
    assert error.why == "DB instance class db.x is not available"
    assert error.hint == (
        "what had been made was taken back; correct the cause, then `schoolctl infra up`"
    )
    assert error.exit_code is ExitCode.ROLLOUT
    assert error.details == ()


def test_where_all_were_cancelled_the_stacks_own_word_counts() -> None:
    events = (
        event(1, "Cluster", "UPDATE_FAILED", "Resource update cancelled"),
        event(2, NAME, "UPDATE_ROLLBACK_FAILED", "limit exceeded"),
    )
    error = failure(stack("UPDATE_ROLLBACK_FAILED"), events, doing="change", again="x")
    assert (error.what, error.why) == ("could not change stack college-dev", "limit exceeded")
    assert "continue-update-rollback" in error.hint


def test_what_failed_beside_the_first_is_told_too() -> None:
    events = (
        event(1, "Cluster", "DELETE_FAILED", "Services are active"),
        event(2, "TaskRole", "DELETE_FAILED", "Cannot delete entity"),
        event(3, NAME, "DELETE_FAILED", "The following resource(s) failed to delete: [Cluster]"),
    )
    error = failure(stack("DELETE_FAILED"), events, doing="delete", again="schoolctl infra down")
    assert error.what.endswith("cluster Cluster could not be deleted")
    assert error.details == ("role TaskRole not deleted: Cannot delete entity",)


def test_an_operation_is_told_by_its_token_or_by_its_beginning() -> None:
    older = event(0, NAME, "CREATE_COMPLETE", token="other")
    newest_first = (*reversed(FAILED), older)
    assert last_operation(newest_first).events == FAILED
    assert not last_operation(newest_first).is_ours
    bare = [event(n, NAME, s, r, token="") for n, s, r in (
        (3, "UPDATE_COMPLETE", ""),
        (2, "UPDATE_IN_PROGRESS", "User Initiated"),
        (1, "CREATE_COMPLETE", ""),
    )]  # fmt: skip
    assert [each.id for each in last_operation(bare).events] == ["2", "3"]
    ours = [event(1, NAME, "CREATE_IN_PROGRESS", token="schoolctl-1")]
    assert last_operation(ours).is_ours


def test_what_exists_already_is_told_as_such() -> None:
    reason = (
        "CloudFormation is attempting to import some resources because they already exist in your"
        " account. The affected resources are TaskRole ({RoleName=x})"
    )
    assert refused_template(NAME, reason).what.endswith(": TaskRole ({RoleName=x})")
    assert (
        refused_template(NAME, "no").what
        == "CloudFormation refuses the template of stack college-dev"
    )


# What changes


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (ResourceChange("Cluster", "AWS::ECS::Cluster", "Add"), "  + create cluster Cluster"),
        (
            ResourceChange("Cluster", "AWS::ECS::Cluster", "Modify", "False", "", ("Tags",)),
            "  ~ change cluster Cluster (Tags)",
        ),
        (
            ResourceChange("Cluster", "AWS::ECS::Cluster", "Modify", "Conditional"),
            "  ! change, or replace cluster Cluster",
        ),
        (
            ResourceChange("Database", "AWS::RDS::DBInstance", "Modify", "True", "", ("DBName",)),
            (
                "  ! replace database Database (DBName); DATA AT RISK: its last state is kept in a"
                " snapshot, the new one is empty"
            ),
        ),
        (
            ResourceChange("Database", "AWS::RDS::DBInstance", "Remove"),
            (
                "  - delete database Database; DATA AT RISK: its last state is kept in a snapshot,"
                " nothing else is"
            ),
        ),
        (
            ResourceChange("LogGroup", "AWS::Logs::LogGroup", "Modify", "True"),
            "  ! replace log group LogGroup; its lines are kept under the old name",
        ),
        (
            ResourceChange(
                "LoadBalancer", "AWS::ElasticLoadBalancingV2::LoadBalancer", "Modify", "True"
            ),
            "  ! replace load balancer LoadBalancer; the service gets another address",
        ),
        (
            ResourceChange("LogGroup", "AWS::Logs::LogGroup", "Import"),
            "  = take over log group LogGroup",
        ),
        (
            ResourceChange("X", "AWS::New::Thing", "Dynamic"),
            "  ! change, or replace AWS::New::Thing X",
        ),
    ],
)
def test_a_change_is_told_in_words(change: ResourceChange, line: str) -> None:
    assert tell([change])[0].line() == line


def test_changes_are_counted() -> None:
    changes = tell(
        [
            ResourceChange("Cluster", "AWS::ECS::Cluster", "Add"),
            ResourceChange("TaskRole", "AWS::IAM::Role", "Add"),
            ResourceChange("Database", "AWS::RDS::DBInstance", "Remove"),
        ]
    )
    assert totals(changes) == "2 to create, 1 to delete"
    assert ends_database(changes)
    assert not ends_database(changes[:2])


def test_a_database_goes_only_where_that_is_said() -> None:
    gone = ChangeSet(
        "c", "id", "CREATE_COMPLETE",
        changes=(ResourceChange("Database", "AWS::RDS::DBInstance", "Remove"),),
    )  # fmt: skip
    found = Found(stack("CREATE_COMPLETE"), None, gone)
    with pytest.raises(ConflictError, match="would not survive"):
        plan_up(RESOLVED.config, found, TEMPLATE, timeout_seconds=9)
    allowed = plan_up(RESOLVED.config, found, TEMPLATE, timeout_seconds=9, delete_data=True)
    assert allowed.deletes


# What goes


def test_down_takes_protections_back_first() -> None:
    standing = Standing(
        stack("CREATE_COMPLETE", protected=True, outputs={"DatabaseInstance": "db-1"}),
        database_protected=True,
    )
    plan = plan_down(RESOLVED.config, standing, timeout_seconds=9)
    assert [each.describe() for each in plan.steps] == [
        "take the protection off stack college-dev",
        "take the deletion protection off database db-1",
        "delete stack college-dev",
    ]
    assert plan.deletes
    assert "kept: a last snapshot of database db-1" in plan.notes


def test_down_deletes_data_only_where_that_is_said() -> None:
    standing = Standing(stack("CREATE_COMPLETE", outputs={"DatabaseInstance": "db-1"}))
    plan = plan_down(RESOLVED.config, standing, timeout_seconds=9, delete_data=True)
    assert [each.describe() for each in plan.steps] == [
        "delete database db-1 with all its data, and keep no snapshot",
        "delete stack college-dev",
        "delete log group /ecs/college-dev with all its lines",
    ]


def test_down_is_refused_while_a_lone_task_runs() -> None:
    with pytest.raises(ConflictError, match="1 task still running"):
        plan_down(RESOLVED.config, Standing(stack("CREATE_COMPLETE"), tasks=1), timeout_seconds=9)


# What an environment takes from it


def test_ids_are_taken_for_what_the_configuration_leaves_open() -> None:
    config = settled(RESOLVED.config, stack("CREATE_COMPLETE", outputs=OUTPUTS), FROM_STACK)
    assert config.service.subnets == ("subnet-1", "subnet-2")
    assert config.service.security_groups == ("sg-1",)
    assert config.service.target_group == "arn:tg"
    assert config.secret_name("db_password") == "arn:secret"


def test_what_the_configuration_says_counts_more() -> None:
    config = settled(
        RESOLVED.config, stack("UPDATE_COMPLETE", outputs=OUTPUTS), {"service.target_group"}
    )
    assert config.service.security_groups == ("college-dev-ecs-sg",)
    assert config.service.target_group == "arn:tg"


def test_without_a_stack_its_command_is_named() -> None:
    for found in (None, stack("ROLLBACK_COMPLETE"), stack("REVIEW_IN_PROGRESS")):
        with pytest.raises(NotFoundError) as caught:
            settled(RESOLVED.config, found, FROM_STACK)
        assert "`schoolctl infra up`" in caught.value.hint


def test_a_stack_that_is_behind_is_told_what_it_lacks() -> None:
    outputs = {key: value for key, value in OUTPUTS.items() if key != "DatabaseSecret"}
    with pytest.raises(MissingThingsError) as caught:
        settled(RESOLVED.config, stack("CREATE_COMPLETE", outputs=outputs), FROM_STACK)
    assert caught.value.missing == ("it has no output DatabaseSecret",)
