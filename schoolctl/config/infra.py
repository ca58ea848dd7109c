"""`infra:` of schoolctl.yaml: the CloudFormation stack that schoolctl lays for an environment."""

from __future__ import annotations

import hashlib
import re
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from schoolctl.config.names import Name, SubnetId
from schoolctl.config.section import Section

if TYPE_CHECKING:
    from schoolctl.config.models import Config

VPC_PATH: Final = ("infra", "vpc")
DATABASE_PATH: Final = ("infra", "database")
RETENTION_DAYS: Final = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""Source: CloudWatch Logs PutRetentionPolicy, member `retentionInDays`."""
ROLE_LIMIT: Final = 64
_WIDEST, _NARROWEST = 16, 24
_RESERVED_USERS: Final = frozenset({"root", "rdsadmin", "mysql", "sys"})


def _check_cidr(text: str) -> str:
    try:
        network = IPv4Network(text)
    except ValueError as error:
        raise PydanticCustomError(
            "cidr", "{text} is no block of addresses: {why}", {"text": text, "why": str(error)}
        ) from None
    if not network.is_private:
        raise PydanticCustomError(
            "cidr", "{text} is public; take one such as 10.20.0.0/16", {"text": text}
        )
    if not _WIDEST <= network.prefixlen <= _NARROWEST:
        raise PydanticCustomError(
            "cidr", "{text} has no place for four subnets; /16 to /24 have", {"text": text}
        )
    return text


def _check_retention(days: int) -> int:
    if days not in RETENTION_DAYS:
        raise PydanticCustomError(
            "retention",
            "CloudWatch Logs keeps nothing for {days} days ({known})",
            {"days": days, "known": ", ".join(map(str, RETENTION_DAYS))},
        )
    return days


def _check_user(name: str) -> str:
    if name.lower() in _RESERVED_USERS:
        raise PydanticCustomError("user", "{name} is a name that MySQL keeps", {"name": name})
    return name


def _vpc_tag(value: object) -> str | None:
    match value:
        case dict() | NewVpcConfig():
            return "<new>"
        case "default":
            return "<default>"
        case str():
            return "<id>"
        case _:
            return None


def _database_tag(value: object) -> str | None:
    match value:
        case dict() | DatabaseConfig():
            return "<settings>"
        case False:
            return "<none>"
        case _:
            return None


_VpcId: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name("a VPC", r"vpc-[0-9a-z]+", "such as vpc-0123456789abcdef0", 64).check_fixed
    ),
    # Or `default` would be two things in the schema.
    Field(json_schema_extra={"pattern": "^vpc-"}),
]
_CertificateArn: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name(
            "a certificate's ARN",
            r"arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+",
            "arn:aws:acm:REGION:ACCOUNT:certificate/ID",
            2048,
        ).check_fixed
    ),
]
_GithubRepository: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name("a GitHub repository", r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+", "OWNER/REPO", 140).check_fixed
    ),
]
_Branch: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name("a branch", r"[^\s*?~^:\\]+", "without blanks and * ? ~ ^ : \\", 255).check_fixed
    ),
]
_Identifier: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name(
            "a name in MySQL",
            r"[A-Za-z][A-Za-z0-9_]*",
            "letters, digits and _, beginning with a letter",
            32,
        ).check_fixed
    ),
]
_InstanceClass: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name(
            "an instance class", r"db\.[a-z0-9-]+\.[a-z0-9-]+", "such as db.t4g.micro", 64
        ).check_fixed
    ),
]
_EngineVersion: TypeAlias = Annotated[
    str,
    AfterValidator(
        Name("a version of MySQL", r"\d+\.\d+(?:\.\d+)?", 'such as "8.4.8"', 16).check_fixed
    ),
]


class NewVpcConfig(Section):
    """A VPC that the stack makes: two zones, public subnets, and private ones for a database."""

    cidr: Annotated[str, AfterValidator(_check_cidr)] = Field(
        description="its addresses, such as 10.20.0.0/16"
    )


class DatabaseConfig(Section):
    """The RDS instance: MySQL, private, encrypted, TLS required, its password kept by RDS."""

    instance_class: _InstanceClass = Field("db.t4g.micro", description="size of the instance")
    engine_version: _EngineVersion = Field("8.4.8", description="version of MySQL, in quotes")
    storage: Annotated[int, Field(ge=20, le=65536)] = Field(20, description="GiB to begin with")
    max_storage: Annotated[int, Field(ge=20, le=65536)] = Field(
        100, description="GiB that it may grow to by itself"
    )
    name: _Identifier = Field("registrations", description="database that is there from the start")
    user: Annotated[_Identifier, AfterValidator(_check_user)] = Field(
        "admin", description="master user"
    )
    multi_az: bool = Field(False, description="true: a standby in a second zone")
    backup_days: Annotated[int, Field(ge=1, le=35)] = Field(
        7, description="days for which backups are kept"
    )
    deletion_protection: bool = Field(
        True, description="RDS refuses to delete it; `infra down` lifts that after asking"
    )


class CiRoleConfig(Section):
    """The role that a pipeline on GitHub takes, without a stored key."""

    github: _GithubRepository = Field(description="whose workflows may take it, as OWNER/REPO")
    branch: _Branch | None = Field(
        None, description="the only branch whose workflows may; else `git.branch`, else any"
    )


Vpc: TypeAlias = Annotated[
    Annotated[Literal["default"], Tag("<default>")]
    | Annotated[_VpcId, Tag("<id>")]
    | Annotated[NewVpcConfig, Tag("<new>")],
    Discriminator(
        _vpc_tag,
        custom_error_type="vpc",
        custom_error_message="expected `default`, the id of a VPC, or {cidr: 10.20.0.0/16}",
    ),
]
Database: TypeAlias = Annotated[
    Annotated[Literal[False], Tag("<none>")] | Annotated[DatabaseConfig, Tag("<settings>")],
    Discriminator(
        _database_tag,
        custom_error_type="database",
        custom_error_message="expected false, or settings such as {instance_class: db.t4g.micro}",
    ),
]


class InfraConfig(Section):
    """The CloudFormation stack of an environment, <app>-<environment>."""

    stack: bool = Field(
        False,
        description="true: `infra up` lays network, load balancer, cluster, roles and log group,"
        " and the environment takes their names and ids from there",
    )
    vpc: Vpc = Field(
        "default",
        description="`default`, the id of one that exists, or {cidr: ...} for a new one",
    )
    subnets: Annotated[tuple[SubnetId, ...], Field(strict=False, max_length=16)] = Field(
        (), description="of a VPC that exists, in two zones or more; none: those that are public"
    )
    certificate: _CertificateArn | None = Field(
        None, description="ARN of a certificate: HTTPS on 443, and 80 redirects to it"
    )
    database: Database = Field(False, description="an RDS MySQL instance, or false for none")
    container_insights: bool = Field(False, description="true: metrics of each task, for money")
    log_retention_days: Annotated[int, AfterValidator(_check_retention)] = Field(
        30, description="days for which the log group keeps its lines"
    )
    deregistration_seconds: Annotated[int, Field(ge=0, le=3600)] = Field(
        30, description="seconds that a task which goes may finish its requests in"
    )
    ci_role: CiRoleConfig | None = Field(
        None, description="a role for a pipeline on GitHub: {github: OWNER/REPO}"
    )


def stack_name(app: str, environment: str) -> str:
    """Give the name of an environment's stack."""
    return f"{app}-{environment}"


def fitted(name: str, limit: int) -> str:
    """Give a name that fits: of one that is too long the beginning, and digits of the whole."""
    if len(name) <= limit:
        return name
    digits = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{name[: limit - 7].rstrip('-')}-{digits}"


def ci_role_name(config: Config) -> str:
    """Give the name of the pipeline's role."""
    return fitted(f"{config.stack_name}-ci", ROLE_LIMIT)


def is_name(text: str | None) -> bool:
    """Say whether a setting names what the stack makes, and not something that exists by its id."""
    return text is not None and not re.match(r"arn:|sg-[0-9a-z]+$", text)
