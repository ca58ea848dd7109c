"""What schoolctl.yaml may say: the keys, their types, their limits and their defaults.

The descriptions are the documentation of the keys: errors, the JSON Schema and `config schema`
use them. Types are strict: `"3000"` is no port, and a value is never converted to fit.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    GetPydanticSchema,
    Tag,
)
from pydantic_core import PydanticCustomError, core_schema

from schoolctl.config.infra import DATABASE_PATH, VPC_PATH, InfraConfig, stack_name
from schoolctl.config.names import (
    AccountId,
    AppName,
    ClusterName,
    ContainerName,
    EndpointUrl,
    FamilyName,
    HealthPath,
    LogGroupName,
    ParameterKey,
    RegionName,
    RegistryHost,
    RepositoryName,
    RoleName,
    SecretArn,
    SecretKey,
    Section,
    SecurityGroupName,
    ServiceName,
    SubnetId,
    TargetGroupName,
    Text,
    Texts,
    VariableName,
)
from schoolctl.model.launch import FARGATE, LaunchType
from schoolctl.model.values import SecretValue

SUBNETS_PATH: Final = ("service", "subnets")
FORMS: Final = (SUBNETS_PATH, VPC_PATH, DATABASE_PATH)
"""The values of several forms: pydantic adds the form's tag to the path of its errors."""


class ParameterType(StrEnum):
    """The type of an SSM parameter, as AWS spells it."""

    STRING = "String"
    SECURE_STRING = "SecureString"
    STRING_LIST = "StringList"


def _check_cpu(units: int) -> int:
    if units not in FARGATE.memory_mib:
        sizes = ", ".join(map(str, FARGATE.memory_mib))
        raise PydanticCustomError(
            "cpu",
            "{units} is no {name} size ({sizes})",
            {"units": units, "name": FARGATE.name, "sizes": sizes},
        )
    return units


def _check_memory(mebibytes: int) -> int:
    if not any(mebibytes in sizes for sizes in FARGATE.memory_mib.values()):
        raise PydanticCustomError(
            "memory",
            "{mebibytes} is no {name} size (512, 1024, 2048, ...; it goes by `cpu`)",
            {"mebibytes": mebibytes, "name": FARGATE.name},
        )
    return mebibytes


def _hide(text: str) -> SecretValue:
    return SecretValue(text)


def _subnets_tag(value: object) -> str | None:
    match value:
        case dict():
            return "<tags>"
        case list() | tuple():
            return "<ids>"
        case "default":
            return "<default>"
        case _:
            return None


HiddenText: TypeAlias = Annotated[
    SecretValue,
    GetPydanticSchema(
        lambda _source, _handler: core_schema.no_info_after_validator_function(
            _hide,
            core_schema.str_schema(strict=True, min_length=1),
            serialization=core_schema.to_string_ser_schema(),
        )
    ),
]
CpuUnits: TypeAlias = Annotated[int, AfterValidator(_check_cpu)]
MemoryMib: TypeAlias = Annotated[int, AfterValidator(_check_memory)]
SubnetIds: TypeAlias = Annotated[
    tuple[SubnetId, ...], Field(strict=False, min_length=1, max_length=16)
]
Subnets: TypeAlias = Annotated[
    Annotated[Literal["default"], Tag("<default>")]
    | Annotated[SubnetIds, Tag("<ids>")]
    | Annotated[dict[Text, Text], Field(min_length=1), Tag("<tags>")],
    Discriminator(
        _subnets_tag,
        custom_error_type="subnets",
        custom_error_message="expected `default`, a list of subnet ids, or tags as {name: value}",
    ),
]
Overrides: TypeAlias = dict[str, Any]


class ImageConfig(Section):
    """The image: where it is built from and where it is kept."""

    repository: RepositoryName = Field(description="name of the ECR repository")
    dockerfile: Text = Field("Dockerfile", description="path from the folder of schoolctl.yaml")
    context: Text = Field(".", description="build context; path from the folder of schoolctl.yaml")
    platform: Literal["linux/amd64", "linux/arm64"] = Field(
        "linux/amd64", description="what the tasks run on; a build for anything else is refused"
    )
    build_args: dict[VariableName, str] = Field(
        default={}, description="arguments of the build; never secrets, the image shows them"
    )
    allow: Texts = Field(
        (), description="paths in the build context that may hold what looks like a secret"
    )


