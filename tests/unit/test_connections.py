"""Whether the database has connections for what the configuration's tasks may open."""

from __future__ import annotations

import pytest

from schoolctl.plan import connections
from schoolctl.plan.connections import (
    DEFAULTS,
    RESERVED,
    Limit,
    Pool,
    budget_of,
    default_connections,
    limit_of,
    pool_of,
    unchecked,
)
from service import budget as of_service
from service.settings import PoolSize, default_processes
from tests.unit.deploy_scenes import config

POOLS = "task: {environment: {DB_POOL_SIZE: '2'}}"
STACK = "infra: {stack: true, database: {instance_class: db.t4g.micro}}"


def told(connections: int, count: int = 2, more: str = "") -> str:
    return f"service: {{desired_count: {count}, database_connections: {connections}{more}}}"


# What one task opens


def test_the_defaults_are_those_of_the_service() -> None:
    assert (DEFAULTS["DB_POOL_SIZE"], DEFAULTS["DB_POOL_OVERFLOW"]) == (
        PoolSize().size,
        PoolSize().overflow,
    )
    assert default_processes() <= DEFAULTS["WEB_CONCURRENCY"]
    assert of_service.RESERVED == RESERVED


@pytest.mark.parametrize(
    ("environment", "pool"),
    [
        ({"DB_POOL_SIZE": "5"}, Pool(2, 5, 1)),
        ({"DB_POOL_OVERFLOW": "0"}, Pool(2, 2, 0)),
        ({"DB_POOL_SIZE": " 3 ", "DB_POOL_OVERFLOW": "", "WEB_CONCURRENCY": "4"}, Pool(4, 3, 1)),
        ({}, None),
        ({"DB_POOL_SIZE": ""}, None),
        ({"WEB_CONCURRENCY": "4"}, None),
        ({"DB_POOL_SIZE": "many"}, None),
        ({"DB_POOL_SIZE": "0"}, None),
        ({"DB_POOL_SIZE": "2", "WEB_CONCURRENCY": "65"}, None),
    ],
)
def test_pools_are_read_as_the_service_reads_them(
    environment: dict[str, str], pool: Pool | None
) -> None:
    assert pool_of(environment) == pool


# What the database allows


@pytest.mark.parametrize(
    ("instance_class", "known"),
    [
        ("db.t2.micro", 66),
        ("db.t2.small", 150),
        ("db.t2.medium", 312),
        ("db.t2.large", 648),
        ("db.m5.xlarge", 1320),
        ("db.r5.large", 1320),
    ],
)
def test_a_class_allows_no_more_than_rds_was_seen_to(instance_class: str, known: int) -> None:
    allowed = default_connections(instance_class)
    assert allowed is not None
    assert 0.8 * known < allowed <= known


@pytest.mark.parametrize(
    ("instance_class", "allowed"),
    [
        ("db.t4g.micro", 56),
        ("db.t3.micro", 56),
        ("db.r6gd.16xlarge", 16_000),
        ("db.x2g.large", None),
        ("db.t4g.metal", None),
        ("db.serverless", None),
    ],
)
def test_an_unknown_class_is_not_guessed(instance_class: str, allowed: int | None) -> None:
    assert default_connections(instance_class) == allowed


def test_a_figure_counts_more_than_the_class() -> None:
    both = f"{STACK}, {told(60)}"
    assert limit_of(config(both)) == Limit(
        60, "the database allows 60", ("service", "database_connections")
    )
    assert limit_of(config(STACK)) == Limit(
        56, "db.t4g.micro allows at least 56", ("infra", "database", "instance_class")
    )


@pytest.mark.parametrize(
    "extra",
    ["", "infra: {stack: true}", "infra: {database: {instance_class: db.t4g.micro}}"],
    ids=["nothing", "no database", "no stack"],
)
def test_a_database_that_is_not_the_stack_s_is_not_known(extra: str) -> None:
    assert limit_of(config(extra)) is None


# The budget


@pytest.mark.parametrize(
    ("connections", "fits"), [(29, True), (28, False)], ids=["just enough", "one too few"]
)
def test_twice_the_tasks_have_to_fit_beside_the_others(connections: int, fits: bool) -> None:  # noqa: FBT001  # a case
    budget = budget_of(config(f"{POOLS}, {told(connections)}"))
    assert budget is not None
    # 2 tasks x 2 x 2 workers x (2 + 1), and 5 for others.
    assert (budget.at_once, budget.connections) == (4, 24)
    assert budget.fits is fits
    assert bool(budget.problem()) is not fits


@pytest.mark.parametrize(
    ("more", "at_once"),
    [
        (", deployment: {max_percent: 150}", 4),
        (", deployment: {min_percent: 50, max_percent: 100}", 3),
        (", overrides: {deploymentConfiguration: {maximumPercent: 100}}", 3),
    ],
)
def test_how_many_run_at_once_goes_by_the_rollout(more: str, at_once: int) -> None:
    budget = budget_of(config(f"{POOLS}, {told(100, count=3, more=more)}"))
    assert budget is not None
    assert budget.at_once == at_once


def test_a_count_of_scale_stands_in_for_that_of_the_configuration() -> None:
    budget = budget_of(config(f"{POOLS}, {told(60)}"), 8)
    assert budget is not None
    assert (budget.tasks, budget.connections, budget.tasks_at_most) == (8, 96, 4)


@pytest.mark.parametrize(("connections", "most"), [(29, 2), (28, 1), (17, 1), (16, 0), (4, 0)])
def test_so_many_tasks_would_fit(connections: int, most: int) -> None:
    budget = budget_of(config(f"{POOLS}, {told(connections)}"))
    assert budget is not None
    assert budget.tasks_at_most == most


def test_the_problem_names_the_figures_and_the_ways_out() -> None:
    budget = budget_of(config(f"{POOLS}, {STACK}"), 6)
    assert budget is not None
    assert budget.problem() == (
        "6 tasks, 12 while they are replaced, may open 72 database connections (2 workers of 2 + 1"
        " in each); db.t4g.micro allows at least 56, and 5 are for others: run 4 tasks at most,"
        " lower DB_POOL_SIZE, DB_POOL_OVERFLOW or WEB_CONCURRENCY, or take a larger database (or"
        " give its own figure as service.database_connections)"
    )
    assert budget.document() == {
        "tasks": 6,
        "tasks_at_once": 12,
        "each_task": 6,
        "connections": 72,
        "limit": 56,
        "reserved": 5,
        "tasks_at_most": 4,
    }


def test_where_not_even_one_task_fits_none_is_advised() -> None:
    budget = budget_of(config(f"{POOLS}, {told(10)}"))
    assert budget is not None
    assert ": lower DB_POOL_SIZE" in budget.problem()


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ("", ""),
        (POOLS, "how many the database allows is not known"),
        (told(60), "does not tell the pools"),
        (f"{POOLS}, {told(60)}", ""),
    ],
)
def test_what_is_half_known_is_told_and_not_guessed(extra: str, why: str) -> None:
    found = config(extra)
    assert why in unchecked(found)
    assert bool(unchecked(found)) is bool(why)
    assert (budget_of(found) is None) is (extra != f"{POOLS}, {told(60)}")


def test_the_variables_are_those_that_the_service_advises_to_lower() -> None:
    refused = of_service.Budget(each_task=6, limit=6).problem()
    assert refused is not None
    for name in (connections.POOL_SIZE, connections.POOL_OVERFLOW, connections.PROCESSES):
        assert name in refused
