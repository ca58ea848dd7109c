"""AWS's errors in our words: which kind, which exit code, and nothing of what was sent."""

from __future__ import annotations

import traceback
from typing import Any

import boto3
import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from schoolctl.aws.session.errors import translated
from schoolctl.base.errors import (
    AccessDeniedError,
    ConflictError,
    CredentialsError,
    ExitCode,
    NotFoundError,
    RejectedKeyError,
    SchoolctlError,
    UnavailableError,
    UnknownOperationError,
    UsageError,
)
from schoolctl.model.values import SecretValue


def fail_with(error: Exception) -> SchoolctlError:
    with pytest.raises(SchoolctlError) as caught, translated("read parameter /a/b"):
        raise error
    return caught.value


def answer(
    code: str, message: str = "said AWS", status: int = 400, *, operation: str = "GetParameters"
) -> boto.ClientError:
    return boto.ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        operation,
    )


@pytest.mark.parametrize(
    ("code", "status", "kind", "exit_code"),
    [
        ("AccessDeniedException", 400, AccessDeniedError, ExitCode.FAILED),
        ("UnauthorizedOperation", 403, AccessDeniedError, ExitCode.FAILED),
        ("ExpiredTokenException", 400, CredentialsError, ExitCode.CREDENTIALS),
        ("ExpiredToken", 403, CredentialsError, ExitCode.CREDENTIALS),
        ("UnrecognizedClientException", 400, RejectedKeyError, ExitCode.CREDENTIALS),
        ("InvalidClientTokenId", 403, RejectedKeyError, ExitCode.CREDENTIALS),
        ("SignatureDoesNotMatch", 403, RejectedKeyError, ExitCode.CREDENTIALS),
        ("ThrottlingException", 400, UnavailableError, ExitCode.FAILED),
        ("ThrottledException", 400, UnavailableError, ExitCode.FAILED),
        ("TooManyUpdates", 400, UnavailableError, ExitCode.FAILED),
        ("SomethingNew", 429, UnavailableError, ExitCode.FAILED),
        ("InternalServerError", 500, UnavailableError, ExitCode.FAILED),
        ("ParameterAlreadyExists", 400, ConflictError, ExitCode.FAILED),
        ("ResourceExistsException", 400, ConflictError, ExitCode.FAILED),
        ("ParameterNotFound", 400, NotFoundError, ExitCode.FAILED),
        ("NoSuchEntity", 404, NotFoundError, ExitCode.FAILED),
        ("ValidationException", 400, SchoolctlError, ExitCode.FAILED),
    ],
)
def test_an_answer_becomes_its_kind_of_error(
    code: str, status: int, kind: type[SchoolctlError], exit_code: ExitCode
) -> None:
    error = fail_with(answer(code, status=status))

    assert type(error) is kind
    assert error.exit_code is exit_code
    assert error.what == "could not read parameter /a/b"
    assert "said AWS" in error.why


def test_a_denied_action_is_named_with_the_way_to_a_policy() -> None:
    message = "User: arn:aws:iam::1:user/ann is not authorized to perform: ssm:GetParameters on x"

    error = fail_with(answer("AccessDeniedException", message))

    assert isinstance(error, AccessDeniedError)
    assert error.action == "ssm:GetParameters"
    assert "ssm:GetParameters" in error.hint


def test_a_denial_that_names_no_action_names_the_operation() -> None:
    error = fail_with(answer("AccessDeniedException", "no"))

    assert isinstance(error, AccessDeniedError)
    assert error.action is None
    assert "GetParameters" in error.hint


ANN = "User: arn:aws:iam::1:user/ann is not authorized to perform: ecs:UpdateService"
ON = f"{ANN} on resource: arn:aws:ecs:us-east-1:1:service/a/b"


