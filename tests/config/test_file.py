"""schoolctl.yaml is found, its environments are merged, and every value knows its origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from schoolctl.base.errors import ConfigError, ExitCode
from schoolctl.config.file import dump_values, list_values, load_config_file
from schoolctl.config.overlay import write_overlay
from schoolctl.config.tree import InvalidConfigError, Layer
from schoolctl.model.values import SecretValue
from tests.config.samples import SMALL, resolve, small

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a repository's root with a small schoolctl.yaml."""
    root = tmp_path / "repository"
    (root / ".git").mkdir(parents=True)
    (root / "schoolctl.yaml").write_text(SMALL)
    return root


def _overlay(folder: Path, environment: str, text: str) -> None:
    (folder / ".schoolctl").mkdir(exist_ok=True)
    (folder / ".schoolctl" / f"{environment}.yaml").write_text(text)


# Finding


def test_the_file_is_found_in_a_folder_above(folder: Path) -> None:
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    file = load_config_file(None, cwd=inner)
    assert file.path == folder / "schoolctl.yaml"
    assert file.directory == folder


def test_the_search_ends_at_the_root_of_the_repository(folder: Path) -> None:
    nested = folder / "other"
    (nested / ".git").mkdir(parents=True)
    with pytest.raises(ConfigError) as caught:
        load_config_file(None, cwd=nested)
    assert caught.value.hint == "run `schoolctl init`"
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_file_with_the_other_ending_is_pointed_out(folder: Path) -> None:
    (folder / "schoolctl.yaml").rename(folder / "schoolctl.yml")
    with pytest.raises(ConfigError) as caught:
        load_config_file(None, cwd=folder)
    assert caught.value.hint == "rename it to schoolctl.yaml"


def test_another_file_may_be_named(folder: Path) -> None:
    (folder / "schoolctl.yaml").rename(folder / "other.yaml")
    assert load_config_file(folder / "other.yaml", cwd=folder / "x").environment_names


def test_a_named_file_that_is_not_there_is_an_error(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"there is no file {folder}/none.yaml"):
        load_config_file(folder / "none.yaml", cwd=tmp_path)


