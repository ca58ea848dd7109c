"""The task definition that a configuration and an image make."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schoolctl.ecs_service.define.task_definition import container_image, render_task_definition
from tests.snapshots import check_snapshot
from tests.worlds.deploy_scenes import NAMES, SECRET_ARN, URI, config, digest


def render(extra: str = "") -> dict[str, Any]:
    return render_task_definition(config(extra), URI.at(digest()), NAMES)


def container(extra: str = "") -> dict[str, Any]:
    found: dict[str, Any] = render(extra)["containerDefinitions"][0]
    return found


def variables(extra: str = "") -> dict[str, str]:
    return {each["name"]: each["value"] for each in container(extra)["environment"]}


def test_the_documented_configuration_renders_as_reviewed() -> None:
    check_snapshot("task_definitions/documented.json", json.dumps(render(), indent=2) + "\n")


def test_overrides_with_a_sidecar_and_a_volume_render_as_reviewed() -> None:
    overrides = (
        "task: {overrides: {volumes: [{name: scratch}], ephemeralStorage: {sizeInGiB: 30},"
        " runtimePlatform: null, containerDefinitions: ["
        "{name: web, mountPoints: [{sourceVolume: scratch, containerPath: /tmp}],"
        " environment: [{name: AWS_REGION, value: eu-west-1}, {name: EXTRA, value: yes please}],"
        " linuxParameters: null},"
        " {name: proxy, image: 'envoy:1', essential: false}]}}"
    )
    check_snapshot(
        "task_definitions/overrides.json", json.dumps(render(overrides), indent=2) + "\n"
    )


def test_the_image_is_named_by_digest() -> None:
    assert container()["image"] == f"{URI}@{digest()}"


def test_the_container_gets_paths_and_the_arn_and_no_values() -> None:
    assert variables() == {
        "AWS_REGION": "us-east-1",
        "DB_SECRET_ARN": SECRET_ARN,
        "PARAM_DB_NAME_PATH": "/schoolapp/dev/db_name",
        "PARAM_HOST_PATH": "/schoolapp/dev/db_host",
        "PARAM_USER_PATH": "/schoolapp/dev/db_user",
    }


def test_plain_variables_stand_beside_them() -> None:
    assert variables("task: {environment: {PHONE_REGION: GB}}")["PHONE_REGION"] == "GB"


def test_variables_are_sorted_so_that_the_same_is_written_the_same() -> None:
    names = [each["name"] for each in container("task: {environment: {A: a, Z: z}}")["environment"]]
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("platform", "architecture"), [("linux/amd64", "X86_64"), ("linux/arm64", "ARM64")]
)
def test_the_runtime_platform_is_the_images(platform: str, architecture: str) -> None:
    rendered = render(f"image: {{platform: {platform}}}")
    assert rendered["runtimePlatform"]["cpuArchitecture"] == architecture


def test_without_a_task_role_there_is_none() -> None:
    assert "taskRoleArn" not in render("task: {task_role: null}")


def test_the_image_of_the_named_container_is_found_among_several() -> None:
    definition = {
        "containerDefinitions": [{"name": "proxy", "image": "p"}, {"name": "web", "image": "w"}]
    }
    assert container_image(definition, "web") == "w"
    assert container_image(definition, "another") == "p"
    assert container_image({}, "web") == ""