class ParameterConfig(Section):
    """A value in SSM Parameter Store, at /<app>/<environment>/<key>."""

    type: Annotated[ParameterType, Field(strict=False)] = Field(
        ParameterType.SECURE_STRING, description="type of the SSM parameter"
    )
    env: VariableName | None = Field(
        None, description="variable of the container that holds the parameter's path"
    )
    hidden: bool = Field(
        True, description="false: the value may be shown, and given on the command line"
    )
    source: Literal["rds.endpoint", "rds.port", "rds.database", "rds.user"] | None = Field(
        None, alias="from", description="the part of the RDS instance that it comes from"
    )
    description: str = Field("", max_length=1024, description="what the value is, for people")


class SecretConfig(Section):
    """A value in Secrets Manager, named <app>/<environment>/<key>, or one that exists."""

    env: VariableName | None = Field(
        None, description="variable of the container that holds the secret's ARN"
    )
    arn: SecretArn | None = Field(None, description="ARN of a secret that exists")
    source: Literal["rds.managed_secret"] | None = Field(
        None, alias="from", description="the part of the RDS instance that it comes from"
    )
    rotate_command: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = Field(
        None, description="runs as a one-off task and gives the database the secret's AWSPENDING"
    )
    description: str = Field("", max_length=2048, description="what the value is, for people")


class TaskConfig(Section):
    """The task definition."""

    family: FamilyName = Field(description="family of the task definition")
    container: ContainerName = Field("web", description="name of the service's container")
    cpu: CpuUnits = Field(256, description="CPU units of a task; 1024 are one vCPU")
    memory: MemoryMib = Field(512, description="memory of a task in MiB")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(
        3000, description="port that the container listens on"
    )
    health_path: HealthPath = Field("/healthz", description="path that the load balancer asks for")
    execution_role: RoleName = Field(
        description="role, by name or ARN, with which ECS starts the task"
    )
    task_role: RoleName | None = Field(
        None, description="role, by name or ARN, that the service's own code has"
    )
    log_group: LogGroupName = Field("/ecs/{app}", description="log group in CloudWatch Logs")
    stop_timeout: Annotated[int, Field(ge=2, le=120)] = Field(
        30, description="seconds between SIGTERM and SIGKILL"
    )
    environment: dict[VariableName, str] = Field(
        default={}, description="plain variables of the container; AWS_REGION is always there"
    )
    overrides: Overrides = Field(
        default={}, description="keys of RegisterTaskDefinition as AWS spells them, merged last"
    )


class DeploymentConfig(Section):
    """How the service is brought from one revision to the next."""

    circuit_breaker: bool = Field(
        True, description="stop a rollout whose tasks do not come up, as ECS counts them"
    )
    rollback: bool = Field(
        # Who turns the breaker off need not say that it cannot roll back either.
        default_factory=lambda settled: settled["circuit_breaker"],
        description="let ECS go back when the circuit breaker stops a rollout",
    )
    min_percent: Annotated[int, Field(ge=0, le=100)] = Field(
        100, description="tasks that must run during a rollout, in percent of the desired count"
    )
    max_percent: Annotated[int, Field(ge=100)] = Field(
        200, description="tasks that may run during a rollout, in percent of the desired count"
    )
    grace_seconds: Annotated[int, Field(ge=0)] = Field(
        30, description="seconds for which a new task's failed health checks do not count"
    )


class ServiceConfig(Section):
    """The ECS service."""

    cluster: ClusterName = Field(description="name of the ECS cluster")
    name: ServiceName = Field(description="name of the ECS service")
    desired_count: Annotated[int, Field(ge=0)] = Field(
        1, description="tasks when the service is created; later auto scaling decides, or `deploy`"
    )
    subnets: Subnets = Field(
        "default", description="`default` (those of the default VPC), ids, or tags to find them by"
    )
    security_groups: Annotated[tuple[SecurityGroupName, ...], Field(strict=False, max_length=5)] = (
        Field((), description="names or ids; none: the default group of the VPC")
    )
    target_group: TargetGroupName | None = Field(
        None, description="target group of the load balancer, by name or ARN"
    )
    assign_public_ip: bool = Field(
        True, description="needed in public subnets, or the tasks cannot pull their image"
    )
    deployment: DeploymentConfig = Field(
        default_factory=DeploymentConfig, description="how a rollout goes"
    )
    overrides: Overrides = Field(
        default={},
        description="keys of CreateService and UpdateService as AWS spells them, merged last",
    )
    release_command: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = Field(
        None, description="runs as a one-off task before the service is updated; must exit with 0"
    )
    release_timeout: Annotated[int, Field(ge=1, le=86400)] = Field(
        900, description="seconds that the release command may take; then the deploy fails"
    )


