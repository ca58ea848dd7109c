"""Values that contradict each other are found, wherever they were written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolctl.model.launch import FARGATE
from tests.config.samples import SMALL, problems, resolve, small

ALL_MEMORY = sorted({size for sizes in FARGATE.memory_mib.values() for size in sizes})


@given(st.sampled_from(sorted(FARGATE.memory_mib)), st.sampled_from(ALL_MEMORY))
def test_a_task_has_a_size_that_fargate_has(cpu: int, memory: int) -> None:
    text = small(task=f"cpu: {cpu}\n  memory: {memory}")
    if memory in FARGATE.memory_mib[cpu]:
        assert resolve(text).config.task.memory == memory
        return
    (found,) = problems(text)
    assert f"Fargate has no task with cpu {cpu} and memory {memory}" in found


def test_a_size_that_goes_wrong_in_one_environment_is_reported_there() -> None:
    assert problems(small(prod="task: {cpu: 4096}")) == [
        (
            "schoolctl.yaml:12:22  environments.prod.task.cpu: Fargate has no task with cpu 4096"
            " and memory 512; cpu 4096 takes memory 8192 to 30720 in steps of 1024"
        )
    ]


def test_a_shared_value_that_suits_only_some_environments_names_the_others() -> None:
    text = small(task="memory: 4096", dev="task: {cpu: 512}", root="  more: {}")
    (found,) = problems(text)
    assert found.startswith("schoolctl.yaml:5:11  task.memory: Fargate has no task with cpu 256")
    assert found.endswith("(in prod and more)")


@pytest.mark.parametrize(
    ("deployment", "count", "problem"),
    [
        ("min_percent: 100, max_percent: 100", 2, "min_percent 100 must be below max_percent 100"),
        (
            "min_percent: 100, max_percent: 150",
            1,
            (
                "no rollout could begin: of 1 task, 1 must run (min_percent 100) and no more than 1"
                " may (max_percent 150)"
            ),
        ),
        (
            "min_percent: 66, max_percent: 134",
            3,
            None,
        ),
        (
            "min_percent: 90, max_percent: 125",
            3,
            (
                "no rollout could begin: of 3 tasks, 3 must run (min_percent 90) and no more than 3"
                " may (max_percent 125)"
            ),
        ),
        ("min_percent: 0, max_percent: 100", 1, None),
        ("min_percent: 100, max_percent: 150", 0, None),
        (
            "circuit_breaker: false, rollback: true",
            1,
            (
                "ECS rolls back only where the circuit breaker is on; set circuit_breaker: true or"
                " rollback: false"
            ),
        ),
        ("circuit_breaker: false", 1, None),
        ("rollback: false", 1, None),
    ],
)
def test_a_rollout_must_be_possible(deployment: str, count: int, problem: str | None) -> None:
    text = small(service=f"desired_count: {count}\n  deployment: {{{deployment}}}")
    if problem is None:
        assert resolve(text).config.service.desired_count == count
        return
    (found,) = problems(text)
    assert found.endswith(problem)


def test_without_the_circuit_breaker_there_is_no_rollback() -> None:
    deployment = resolve(
        small(service="deployment: {circuit_breaker: false}")
    ).config.service.deployment
    assert not deployment.rollback


def test_a_variable_is_set_only_once() -> None:
    text = small(
        root="parameters: {a: {env: X}, b: {env: X}, c: {env: Y}}\n"
        "secrets: {s: {env: Y}, t: {env: Z}}",
        task="environment: {Z: z}",
    )
    assert problems(text) == [
        (
            "schoolctl.yaml:14:36  parameters.b.env: X is set twice: by parameters.a.env and by"
            " parameters.b.env"
        ),
        (
            "schoolctl.yaml:15:20  secrets.s.env: Y is set twice: by parameters.c.env and by"
            " secrets.s.env"
        ),
        (
            "schoolctl.yaml:15:33  secrets.t.env: Z is set twice: by secrets.t.env and by"
            " task.environment.Z"
        ),
    ]


def test_the_region_variable_is_not_for_the_file() -> None:
    assert problems(small(task="environment: {AWS_REGION: us-east-1}")) == [
        (
            "schoolctl.yaml:5:29  task.environment.AWS_REGION: AWS_REGION is set to the"
            " environment's region anyway; remove it"
        )
    ]


@pytest.mark.parametrize("levels", [15, 16])
def test_ssm_takes_fifteen_levels(levels: int) -> None:
    key = "/".join(["x"] * (levels - 2))
    text = small(root=f"parameters: {{{key}: {{}}}}")
    if levels == 15:
        assert resolve(text).config.parameter_name(key).count("/") == 15
        return
    (found,) = problems(text)
    assert found.endswith("has 16 levels with /<app>/<environment>; SSM takes 15")


@pytest.mark.parametrize(
    ("entry", "accepted"),
    [
        ("db-secret: {}", False),
        ("key-A1b2C3: {}", False),
        ("db-password: {}", True),
        ("secret: {}", True),
        (
            "db-secret: {arn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:x-AbCdEf'}",
            True,
        ),
    ],
)
def test_a_secret_is_not_named_like_the_end_of_an_arn(entry: str, *, accepted: bool) -> None:
    text = small(root=f"secrets: {{{entry}}}")
    if accepted:
        assert resolve(text).config.secrets
    else:
        (found,) = problems(text)
        assert "end with a hyphen and six characters too" in found


def test_contradictions_are_found_beside_other_problems() -> None:
    text = SMALL.replace("  family: schoolapp-backend\n", "  memory: 4096\n") + "regoin: x\n"
    assert [line.partition("  ")[2].partition(":")[0] for line in problems(text)] == [
        "task.family",
        "task.memory",
        "regoin",
    ]
