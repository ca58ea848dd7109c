"""What a check decides where no emulator can be brought to: other accounts, endpoints, zones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import MissingThingsError
from schoolctl.model.surroundings import (
    ANYWHERE,
    NetworkInterface,
    Route,
    SecurityGroup,
    Source,
    SourceKind,
)
from schoolctl.network.rules import check_network, notes_of, plan_network
from schoolctl.network.view import ASCII, report
from tests.worlds.network_scenes import (
    ALB,
    DOCUMENTED,
    ECS,
    GROUPS,
    OPEN,
    RDS,
    VPC,
    balancer,
    config,
    database,
    endpoint,
    rule,
    state,
    table,
)

if TYPE_CHECKING:
    from schoolctl.network.state import NetworkState

APIS = ("ecr.api", "ecr.dkr", "logs", "ssm", "secretsmanager", "s3")


def told(network: NetworkState) -> list[str]:
    return [each.what for each in check_network(config(), network)]


def test_the_documented_network_has_no_finding() -> None:
    assert told(state()) == []


# Rules


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            Source(SourceKind.GROUP, "sg-9", account="999999999999"),
            "group sg-9 of account 999999999999",
        ),
        (Source(SourceKind.GROUP, "sg-9", peering="pcx-1"), "group sg-9 behind pcx-1"),
        (Source(SourceKind.UNKNOWN, ""), "a source that AWS does not name"),
        (Source(SourceKind.IPV6, "2001:db8::/32"), "2001:db8::/32"),
    ],
)
def test_a_stranger_is_named(source: Source, text: str) -> None:
    network = state(rules=(*DOCUMENTED, *OPEN, rule(RDS, 3306, source)))
    assert told(network) == [f"the database lets in tcp 3306 from {text}"]


@pytest.mark.parametrize(
    ("protocol", "ports", "text"),
    [
        ("-1", None, "all traffic"),
        ("tcp", (0, 65535), "tcp, every port,"),
        ("udp", 53, "udp 53"),
        ("58", None, "icmpv6"),
        ("50", None, "protocol 50"),
    ],
)
def test_traffic_is_named(protocol: str, ports: int | tuple[int, int] | None, text: str) -> None:
    network = state(rules=(*DOCUMENTED, *OPEN, rule(RDS, ports, "pl-1", protocol)))
    assert told(network) == [f"the database lets in {text} from prefix list pl-1"]


def test_a_dualstack_load_balancer_is_open_over_ipv6_too() -> None:
    assert told(state(load_balancers=(balancer(address_type="dualstack"),))) == [
        "internet -> load balancer: port 80 over IPv6 is not allowed",
        "internet -> load balancer: port 443 over IPv6 is not allowed",
    ]


def test_the_ports_are_those_of_the_service_and_the_database() -> None:
    network = state(database=database(port=3307))
    found = check_network(config("task: {port: 8000}"), network)
    assert [each.what for each in found if each.kind == "missing"] == [
        "load balancer -> service: port 8000 is not allowed (tcp 3000 is)",
        "service -> database: port 3307 is not allowed (tcp 3306 is)",
    ]


def test_a_port_that_the_service_is_told_counts_without_a_database() -> None:
    network = state(database=None, databases=())
    told_port = config('task: {environment: {DB_PORT: "3308"}}')
    assert [each.what for each in check_network(told_port, network)] == [
        "service -> database: port 3308 is not allowed (tcp 3306 is)",
        "the database lets in tcp 3306 from group sg-ecs (tasks)",
    ]


def test_a_range_that_holds_the_subnets_carries_the_edge_and_others_do_not() -> None:
    def found(cidr: str) -> list[str]:
        rules = (*DOCUMENTED[:3], *OPEN, rule(RDS, 3306, cidr))
        return [each.kind for each in check_network(config(), state(rules=rules))]

    assert found("10.0.0.0/16") == ["extra"]
    assert found("10.0.1.0/24") == ["missing", "extra"]


def test_a_group_in_another_vpc_is_told_and_not_given_rules() -> None:
    far = SecurityGroup("sg-far", "data", "vpc-2")
    network = state(
        groups=(*GROUPS[:2], far), database=database(security_groups=("sg-far",)), rules=OPEN[:2]
    )
    assert "the database is in vpc-2, the service in vpc-1" in told(network)
    steps = plan_network(config(), network, fix=True).steps
    assert not any("3306" in each.describe() for each in steps)


def test_a_group_that_is_on_two_parts_is_told() -> None:
    network = state(service_groups=(ALB,), rules=(*DOCUMENTED, rule(ALB, 3000, ALB), *OPEN))
    assert (
        "sg-alb (web) is on the load balancer and on the service: what is open for one is open for"
        " the other"
    ) in notes_of(config(), network)


def test_an_edge_that_is_there_twice_changes_nothing_and_is_told() -> None:
    second = SecurityGroup("sg-second", "second", VPC)
    network = state(
        groups=(*GROUPS, second),
        service_groups=(ECS, "sg-second"),
        rules=(*DOCUMENTED, rule("sg-second", 3000, ALB), *OPEN),
    )
    assert told(network) == []
    [note] = notes_of(config(), network)
    assert note.startswith("load balancer -> service: port 3000 is allowed more than once")


def test_the_default_group_in_use_is_told() -> None:
    default = SecurityGroup("sg-default", "default", VPC)
    network = state(groups=(*GROUPS, default), service_groups=("sg-default",))
    assert any("is the VPC's default group" in each for each in notes_of(config(), network))


@pytest.mark.parametrize(
    ("description", "instance", "user"),
    [
        ("ELB app/library/0123", "", "load balancer library"),
        ("ELB app/school/0123", "", ""),
        ("AWS Lambda VPC ENI-report-0a1b2c3d-0000-1111-2222-333344445555", "", "Lambda function"),
        ("", "i-1", "EC2 instance i-1"),
        ("arn:aws:ecs:us-east-1:123456789012:attachment/1", "", "tasks of ECS"),
        ("RDSNetworkInterface", "", ""),
    ],
)
def test_who_else_has_a_group_is_read_off_its_interfaces(
    description: str, instance: str, user: str
) -> None:
    interface = NetworkInterface("eni-1", description, (ALB,), instance)
    notes = notes_of(config(), state(interfaces=(interface,)))
    assert bool(notes) == bool(user)
    assert all(user in each for each in notes)


def test_no_vpc_to_make_groups_in_is_an_error() -> None:
    with pytest.raises(MissingThingsError) as caught:
        plan_network(
            config(),
            state(
                vpc_id="",
                groups=(),
                rules=(),
                load_balancers=(),
                service_groups=None,
                database=None,
                target_group=None,
            ),
            fix=False,
        )
    assert "correct service.subnets" in caught.value.why


# The ways out


def private(*endpoints: str) -> NetworkState:
    """Give a network without a way to the internet."""
    rules = (*DOCUMENTED, *OPEN, rule("sg-vpce", 443, ECS))
    return state(
        route_tables=(table(),),
        endpoints=tuple(map(endpoint, endpoints)),
        rules=rules,
        load_balancers=(),
    )


def test_endpoints_for_all_apis_need_no_internet() -> None:
    assert told(private(*APIS)) == []


@pytest.mark.parametrize("missing", APIS)
def test_each_endpoint_that_is_missing_is_told(missing: str) -> None:
    [finding] = check_network(config(), private(*(each for each in APIS if each != missing)))
    commands = [each for each in finding.cure if "create-vpc-endpoint" in each]
    assert len(commands) == 1
    assert f".us-east-1.{missing} " in commands[0]
    assert ("Gateway --route-table-ids rtb-1" in commands[0]) == (missing == "s3")


def test_what_the_service_does_not_read_needs_no_endpoint() -> None:
    reduced = config("parameters: null, secrets: null")
    found = check_network(reduced, private("ecr.api", "ecr.dkr", "logs", "s3"))
    assert [each.what for each in found] == []


@pytest.mark.parametrize(
    ("route", "public", "way"),
    [
        (Route(ANYWHERE, "nat-1"), False, ""),
        (Route(ANYWHERE, "tgw-1"), False, ""),
        (Route(ANYWHERE, "igw-1"), True, ""),
        (Route(ANYWHERE, "igw-1"), False, "the route leads to igw-1, and they have no public"),
        (Route(ANYWHERE, "nat-1", is_active=False), True, "the route to nat-1 leads to something"),
        (Route("10.1.0.0/16", "pcx-1"), True, "there is no route to the internet"),
    ],
)
def test_the_way_to_the_internet_is_followed(route: Route, public: bool, way: str) -> None:  # noqa: FBT001  # a table
    inside = balancer(scheme="internal")
    network = state(route_tables=(table(route),), public_ip=public, load_balancers=(inside,))
    found = [each for each in told(network) if each.startswith("tasks")]
    assert len(found) == bool(way)
    assert all(way in each for each in found)


def test_an_endpoint_that_refuses_the_tasks_is_told_in_spite_of_a_nat() -> None:
    network = state(endpoints=(endpoint("logs"),))
    [finding] = check_network(config(), network)
    assert finding.what == (
        "endpoint vpce-logs (us-east-1.logs) does not let the tasks in on port 443"
    )
    assert finding.cure == (
        (
            "aws ec2 authorize-security-group-ingress --group-id sg-vpce --protocol tcp --port 443"
            " --source-group sg-ecs"
        ),
    )


def test_an_endpoint_may_let_in_the_range_of_the_subnets() -> None:
    rules = (*DOCUMENTED, *OPEN, rule("sg-vpce", 443, "10.0.0.0/16"))
    assert told(state(endpoints=(endpoint("logs"),), rules=rules)) == []


def test_an_endpoint_without_a_private_name_is_none() -> None:
    nameless = endpoint("ecr.api", private_dns=False)
    others = tuple(map(endpoint, APIS[1:]))
    assert len(told(replace(private(), endpoints=(nameless, *others)))) == 1


def test_what_may_not_be_read_is_no_finding() -> None:
    assert told(state(route_tables=None, endpoints=None, interfaces=None)) == []


# Load balancer and zones


def test_a_load_balancer_in_one_zone_is_told() -> None:
    found = told(state(load_balancers=(balancer(subnets=("subnet-a",), zones=("us-east-1a",)),)))
    assert found == ["load balancer school is in one zone alone: us-east-1a"]


def test_the_zone_of_a_subnet_counts_for_more_than_what_the_load_balancer_says() -> None:
    doubled = balancer(zones=("us-east-1a", "us-east-1a"))
    assert told(state(load_balancers=(doubled,))) == []


def test_tasks_in_one_zone_alone_are_told() -> None:
    assert told(state(service_subnets=("subnet-a",))) == ["every task runs in one zone, us-east-1a"]


def test_an_internal_load_balancer_is_told() -> None:
    found = told(state(load_balancers=(balancer(scheme="internal"),)))
    assert found == ["load balancer school is internal"]


def test_a_load_balancer_of_another_type_is_told() -> None:
    found = told(state(load_balancers=(balancer(type="network"),)))
    assert found == ["load balancer school is of type network, not application"]


def test_a_load_balancer_in_a_private_subnet_is_told() -> None:
    found = told(state(route_tables=(table(Route(ANYWHERE, "nat-1")),)))
    assert found == [
        f"load balancer school faces the internet, and its subnet subnet-{each} has no route to an"
        " internet gateway"
        for each in "ab"
    ]


def test_a_load_balancer_in_another_vpc_is_told() -> None:
    found = told(state(load_balancers=(balancer(vpc_id="vpc-2"),)))
    assert found == ["load balancer school is in vpc-2, the service in vpc-1"]


# The drawing


def test_the_drawing_is_readable_at_forty_columns_and_in_ascii() -> None:
    network = state(rules=(*DOCUMENTED, *OPEN, rule(RDS, 3306, Source(SourceKind.GROUP, "sg-9"))))
    lines = report(config(), network, check_network(config(), network), ()).lines(ASCII, 40)
    drawing = lines[: lines.index("")]
    assert drawing == [
        "internet",
        "   | OK        80",
        "   | OK        443",
        "   v",
        "load balancer",
        "   web sg-alb",
        "   | OK        3000",
        "   v",
        "service",
        "   tasks sg-ecs",
        "   | OK        3306",
        "   | EXTRA     tcp 3306 from group sg-9",
        "   v",
        "database",
        "   data sg-rds",
    ]
    assert "\n".join(lines).isascii()
    prose = [each for each in lines if not each.startswith(("  where:", "  cure:"))]
    assert max(map(len, prose)) <= 40
