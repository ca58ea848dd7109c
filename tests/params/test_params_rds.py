"""`params set --from-rds`: what a database gives, what it lacks, and what is left to do by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.worlds.account import edit, make_database

if TYPE_CHECKING:
    from tests.conftest import Aws, Project
    from tests.faults import Faults

ENDPOINT = "school.aaaaaaaaaa.us-east-1.rds.amazonaws.com"
FROM_RDS = ("params", "set", "--from-rds")


def values(aws: Aws) -> dict[str, str]:
    found = aws.client("ssm").get_parameters_by_path(
        Path="/schoolapp/dev", Recursive=True, WithDecryption=True
    )["Parameters"]
    return {each["Name"].rpartition("/")[2]: each["Value"] for each in found}


def test_every_entry_with_a_from_gets_its_part(aws: Aws, project: Project) -> None:
    edit(
        project.directory,
        "secrets:",
        "  db_port: {type: String, from: rds.port}\nsecrets:",
    )
    make_database(aws)

    result = project.invoke(*FROM_RDS, "school")

    assert result.exit_code == 0
    assert result.stdout == "set 4 parameters of environment dev\n"
    assert values(aws) == {
        "db_host": ENDPOINT,
        "db_name": "school",
        "db_user": "admin",
        "db_port": "3306",
    }


def test_the_arn_of_the_managed_password_is_told_as_the_lines_to_commit(
    aws: Aws, project: Project
) -> None:
    arn = make_database(aws)["MasterUserSecret"]["SecretArn"]

    result = project.invoke(*FROM_RDS, "school")
    again = project.invoke(*FROM_RDS, "school", "--json")

    lines = [
        "environments:",
        "  dev:",
        "    secrets:",
        "      db_password:",
        f"        arn: {arn}",
    ]
    assert "\n".join(lines) in result.stderr
    assert json.loads(again.stdout)["configure"] == {
        "environments.dev.secrets.db_password.arn": arn
    }
    assert "managed password" not in result.stdout


def test_once_the_configuration_names_it_nothing_is_left_to_do(
    faults: Faults, aws: Aws, project: Project
) -> None:
    arn = make_database(aws)["MasterUserSecret"]["SecretArn"]
    project.invoke(*FROM_RDS, "school")
    edit(project.directory, "dev: {", f'dev: {{secrets: {{db_password: {{arn: "{arn}"}}}}, ')
    faults.calls.clear()

    result = project.invoke(*FROM_RDS, "school")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "nothing to do: 3 parameters of environment dev are as given\n"
    assert "PutParameter" not in faults.calls


def test_only_the_keys_that_are_named_are_filled(aws: Aws, project: Project) -> None:
    make_database(aws, DBName=None, ManageMasterUserPassword=None, MasterUserPassword="canary-pw")

    result = project.invoke(*FROM_RDS, "school", "db_host", "db_user")

    assert result.exit_code == 0
    assert values(aws) == {"db_host": ENDPOINT, "db_user": "admin"}
    assert "canary" not in result.output


def test_a_database_that_lacks_some_is_refused_with_the_cure_of_each(
    faults: Faults, aws: Aws, project: Project
) -> None:
    make_database(aws, DBName=None, ManageMasterUserPassword=None, MasterUserPassword="canary-pw")

    result = project.invoke(*FROM_RDS, "school")

    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert lines[0] == (
        "error: instance school does not tell everything that schoolctl.yaml wants of it"
    )
    assert "db_name (rds.database): it was made without an initial database" in lines[1]
    assert "db_password (rds.managed_secret): RDS does not manage its password" in lines[2]
    assert lines[3].endswith("`schoolctl params set --from-rds school db_host db_user`")
    assert "PutParameter" not in faults.calls


def test_an_instance_without_an_endpoint_yet_is_told_with_the_command_that_waits(
    faults: Faults, aws: Aws, project: Project
) -> None:
    make_database(aws)
    faults.rewrite("DescribeDBInstances", still_creating)

    result = project.invoke(*FROM_RDS, "school")

    assert result.exit_code == 1
    assert "db_host (rds.endpoint): its status is creating, and it has none yet" in result.stderr
    assert "`aws rds wait db-instance-available --db-instance-identifier school`" in result.stderr
    assert "PutParameter" not in faults.calls


def still_creating(content: bytes) -> bytes:
    before, _, rest = content.partition(b"<Endpoint>")
    after = rest.partition(b"</Endpoint>")[2]
    return (before + after).replace(b"<DBInstanceStatus>available", b"<DBInstanceStatus>creating")


def test_an_aurora_cluster_is_found_by_its_name(aws: Aws, project: Project) -> None:
    made = make_cluster(aws)

    result = project.invoke(*FROM_RDS, "aurora")

    assert result.exit_code == 0
    assert values(aws) == {
        "db_host": made["Endpoint"],
        "db_name": "school",
        "db_user": "admin",
    }


def make_cluster(aws: Aws) -> dict[str, str]:
    made: dict[str, str] = aws.client("rds").create_db_cluster(
        DBClusterIdentifier="aurora",
        Engine="aurora-mysql",
        MasterUsername="admin",
        ManageMasterUserPassword=True,
        DatabaseName="school",
    )["DBCluster"]
    return made


def test_a_member_of_a_cluster_is_refused_in_favour_of_the_cluster(
    faults: Faults, aws: Aws, project: Project
) -> None:
    make_cluster(aws)
    aws.client("rds").create_db_instance(
        DBInstanceIdentifier="aurora-1",
        Engine="aurora-mysql",
        DBInstanceClass="db.t4g.medium",
        DBClusterIdentifier="aurora",
    )

    result = project.invoke(*FROM_RDS, "aurora-1")

    assert result.exit_code == 1
    assert "instance aurora-1 is a member of cluster aurora" in result.stderr
    assert "--from-rds aurora" in result.stderr
    assert "PutParameter" not in faults.calls


def test_an_unknown_instance_names_the_nearest_and_all_that_exist(
    aws: Aws, project: Project
) -> None:
    make_database(aws)
    make_cluster(aws)

    result = project.invoke(*FROM_RDS, "schol")

    assert result.exit_code == 1
    assert result.stderr.splitlines()[:2] == [
        "error: there is no RDS instance or cluster schol; did you mean school?",
        "why:   RDS in us-east-1 has school, aurora",
    ]


def test_an_account_without_a_database_says_so(aws: Aws, project: Project) -> None:
    del aws
    result = project.invoke(*FROM_RDS, "school")

    assert result.exit_code == 1
    assert "why:   RDS in us-east-1 has none at all" in result.stderr


def test_an_instance_does_without_the_right_to_see_clusters(
    faults: Faults, aws: Aws, project: Project
) -> None:
    make_database(aws)
    faults.deny("DescribeDBClusters", "rds:DescribeDBClusters")

    assert project.invoke(*FROM_RDS, "school").exit_code == 0


def test_a_missing_permission_is_named(faults: Faults, project: Project) -> None:
    faults.deny("DescribeDBInstances", "rds:DescribeDBInstances")

    result = project.invoke(*FROM_RDS, "school")

    assert result.exit_code == 1
    assert "could not look at RDS instance school" in result.stderr
    assert "ask for a policy that allows rds:DescribeDBInstances" in result.stderr


def test_a_port_that_the_service_is_not_told_of_is_a_warning(aws: Aws, project: Project) -> None:
    make_database(aws, Port=3307)

    warned = project.invoke(*FROM_RDS, "school")
    edit(project.directory, "task:\n", 'task:\n  environment: {DB_PORT: "3307"}\n')
    told = project.invoke(*FROM_RDS, "school")

    assert 'add `DB_PORT: "3307"` to task.environment' in warned.stderr
    assert "3307" not in told.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("school", "--stdin"), "goes with neither --stdin nor --from-file"),
        (("school", "--from-file", "x.env"), "goes with neither --stdin nor --from-file"),
        (("school", "db_host=h"), "--from-rds gives the values by itself"),
        (("school", "db_hots"), "did you mean db_host?"),
        (("",), "is no name of an RDS instance or cluster"),
        (("a b",), "is no name of an RDS instance or cluster"),
        (("-school-",), "is no name of an RDS instance or cluster"),
        ((ENDPOINT,), "that is an endpoint; its instance is called school"),
        (("arn:aws:rds:us-east-1:1:db:x",), "is no name of an RDS instance or cluster"),
    ],
)
def test_bad_input_is_refused_before_any_call(
    faults: Faults, project: Project, words: tuple[str, ...], message: str
) -> None:
    result = project.invoke("params", "set", f"--from-rds={words[0]}", *words[1:])

    assert result.exit_code == 2
    assert message in result.stderr
    assert faults.calls == []


def test_an_entry_without_a_from_is_refused(faults: Faults, project: Project) -> None:
    edit(project.directory, "secrets:", "  greeting: {type: String}\nsecrets:")

    result = project.invoke(*FROM_RDS, "school", "greeting")

    assert result.exit_code == 2
    assert "does not say which part of the database greeting is" in result.stderr
    assert faults.calls == []


def test_a_configuration_without_any_from_is_refused(faults: Faults, project: Project) -> None:
    file = project.directory / "schoolctl.yaml"
    lines = [line.partition(", from:")[0] + "}" if ", from:" in line else line
             for line in file.read_text().splitlines()]  # fmt: skip
    file.write_text("\n".join(lines) + "\n")

    result = project.invoke(*FROM_RDS, "school")

    assert result.exit_code == 2
    assert "schoolctl.yaml declares nothing that comes from RDS" in result.stderr
    assert faults.calls == []


def test_dry_run_shows_the_steps_and_the_lines_and_writes_nothing(
    faults: Faults, aws: Aws, project: Project
) -> None:
    arn = make_database(aws)["MasterUserSecret"]["SecretArn"]

    result = project.invoke(*FROM_RDS, "school", "--dry-run", "--json")

    told = json.loads(result.stdout)
    assert len(told["plan"]) == 3
    assert arn in told["warnings"][0]
    assert "PutParameter" not in faults.calls
