"""`init` and `config`: what is written, what is shown, and what is refused."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from schoolctl.config.file import load_config_file
from schoolctl.config.schema import json_schema
from tests.worlds.account import edit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Project


def _empty(project: Project) -> Path:
    """Take the project's schoolctl.yaml away, and give the path where it was."""
    path = project.directory / "schoolctl.yaml"
    path.unlink()
    return path


# init


def test_init_writes_a_file_that_has_no_problems(project: Project) -> None:
    path = _empty(project)
    result = project.invoke("init", "--app", "enrolment")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[:3] == [
        f"wrote {path}",
        f"wrote {project.directory}/.schoolctl/schema.json",
        "the app is called enrolment; its names are guesses, put yours in their place",
    ]
    resolved = load_config_file(path, cwd=project.directory).all()
    assert list(resolved) == ["dev", "prod", "sandbox"]
    assert {each.config.app for each in resolved.values()} == {"enrolment"}
    assert project.invoke("config", "check").exit_code == 0


def test_init_explains_the_keys_that_it_writes(project: Project) -> None:
    path = _empty(project)
    project.invoke("init", "--app", "enrolment")
    lines = path.read_text().splitlines()
    assert lines[0] == "# yaml-language-server: $schema=.schoolctl/schema.json"
    assert sum(line.lstrip().startswith("#") for line in lines) > 30


def test_init_writes_the_schema_that_the_file_names(project: Project) -> None:
    _empty(project)
    project.invoke("init")
    schema = project.directory / ".schoolctl" / "schema.json"
    assert json.loads(schema.read_text()) == json_schema()
    assert stat.S_IMODE(schema.parent.stat().st_mode) == 0o700


def test_init_names_the_app_after_the_folder(project: Project) -> None:
    _empty(project)
    folder = project.directory / "My School_App"
    folder.mkdir()
    result = project.invoke("init", "-c", str(folder / "schoolctl.yaml"))
    assert result.exit_code == 0
    assert "app: my-school-app\n" in (folder / "schoolctl.yaml").read_text()


def test_init_asks_for_a_name_where_the_folder_gives_none(project: Project) -> None:
    _empty(project)
    folder = project.directory / "2026"
    folder.mkdir()
    result = project.invoke("init", "-c", str(folder / "schoolctl.yaml"))
    assert result.exit_code == 2
    assert "hint:  give one: `schoolctl init --app NAME`" in result.stderr
    assert not (folder / "schoolctl.yaml").exists()


def test_init_writes_the_given_profile_and_region(project: Project) -> None:
    path = _empty(project)
    project.invoke("init", "--profile", "team: a", "--region", "eu-west-1")
    config = load_config_file(path, cwd=project.directory).resolve("dev").config
    assert (config.profile, config.region) == ("team: a", "eu-west-1")


def test_init_takes_the_region_of_the_process(project: Project) -> None:
    path = _empty(project)
    project.invoke("init", environ={"AWS_REGION": "eu-central-1"})
    config = load_config_file(path, cwd=project.directory).resolve("prod").config
    assert config.region == "eu-central-1"


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--app", "a b", '"a b" cannot be an app name'),
        ("--app", "x" * 40, "has 43 characters; a target group has 1 to 32"),
        ("--app", "aws-school", '"aws-school" cannot be an app name'),
        ("--region", "nowhere", '"nowhere" cannot be a region'),
    ],
)
def test_init_refuses_names_that_make_no_configuration(
    project: Project, option: str, value: str, why: str
) -> None:
    path = _empty(project)
    result = project.invoke("init", option, value)
    assert result.exit_code == 2
    assert why in result.stderr
    assert not path.exists()


def test_init_never_overwrites(project: Project) -> None:
    path = project.directory / "schoolctl.yaml"
    before = path.read_bytes()
    result = project.invoke("init")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {path} is there already; it is left as it is\n")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b".schoolctl/\n"),
        (b"*.pyc\n", b"*.pyc\n.schoolctl/\n"),
        (b"*.pyc", b"*.pyc\n.schoolctl/\n"),
        (b".schoolctl/\n", b".schoolctl/\n"),
        (b"/.schoolctl\nx\n", b"/.schoolctl\nx\n"),
        (b"caf\xe9\n", b"caf\xe9\n.schoolctl/\n"),
    ],
)
def test_init_keeps_the_machine_s_own_files_out_of_git(
    project: Project, before: bytes, after: bytes
) -> None:
    _empty(project)
    ignore = project.directory / ".gitignore"
    ignore.write_bytes(before)
    project.invoke("init")
    assert ignore.read_bytes() == after


def test_init_makes_no_gitignore(project: Project) -> None:
    _empty(project)
    project.invoke("init")
    assert not (project.directory / ".gitignore").exists()


def test_init_tells_what_it_wrote_as_json(project: Project) -> None:
    path = _empty(project)
    result = project.invoke("init", "--app", "enrolment", "--json")
    assert json.loads(result.stdout) == {
        "ok": True,
        "app": "enrolment",
        "file": str(path),
        "written": [str(path), f"{project.directory}/.schoolctl/schema.json"],
    }


# config show


