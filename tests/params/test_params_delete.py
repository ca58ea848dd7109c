"""`params delete`: asks, spares what is in use, and is done once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from schoolctl.params.freshness import variables_of
from tests.params.test_params_look import READS, script
from tests.scripted_aws import Refusal

if TYPE_CHECKING:
    from tests.conftest import Aws, Project
    from tests.faults import Faults
    from tests.scripted_aws import ScriptedAws

HOST = "/schoolapp/dev/db_host"
DELETE = ("params", "delete", "db_host")


@pytest.fixture
def _stored(aws: Aws) -> None:
    aws.client("ssm").put_parameter(Name=HOST, Value="canary", Type="SecureString")


@pytest.mark.usefixtures("_stored")
def test_delete_asks_and_without_a_terminal_deletes_nothing(
    faults: Faults, project: Project
) -> None:
    result = project.invoke(*DELETE)

    assert result.exit_code == 1
    assert "There is no terminal to answer on." in result.stderr
    assert "DeleteParameter" not in faults.calls


@pytest.mark.usefixtures("_stored")
def test_delete_removes_it_and_a_second_one_has_nothing_to_do(
    faults: Faults, project: Project
) -> None:
    first = project.invoke(*DELETE, "--yes")
    second = project.invoke(*DELETE, "--yes", "--json")

    assert (first.exit_code, first.stdout) == (0, "deleted db_host of environment dev\n")
    assert json.loads(second.stdout)["deleted"] is False
    assert f"parameter {HOST} of environment dev does not exist" in second.stderr
    assert faults.calls.count("DeleteParameter") == 1


@pytest.mark.usefixtures("_stored")
def test_a_lost_reply_to_a_deletion_is_no_failure(faults: Faults, project: Project) -> None:
    faults.lose_reply("DeleteParameter")

    result = project.invoke(*DELETE, "--yes")

    assert result.exit_code == 0
    assert "it was gone already" in result.stderr


@pytest.mark.usefixtures("_stored")
def test_dry_run_deletes_nothing(faults: Faults, project: Project) -> None:
    result = project.invoke(*DELETE, "--dry-run", "--json")

    assert json.loads(result.stdout)["plan"] == [f"delete parameter {HOST}"]
    assert "DeleteParameter" not in faults.calls


def test_what_the_service_reads_is_refused_and_force_deletes_it(
    project: Project, scripted: ScriptedAws
) -> None:
    script(scripted, READS)
    scripted.answer("DeleteParameter", {})

    refused = project.invoke(*DELETE, "--yes")
    forced = project.invoke(*DELETE, "--yes", "--force")

    assert (refused.exit_code, forced.exit_code) == (1, 0)
    assert refused.stderr.splitlines() == [
        f"error: parameter {HOST} is in use",
        (
            "why:   PARAM_HOST_PATH of web:7 reads it, and no new task could start; nothing was"
            " changed"
        ),
        "hint:  take it out of schoolctl.yaml and deploy first, or add --force",
    ]
    assert "warning: PARAM_HOST_PATH of web:7 reads it" in forced.stderr
    assert len(scripted.requests("DeleteParameter")) == 1


def test_what_several_read_is_told_of_all_of_them(project: Project, scripted: ScriptedAws) -> None:
    script(scripted, [*READS, {"name": "OLD_HOST_PATH", "value": HOST}])
    refused = project.invoke(*DELETE, "--yes")
    assert "PARAM_HOST_PATH of web:7 and OLD_HOST_PATH of web:7 read it, and no" in refused.stderr


def test_a_value_injected_by_ecs_counts_as_read() -> None:
    definition = {
        "containerDefinitions": [
            {
                "secrets": [
                    {"name": "A", "valueFrom": HOST},
                    {
                        "name": "B",
                        "valueFrom": f"arn:aws:ssm:us-east-1:123456789012:parameter{HOST}",
                    },
                    {"name": "C", "valueFrom": f"{HOST}-other"},
                    {"name": "D", "valueFrom": f"arn:aws:ssm:x:1:parameter/other{HOST}"},
                ]
            },
            {"environment": [{"name": "E", "value": HOST}, {"name": "F", "value": "x"}]},
        ]
    }

    assert list(variables_of(definition, HOST)) == ["A", "B", "E"]


def test_where_the_service_may_not_be_read_it_may_be_in_use(
    project: Project, scripted: ScriptedAws
) -> None:
    scripted.answer("DescribeServices", Refusal("AccessDeniedException", "no"))
    script(scripted, READS)
    scripted.answer("DescribeServices", Refusal("AccessDeniedException", "no"))

    result = project.invoke(*DELETE, "--yes")

    assert result.exit_code == 1
    assert f"parameter {HOST} may be in use" in result.stderr
    assert scripted.requests("DeleteParameter") == []


@pytest.mark.usefixtures("_stored")
def test_a_protected_environment_wants_the_services_name(
    aws: Aws, faults: Faults, project: Project
) -> None:
    aws.client("ssm").put_parameter(Name=HOST.replace("dev", "prod"), Value="x", Type="String")

    refused = project.invoke(*DELETE, "-e", "prod", "--yes")
    agreed = project.invoke(*DELETE, "-e", "prod", "--confirm", "schoolapp-backend")

    assert (refused.exit_code, agreed.exit_code) == (1, 0)
    assert faults.calls.count("DeleteParameter") == 1
