"""What ECS answers means what it was asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schoolctl.ecs_service.define.canonical import without_defaults
from schoolctl.ecs_service.define.changes import compare_definitions, same_definition
from tests.definitions import DEFINITIONS, as_ecs_tells

WRITTEN = json.loads((Path(__file__).parent / "answers/task_definition.json").read_text())
READ_ONLY = {
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "requiresAttributes",
    "revision",
    "status",
    "taskDefinitionArn",
}


@pytest.mark.parametrize("request_", DEFINITIONS.values(), ids=DEFINITIONS)
def test_what_ecs_fills_in_is_no_difference(request_: dict[str, object]) -> None:
    told = {k: v for k, v in as_ecs_tells(dict(request_)).items() if k not in READ_ONLY}
    assert told != request_
    assert compare_definitions(request_, told) == ()
    assert same_definition(told, request_)


def test_a_written_answer_of_ecs_means_what_was_registered() -> None:
    told = {k: v for k, v in WRITTEN["answer"].items() if k not in READ_ONLY}
    assert compare_definitions(WRITTEN["request"], told) == ()


def test_without_its_defaults_an_answer_says_what_somebody_wrote() -> None:
    told = {k: v for k, v in WRITTEN["answer"].items() if k not in READ_ONLY}
    assert without_defaults(told)["containerDefinitions"] == [
        {
            "name": "web",
            "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/schoolapp-backend:1.0",
            "portMappings": [{"containerPort": 3000}],
            "environment": [{"name": "EMPTY", "value": ""}],
            "healthCheck": {"command": ["CMD", "true"]},
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": "/ecs/schoolapp-backend",
                    "awslogs-region": "us-east-1",
                    "awslogs-stream-prefix": "ecs",
                },
            },
        }
    ]


def test_the_order_of_environment_files_is_a_difference() -> None:
    files = [{"type": "s3", "value": "arn:a"}, {"type": "s3", "value": "arn:b"}]
    before = {"containerDefinitions": [{"name": "web", "environmentFiles": files}]}
    after = {"containerDefinitions": [{"name": "web", "environmentFiles": files[::-1]}]}
    assert not same_definition(before, after)