def test_show_lists_every_value_with_its_origin(project: Project) -> None:
    result = project.invoke("config", "show", "-e", "prod")
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert result.exit_code == 0
    assert rows["KEY"] == ["FROM", "VALUE"]
    assert rows["task.cpu"] == ["schoolctl.yaml:13", "256"]
    assert rows["protected"] == ["schoolctl.yaml:27", "true"]
    assert rows["task.stop_timeout"] == ["default", "30"]
    assert rows["profile"] == ["default", "-"]
    assert result.stderr == f"environment prod of {project.directory}/schoolctl.yaml\n"


def test_show_pushes_nothing_aside_for_a_long_value(project: Project) -> None:
    edit(project.directory, "dev: {", f"dev: {{task: {{environment: {{DB_CA_PEM: {'x' * 500}}}}}, ")
    lines = project.invoke("config", "show").stdout.splitlines()
    assert [len(line) > 200 for line in lines].count(True) == 1


def test_show_gives_values_and_origins_as_json(project: Project) -> None:
    result = project.invoke("--json", "config", "show")
    document = json.loads(result.stdout)
    assert document["ok"] is True
    assert document["environment"] == "dev"
    assert document["values"]["task"]["cpu"] == 256
    assert document["values"]["parameters"]["db_host"]["from"] == "rds.endpoint"
    assert document["origins"]["task.cpu"] == "schoolctl.yaml:13"
    assert document["origins"]["image.platform"] == "default"


def test_show_masks_the_keys_of_this_machine(project: Project) -> None:
    folder = project.directory / ".schoolctl"
    folder.mkdir()
    (folder / "dev.yaml").write_text(
        "credentials: {access_key_id: canary-id, secret_access_key: canary-key}\n"
        "task: {environment: {AWS_SECRET_ACCESS_KEY: canary-key, DB_PORT: '3306'}}\n"
    )
    for arguments in (("config", "show"), ("config", "show", "--json"), ("-v", "config", "show")):
        result = project.invoke(*arguments)
        assert result.exit_code == 0
        assert "canary" not in result.output
        assert ".schoolctl/dev.yaml:1" in result.output
        assert "3306" in result.output


def test_show_of_an_unknown_environment_names_the_known_ones(project: Project) -> None:
    result = project.invoke("config", "show", "-e", "pord")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        "error: there is no environment pord in schoolctl.yaml\n"
        "why:   it has dev, prod, other\n"
        "hint:  did you mean prod?\n"
    )


# config check


def test_check_says_what_it_looked_at(project: Project) -> None:
    result = project.invoke("config", "check")
    assert result.exit_code == 0
    assert result.stdout == "schoolctl.yaml: no problems in 3 environments: dev, prod, other\n"


def test_check_lists_all_problems_of_the_file_and_the_overlays(project: Project) -> None:
    path = project.directory / "schoolctl.yaml"
    path.write_text(path.read_text().replace("cpu: 256", "cup: 256").replace("3000", '"3000"'))
    folder = project.directory / ".schoolctl"
    folder.mkdir()
    (folder / "other.yaml").write_text("account: 123456789012\n")

    result = project.invoke("config", "check")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        "error: schoolctl.yaml and .schoolctl/other.yaml have 3 problems\n"
        "why:   schoolctl.yaml:13:3  task.cup: unknown key; did you mean cpu?\n"
        "       schoolctl.yaml:15:9  task.port: expected a whole number, found the text"
        ' "3000"; write it without quotes\n'
        "       .schoolctl/other.yaml:1:10  account: expected text, found the number"
        ' 123456789012; put it in quotes: "123456789012"\n'
        "hint:  correct the file, then run `schoolctl config check`\n"
    )


def test_check_gives_each_problem_as_json(project: Project) -> None:
    path = project.directory / "schoolctl.yaml"
    path.write_text(path.read_text() + "regoin: x\n")
    result = project.invoke("config", "check", "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 2
    assert document["ok"] is False
    assert document["error"]["problems"] == [
        {
            "file": "schoolctl.yaml",
            "line": 29,
            "column": 1,
            "path": "regoin",
            "message": "unknown key; did you mean region?",
        }
    ]


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_key_that_was_removed_is_a_problem_with_its_place(project: Project, command: str) -> None:
    edit(project.directory, "service:\n", "service:\n  database_connections: 60\n")
    lines = (project.directory / "schoolctl.yaml").read_text().splitlines()
    line = lines.index("  database_connections: 60") + 1
    result = project.invoke("config", command)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        "error: schoolctl.yaml has 1 problem\n"
        f"why:   schoolctl.yaml:{line}:3  service.database_connections: was removed in this"
        " version; delete the line\n"
        "hint:  correct the file, then run `schoolctl config check`\n"
    )


def test_check_without_a_file_names_the_command_that_writes_one(project: Project) -> None:
    _empty(project)
    result = project.invoke("config", "check")
    assert result.exit_code == 2
    assert result.stderr.endswith("hint:  run `schoolctl init`\n")


# config schema


def test_schema_is_printed_bare(project: Project) -> None:
    _empty(project)
    result = project.invoke("config", "schema")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json_schema()


def test_schema_is_written_beside_a_file_with_problems(project: Project) -> None:
    (project.directory / "schoolctl.yaml").write_text("a: [\n")
    result = project.invoke("config", "schema", "--write")
    path = project.directory / ".schoolctl" / "schema.json"
    assert result.exit_code == 0
    assert result.stdout == f"wrote {path}\n"
    assert json.loads(path.read_text()) == json_schema()
