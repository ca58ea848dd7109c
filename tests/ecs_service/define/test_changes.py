"""What differs between two task definitions, and what only seems to."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolctl.ecs_service.define.changes import (
    definition_changes,
    same_definition,
    settings_changes,
)
from tests.worlds.deploy_scenes import revision

if TYPE_CHECKING:
    from collections.abc import Callable


def definition() -> dict[str, Any]:
    return copy.deepcopy(dict(revision(1).definition))


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    after = definition()
    change(after)
    return after


def web(given: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = given["containerDefinitions"][0]
    return found


NOISE: dict[str, Callable[[dict[str, Any]], object]] = {
    "empty lists": lambda d: d.update(volumes=[], placementConstraints=[]),
    "empty lists in the container": lambda d: web(d).update(
        mountPoints=[], volumesFrom=[], systemControls=[], secrets=[]
    ),
    "a container's cpu of 0": lambda d: web(d).update(cpu=0),
    "essential left out": lambda d: web(d).pop("essential"),
    "the host's port": lambda d: web(d)["portMappings"][0].update(hostPort=3000),
    "the protocol left out": lambda d: web(d)["portMappings"][0].pop("protocol"),
    "variables in another order": lambda d: web(d)["environment"].reverse(),
    "flags that are off": lambda d: web(d).update(privileged=False, interactive=False),
    "cpu in vCPU": lambda d: d.update(cpu="0.25 vCPU"),
    "memory in GB": lambda d: d.update(memory="0.5 GB"),
    "version consistency": lambda d: web(d).update(versionConsistency="enabled"),
    "capabilities that are added: none": lambda d: web(d)["linuxParameters"]["capabilities"].update(
        add=[]
    ),
    "tags": lambda d: d.update(tags=[{"key": "team", "value": "a"}]),
    "fault injection that is off": lambda d: d.update(enableFaultInjection=False),
}


@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
def test_what_ecs_fills_in_is_no_difference(noise: Callable[[dict[str, Any]], object]) -> None:
    after = changed(noise)
    assert after != definition()
    assert same_definition(definition(), after)
    assert definition_changes(definition(), after) == ()


def test_the_defaults_of_a_health_check_are_no_difference() -> None:
    check = {"command": ["CMD", "true"]}
    before = changed(lambda d: web(d).update(healthCheck=check))
    after = changed(
        lambda d: web(d).update(healthCheck={**check, "interval": 30, "timeout": 5, "retries": 3})
    )
    assert same_definition(before, after)


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "cpu": (lambda d: d.update(cpu="512"), "cpu 256 -> 512"),
    "image": (
        lambda d: web(d).update(image="registry/name:1.1"),
        "image aaaaaaaaaaaa -> 1.1",
    ),
    "a variable": (
        lambda d: web(d)["environment"][0].update(value="eu-west-1"),
        "environment AWS_REGION changed",
    ),
    "a new variable": (
        lambda d: web(d)["environment"].append({"name": "cpu", "value": "s3cret"}),
        "environment cpu added",
    ),
    "no such variable": (
        lambda d: web(d)["environment"].pop(0),
        "environment AWS_REGION removed",
    ),
    "not essential": (lambda d: web(d).update(essential=False), "essential true -> false"),
    "stop timeout": (lambda d: web(d).update(stopTimeout=60), "stopTimeout 30 -> 60"),
    "a writable root": (
        lambda d: web(d).update(readonlyRootFilesystem=False),
        "readonlyRootFilesystem yes -> no",
    ),
    "another log group": (
        lambda d: web(d)["logConfiguration"]["options"].update({"awslogs-group": "/other"}),
        "log option awslogs-group /ecs/schoolapp-backend -> /other",
    ),
    "a log driver's password": (
        lambda d: web(d)["logConfiguration"]["options"].update(user="s3cret"),
        "log option user added",
    ),
    "a command": (lambda d: web(d).update(command=["mysql", "-ps3cret"]), "command added"),
    "a secret": (
        lambda d: web(d).update(secrets=[{"name": "KEY", "valueFrom": "/a/b"}]),
        "secrets KEY added",
    ),
    "a sidecar": (
        lambda d: d["containerDefinitions"].append({"name": "proxy", "image": "p:1"}),
        "container proxy added",
    ),
    "a port": (
        lambda d: web(d)["portMappings"][0].update(containerPort=8080),
        "portMappings changed",
    ),
    "another architecture": (
        lambda d: d["runtimePlatform"].update(cpuArchitecture="ARM64"),
        "cpuArchitecture X86_64 -> ARM64",
    ),
}


@pytest.mark.parametrize(("change", "line"), CHANGES.values(), ids=CHANGES)
def test_a_difference_is_told_in_one_line(
    change: Callable[[dict[str, Any]], object], line: str
) -> None:
    after = changed(change)
    assert not same_definition(definition(), after)
    assert definition_changes(definition(), after) == (line,)


def test_the_order_of_a_command_is_a_difference() -> None:
    before = changed(lambda d: web(d).update(command=["a", "b"]))
    after = changed(lambda d: web(d).update(command=["b", "a"]))
    assert definition_changes(before, after) == ("command changed",)


def test_an_image_is_called_by_its_label() -> None:
    old, new = web(definition())["image"], "registry/name@sha256:" + "b" * 64
    after = changed(lambda d: web(d).update(image=new))
    labels = {old: "1.0", new: "1.1"}
    assert definition_changes(definition(), after, labels=labels) == ("image 1.0 -> 1.1",)


def test_with_several_containers_each_line_names_its_own() -> None:
    sidecar = {"name": "proxy", "image": "p:1"}
    before = changed(lambda d: d["containerDefinitions"].append(dict(sidecar)))
    after = changed(lambda d: d["containerDefinitions"].append({**sidecar, "image": "p:2"}))
    assert definition_changes(before, after) == ("proxy: image p:1 -> p:2",)


def test_two_variables_of_one_name_are_not_taken_for_one() -> None:
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    before = changed(lambda d: web(d).update(environment=twice))
    after = changed(lambda d: web(d).update(environment=twice[:1]))
    assert not same_definition(before, after)


# Where and under which prefix a container logs is no secret, and is shown.
variable_names = st.text(min_size=1).filter(lambda name: not name.startswith("awslogs-"))


@given(st.dictionaries(variable_names, st.text(min_size=1), max_size=5))
def test_no_value_of_a_variable_label_or_log_option_is_ever_shown(values: dict[str, str]) -> None:
    hidden = {
        name: f"canary-{number}-{value}" for number, (name, value) in enumerate(values.items())
    }

    def put(given: dict[str, Any]) -> None:
        web(given)["environment"] = [
            {"name": name, "value": value} for name, value in hidden.items()
        ]
        web(given)["dockerLabels"] = dict(hidden)
        web(given)["logConfiguration"]["options"] = dict(hidden)
        web(given)["command"] = list(hidden.values())

    both = "\n".join(
        definition_changes(definition(), changed(put))
        + definition_changes(changed(put), definition())
    )
    for value in hidden.values():
        assert value not in both


def test_service_settings_are_told_by_their_own_names() -> None:
    before = {"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True}}}
    after = {"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": False}}}
    assert settings_changes(before, after) == ("deploymentCircuitBreaker enable yes -> no",)