def test_a_folder_is_no_configuration(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config_file(folder, cwd=folder)
    assert caught.value.why == "Is a directory"


def test_an_error_names_the_file_by_its_own_name(folder: Path) -> None:
    other = folder / "other.yaml"
    other.write_text(small(task="port: 0"))
    with pytest.raises(InvalidConfigError) as caught:
        load_config_file(other, cwd=folder)
    assert caught.value.what == "other.yaml has 1 problem"


# Choosing an environment


def test_the_default_environment_is_chosen() -> None:
    assert resolve(small(root="default_environment: prod"), "").config.environment == "prod"


def test_the_only_environment_is_chosen() -> None:
    text = SMALL.replace("  prod: {region: us-east-1}\n", "")
    assert resolve(text, "").config.environment == "dev"


def test_without_a_default_one_of_several_must_be_named() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(SMALL, "")
    assert caught.value.what == "no environment is chosen"
    assert "dev, prod" in caught.value.why


def test_an_environment_that_is_not_there_is_named_with_the_likeliest() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(SMALL, "pord")
    assert caught.value.what == "there is no environment pord in schoolctl.yaml"
    assert caught.value.hint == "did you mean prod?"


# Merging


def test_an_environment_overrides_any_key_to_any_depth() -> None:
    text = small(
        task="environment: {A: base, B: base}",
        dev="task: {cpu: 512, memory: 1024, environment: {B: dev, C: dev}}",
    )
    task = resolve(text, "dev").config.task
    assert (task.cpu, task.memory, task.family) == (512, 1024, "schoolapp-backend")
    assert task.environment == {"A": "base", "B": "dev", "C": "dev"}
    assert resolve(text, "prod").config.task.environment == {"A": "base", "B": "base"}


def test_keys_of_an_environment_may_be_shared_by_all() -> None:
    text = SMALL.replace("{region: us-east-1}", "{}") + "region: eu-west-1\nprofile: team\n"
    assert resolve(text, "prod").config.region == "eu-west-1"


def test_null_brings_the_default_back() -> None:
    text = small(task="port: 8080", prod="task: {port: null}")
    assert resolve(text, "dev").config.task.port == 8080
    assert resolve(text, "prod").config.task.port == 3000


def test_null_unsets_an_entry_of_a_mapping() -> None:
    text = small(root="parameters: {a: {env: A}, b: {env: B}}", prod="parameters: {a: null}")
    assert set(resolve(text, "prod").config.parameters) == {"b"}


def test_null_below_overrides_reaches_the_request() -> None:
    text = small(task="overrides: {pidMode: task}", prod="task: {overrides: {pidMode: null}}")
    assert resolve(text, "prod").config.task.overrides == {"pidMode": None}


def test_containers_of_overrides_are_merged_by_name() -> None:
    text = small(
        task="overrides: {containerDefinitions: [{name: web, user: '1'}, {name: log}]}",
        prod="task: {overrides: {containerDefinitions: [{name: web, cpu: 5}]}}",
    )
    assert resolve(text, "prod").config.task.overrides == {
        "containerDefinitions": [{"name": "web", "user": "1", "cpu": 5}, {"name": "log"}]
    }


def test_the_overlay_of_this_machine_comes_last(folder: Path) -> None:
    _overlay(folder, "dev", "profile: mine\nregion: eu-west-1\ntask: {port: 8080}\n")
    file = load_config_file(None, cwd=folder)
    config = file.resolve("dev").config
    assert (config.profile, config.region, config.task.port) == ("mine", "eu-west-1", 8080)
    assert file.resolve("prod").config.profile is None


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_an_empty_overlay_changes_nothing(folder: Path, text: str) -> None:
    _overlay(folder, "dev", text)
    assert load_config_file(None, cwd=folder).resolve("dev").config.region == "us-east-1"


def test_the_overlay_may_hold_credentials_and_they_are_never_shown(folder: Path) -> None:
    keys = {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "canary-5f1e"}
    write_overlay(folder, "dev", {"credentials": keys})
    resolved = load_config_file(None, cwd=folder).resolve("dev")
    credentials = resolved.config.credentials
    assert credentials is not None
    assert credentials.access_key_id == "AKIAEXAMPLE"
    assert credentials.secret_access_key == SecretValue("canary-5f1e")
    shown = f"{resolved.config!r} {dump_values(resolved.config)} {list_values(resolved.config)}"
    assert "canary" not in shown + resolved.config.model_dump_json()


def test_a_problem_of_an_overlay_names_the_overlay(folder: Path) -> None:
    _overlay(folder, "dev", "regoin: x\ntask:\n  port: '80'\n")
    file = load_config_file(None, cwd=folder)
    with pytest.raises(InvalidConfigError) as caught:
        file.resolve("dev")
    assert caught.value.what == ".schoolctl/dev.yaml has 2 problems"
    assert caught.value.why.splitlines() == [
        ".schoolctl/dev.yaml:1:1  regoin: unknown key; did you mean region?",
        (
            ".schoolctl/dev.yaml:3:9  task.port: expected a whole number, found the text"
            ' "80"; write it without quotes'
        ),
    ]


def test_a_removed_key_of_an_overlay_names_the_overlay(folder: Path) -> None:
    _overlay(folder, "dev", "service:\n  database_connections: 60\n")
    with pytest.raises(InvalidConfigError) as caught:
        load_config_file(None, cwd=folder).resolve("dev")
    assert caught.value.why == (
        ".schoolctl/dev.yaml:2:3  service.database_connections: was removed in this version;"
        " delete the line"
    )


def test_an_overlay_that_contradicts_the_file_is_the_one_to_look_at(folder: Path) -> None:
    _overlay(folder, "dev", "task: {cpu: 4096}\n")
    with pytest.raises(InvalidConfigError) as caught:
        load_config_file(None, cwd=folder).resolve("dev")
    assert caught.value.why.startswith(".schoolctl/dev.yaml:1:13  task.cpu: Fargate has no task")


def test_a_wrong_overlay_does_not_stand_in_the_way_of_other_environments(folder: Path) -> None:
    _overlay(folder, "dev", "port: [")
    file = load_config_file(None, cwd=folder)
    assert file.resolve("prod").config.environment == "prod"


def test_a_secret_of_the_wrong_type_stays_out_of_the_error(folder: Path) -> None:
    keys = "credentials: {access_key_id: a, secret_access_key: 424242}\n"
    _overlay(folder, "dev", keys)
    with pytest.raises(InvalidConfigError) as caught:
        load_config_file(None, cwd=folder).resolve("dev")
    assert "424242" not in str(caught.value.document())
    assert "credentials.secret_access_key: expected text" in caught.value.why


def test_a_full_check_finds_the_problems_of_the_file_and_of_all_overlays(folder: Path) -> None:
    (folder / "schoolctl.yaml").write_text(small(task="port: 0"))
    _overlay(folder, "dev", "a: 1\n")
    _overlay(folder, "prod", "b: [\n")
    with pytest.raises(InvalidConfigError) as caught:
        load_config_file(None, cwd=folder, overlays=True)
    assert [str(problem).partition("  ")[0] for problem in caught.value.problems] == [
        "schoolctl.yaml:5:9",
        ".schoolctl/dev.yaml:1:1",
        ".schoolctl/prod.yaml:2:1",
    ]


def test_all_environments_come_resolved(folder: Path) -> None:
    _overlay(folder, "prod", "profile: mine\n")
    resolved = load_config_file(None, cwd=folder).all()
    assert {name: each.config.profile for name, each in resolved.items()} == {
        "dev": None,
        "prod": "mine",
    }


# Names


def test_names_are_filled_in_with_app_and_environment() -> None:
    text = small(
        image="x: y",
        root="network: {alb_group: '{app}-{environment}-alb'}",
    ).replace("  x: y\n", "")
    text = text.replace("repository: schoolapp-backend", "repository: '{app}/{environment}'")
    config = resolve(text, "prod").config
    assert config.image.repository == "schoolapp/prod"
    assert config.network.alb_group == "schoolapp-prod-alb"
    assert config.network.service_group == "schoolapp-ecs-sg"
    assert config.task.log_group == "/ecs/schoolapp"


def test_the_groups_of_a_file_that_names_none_are_named_by_the_app() -> None:
    assert resolve(SMALL, "dev").config.network.database_group == "schoolapp-rds-sg"


def test_parameters_and_secrets_are_named_by_app_and_environment() -> None:
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:shared-AbCdEf"
    text = small(root=f"secrets: {{own: {{}}, shared: {{arn: '{arn}'}}}}")
    config = resolve(text, "dev").config
    assert config.parameter_name("db_host") == "/schoolapp/dev/db_host"
    assert config.secret_name("own") == "schoolapp/dev/own"
    assert config.secret_name("shared") == arn


def test_paths_begin_at_the_folder_of_the_file(folder: Path) -> None:
    (folder / "schoolctl.yaml").write_text(small(image="context: backend"))
    resolved = load_config_file(None, cwd=folder).resolve("dev")
    assert resolved.context_path == folder / "backend"
    assert resolved.dockerfile_path == folder / "Dockerfile"


def test_a_resolved_configuration_cannot_be_changed() -> None:
    config = resolve(SMALL).config
    with pytest.raises(ValidationError):
        config.task.port = 80  # type: ignore[misc]  # the point of the test


# Origins


def test_every_value_knows_where_it_was_written(folder: Path) -> None:
    (folder / "schoolctl.yaml").write_text(
        small(task="port: 8080", prod="task: {cpu: 512, memory: 1024}, profile: null")
    )
    _overlay(folder, "prod", "\n\ntask: {memory: 2048}\n")
    resolved = load_config_file(None, cwd=folder).resolve("prod")
    origins = resolved.origins
    assert set(origins) == set(list_values(resolved.config))
    assert {path: str(origins[path]) for path in ("task.port", "task.cpu", "task.memory")} == {
        "task.port": "schoolctl.yaml:5",
        "task.cpu": "schoolctl.yaml:13",
        "task.memory": ".schoolctl/prod.yaml:3",
    }
    assert origins["task.port"].layer is Layer.BASE
    assert origins["task.cpu"].layer is Layer.ENVIRONMENT
    assert origins["task.memory"].layer is Layer.OVERLAY
    assert str(origins["task.stop_timeout"]) == "default"
    assert str(origins["profile"]) == "schoolctl.yaml:13"


def test_lists_of_things_are_listed_value_by_value() -> None:
    text = small(
        task="overrides: {containerDefinitions: [{name: log, environment: []}]}",
        service="security_groups: [a, b]",
        root="parameters: {p: {from: rds.user}}",
    )
    values = list_values(resolve(text).config)
    assert values["task.overrides.containerDefinitions[0].name"] == "log"
    assert values["service.security_groups"] == ["a", "b"]
    assert values["parameters.p.from"] == "rds.user"


def test_variables_that_sound_secret_are_masked() -> None:
    text = small(
        task="environment: {AWS_SECRET_ACCESS_KEY: canary, DB_PORT: '3306'}",
        image="build_args: {NPM_TOKEN: canary, BASE_IMAGE: python}",
    )
    values = list_values(resolve(text).config)
    assert values["task.environment.AWS_SECRET_ACCESS_KEY"] == "***"
    assert values["task.environment.DB_PORT"] == "3306"
    assert values["image.build_args.NPM_TOKEN"] == "***"
    assert values["image.build_args.BASE_IMAGE"] == "python"