class NetworkConfig(Section):
    """The security groups, from the internet to the database."""

    alb_group: SecurityGroupName = Field("{app}-alb-sg", description="group of the load balancer")
    service_group: SecurityGroupName = Field("{app}-ecs-sg", description="group of the tasks")
    database_group: SecurityGroupName = Field("{app}-rds-sg", description="group of the database")


class ImagesConfig(Section):
    """What `images prune` keeps, besides whatever is in use."""

    keep: Annotated[int, Field(ge=1)] = Field(10, description="the newest images, this many")
    keep_days: Annotated[int, Field(ge=0)] = Field(
        14, description="images that are younger than this many days"
    )
    protect: Texts = Field((), description="tags that are kept; * stands for any characters")


class GitConfig(Section):
    """What the work tree must be like before an image is pushed."""

    branch: Text | None = Field(None, description="the only branch that may be pushed from")
    clean: bool = Field(False, description="true: refuse uncommitted changes")


class CredentialsConfig(Section):
    """Access keys of one machine; only in .schoolctl/<environment>.yaml."""

    access_key_id: Text = Field(description="access key id")
    secret_access_key: HiddenText = Field(description="secret access key")


class Settings(Section):
    """Everything that an environment can say."""

    app: AppName = Field(description="name that parameters, secrets and the stack begin with")
    image: ImageConfig = Field(description="the image: where it is built from and kept")
    parameters: dict[ParameterKey, ParameterConfig] = Field(
        default={}, description="SSM parameters, at /<app>/<environment>/<key>"
    )
    secrets: dict[SecretKey, SecretConfig] = Field(
        default={}, description="Secrets Manager secrets, named <app>/<environment>/<key>"
    )
    task: TaskConfig = Field(description="the task definition")
    service: ServiceConfig = Field(description="the ECS service")
    network: NetworkConfig = Field(
        # Validated as if it was written: nothing else fills the names of the groups in.
        default_factory=dict,  # type: ignore[assignment]
        description="the security groups, outside to inside",
    )
    images: ImagesConfig = Field(
        default_factory=ImagesConfig, description="what `images prune` keeps"
    )
    infra: InfraConfig = Field(
        default_factory=InfraConfig, description="the CloudFormation stack, if schoolctl lays it"
    )
    profile: Text | None = Field(None, description="AWS profile")
    region: RegionName | None = Field(None, description="AWS region")
    account: AccountId | None = Field(
        None, description="AWS account id in quotes; anything else is refused before a write"
    )
    endpoint_url: EndpointUrl | None = Field(
        None, description="where AWS's APIs are, if not at AWS"
    )
    registry: RegistryHost | None = Field(
        None, description="host and port of the image registry, if not ECR's own"
    )
    protected: bool = Field(False, description="true: every change asks for the service's name")
    git: GitConfig = Field(
        default_factory=GitConfig, description="what the work tree must be like to push"
    )
    credentials: CredentialsConfig | None = Field(
        None, description="access keys; only in .schoolctl/<environment>.yaml"
    )


class Config(Settings):
    """One environment, with everything filled in."""

    environment: str = Field(description="name of the environment")

    @property
    def stack_name(self) -> str:
        """The name of the environment's stack, whether there is one or not."""
        return stack_name(self.app, self.environment)

    @property
    def launch(self) -> LaunchType:
        """What the tasks run on. No key chooses it: schoolctl deploys to Fargate alone."""
        return FARGATE

    def parameter_name(self, key: str) -> str:
        """Give the SSM name of the parameter that the file calls `key`."""
        return f"/{self.app}/{self.environment}/{key}"

    def secret_name(self, key: str) -> str:
        """Give the Secrets Manager name of the secret `key`, or the ARN that the file gives it."""
        declared = self.secrets.get(key)
        if declared is not None and declared.arn is not None:
            return declared.arn
        return f"{self.app}/{self.environment}/{key}"


def managed_secrets(config: Config) -> tuple[str, ...]:
    """Give the keys of the secrets that the stack's database keeps by itself."""
    if not (config.infra.stack and config.infra.database):
        return ()
    return tuple(
        key
        for key, each in config.secrets.items()
        if each.source == "rds.managed_secret" and each.arn is None
    )
