"""The configuration of an existing service: a deployment changes nothing. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from schoolctl.config.file import parse_config
from schoolctl.config.overlay import dump_yaml
from schoolctl.config.tree import InvalidConfigError
from schoolctl.ecs_service.define.canonical import definition_overrides, without_defaults
from schoolctl.ecs_service.define.masking import MASK, looks_secret, replace_secrets
from schoolctl.ecs_service.define.needs import Places
from schoolctl.ecs_service.define.service_request import settings_overrides
from schoolctl.ecs_service.define.task_definition import (
    KEEP,
    SAME_IMAGE,
    Names,
    container_image,
    render_task_definition,
)
from schoolctl.model.images import ImageRef

if TYPE_CHECKING:
    from schoolctl.config.models import Config
    from schoolctl.model.services import Revision, ServiceState

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PARAMETER = re.compile(r"/[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+")
_PARAMETER_ARN = re.compile(r"arn:[\w-]+:ssm:[^:]*:[^:]*:parameter(/.+)")
_SECRET_ARN = re.compile(r"arn:[\w-]+:secretsmanager:[^:]*:[^:]*:secret:[^:]+")
_OWNED = re.compile(r"/?([A-Za-z][A-Za-z0-9-]*)/([A-Za-z][A-Za-z0-9-]*)/(.+)")
_ROLE = re.compile(r"arn:[\w-]+:iam::(\d*):role/([\w+=,.@-]+)")
_NO_ROLE = "ecsTaskExecutionRole"
_MOST_REPAIRS = 12


@dataclass(frozen=True)
class Running:
    """A service as it was found, with what its names stand for.

    Attributes:
        region: where it runs.
        account: whose it is.
        repository: the name of the ECR repository that has its image; None where none of the
            account's has.
        registry: the registry that its image names, where that is not ECR's own.
        parameters: the types of the SSM parameters that it names, by name.
        secrets: the names of the secrets that it names, by ARN.
        groups: the names of its security groups that a configuration can say, by id.
        target_group: the name of its target group; None without one.
        health_path: the path that the target group asks for.
    """

    service: ServiceState
    revision: Revision
    region: str
    account: str
    repository: str | None = None
    registry: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    target_group: str | None = None
    health_path: str = ""

    @property
    def definition(self) -> Mapping[str, object]:
        """The task definition that it is at."""
        return self.revision.definition


@dataclass(frozen=True)
class Adoption:
    """What to write into schoolctl.yaml, and what to tell about it."""

    tree: Mapping[str, Any]
    environment: str
    warnings: tuple[str, ...]
    image: str = ""
    """What the service's container runs."""

    @property
    def choice(self) -> str:
        """The option of `diff` and `deploy` that chooses the image that runs; mostly by digest."""
        image = ImageRef.parse(self.image)
        if image is None:
            return ""
        if image.digest is not None:
            return f" --digest {image.digest}"
        return f" --tag {image.tag}" if image.tag else ""


def named_values(definition: Mapping[str, object]) -> tuple[list[str], list[str]]:
    """Give the names of the parameters and the ARNs of the secrets that containers may be given.

    A variable that holds a path may mean a parameter; whether there is one of that name, AWS tells.
    """
    said = [
        str(item.get(member) or "")
        for container in _list(definition, "containerDefinitions")
        for group, member in (("environment", "value"), ("secrets", "valueFrom"))
        for item in _list(container, group)
    ]
    parameters = dict.fromkeys(name for each in said if (name := _parameter_name(each)))
    secrets = dict.fromkeys(match[0] for each in said if (match := _SECRET_ARN.match(each)))
    return list(parameters), list(secrets)


def web_container(service: ServiceState, definition: Mapping[str, object]) -> str:
    """Give the name of the container that the service is about.

    The one that the load balancer asks, else the first essential one with a port, else the first.
    """
    balanced = _balancer(service).get("containerName")
    if balanced:
        return str(balanced)
    containers = _list(definition, "containerDefinitions")
    likely = [e for e in containers if e.get("essential", True) and e.get("portMappings")]
    return str((likely or containers)[0].get("name", ""))


