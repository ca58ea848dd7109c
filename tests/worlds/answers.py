"""ECS's JSON for the scenes that the tests are about, and the tools that a handler works with."""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING, Any

from schoolctl.aws.session.clients import Clients
from schoolctl.aws.session.connection import Connection, Setting, StaticKeys
from schoolctl.core.run import Run, Services
from schoolctl.model.values import SecretValue
from schoolctl.output.reporter import Reporter
from tests.worlds import scenes

if TYPE_CHECKING:
    from pathlib import Path

    from schoolctl.base.clock import Clock
    from schoolctl.model.services import (
        ContainerState,
        Deployment,
        ServiceEvent,
        ServiceState,
        Task,
    )
    from tests.scripted_aws import ScriptedAws

DEFINITION = {
    "taskDefinitionArn": scenes.NEW.arn,
    "family": "web",
    "revision": 7,
    "status": "ACTIVE",
    "containerDefinitions": [
        {
            "name": "web",
            "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/web@sha256:" + "a" * 64,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": "/ecs/web",
                    "awslogs-region": "us-east-1",
                    "awslogs-stream-prefix": "ecs",
                },
            },
        }
    ],
}
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}


def service_answer(*states: ServiceState | None) -> list[dict[str, Any]]:
    """Give a DescribeServices answer for each state; None is a service that is not there."""
    missing = {"arn": "arn:aws:ecs:us-east-1:123456789012:service/school/web", "reason": "MISSING"}
    return [
        {"services": [], "failures": [missing]}
        if state is None
        else {"services": [service_json(state)], "failures": []}
        for state in states
    ]


def service_json(state: ServiceState) -> dict[str, Any]:
    return {
        "serviceName": state.name,
        "serviceArn": state.arn,
        "clusterArn": f"arn:aws:ecs:us-east-1:123456789012:cluster/{state.cluster}",
        "status": state.status,
        "taskDefinition": state.task_definition.arn,
        "desiredCount": state.desired,
        "runningCount": state.running,
        "pendingCount": state.pending,
        "deployments": [_deployment(each) for each in state.deployments],
        "events": [_event(each) for each in state.events],
        "loadBalancers": [{"targetGroupArn": each} for each in state.target_group_arns],
        "networkConfiguration": NETWORK,
        **state.settings,
    }


def _deployment(each: Deployment) -> dict[str, Any]:
    return {
        "id": each.id,
        "status": each.status,
        "taskDefinition": each.task_definition.arn,
        "desiredCount": each.desired,
        "runningCount": each.running,
        "pendingCount": each.pending,
        "failedTasks": each.failed,
        "createdAt": each.created_at.timestamp(),
        "updatedAt": each.updated_at.timestamp(),
        **({"rolloutState": each.rollout_state} if each.rollout_state else {}),
        "rolloutStateReason": each.rollout_reason,
    }


def _event(each: ServiceEvent) -> dict[str, Any]:
    return {"id": each.id, "createdAt": each.at.timestamp(), "message": each.message}


def task_json(task: Task) -> dict[str, Any]:
    times = {
        "createdAt": task.created_at,
        "startedAt": task.started_at,
        "stoppedAt": task.stopped_at,
    }
    return {
        "taskArn": task.arn,
        "taskDefinitionArn": task.task_definition.arn,
        "lastStatus": task.last_status,
        "desiredStatus": task.desired_status,
        "healthStatus": task.health,
        "startedBy": task.started_by,
        "stopCode": task.stop_code,
        "stoppedReason": task.stopped_reason,
        "containers": [_container(each) for each in task.containers],
        **{name: at.timestamp() for name, at in times.items() if at is not None},
    }


def _container(each: ContainerState) -> dict[str, Any]:
    return {
        "name": each.name,
        "lastStatus": each.status,
        "image": each.image,
        **({"exitCode": each.exit_code} if each.exit_code is not None else {}),
        **({"reason": each.reason} if each.reason else {}),
    }


def log_event(message: str, seconds: float = 0, **more: Any) -> dict[str, Any]:
    milliseconds = int(scenes.at(seconds).timestamp() * 1000)
    return {"timestamp": milliseconds, "message": message, "ingestionTime": milliseconds, **more}


class Bench:
    """A run in a directory whose schoolctl.yaml leads to scripted answers; its output is kept."""

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        script: ScriptedAws | None = None,
        *,
        json_output: bool = False,
    ) -> None:
        self.run = Run(Services(clock=clock, directory=directory))
        if script is not None:
            self.run.clients = _clients(script.endpoint_url)
        self.stdout, self.stderr = io.StringIO(), io.StringIO()
        self.run.reporter = Reporter(
            json_output=json_output, stdout=self.stdout, stderr=self.stderr
        )
        self.tools = self.run.tools


@functools.cache
def _clients(endpoint_url: str) -> Clients:
    """Give clients that all tests share: making one takes longer than any of these tests."""
    keys = StaticKeys("testing", SecretValue("testing"))
    nowhere = Setting(None, "test")
    region, endpoint = Setting("us-east-1", "test"), Setting(endpoint_url, "test")
    return Clients(Connection(nowhere, region, endpoint, keys))
