"""What CreateService is asked for, and what of it UpdateService changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.session import get_session

from schoolctl.base.errors import AccessDeniedError
from schoolctl.ecs_service.define.needs import Denied
from schoolctl.ecs_service.define.service_request import CREATE_ONLY, create_request, update_request
from tests.worlds.deploy_scenes import NETWORK, PLACES, TARGET_GROUP, config

DENIED = Denied(AccessDeniedError("no", action=None))


def actual(**changes: Any) -> dict[str, Any]:
    """Give the settings of a service that was made as configured, as ECS tells them."""
    settings = create_request(config(), PLACES)
    settings["deploymentConfiguration"] = {
        **settings["deploymentConfiguration"],  # type: ignore[dict-item]  # a mapping
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
    }
    return {**settings, "deploymentController": {"type": "ECS"}, **changes}


def update(extra: str = "", **changes: Any) -> dict[str, object]:
    return update_request(config(extra), PLACES, actual(**changes))


def test_a_service_is_created_as_documented() -> None:
    assert create_request(config(), PLACES) == {
        "launchType": "FARGATE",
        "enableECSManagedTags": True,
        "propagateTags": "SERVICE",
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            "minimumHealthyPercent": 100,
            "maximumPercent": 200,
        },
        "networkConfiguration": NETWORK,
        "loadBalancers": [
            {"targetGroupArn": TARGET_GROUP, "containerName": "web", "containerPort": 3000}
        ],
        "healthCheckGracePeriodSeconds": 30,
    }


def test_what_only_creating_takes_is_what_the_model_says() -> None:
    model: Any = get_session().get_service_model("ecs")
    create = set(model.operation_model("CreateService").input_shape.members)
    updates = set(model.operation_model("UpdateService").input_shape.members)
    assert create - updates == CREATE_ONLY


def test_without_a_target_group_there_is_no_grace_period() -> None:
    places = replace(PLACES, target_group_arn=None)
    request = create_request(config("service: {target_group: null}"), places)
    assert {"loadBalancers", "healthCheckGracePeriodSeconds"}.isdisjoint(request)


def test_capacity_providers_take_the_place_of_the_launch_type() -> None:
    extra = "service: {overrides: {capacityProviderStrategy: [{capacityProvider: FARGATE_SPOT}]}}"
    assert "launchType" not in create_request(config(extra), PLACES)


def test_what_may_not_be_read_is_an_error_only_where_it_is_needed() -> None:
    hidden = replace(PLACES, network=DENIED, target_group_arn=DENIED)
    with pytest.raises(AccessDeniedError):
        create_request(config(), hidden)
    assert update_request(config(), hidden, actual()) == {}


def test_a_service_as_configured_needs_no_update() -> None:
    assert update() == {}


@pytest.mark.parametrize(
    "changes",
    [
        {
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    **NETWORK["awsvpcConfiguration"],
                    "subnets": ["subnet-b", "subnet-a"],
                }
            }
        },
        {"availabilityZoneRebalancing": "ENABLED", "platformVersion": "LATEST"},
        {"enableECSManagedTags": False, "propagateTags": "NONE"},
        {"desiredCount": 9},
    ],
    ids=["subnets in another order", "what ECS adds", "how tasks are tagged", "the count"],
)
def test_what_is_not_ours_to_change_is_left_alone(changes: dict[str, Any]) -> None:
    assert update(**changes) == {}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"healthCheckGracePeriodSeconds": 0}, "healthCheckGracePeriodSeconds"),
        ({"loadBalancers": []}, "loadBalancers"),
        ({"networkConfiguration": {}}, "networkConfiguration"),
        ({"deploymentConfiguration": {}}, "deploymentConfiguration"),
    ],
)
def test_what_differs_is_sent(changes: dict[str, Any], name: str) -> None:
    assert list(update(**changes)) == [name]


def test_a_breaker_that_is_turned_off_is_sent() -> None:
    extra = "service: {deployment: {circuit_breaker: false, rollback: false}}"
    assert update(extra)["deploymentConfiguration"] == {
        "deploymentCircuitBreaker": {"enable": False, "rollback": False},
        "minimumHealthyPercent": 100,
        "maximumPercent": 200,
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
    }


def test_a_breaker_that_was_never_on_needs_no_update_to_stay_off() -> None:
    extra = "service: {deployment: {circuit_breaker: false, rollback: false}}"
    bare = {"minimumHealthyPercent": 100, "maximumPercent": 200}
    assert update(extra, deploymentConfiguration=bare) == {}


def test_overrides_come_last_and_only_what_an_update_takes() -> None:
    extra = (
        "service: {overrides: {enableExecuteCommand: true, tags: [{key: a, value: b}],"
        " schedulingStrategy: REPLICA, desiredCount: 7}}"
    )
    assert update(extra) == {"enableExecuteCommand": True}


def test_an_override_of_how_tasks_are_tagged_is_sent() -> None:
    extra = "service: {overrides: {propagateTags: TASK_DEFINITION}}"
    assert update(extra) == {"propagateTags": "TASK_DEFINITION"}
