"""What a service needs around it, and what of that is missing or could not be verified. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schoolctl.base.errors import AccessDeniedError, MissingThingsError
from schoolctl.base.text import count
from schoolctl.model.surroundings import TargetGroup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schoolctl.config.models import Config
    from schoolctl.model.surroundings import SecurityGroup, Subnet


@dataclass(frozen=True)
class Denied:
    """AWS refused to tell; it is not an error until the answer is needed."""

    error: AccessDeniedError


@dataclass
class Gaps:
    """What is missing, each with the command that makes it, and what could not be verified."""

    environment_option: str = ""
    """What a command needs to work on this environment, such as ` -e prod`."""
    missing: list[str] = field(default_factory=list)
    cures: list[tuple[str, str]] = field(default_factory=list)
    """Each thing that is missing and what makes it, apart."""
    warnings: list[str] = field(default_factory=list)
    _unverified: dict[str, list[str]] = field(default_factory=dict)

    def lacks(self, what: str, cure: str) -> None:
        """Note that `what` is missing."""
        self.missing.append(f"{what}: {cure}")
        self.cures.append((what, cure))

    def lacks_for(self, what: str, command: str) -> None:
        """Note that `what` is missing and that one of our own commands makes it."""
        self.lacks(what, f"`schoolctl {command}{self.environment_option}`")

    def unverified(self, what: str, denied: Denied) -> None:
        """Note that AWS refused a read that we can do without; one warning for each action."""
        action = denied.error.action or "the read"
        subjects = self._unverified.setdefault(action, [])
        before = _not_verified(subjects, action)
        subjects.append(what)
        self.warnings[:] = [each for each in self.warnings if each != before]
        self.warnings.append(_not_verified(subjects, action))

    def refuse(self, doing: str) -> None:
        """Raise if anything is missing. `doing` is what cannot be done: `deploy web`."""
        if self.missing:
            raise MissingThingsError(
                f"cannot {doing}: {count(len(self.missing), 'thing')} missing; nothing was changed",
                self.missing,
                hint="make what is missing, then run it again; `schoolctl doctor` looks further, at"
                " what the roles may, too",
            )


def _not_verified(subjects: list[str], action: str) -> str:
    verb = "was" if len(subjects) == 1 else "were"
    return f"{' and '.join(subjects)} {verb} not verified: {action} is denied"


@dataclass(frozen=True)
class ServiceNeeds:
    """What a service needs besides its task definition, as it was found."""

    parameters: frozenset[str] | Denied
    """The names of the parameters that exist."""
    cluster: bool
    target_group: TargetGroup | Denied | None
    subnets: tuple[Subnet, ...] | Denied
    security_groups: tuple[SecurityGroup, ...] | Denied
    log_group: bool | Denied


@dataclass(frozen=True)
class Places:
    """Where the tasks of the service run and are reached.

    Attributes:
        network: the `networkConfiguration` that is wanted; a `Denied` where it cannot be known.
        target_group_arn: None where the service has no load balancer.
        create_log_group: whether the log group has to be made first.
    """

    network: Mapping[str, object] | Denied
    target_group_arn: str | Denied | None
    create_log_group: bool


def resolve_service(config: Config, found: ServiceNeeds, gaps: Gaps, *, creating: bool) -> Places:
    """Give where the service runs; what is missing goes to `gaps`.

    Args:
        config: the configuration of the environment.
        found: what was observed.
        gaps: collects.
        creating: whether the service is about to be created: ECS then checks more.
    """
    check_cluster(config, gaps, exists=found.cluster)
    check_parameters(config, found.parameters, gaps)
    network = _network(config, found, gaps)
    target_group = _target_group(config, found, gaps, creating=creating)
    if isinstance(found.log_group, Denied):
        gaps.unverified(f"log group {config.task.log_group}", found.log_group)
    return Places(network, target_group, create_log_group=found.log_group is False)


def check_cluster(config: Config, gaps: Gaps, *, exists: bool) -> None:
    """Note in `gaps` that the cluster is missing."""
    if not exists:
        name = config.service.cluster
        gaps.lacks(f"cluster {name}", f"`aws ecs create-cluster --cluster-name {name}`")


def check_parameters(config: Config, found: frozenset[str] | Denied, gaps: Gaps) -> None:
    """Note in `gaps` which parameters are missing."""
    if isinstance(found, Denied):
        gaps.unverified("that the parameters exist", found)
        return
    missing = {key: config.parameter_name(key) for key in config.parameters}
    missing = {key: name for key, name in missing.items() if name not in found}
    if len(missing) == 1:
        [(key, name)] = missing.items()
        gaps.lacks_for(f"parameter {name}", f"params set {key}")
    elif missing:
        # Without a key it asks for all of them in turn.
        gaps.lacks_for(f"parameters {', '.join(missing.values())}", "params set")


def _target_group(
    config: Config, around: ServiceNeeds, gaps: Gaps, *, creating: bool
) -> str | Denied | None:
    wanted, found = config.service.target_group, around.target_group
    if wanted is None:
        return None
    match found:
        case Denied():
            if not wanted.startswith("arn:"):
                return found
            gaps.unverified(f"target group {wanted}", found)
            return wanted
        case None:
            check_target_group(config, None, around.subnets, gaps)
            return None
        case TargetGroup():
            check_target_group(config, found, around.subnets, gaps)
            if creating:
                check_listener(found, gaps)
            elif not found.load_balancer_arns:
                what = f"a listener that forwards to target group {found.name}"
                gaps.warnings.append(f"there is no load balancer with {what}: nobody is served")
            differing = health_check_differs(config, found)
            if differing is not None:
                gaps.warnings.append(": ".join(differing))
            return found.arn


def check_target_group(
    config: Config, found: TargetGroup | None, subnets: tuple[Subnet, ...] | Denied, gaps: Gaps
) -> None:
    """Note in `gaps` that the target group is missing, or that no task on Fargate can be in it."""
    vpcs = _vpcs(subnets)
    if found is None:
        name = config.service.target_group
        gaps.lacks(
            f"target group {name}",
            f"`aws elbv2 create-target-group --name {name} --protocol HTTP"
            f" --port {config.task.port} --target-type {config.launch.target_type}"
            f" --vpc-id {_vpc(subnets)}"
            f" --health-check-path {config.task.health_path}`, and a listener that forwards"
            " to it",
        )
    elif found.target_type != config.launch.target_type:
        gaps.lacks(
            f"target group {found.name} of type `{config.launch.target_type}`"
            f" (it has type `{found.target_type}`)",
            f"tasks on {config.launch.name} are reached by address; make another target group",
        )
    elif vpcs and found.vpc_id not in vpcs:
        gaps.lacks(
            f"target group {found.name} in {min(vpcs)} (it is in {found.vpc_id})",
            "it has to be in the VPC of the subnets: make another one, or correct"
            " `service.subnets`",
        )


def health_check_differs(config: Config, found: TargetGroup) -> tuple[str, str] | None:
    """Give how the health check asks where no task answers, and the cure; None where it does not.

    Tasks behind such a target group never become healthy.
    """
    wanted, port = config.task.health_path, config.task.port
    change = f"aws elbv2 modify-target-group --target-group-arn {found.arn}"
    if found.health_path and found.health_path != wanted:
        what = f"asks for {found.health_path}, and `task.health_path` is {wanted}"
        cure = f"`{change} --health-check-path {wanted}`"
    elif found.health_port not in {"traffic-port", str(port)}:
        what = f"asks on port {found.health_port}, and `task.port` is {port}"
        cure = f"`{change} --health-check-port traffic-port`"
    else:
        return None
    return f"target group {found.name} {what}", cure


def check_listener(found: TargetGroup, gaps: Gaps, load_balancer: str = "ARN") -> None:
    """Note in `gaps` that no listener forwards to the target group.

    Args:
        found: the target group.
        gaps: collects.
        load_balancer: the ARN of the one that could, where it is known.
    """
    if not found.load_balancer_arns:
        gaps.lacks(
            f"a listener that forwards to target group {found.name}",
            f"`aws elbv2 create-listener --load-balancer-arn {load_balancer} --protocol HTTP"
            f" --port 80 --default-actions Type=forward,TargetGroupArn={found.arn}`",
        )


# The network


def _network(config: Config, found: ServiceNeeds, gaps: Gaps) -> Mapping[str, object] | Denied:
    subnets = subnet_ids(config, found.subnets, gaps)
    if isinstance(subnets, Denied):
        return subnets
    groups = group_ids(config, found.security_groups, found.subnets, gaps)
    if isinstance(groups, Denied):
        return groups
    public = "ENABLED" if config.service.assign_public_ip else "DISABLED"
    made: dict[str, object] = {"subnets": subnets, "assignPublicIp": public}
    if groups:
        made["securityGroups"] = groups
    return {"awsvpcConfiguration": made}


def subnet_ids(
    config: Config, found: tuple[Subnet, ...] | Denied, gaps: Gaps
) -> list[str] | Denied:
    """Give the ids of the subnets; what is missing goes to `gaps`."""
    wanted = config.service.subnets
    if isinstance(found, Denied):
        if not isinstance(wanted, tuple):
            return found
        gaps.unverified("that the subnets exist", found)
        return list(wanted)
    there = [each.id for each in found]
    if isinstance(wanted, tuple):
        for missing in [each for each in wanted if each not in there]:
            gaps.lacks(f"subnet {missing}", "correct `service.subnets`")
    elif not there and isinstance(wanted, str):
        gaps.lacks(
            "default subnets",
            "`aws ec2 create-default-vpc`, or name subnets in `service.subnets`",
        )
    elif not there and isinstance(wanted, dict):
        tags = ", ".join(f"{key}={value}" for key, value in wanted.items())
        gaps.lacks(f"subnets with the tags {tags}", "correct `service.subnets`, or tag subnets")
    vpcs = sorted({each.vpc_id for each in found})
    if len(vpcs) > 1:
        gaps.lacks(
            f"subnets of one VPC (these are of {', '.join(vpcs)})", "narrow `service.subnets` down"
        )
    return there


def _vpcs(subnets: tuple[Subnet, ...] | Denied) -> set[str]:
    """Give the VPCs of the subnets; none where the subnets are not known."""
    return {each.vpc_id for each in subnets} if isinstance(subnets, tuple) else set()


def _vpc(subnets: tuple[Subnet, ...] | Denied) -> str:
    """Give the VPC for a command to copy; a word to replace where it is not known."""
    return min(_vpcs(subnets), default="VPC")


def group_ids(
    config: Config,
    groups: tuple[SecurityGroup, ...] | Denied,
    subnets: tuple[Subnet, ...] | Denied,
    gaps: Gaps,
) -> list[str] | Denied:
    """Give the ids of the security groups; what is missing goes to `gaps`."""
    wanted = config.service.security_groups
    if isinstance(groups, Denied):
        if wanted and not all(each.startswith("sg-") for each in wanted):
            return groups
        gaps.unverified("that the security groups exist", groups)
        return list(wanted)
    vpcs = _vpcs(subnets)
    ids = []
    for name in wanted:
        match = _group(name, groups, vpcs)
        if match is not None:
            ids.append(match)
            continue
        if name.startswith("sg-"):
            gaps.lacks(f"security group {name}", "correct `service.security_groups`")
            continue
        vpc = _vpc(subnets)
        gaps.lacks(
            f"security group {name} in {vpc}",
            f"`aws ec2 create-security-group --group-name {name} --vpc-id {vpc}"
            f' --description "tasks of {config.app}"`',
        )
    return ids


def _group(name: str, groups: Sequence[SecurityGroup], vpcs: set[str]) -> str | None:
    """Give the id of the group with that id or name in the VPC of the subnets.

    Where the VPC is not known, a name that several VPCs have names none of them.
    """
    found = [
        each.id
        for each in groups
        if name in {each.id, each.name} and each.vpc_id in (vpcs or {each.vpc_id})
    ]
    return found[0] if len(found) == 1 else None