def adopt(found: Running, *, app: str | None = None, environment: str | None = None) -> Adoption:
    """Make a configuration of a service.

    What the keys of schoolctl.yaml cannot say goes to `task.overrides` and `service.overrides`, and
    nothing else does. Values that look like secrets stay out of it: `{keep}` stands in their place.

    Args:
        found: the service.
        app: the name of the app; else the one that most of its parameters begin with.
        environment: likewise.

    Raises:
        InvalidConfigError: a name of the service is none that schoolctl.yaml takes.
    """
    return _Adopter(found, *_names(found, app, environment)).adopt()


@dataclass(frozen=True)
class _Adopter:
    found: Running
    app: str
    environment: str

    def adopt(self) -> Adoption:
        """Make the keys first, and what they cannot say then."""
        tree = self._tree()
        config = _repair(tree, self.environment)
        web = config.task.container
        image = container_image(self.found.definition, web)
        made = render_task_definition(config, image, self._role_and_secret_names(config))
        overrides = definition_overrides(made, self._wanted(web, image))
        kept: list[str] = []
        tree["task"]["overrides"], replaced = replace_secrets(overrides, KEEP)
        kept += replaced
        for name, value in tree["task"]["environment"].items():
            if looks_secret(name, value):
                tree["task"]["environment"][name] = KEEP
                kept.append(f"{web}/{name}")
        tree["service"]["overrides"], left_out = self._service_overrides(config)
        _repair(tree, self.environment)
        return Adoption(tree, self.environment, tuple(self._warnings(kept, left_out)), image)

    # The keys

    def _tree(self) -> dict[str, Any]:
        found = self.found
        web = self._web()
        variables = self._variables(web)
        parameters, secrets = self._parameters(variables), self._secrets(variables)
        taken = {each["env"] for each in (*parameters.values(), *secrets.values()) if "env" in each}
        place: dict[str, Any] = {"region": found.region, "account": found.account}
        if found.registry is not None:
            place["registry"] = found.registry
        return {
            "app": self.app,
            "default_environment": self.environment,
            "image": self._image(),
            "parameters": parameters,
            "secrets": secrets,
            "task": self._task(web, {k: v for k, v in variables.items() if k not in taken}),
            "service": self._service(),
            "environments": {self.environment: place},
        }

    def _web(self) -> Mapping[str, Any]:
        name = web_container(self.found.service, self.found.definition)
        containers = _list(self.found.definition, "containerDefinitions")
        return next(each for each in containers if each.get("name") == name)

    def _image(self) -> dict[str, Any]:
        platform = cast("Mapping[str, Any]", self.found.definition.get("runtimePlatform") or {})
        arm = platform.get("cpuArchitecture") == "ARM64"
        return {
            "repository": self.found.repository or self._name_of_image(),
            "platform": "linux/arm64" if arm else "linux/amd64",
        }

    def _name_of_image(self) -> str:
        """Give a name for the repository that an image of elsewhere may be brought to."""
        reference = container_image(self.found.definition, str(self._web()["name"]))
        named = ImageRef.parse(reference)
        plain = named.repository.name if named else re.split("[:@]", reference)[0]
        return re.sub(r"[^a-z0-9/]+", "-", plain.lower()).strip("-/") or self.app.lower()

    def _variables(self, web: Mapping[str, Any]) -> dict[str, str]:
        """Give the container's variables that `task.environment` can say; none if one is twice."""
        items = _list(web, "environment")
        named = {str(each.get("name")): str(each.get("value", "")) for each in items}
        if len(named) != len(items):
            return {}
        usable = sorted(name for name in named if _VARIABLE.fullmatch(name))
        return {name: named[name] for name in usable if name != "AWS_REGION"}

    def _parameters(self, variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
        declared: dict[str, dict[str, Any]] = {}
        by_value = {value: name for name, value in reversed(list(variables.items()))}
        for name, kind in self.found.parameters.items():
            prefix, key = f"/{self.app}/{self.environment}/", ""
            if name.startswith(prefix):
                key = name.removeprefix(prefix)
            if key:
                env = {"env": by_value[name]} if name in by_value else {}
                declared[key] = {"type": kind, **env}
        return declared

    def _secrets(self, variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
        declared: dict[str, dict[str, Any]] = {}
        by_value = {value: name for name, value in reversed(list(variables.items()))}
        prefix = f"{self.app}/{self.environment}/"
        for arn, name in self.found.secrets.items():
            env = {"env": by_value[arn]} if arn in by_value else {}
            if name.startswith(prefix):
                declared[name.removeprefix(prefix)] = env
            elif env:
                key = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")
                declared[key] = {**env, "arn": arn}
        return declared

    def _task(self, web: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
        found, bare = self.found, without_defaults(self.found.definition)
        made: dict[str, Any] = {"family": bare["family"], "container": web["name"]}
        for size in ("cpu", "memory"):
            if str(bare.get(size, "")).isdigit():
                made[size] = int(str(bare[size]))
        ports = [each.get("containerPort") for each in _list(web, "portMappings")]
        port = _balancer(found.service).get("containerPort") or next(iter(ports), None)
        if port:
            made["port"] = port
        if found.health_path:
            made["health_path"] = found.health_path
        made["execution_role"] = self._role("executionRoleArn") or _NO_ROLE
        task_role = self._role("taskRoleArn")
        if task_role:
            made["task_role"] = task_role
        group = _log_group(web, _list(found.definition, "containerDefinitions"))
        if group:
            made["log_group"] = group
        made["stop_timeout"] = web.get("stopTimeout", 30)
        made["environment"] = dict(variables)
        return made

    def _role(self, member: str) -> str:
        """Give a role by its name where that says it all, else by its ARN."""
        arn = str(self.found.definition.get(member) or "")
        match = _ROLE.fullmatch(arn)
        return match[2] if match is not None and match[1] == self.found.account else arn

    def _service(self) -> dict[str, Any]:
        service = self.found.service
        network = _network(service)
        made: dict[str, Any] = {
            "cluster": service.cluster,
            "name": service.name,
            "desired_count": service.desired,
            "subnets": list(network.get("subnets") or []),
            "security_groups": [
                self.found.groups.get(each, each) for each in network.get("securityGroups") or []
            ],
        }
        if self.found.target_group is not None:
            made["target_group"] = self.found.target_group
        made["assign_public_ip"] = network.get("assignPublicIp") == "ENABLED"
        deployment = self._deployment()
        if deployment:
            made["deployment"] = deployment
        return made

    def _deployment(self) -> dict[str, Any]:
        settings = self.found.service.settings
        told = cast("Mapping[str, Any]", settings.get("deploymentConfiguration") or {})
        if not told:
            return {}
        breaker = told.get("deploymentCircuitBreaker") or {}
        made = {
            "circuit_breaker": bool(breaker.get("enable")),
            "rollback": bool(breaker.get("enable") and breaker.get("rollback")),
            "min_percent": told.get("minimumHealthyPercent", 100),
            "max_percent": told.get("maximumPercent", 200),
        }
        if self.found.target_group is not None:
            made["grace_seconds"] = settings.get("healthCheckGracePeriodSeconds") or 0
        return made

    # What they cannot say

    def _wanted(self, web: str, image: str) -> dict[str, object]:
        """Give the task definition with `{image}` where another container has the same image."""
        containers = [
            {**each, "image": SAME_IMAGE}
            if each.get("name") != web and each.get("image") == image
            else each
            for each in _list(self.found.definition, "containerDefinitions")
        ]
        return {**self.found.definition, "containerDefinitions": containers}

    def _role_and_secret_names(self, config: Config) -> Names:
        definition, task = self.found.definition, config.task
        roles = {task.execution_role: str(definition.get("executionRoleArn") or "")}
        if task.task_role is not None:
            roles[task.task_role] = str(definition.get("taskRoleArn") or "")
        arns = {name: arn for arn, name in self.found.secrets.items()}
        secrets = {
            key: each.arn or arns[config.secret_name(key)] for key, each in config.secrets.items()
        }
        return Names(self.found.region, roles, secrets)

    def _service_overrides(self, config: Config) -> tuple[dict[str, object], list[str]]:
        """Give the overrides, and the names of those left out because they may hold secrets."""
        network = {"awsvpcConfiguration": _network(self.found.service)}
        balancer = _balancer(self.found.service).get("targetGroupArn")
        places = Places(network, balancer, create_log_group=False)
        found = settings_overrides(config, places, self.found.service.settings)
        secret = [name for name, each in found.items() if replace_secrets({name: each}, MASK)[1]]
        return {name: each for name, each in found.items() if name not in secret}, secret

    def _warnings(self, kept: Sequence[str], left_out: Sequence[str]) -> list[str]:
        warnings = []
        if kept:
            warnings.append(
                f"the task definition holds what looks like secrets in plain text:"
                f" {', '.join(kept)}; the file says `{KEEP}` instead, which keeps the values that"
                " run; move them to Secrets Manager: `schoolctl secrets set`"
            )
        warnings += [
            f"`service.overrides` leaves out {each}: it holds a secret" for each in left_out
        ]
        if self.found.repository is None:
            image = container_image(self.found.definition, self._web()["name"])
            warnings.append(
                f"the image {image} is in none of this account's repositories: a deploy without a"
                f" choice keeps it until `image.repository` has an image with a tag"
            )
        return warnings


def _repair(tree: dict[str, Any], environment: str) -> Config:
    """Take out of the keys what they do not take; the overrides will say it."""
    path = Path("schoolctl.yaml")
    for _ in range(_MOST_REPAIRS):
        try:
            return parse_config(dump_yaml(tree), path=path).resolve(environment).config
        except InvalidConfigError as error:
            if not any([_drop(tree, each.path) for each in error.problems]):  # noqa: C419  # all
                raise
    raise AssertionError("each round takes something out")


_REPAIRABLE = {
    ("service", "deployment"),
    ("service", "desired_count"),
    ("service", "security_groups"),
    ("service", "subnets"),
    ("service", "target_group"),
    ("task", "cpu"),
    ("task", "health_path"),
    ("task", "log_group"),
    ("task", "memory"),
    ("task", "port"),
    ("task", "stop_timeout"),
}
"""Keys with a default: without them, overrides say the same."""


def _drop(tree: dict[str, Any], dotted: str) -> bool:
    steps = re.split(r"[.\[]", dotted)
    key = tuple(steps[:2])
    if key in _REPAIRABLE and key[1] in tree[key[0]]:
        del tree[key[0]][key[1]]
        return True
    if key[0] in {"parameters", "secrets"}:
        emptied = bool(tree[key[0]])
        tree[key[0]] = {}
        return emptied
    return False


def _names(found: Running, app: str | None, environment: str | None) -> tuple[str, str]:
    """Give the names of app and environment: those that most of its values begin with."""
    counted: dict[tuple[str, str], int] = {}
    for name in (*found.parameters, *found.secrets.values()):
        match = _OWNED.fullmatch(name)
        if match is not None and app in {None, match[1]} and environment in {None, match[2]}:
            counted[match[1], match[2]] = counted.get((match[1], match[2]), 0) + 1
    likely = max(counted, key=lambda each: counted[each], default=None)
    if likely is not None:
        return likely
    plain = re.sub(r"[^A-Za-z0-9]+", "-", found.service.name).strip("-").lower()
    return app or (plain if re.match(r"[a-z]", plain) else f"app-{plain}"), environment or "dev"


def _parameter_name(text: str) -> str | None:
    match = _PARAMETER_ARN.fullmatch(text)
    name = match[1] if match is not None else text
    return name if _PARAMETER.fullmatch(name) else None


def _log_group(web: Mapping[str, Any], containers: Sequence[Mapping[str, Any]]) -> str:
    """Give the log group of the container, else of any other."""
    for each in (web, *containers):
        options = (each.get("logConfiguration") or {}).get("options") or {}
        if options.get("awslogs-group"):
            return str(options["awslogs-group"])
    return ""


def _balancer(service: ServiceState) -> Mapping[str, Any]:
    """Give the first load balancer with a target group; empty without one."""
    balancers = _list(service.settings, "loadBalancers")
    return next((each for each in balancers if each.get("targetGroupArn")), {})


def _network(service: ServiceState) -> dict[str, Any]:
    told = cast("Mapping[str, Any]", service.settings.get("networkConfiguration") or {})
    return dict(told.get("awsvpcConfiguration") or {})


def _list(parent: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = parent.get(name)
    return [each for each in found or () if isinstance(each, Mapping)]