@pytest.mark.parametrize(
    ("message", "why", "hint"),
    [
        (
            f"{ON} because no identity-based policy allows the ecs:UpdateService action",
            "AWS denied ecs:UpdateService: User: arn:aws:iam::1:user/ann",
            "ask for a policy that allows ecs:UpdateService on arn:aws:ecs:us-east-1:1:service/a/b",
        ),
        (
            f"{ON} with an explicit deny in an identity-based policy",
            "a policy denies it explicitly: no policy that allows it helps",
            "find the statement that denies ecs:UpdateService",
        ),
        (
            f"{ON} because no permissions boundary allows the ecs:UpdateService action",
            "the permissions boundary of the user or role does not allow it",
            "the boundary has to allow ecs:UpdateService as well as a policy",
        ),
        (
            f"{ON} with an explicit deny in a permissions boundary",
            "the permissions boundary of the user or role does not allow it, by an explicit deny",
            "find the statement there that denies ecs:UpdateService",
        ),
        (
            f"{ON} with an explicit deny in a service control policy",
            "a service control policy of the organisation forbids it, by an explicit deny",
            "only whoever administers the AWS organisation can change that",
        ),
        (
            f"{ON} because no service control policy allows the ecs:UpdateService action",
            "a service control policy of the organisation forbids it",
            "only whoever administers the AWS organisation can change that",
        ),
        (
            f"{ON} with an explicit deny in a resource control policy",
            "a resource control policy of the organisation forbids it, by an explicit deny",
            "only whoever administers the AWS organisation can change that",
        ),
        (
            f"{ON} because no session policy allows the ecs:UpdateService action",
            "the session policy that the role was assumed with does not allow it",
            "take the role without that policy",
        ),
        (
            f"{ON} because no VPC endpoint policy allows the ecs:UpdateService action",
            "the policy of the VPC endpoint does not allow it",
            "let the endpoint's policy allow ecs:UpdateService",
        ),
        (
            f"{ON} because no resource-based policy allows the ecs:UpdateService action",
            "the policy of the resource itself does not allow it",
            "let the resource's own policy allow ecs:UpdateService",
        ),
    ],
    ids=lambda value: value.partition("/a/b ")[2][:60] if value.startswith("User") else "",
)
def test_a_denial_says_which_kind_of_policy_stands_in_the_way(
    message: str, why: str, hint: str
) -> None:
    error = fail_with(answer("AccessDeniedException", message, operation="UpdateService"))

    assert isinstance(error, AccessDeniedError)
    assert error.action == "ecs:UpdateService"
    assert why in error.why
    assert hint in error.hint
    assert "`schoolctl profile show` tells who you are" in error.hint


@pytest.mark.parametrize(
    "message",
    [
        (
            "You are not authorized to perform this operation. Encoded authorization failure"
            " message: 4GIOHlTkIaWHQD0Q0m6XSnuUMCm-abcdef"
        ),
        (
            "You are not authorized to perform this operation. User: arn:aws:iam::1:user/ann is not"
            " authorized to perform: ec2:DescribeSubnets because no identity-based policy allows"
            " the ec2:DescribeSubnets action. Encoded authorization failure message: 4GIOH"
        ),
    ],
    ids=["encoded alone", "with the action"],
)
def test_ec2s_denial_names_the_action_and_leaves_out_what_is_encoded(message: str) -> None:
    error = fail_with(answer("UnauthorizedOperation", message, 403, operation="DescribeSubnets"))

    assert isinstance(error, AccessDeniedError)
    assert error.action == "ec2:DescribeSubnets"
    assert "4GIO" not in error.why


def test_a_denial_under_another_code_is_one_all_the_same() -> None:
    message = (
        "User: arn:aws:iam::1:user/ann is not authorized to perform: iam:PassRole on resource:"
        " arn:aws:iam::1:role/x"
    )

    error = fail_with(answer("ClientException", message, operation="RegisterTaskDefinition"))

    assert isinstance(error, AccessDeniedError)
    assert error.action == "iam:PassRole"


