"""What Docker says, and the one cure that the user reads."""

from __future__ import annotations

import pytest

from schoolctl.docker.errors import build_error, connection_error, registry_error


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        (
            "denied: Your authorization token has expired. Reauthenticate and try again.",
            "new token",
        ),
        ("no basic auth credentials", "schoolctl login"),
        ("unauthorized: authentication required", "profile show"),
        (
            "denied: User: u is not authorized to perform: ecr:InitiateLayerUpload on resource: r",
            "ecr:InitiateLayerUpload",
        ),
        ("unexpected status from POST request: 403 Forbidden", "one account and one region"),
        (
            "name unknown: The repository with name 'x' does not exist in the registry",
            "repo create",
        ),
        ("tag invalid: The image tag '1.0' already exists and is immutable.", "--tag"),
        ("write /var/lib/docker/tmp/x: no space left on device", "docker system df"),
        ('Get "http://127.0.0.1:9/v2/": dial tcp: connect: connection refused', "cannot reach"),
        ("dial tcp: lookup r.test: no such host", "cannot reach"),
        ("net/http: TLS handshake timeout", "cannot reach"),
        ("tag does not exist: r/x:1", "schoolctl build"),
        ("An image does not exist locally with the tag: r/x", "schoolctl build"),
        ("manifest for r/x:1 not found: manifest unknown", "images list"),
        ("toomanyrequests: Rate exceeded", "wait"),
        ("http: server gave HTTP response to HTTPS client", "insecure-registries"),
    ],
)
def test_a_refusal_of_the_registry_has_its_cure(said: str, cure: str) -> None:
    error = registry_error("could not push r/x:1", said)
    assert error.why == said
    assert cure in error.hint


def test_an_unknown_refusal_is_told_in_its_own_words() -> None:
    error = registry_error("could not push r/x:1", "the moon is in the seventh house")
    assert (error.what, error.why) == ("could not push r/x:1", "the moon is in the seventh house")


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("the --mount option requires BuildKit. Refer to ...", "--builder buildkit"),
        ("the --chmod option requires BuildKit.", "--builder buildkit"),
        ("pull access denied for python, repository does not exist", "base image"),
        ("lookup registry-1.docker.io: no such host", "base image"),
        ("no space left on device", "docker system df"),
    ],
)
def test_a_failed_build_has_its_cure(said: str, cure: str) -> None:
    assert cure in build_error("could not build r/x:1", said).hint


def test_a_failed_build_shows_its_last_lines_once() -> None:
    error = build_error("could not build r/x:1", "failed", ("Step 1", "failed"))
    assert error.why == "Step 1\nfailed"


@pytest.mark.parametrize(
    ("host", "said", "cure"),
    [
        ("unix:///var/run/docker.sock", "[Errno 13] Permission denied", "usermod"),
        ("unix:///var/run/docker.sock", "[Errno 2] No such file", "start it"),
        ("tcp://h:2375", "ConnectionRefusedError(111)", "start it"),
        ("ssh://u@h", "Install paramiko package to enable ssh:// support", "paramiko"),
        ("ssh://u@h", "timed out", "docker -H ssh://u@h"),
    ],
)
def test_an_engine_that_is_away_has_its_cure(host: str, said: str, cure: str) -> None:
    error = connection_error(host, said)
    assert host in error.what
    assert cure in error.hint
