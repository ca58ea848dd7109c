"""Denials and refused logins are recognised in the words of AWS, ECR and old and new engines."""

from __future__ import annotations

import pytest

from schoolctl.base.denial import Refusal, denied_action, is_denial, refusal_in, refusal_of

PUT_IMAGE = "User: u is not authorized to perform: ecr:PutImage on resource: r"


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        # The engine 20.10 and its distribution client.
        (f"denied: {PUT_IMAGE}", Refusal.FORBIDDEN),
        ("no basic auth credentials", Refusal.NO_LOGIN),
        ("unauthorized: authentication required", Refusal.BAD_LOGIN),
        ("unauthorized: incorrect username or password", Refusal.BAD_LOGIN),
        ("error parsing HTTP 403 response body: invalid character '<'", Refusal.FORBIDDEN),
        (
            "denied: Your authorization token has expired. Reauthenticate and try again.",
            Refusal.EXPIRED,
        ),
        # The engine 28, with containerd's image store.
        (
            "unexpected status from HEAD request to https://r/v2/x/blobs/y: 403 Forbidden",
            Refusal.FORBIDDEN,
        ),
        (
            "failed to authorize: failed to fetch anonymous token: 401 Unauthorized",
            Refusal.BAD_LOGIN,
        ),
        (
            "push access denied, repository does not exist or may require authorization",
            Refusal.FORBIDDEN,
        ),
        # The registry itself, as `push --from` quotes it.
        ("denied: Forbidden (127.0.0.1:5000 answered 403 Forbidden)", Refusal.FORBIDDEN),
        ("127.0.0.1:5000 answered 401 Unauthorized", Refusal.BAD_LOGIN),
        # Other failures.
        ("dial tcp 127.0.0.1:9: connect: connection refused", None),
        ("tag invalid: The image tag '1.0' already exists and is immutable.", None),
        ("write /var/lib/docker/tmp/x: no space left on device", None),
        ("open /var/lib/docker/tmp/x: permission denied", None),
        ("blob unknown: sha256:9403a4401b", None),
        ("toomanyrequests: You have reached your unauthenticated pull rate limit", None),
    ],
)
def test_a_refusal_is_recognised_by_its_words(said: str, refusal: Refusal | None) -> None:
    assert refusal_in(said) is refusal


@pytest.mark.parametrize(
    ("status", "refusal"),
    [(401, Refusal.BAD_LOGIN), (403, Refusal.FORBIDDEN), (404, None), (200, None), (500, None)],
)
def test_a_refusal_is_recognised_by_its_status(status: int, refusal: Refusal | None) -> None:
    assert refusal_of(status) is refusal


@pytest.mark.parametrize(
    ("text", "action"),
    [
        (PUT_IMAGE, "ecr:PutImage"),
        (
            "u is not authorized to perform: application-autoscaling:* with an explicit deny",
            "application-autoscaling:*",
        ),
        ("Rate exceeded", None),
    ],
)
def test_the_missing_action_is_read(text: str, action: str | None) -> None:
    assert denied_action(text) == action


@pytest.mark.parametrize(
    ("code", "message", "denied"),
    [
        ("AccessDeniedException", "", True),
        ("UnauthorizedOperation", "You are not authorized to perform this operation.", True),
        ("ClientException", PUT_IMAGE, True),
        ("ClientException", "Unable to describe task definition.", False),
    ],
)
def test_a_denial_of_an_api_is_recognised(
    code: str,
    message: str,
    denied: bool,  # noqa: FBT001  # a table's column
) -> None:
    assert is_denial(code, message) is denied