@pytest.mark.parametrize(
    ("code", "message", "why"),
    [
        (
            "SignatureDoesNotMatch",
            (
                "Signature expired: 20261124T180000Z is now earlier than 20261124T182000Z"
                " (20261124T183500Z - 15 min.)"
            ),
            "this machine's clock is 35 m behind AWS's",
        ),
        (
            "InvalidSignatureException",
            (
                "Signature not yet current: 20261124T190000Z is still later than 20261124T183500Z"
                " (20261124T182000Z + 15 min.)"
            ),
            "this machine's clock is 40 m ahead of AWS's",
        ),
        ("RequestTimeTooSkewed", "The difference is too large.", "AWS answered RequestTimeTooSkew"),
        ("RequestExpired", "Request has expired.", "AWS answered RequestExpired"),
    ],
)
def test_a_wrong_clock_is_named_with_its_skew(code: str, message: str, why: str) -> None:
    error = fail_with(answer(code, message, 403))

    assert error.exit_code is ExitCode.CREDENTIALS
    assert error.why.startswith(why)
    assert "`timedatectl`" in error.hint


def test_a_session_that_ended_is_told_apart_from_a_wrong_clock() -> None:
    error = fail_with(answer("ExpiredToken", "The security token included in the request expired"))

    assert isinstance(error, CredentialsError)
    assert "renew the credentials" in error.hint
    assert "timedatectl" not in error.hint


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("AssumeRole", "AccessDenied"),
        ("AssumeRoleWithWebIdentity", "InvalidIdentityToken"),
        ("GetRoleCredentials", "ForbiddenException"),
        ("GetRoleCredentials", "UnauthorizedException"),
        ("CreateToken", "InvalidGrantException"),
    ],
)
def test_a_role_that_cannot_be_taken_is_an_error_of_credentials(operation: str, code: str) -> None:
    error = fail_with(answer(code, "No access", 403, operation=operation))

    assert isinstance(error, CredentialsError)
    assert error.why.startswith(f"no credentials came of {operation}")
    assert "`aws sso login" in error.hint


