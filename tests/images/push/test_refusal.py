"""A refused push has one cause and one cure, told apart by what ECR's API says beside it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from schoolctl.base.errors import WrongTargetError
from schoolctl.images.push.refusal import (
    EcrHost,
    Facts,
    check_registry,
    explain,
    is_refusal,
    parse_ecr_host,
)

OURS = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
ARN = "arn:aws:ecr:us-east-1:123456789012:repository/schoolapp-backend"
BARE = "unexpected status from HEAD request to https://r/v2/x/blobs/y: 403 Forbidden"
FACTS = Facts(BARE, OURS, OURS)


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
            replace(FACTS, said="denied: Your authorization token has expired. Reauthenticate."),
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
        (FACTS, "on the engine's way", "proxy"),
        (replace(FACTS, policy="no JSON"), "on the engine's way", "proxy"),
        (replace(FACTS, policy='{"Statement": {"Effect": "Allow"}}'), "engine's way", "proxy"),
    ],
)
def test_a_refusal_has_one_cause_and_one_cure(facts: Facts, cause: str, cure: str) -> None:
    told = explain(facts)
    assert cause in told[0]
    assert cure in told[1]


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        # The engine 20.10 and its distribution client.
        ("denied: User: u is not authorized to perform: ecr:PutImage on resource: r", True),
        ("no basic auth credentials", True),
        ("unauthorized: authentication required", True),
        ("error parsing HTTP 403 response body: invalid character '<'", True),
        # The engine 28, with containerd's image store.
        (BARE, True),
        ("failed to authorize: failed to fetch anonymous token: 401 Unauthorized", True),
        ("push access denied, repository does not exist or may require authorization", True),
        ("dial tcp 127.0.0.1:9: connect: connection refused", False),
        ("tag invalid: The image tag '1.0' already exists and is immutable.", False),
        ("write /var/lib/docker/tmp/x: no space left on device", False),
    ],
)
def test_a_refusal_is_known_by_the_words_of_old_and_new_engines(
    said: str,
    refused: bool,  # noqa: FBT001  # a table's column
) -> None:
    assert is_refusal(said) is refused
