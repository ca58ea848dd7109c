"""Configurations, revisions, images and places for tests of deploy and rollback."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schoolctl.config.file import parse_config
from schoolctl.ecs_service.define.needs import Places
from schoolctl.ecs_service.define.service_request import create_request
from schoolctl.ecs_service.define.target import ChosenImage, image_target
from schoolctl.ecs_service.define.task_definition import Names, render_task_definition
from schoolctl.model.images import Digest, Image, Repository, RepositoryUri
from schoolctl.model.services import Revision, RolloutState, ServiceState, TaskDefinitionRef
from tests.conftest import CONFIG
from tests.worlds.scenes import deployment

if TYPE_CHECKING:
    from schoolctl.config.models import Config
    from schoolctl.ecs_service.define.target import Target
    from schoolctl.model.services import Deployment

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
URI = RepositoryUri("123456789012.dkr.ecr.us-east-1.amazonaws.com", "schoolapp-backend")
REPOSITORY = Repository(URI.name, URI, "arn", True, True, "AES256", None)
SECRET_ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:schoolapp/dev/db_password-AbCdEf"
NAMES = Names(
    region="us-east-1",
    role_arns={
        "schoolapp-execution": "arn:aws:iam::123456789012:role/schoolapp-execution",
        "schoolapp-task": "arn:aws:iam::123456789012:role/service/schoolapp-task",
    },
    secret_arns={"db_password": SECRET_ARN},
)
NETWORK = {
    "awsvpcConfiguration": {
        "subnets": ["subnet-a", "subnet-b"],
        "assignPublicIp": "ENABLED",
        "securityGroups": ["sg-1"],
    }
}
TARGET_GROUP = (
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/schoolapp-tg/0123456789abcdef"
)
PLACES = Places(NETWORK, TARGET_GROUP, create_log_group=False)


@functools.cache
def config(extra: str = "", environment: str = "dev") -> Config:
    """Give the tests' configuration; `extra` is YAML of an environment `dev` to merge over it."""
    text = CONFIG
    if extra:
        text = CONFIG.replace("  dev: {", f"  dev: {{{extra}, ", 1)
    return parse_config(text, path=Path("/project/schoolctl.yaml")).resolve(environment).config


def digest(letter: str = "a") -> Digest:
    return Digest("sha256:" + letter * 64)


def image(letter: str = "a", *tags: str, minutes: float = 0) -> Image:
    """Give an image that was pushed some minutes ago."""
    return Image(digest(letter), tags, 1000, NOW - timedelta(minutes=minutes))


def chosen(letter: str = "a", tag: str | None = "1.0", commit: str | None = None) -> ChosenImage:
    return ChosenImage(URI.at(digest(letter)), NOW - timedelta(minutes=3), tag, commit)


def ref(number: int, family: str = "schoolapp-backend") -> TaskDefinitionRef:
    arn = f"arn:aws:ecs:us-east-1:123456789012:task-definition/{family}:{number}"
    return TaskDefinitionRef(family, number, arn)


def revision(
    number: int = 1,
    letter: str = "a",
    *,
    completed: float | None = None,
    again: float | None = None,
    active: bool = True,
    tags: dict[str, str] | None = None,
    extra: str = "",
) -> Revision:
    """Give a revision of the tests' configuration; `completed`, `again`: minutes before now."""
    definition = render_task_definition(config(extra), URI.at(digest(letter)), NAMES)
    at, last = (
        None if each is None else NOW - timedelta(minutes=each) for each in (completed, again)
    )
    images = (str(URI.at(digest(letter))),)
    return Revision(ref(number), active, NOW, definition, images, tags or {}, at, last)


def target(
    letter: str = "a",
    tag: str | None = "1.0",
    *,
    running: Revision | None = None,
    newest: Revision | None = None,
    extra: str = "",
) -> Target:
    """Give the target that an image makes with the tests' configuration."""
    definition = render_task_definition(config(extra), URI.at(digest(letter)), NAMES)
    return image_target(definition, chosen(letter, tag), "web", running=running, newest=newest)


def service(
    *deployments: Deployment, at: TaskDefinitionRef | None = None, **values: Any
) -> ServiceState:
    """Give a service as `deploy` makes it: one deployment of revision 1 that completed."""
    known = deployments or (
        deployment("ecs-svc/1", at or ref(1), RolloutState.COMPLETED, running=2, created=-3600),
    )
    settings = {
        "deploymentController": {"type": "ECS"},
        **create_request(config(), PLACES),
    }
    found: dict[str, Any] = {
        "name": "schoolapp-backend",
        "arn": "arn:aws:ecs:us-east-1:123456789012:service/schoolapp/schoolapp-backend",
        "cluster": "schoolapp",
        "status": "ACTIVE",
        "task_definition": next(e.task_definition for e in known if e.status == "PRIMARY"),
        "desired": 2,
        "running": 2,
        "pending": 0,
        "deployments": known,
        "events": (),
        "target_group_arns": (TARGET_GROUP,),
        "settings": settings,
        **values,
    }
    return ServiceState(**found)