@pytest.mark.parametrize(
    ("operation", "code", "message", "kind", "hint"),
    [
        (
            "CreateService",
            "InvalidParameterException",
            (
                "Unable to assume the service linked role. Please verify that the ECS service"
                " linked role exists."
            ),
            SchoolctlError,
            "`aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com`",
        ),
        (
            "RunTask",
            "ClientException",
            (
                "ECS was unable to assume the role 'arn:aws:iam::1:role/x' that was provided for"
                " this task. Please verify that the role being passed has the proper trust."
            ),
            SchoolctlError,
            "trusts ecs-tasks.amazonaws.com",
        ),
        (
            "RegisterTaskDefinition",
            "ClientException",
            "Role is not valid",
            SchoolctlError,
            "check that the role exists",
        ),
        (
            "CreateService",
            "InvalidParameterException",
            "The target group with targetGroupArn x does not have an associated load balancer.",
            SchoolctlError,
            "a listener of the load balancer must forward",
        ),
        (
            "CreateService",
            "InvalidParameterException",
            "Unable to assume role and validate the specified targetGroupArn.",
            SchoolctlError,
            "check `service.target_group`",
        ),
        (
            "CreateService",
            "InvalidParameterException",
            (
                "Error retrieving security group information for [sg-1]: The security group 'sg-1'"
                " does not exist (ErrorCode: InvalidGroup.NotFound)"
            ),
            SchoolctlError,
            "check `service.security_groups`",
        ),
        (
            "CreateService",
            "InvalidParameterException",
            "The subnet ID 'subnet-1' does not exist",
            SchoolctlError,
            "check `service.subnets`",
        ),
        (
            "CreateService",
            "InvalidParameterException",
            "Unable to Start a service that is still Draining.",
            SchoolctlError,
            "run it again in a minute",
        ),
        (
            "UpdateService",
            "ClientException",
            "TaskDefinition is inactive",
            SchoolctlError,
            "`schoolctl taskdef list`",
        ),
        (
            "RegisterTaskDefinition",
            "ClientException",
            "No Fargate configuration exists for given values: 256 CPU, 4096 memory.",
            SchoolctlError,
            "`task.cpu` and `task.memory`",
        ),
        (
            "CreateService",
            "InvalidParameterException",
            "The container web did not have a container port 3000 defined.",
            SchoolctlError,
            "correct `task.port`",
        ),
        (
            "CreateService",
            "InvalidParameterException",
            "The container web does not exist in the task definition.",
            SchoolctlError,
            "correct `task.container`",
        ),
        (
            "RunTask",
            "ClientException",
            "You've reached the limit on the number of vCPUs you can run concurrently",
            SchoolctlError,
            "--service-code fargate",
        ),
        (
            "RunTask",
            "BlockedException",
            "Your AWS account is currently blocked.",
            SchoolctlError,
            "only AWS Support can lift that",
        ),
        (
            "CreateService",
            "LimitExceededException",
            "The limit for the resource was exceeded.",
            SchoolctlError,
            "--service-code ecs",
        ),
        (
            "PutParameter",
            "ParameterLimitExceeded",
            "You have exceeded the number of parameters.",
            SchoolctlError,
            "--service-code ssm",
        ),
        (
            "AuthorizeSecurityGroupIngress",
            "RulesPerSecurityGroupLimitExceeded",
            "The maximum number of rules per security group has been reached.",
            SchoolctlError,
            "--service-code vpc",
        ),
        (
            "DescribeServices",
            "OptInRequired",
            "The AWS Access Key Id needs a subscription for the service",
            SchoolctlError,
            "finish the sign-up of the account",
        ),
        (
            "UpdateService",
            "InvalidParameterException",
            "The specified capacity provider FAST was not found.",
            SchoolctlError,
            "service.overrides.capacityProviderStrategy",
        ),
        ("DescribeServices", "404", "Not Found", UnknownOperationError, "check `endpoint_url`"),
        (
            "DescribeServices",
            "UnknownOperationException",
            "",
            UnknownOperationError,
            "check `endpoint_url`",
        ),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_refusal_has_a_cure(
    operation: str, code: str, message: str, kind: type[SchoolctlError], hint: str
) -> None:
    error = fail_with(answer(code, message, operation=operation))

    assert type(error) is kind
    assert error.exit_code is ExitCode.FAILED
    assert error.why.startswith(f"AWS answered {code}: {message}".removesuffix(": "))
    assert hint in error.hint


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (boto.NoCredentialsError(), CredentialsError),
        (boto.PartialCredentialsError(provider="env", cred_var="x"), CredentialsError),
        (boto.ProfileNotFound(profile="x"), CredentialsError),
        (boto.ConfigParseError(path="~/.aws/config"), CredentialsError),
        (boto.SSOTokenLoadError(error_msg="x"), CredentialsError),
        (boto.UnauthorizedSSOTokenError(), CredentialsError),
        (boto.TokenRetrievalError(provider="sso", error_msg="x"), CredentialsError),
        (boto.CredentialRetrievalError(provider="x", error_msg="x"), CredentialsError),
        (boto.LoginRefreshRequired(), CredentialsError),
        (boto.NoRegionError(), UsageError),
        (boto.InvalidRegionError(region_name="x y"), UsageError),
        (boto.EndpointConnectionError(endpoint_url="http://x"), UnavailableError),
        (boto.ConnectTimeoutError(endpoint_url="http://x"), UnavailableError),
        (boto.ReadTimeoutError(endpoint_url="http://x"), UnavailableError),
        (boto.ConnectionClosedError(endpoint_url="http://x"), UnavailableError),
        (boto.ProxyConnectionError(proxy_url="http://proxy"), UnavailableError),
        (
            boto.SSLError(endpoint_url="https://x", error=ValueError("certificate")),
            UnavailableError,
        ),
        (boto.UnknownEndpointError(service_name="ecs", region_name="x"), UsageError),
        (ResponseParserError("<html>canary"), UnavailableError),
        (boto.UnknownServiceError(service_name="x", known_service_names="y"), SchoolctlError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_failure_without_an_answer_becomes_its_kind_of_error(
    error: Exception, kind: type[SchoolctlError]
) -> None:
    found = fail_with(error)

    assert type(found) is kind
    assert "canary" not in str(found.document())


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (boto.ProxyConnectionError(proxy_url="http://proxy"), "HTTPS_PROXY"),
        (boto.SSLError(endpoint_url="https://x", error=ValueError("certificate")), "AWS_CA_BUNDLE"),
        (boto.EndpointConnectionError(endpoint_url="http://x"), "`endpoint_url`"),
        (boto.UnauthorizedSSOTokenError(), "`aws sso login --profile NAME`"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_failure_on_the_way_to_aws_has_a_cure(error: Exception, hint: str) -> None:
    assert hint in fail_with(error).hint


def test_a_page_of_html_is_not_quoted() -> None:
    error = fail_with(answer("502", "<!doctype html>\n<h1>Bad Gateway</h1>", 502))

    assert error.why == "AWS answered 502: (a page)"


@pytest.mark.parametrize("password", ["canary", "c@nary"])
def test_a_password_in_an_endpoints_address_is_not_repeated(password: str) -> None:
    url = f"http://bob:{password}@aws.example/"
    told = fail_with(boto.EndpointConnectionError(endpoint_url=url))
    assert "aws.example" in told.why
    assert "nary" not in told.why
    assert "bob" not in told.why


def test_a_value_that_botocore_refuses_is_not_repeated() -> None:
    client = boto3.client(
        "secretsmanager",
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )

    # A traceback shows the source's lines, too.
    wrong: Any = ["canary"]
    with pytest.raises(SchoolctlError) as caught, translated("change secret x"):
        client.put_secret_value(SecretId="x", SecretString=wrong)

    assert "canary" in str(caught.value.__context__)  # what botocore says by itself
    assert "canary" not in "".join(traceback.format_exception(caught.value))
    assert "canary" not in str(caught.value.document())


@pytest.mark.parametrize(("value", "quoted"), [("a-value", "a-value"), ('say "a"', 'say \\"a\\"')])
def test_words_of_aws_that_quote_the_value_sent_are_left_out(value: str, quoted: str) -> None:
    refused = answer("ValidationException", f"Value '{quoted}' at 'value' is not valid")
    with (
        pytest.raises(SchoolctlError) as caught,
        translated("write parameter /a/b", hide=SecretValue(value)),
    ):
        raise refused
    assert caught.value.why == (
        "AWS answered ValidationException: (its message quotes the value, and is left out)"
    )
    assert quoted not in f"{refused}{refused.response}"


def test_words_of_aws_that_do_not_quote_the_value_stay() -> None:
    with (
        pytest.raises(SchoolctlError) as caught,
        translated("write parameter /a/b", hide=SecretValue("a-value")),
    ):
        raise answer("ValidationException", "too long")
    assert caught.value.why == "AWS answered ValidationException: too long"


def test_the_request_that_a_wrong_signature_is_answered_with_is_left_out() -> None:
    error = fail_with(
        answer(
            "SignatureDoesNotMatch",
            "The signature does not match.\n\nThe Canonical String for this request should have"
            " been\n'POST\n/\n\nx-amz-security-token:canary\n'",
            403,
        )
    )
    assert error.why == "AWS answered SignatureDoesNotMatch: The signature does not match."


def test_what_is_no_error_of_aws_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), translated("count"):
        raise ZeroDivisionError


def test_what_a_local_aws_lacks_is_told_without_an_empty_answer() -> None:
    error = fail_with(answer("400", "", operation="RegisterScalableTarget"))
    assert error.why == "AWS answered 400\nwhat answered does not know RegisterScalableTarget"
    assert error.hint.startswith("a local AWS may lack it; else check `endpoint_url`")
