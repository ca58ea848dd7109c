"""A refused push has one cause and one cure, told apart by what ECR's API says beside it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from schoolctl.base.denial import Refusal
from schoolctl.base.errors import WrongTargetError
from schoolctl.images.push.refusal import (
    Access,
    EcrHost,
    Facts,
    check_registry,
    explain,
    parse_ecr_host,
)

OURS = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
ARN = "arn:aws:ecr:us-east-1:123456789012:repository/schoolapp-backend"
FACTS = Facts(Refusal.FORBIDDEN, Access.UPLOAD, OURS, OURS)


@pytest.mark.parametrize(
    "host",
    [
        OURS,
        "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
        "123456789012.dkr-ecr.us-east-1.on.aws",
        "123456789012.dkr-ecr-fips.us-east-1.on.aws",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com.cn",
    ],
)
def test_every_spelling_of_an_ecr_host_is_read(host: str) -> None:
    assert parse_ecr_host(host) == EcrHost("123456789012", "us-east-1")


@pytest.mark.parametrize("host", ["", "127.0.0.1:4566", "docker.io", "public.ecr.aws", f"x{OURS}"])
def test_other_hosts_are_none(host: str) -> None:
    assert parse_ecr_host(host) is None


@pytest.mark.parametrize(
    ("registry", "said"),
    [
        (OURS.replace("us-east-1", "eu-west-1"), "the registry is in eu-west-1, and the login is"),
        (OURS.replace("123456789012", "210987654321"), "the registry is of account 210987654321"),
    ],
)
def test_a_registry_elsewhere_is_refused_before_the_push(registry: str, said: str) -> None:
    with pytest.raises(WrongTargetError) as raised:
        check_registry(registry, ARN, "dev")
    assert said in raised.value.why
    assert "environment dev" in raised.value.hint


@pytest.mark.parametrize("registry", [OURS, "127.0.0.1:4566", "registry.example.test"])
def test_a_registry_that_may_be_right_passes(registry: str) -> None:
    check_registry(registry, ARN, "dev")
    check_registry(registry, "", "dev")


@pytest.mark.parametrize(
    ("facts", "cause", "cure"),
    [
        (
            replace(FACTS, denied=("AWS denied ecr:InitiateLayerUpload", "ask for a policy")),
            "ecr:InitiateLayerUpload",
            "ask for a policy",
        ),
        (
            replace(FACTS, registry=OURS.replace("us-east-1", "eu-west-1")),
            "account 123456789012 in eu-west-1, and the login of account 123456789012 in us-east-1",
            "`region`",
        ),
        (
            replace(FACTS, registry=OURS.replace("123456789012", "210987654321")),
            "account 210987654321 in us-east-1",
            "`account`",
        ),
        (
            replace(FACTS, refusal=Refusal.EXPIRED),
            "the token expired on the way",
            "run it again",
        ),
        (
            replace(
                FACTS,
                policy=json.dumps(
                    {"Statement": [{"Sid": "NoPush", "Effect": "Deny", "Action": "ecr:PutImage"}]}
                ),
            ),
            "the repository's policy denies it (statement NoPush, for ecr:PutImage)",
            "get-repository-policy",
        ),
        (
            replace(FACTS, registry="127.0.0.1:5000"),
            f"the login is for {OURS}, and `registry` of the environment leads to 127.0.0.1:5000",
            "correct `registry`",
        ),
        (FACTS, "same user to upload: something on the way", "proxy"),
        (replace(FACTS, access=Access.DOWNLOAD), "same user to download", "proxy"),
        (replace(FACTS, policy="no JSON"), "something on the way", "proxy"),
        (
            replace(FACTS, policy='{"Statement": {"Effect": "Allow"}}'),
            "something on the way",
            "proxy",
        ),
    ],
)
def test_a_refusal_has_one_cause_and_one_cure(facts: Facts, cause: str, cure: str) -> None:
    told = explain(facts)
    assert cause in told[0]
    assert cure in told[1]


@pytest.mark.parametrize(
    ("access", "action", "concerned"),
    [
        (Access.UPLOAD, "ecr:PutImage", True),
        (Access.DOWNLOAD, "ecr:PutImage", False),
        (Access.DOWNLOAD, ["ecr:PutImage", "ecr:getdownload*"], True),
        (Access.UPLOAD, "ecr:DeleteRepository", False),
        (Access.DOWNLOAD, "*", True),
    ],
)
def test_a_statement_counts_if_it_denies_what_was_refused(
    access: Access,
    action: str | list[str],
    concerned: bool,  # noqa: FBT001  # a table's column
) -> None:
    policy = json.dumps({"Statement": [{"Sid": "No", "Effect": "Deny", "Action": action}]})
    cause, _ = explain(replace(FACTS, access=access, policy=policy))
    assert ("the repository's policy denies it" in cause) is concerned
