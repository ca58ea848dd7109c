"""`infra:` of schoolctl.yaml, and the names of what an environment's stack makes."""

from __future__ import annotations

import hashlib
import re
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from schoolctl.config.merge import merge
from schoolctl.config.names import Name, Section, SubnetId
from schoolctl.config.tree import (
    Layer,
    ListNode,
    MapNode,
    Node,
    Origin,
    Path_,
    Scalar,
    from_plain,
    is_null,
    node_at,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


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


def is_name(text: str | None) -> bool:
    """Say whether a setting names what the stack makes, and not something that exists by its id."""
    return text is not None and not re.match(r"arn:|sg-[0-9a-z]+$", text)


STACK_TAG: Final = "schoolctl:stack"
TIER_TAG: Final = "schoolctl:tier"
_BALANCER_LIMIT = 32
_CLUSTER_LIMIT = 255
_PORT = 3000


def balancer_name(app: str, environment: str) -> str:
    """Give the name of the stack's load balancer, which schoolctl.yaml does not name."""
    return fitted(f"{stack_name(app, environment)}-alb", _BALANCER_LIMIT)


def with_stack_names(tree: MapNode, environment: str) -> MapNode:
    """Put the stack's names below what an environment's merged layers say, if it has a stack.

    A `null` takes back the name of an earlier layer, so that the stack's own is used.
    """
    wanted, app = node_at(tree, ("infra", "stack")), node_at(tree, ("app",))
    if not (isinstance(wanted, Scalar) and wanted.value is True):
        return tree
    if not (isinstance(app, Scalar) and isinstance(app.value, str)):
        return tree
    names = _names(tree, app.value, environment)
    subnets = node_at(tree, ("service", "subnets"))
    if subnets is not None and not is_null(subnets):
        # Tags that somebody wrote stand alone.
        names["service"].pop("subnets")
    place = Origin(Path(stack_name(app.value, environment)), 0, 0, Layer.STACK)
    below = _placed(from_plain(dict(names)), place)
    merged = merge(below, _without_nulls(tree, below))
    return merged if isinstance(merged, MapNode) else tree


def _names(tree: MapNode, app: str, environment: str) -> dict[str, dict[str, object]]:
    stem = stack_name(app, environment)
    groups = {f"{each}_group": f"{stem}-{name}-sg" for each, name in _GROUPS.items()}
    named = node_at(tree, ("network", "service_group"))
    service_group = named.value if isinstance(named, Scalar) and named.value else None
    port = node_at(tree, ("task", "port"))
    # Another port is another target group: one of the same name could not take its place.
    number = port.value if isinstance(port, Scalar) and port.value else _PORT
    return {
        "image": {"repository": app.lower()},
        "task": {
            "execution_role": fitted(f"{stem}-execution", ROLE_LIMIT),
            "task_role": fitted(f"{stem}-task", ROLE_LIMIT),
            "log_group": f"/ecs/{stem}",
        },
        "service": {
            "cluster": fitted(stem, _CLUSTER_LIMIT),
            "subnets": _subnets(tree, stem),
            "security_groups": [service_group or groups["service_group"]],
            "target_group": fitted(f"{stem}-{number}", _BALANCER_LIMIT),
        },
        "network": dict(groups),
    }


_GROUPS: Mapping[str, str] = {"alb": "alb", "service": "ecs", "database": "rds"}


def _subnets(tree: MapNode, stack: str) -> object:
    chosen = node_at(tree, ("infra", "subnets"))
    if isinstance(chosen, ListNode) and chosen.items:
        return [each.value for each in chosen.items if isinstance(each, Scalar)]
    vpc = node_at(tree, ("infra", "vpc"))
    if vpc is None or (isinstance(vpc, Scalar) and vpc.value in {None, "default"}):
        return "default"
    return {STACK_TAG: stack, TIER_TAG: "public"}


def _placed(node: Node, place: Origin) -> Node:
    match node:
        case Scalar(value=value):
            return Scalar(value, place)
        case ListNode(items=items):
            return ListNode(tuple(_placed(item, place) for item in items), place)
        case MapNode(entries=entries):
            placed = {key: _placed(child, place) for key, child in entries.items()}
            return MapNode(placed, dict.fromkeys(entries, place), place)


def _without_nulls(node: MapNode, below: Node, path: Path_ = ()) -> MapNode:
    """Leave out the nulls that stand where `below` has a name."""
    kept: dict[str, Node] = {}
    for key, child in node.entries.items():
        if is_null(child) and node_at(below, (*path, key)) is not None:
            continue
        inner = isinstance(child, MapNode) and isinstance(node_at(below, (*path, key)), MapNode)
        kept[key] = _without_nulls(child, below, (*path, key)) if inner else child  # type: ignore[arg-type]  # `inner` says so
    return MapNode(kept, node.key_origins, node.origin)
