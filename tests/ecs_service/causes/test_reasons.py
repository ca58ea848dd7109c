"""The tables of reasons: a row for each wording that is known, and no rule behind another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schoolctl.ecs_service.causes.log_reasons import SAID
from schoolctl.ecs_service.causes.reasons import UNPLACED, matching
from schoolctl.ecs_service.causes.stop_reasons import STOPPED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.ecs_service.causes.reasons import Rule

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:school/dev/db"
PULL = "CannotPullContainerError: pull image manifest has been retried 5 time(s): "
INIT = "ResourceInitializationError: unable to pull secrets or registry auth: "
START = "CannotStartContainerError: Error response from daemon: failed to create shim: "
LOGGER = "ResourceInitializationError: failed to validate logger args: create stream has been "
EFS = "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: "
AT_START = "ResourceInitializationError: unable to pull image or start container: "

# A row is the beginning of a cause, then ECS's wordings for it.
STOP_ROWS: dict[str, tuple[str, ...]] = {
    "the ARN of a secret in the task definition is malformed": (
        (
            f"{INIT}failed to fetch secret {ARN}: InvalidParameter: 1 validation error(s)"
            " GetSecretValueInput.VersionId minimum field size of 32"
        ),
        f"{INIT}unable to retrieve secret from asm: invalid ARN: {ARN}",
    ),
    "a secret has no such key": (
        f"{INIT}retrieved secret from Secrets Manager did not contain json key password",
        f"{INIT}invalid character 'h' looking for beginning of value (json key)",
    ),
    "the execution role may not use the KMS key": (
        f"{INIT}AccessDeniedException: not authorized to perform: kms:Decrypt",
        (
            f"{INIT}AccessDeniedException: The ciphertext refers to a customer master key that does"
            " not exist, does not exist in this region, or you are not allowed to access"
        ),
    ),
    "the execution role may not read a parameter or secret": (
        f"{INIT}AccessDeniedException: User is not authorized to perform: ssm:GetParameters",
        (
            f"{INIT}execution resource retrieval failed: unable to retrieve secret from asm:"
            " AccessDeniedException: secretsmanager:GetSecretValue"
        ),
    ),
    "too many tasks read parameters at once": (
        f"{INIT}unable to retrieve secrets from ssm: ThrottlingException: Rate exceeded",
    ),
    "the task cannot reach SSM, Secrets Manager or ECR": (
        f"{INIT}RequestError: send request failed caused by: Post https://ssm: i/o timeout",
        f"{INIT}RequestCanceled: request context canceled caused by: context deadline exceeded",
        (
            f"{INIT}The task cannot pull registry auth from Amazon ECR: There is a connection issue"
            " between the task and Amazon ECR. Check your task network configuration."
        ),
        f"{INIT}dial tcp: lookup ssm.us-east-1.amazonaws.com: no such host",
    ),
    "a parameter or secret that the task definition names does not exist": (
        f"{INIT}ResourceNotFoundException: Secrets Manager can't find the specified secret.",
        f"{INIT}invalid ssm parameters: /schoolapp/dev/db_host",
        (
            f"{INIT}The task can't retrieve the secret with ARN '{ARN}' from AWS Secrets Manager."
            " Check whether the secret exists in the specified Region."
        ),
    ),
    "a parameter or secret could not be read": (f"{INIT}something nobody has seen yet",),
    "an environment file could not be read": (
        (
            "ResourceInitializationError: failed to download env files: file download command:"
            " non empty error stream: RequestCanceled: request context canceled"
        ),
    ),
    "the registry limits how often": (
        f"{PULL}toomanyrequests: You have reached your pull rate limit",
        (
            "CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy:"
            " httpReadSeeker: failed open: unexpected status code"
            " https://registry-1.docker.io/v2/library/python: 429 Too Many Requests"
        ),
    ),
    "the image's layers do not match": (f"{PULL}number of layers and diffIDs don't match: 3 != 2",),
    "what the tag or digest names is no image": (
        (
            f"{PULL}failed to unpack image on snapshotter overlayfs: unexpected media type"
            " application/vnd.in-toto+json for sha256:1"
        ),
        f"{PULL}no processor for media-type: unknown",
    ),
    "the image or what it writes does not fit": (
        f"{PULL}write /var/lib/docker/tmp/GetImageBlob1: no space left on device",
        f"{START}write /etc/x: no space left on device",
    ),
    "the image was built for another processor": (
        (
            "CannotPullContainerError: image Manifest does not contain descriptor matching platform"
            " 'linux/amd64'"
        ),
        f"{PULL}no match for platform in manifest: not found",
        "CannotStartContainerError: exec format error, image platform linux/arm64",
        f"{START}exec /usr/bin/python: exec format error",
        (
            f"{AT_START}image with reference web was found but does not match the specified"
            " platform: wanted linux/amd64, actual: linux/arm64"
        ),
    ),
    "the command that the container should start is not executable": (
        f'{START}OCI runtime create failed: exec: "/app/run.sh": permission denied: unknown',
    ),
    "the container's root filesystem is read-only": (
        f"{START}mkdir /app/cache: read-only file system",
    ),
    "the port is taken already": (
        f"{START}Bind for 0.0.0.0:3000 failed: port is already allocated",
        f"{START}listen tcp4 0.0.0.0:3000: bind: address already in use",
    ),
    "the image has no such user": (
        f"{START}unable to find user school: no matching entries in passwd file",
    ),
    "the command that the container should start is not in the image": (
        (
            f'{AT_START}400 Client Error: Bad Request ("OCI runtime create failed: exec:'
            ' \\"/no/such\\": stat /no/such: no such file or directory: unknown")'
        ),
        f'{START}exec: "gunicorn": executable file not found in $PATH: unknown',
        f"{START}exec /start.sh: no such file or directory",
        f"{START}chdir to cwd (/srv) set in config.json failed",
    ),
    "the execution role may not pull from ECR, or there is no such repository": (
        (
            "CannotPullContainerError: pull access denied for web, repository does not exist or may"
            " require authorization: 403"
        ),
    ),
    "the execution role may pull, but the layers in S3": (
        (
            f"{PULL}failed to copy: httpReadSeeker: failed open: unexpected status code"
            " https://prod-us-east-1-starport-layer-bucket.s3.amazonaws.com: 403 Forbidden"
        ),
    ),
    "the task cannot reach the registry": (
        f"{PULL}dial tcp 52.94.0.1:443: i/o timeout",
        (
            "CannotPullContainerError: API error (500): Get https://1.dkr.ecr: net/http: request"
            " canceled while waiting for connection (Client.Timeout while awaiting headers)"
        ),
        (
            "CannotPullContainerError: The task cannot pull 'web' from the Amazon ECR repository."
            " There is a connection issue between the task and Amazon ECR."
        ),
        f'{PULL}failed to resolve ref "web:1": failed to do request: dial tcp: i/o timeout',
    ),
    "the image is not in the repository": (
        f"{PULL}failed to resolve ref registry/web:1.0: not found",
        f"{PULL}failed to resolve ref registry/web@sha256:aa: registry/web@sha256:aa: not found",
        f"{PULL}manifest unknown: Requested image not found",
        "CannotPullContainerError: API error (404): repository web",
        "CannotPullImageManifestError: Error response from daemon: manifest unknown",
        f"{AT_START}404 Client Error: manifest for web:1 not found",
    ),
    "the execution role may not pull from ECR, or a policy": (
        f"{PULL}unexpected status code [manifests 1.0]: 403 Forbidden",
        "CannotPullECRContainerError: AccessDeniedException: ecr:GetAuthorizationToken",
        f"{PULL}Head https://1.dkr.ecr: no basic auth credentials",
        (
            "CannotPullContainerError: The task can't pull the image. Check that the role has the"
            " permissions to pull images from the registry."
        ),
    ),
    "the registry did not answer": (
        f"{PULL}context canceled",
        f"{PULL}net/http: TLS handshake timeout",
    ),
    "the image could not be pulled, or the command": (f"{AT_START}409 Client Error: Conflict",),
    "the image could not be pulled": (f"{PULL}something that nobody has seen yet",),
    "the execution role may not write to the container's log": (
        f"{LOGGER}retried 1 times: failed to create Cloudwatch log stream: AccessDeniedException",
        (
            "ResourceInitializationError: failed to initialize logging driver: AccessDenied:"
            " not authorized to perform: logs:CreateLogStream"
        ),
    ),
    "the task cannot reach CloudWatch Logs": (
        (
            f"{LOGGER}retried 1 times: failed to create Cloudwatch log stream: RequestError: send"
            " request failed caused by: Post https://logs: dial tcp: i/o timeout"
        ),
    ),
    "the container's log could not be opened: its log group": (
        (
            f"{LOGGER}retried 1 times: failed to create Cloudwatch log stream:"
            " ResourceNotFoundException: The specified log group does not exist."
        ),
    ),
    "the container's log could not be opened": (
        "CannotStartContainerError: failed to initialize logging driver: awslogs: bad option",
        "ResourceInitializationError: failed to validate logger args: unknown driver",
    ),
    "the task may not mount the EFS": (
        f"{EFS}mount.nfs4: access denied by server while mounting 127.0.0.1:/",
    ),
    "the task cannot reach the EFS": (
        (
            f'{EFS}stderr: Failed to resolve "fs-1.efs.us-east-1.amazonaws.com" - check that your'
            " file system ID is correct"
        ),
        f"{EFS}stderr: b'mount.nfs4: Connection timed out' : unsuccessful; code: 32",
    ),
    "a volume could not be mounted": (
        f"{EFS}stderr: code: 1",
        "CannotCreateVolumeError: create data: driver failed",
        "Timeout waiting for EphemeralStorage provisioning to complete.",
    ),
    "the task was taken out of its target group": (
        "Task failed ELB health checks in (target-group x): Target deregistration is in progress",
    ),
    "the load balancer found the task unhealthy": (
        "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:x)",
        "service web (port 3000) is unhealthy in target-group x due to (reason Timeout)",
        "Task failed ELB health checks in (elb school)",
    ),
    "the container's own health check failed": ("Task failed container health checks",),
    "the container used more memory": (
        "OutOfMemoryError: Container killed due to memory usage",
        "Essential container: OOM killed",
    ),
    "a container that another one waits for": (
        "Task failed to start: dependency graph: container init exited before SUCCESS",
        "Container web could not start: dependsOn condition HEALTHY was not met",
    ),
    "the subnets have no free addresses": (
        (
            "Unexpected EC2 error while attempting to Create Network Interface:"
            " InsufficientFreeAddressesInSubnet"
        ),
    ),
    "the task got no network interface": (
        "Timeout waiting for network interface provisioning to complete.",
        "Network interface provision complete timeout expired",
        "Unexpected EC2 error while attempting to Create Network Interface with public IP",
        "RESOURCE:ENI",
    ),
    "ECS may not use one of the task's roles": (
        (
            "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/x' that was provided"
            " for this task. Please verify that the role being passed has the proper trust"
        ),
    ),
    "a limit of the account is reached": (
        "You've reached the limit on the number of vCPUs you can run concurrently",
        "You've reached the limit on the number of tasks you can run concurrently",
        "The vCPU quota is exhausted",
    ),
    "AWS took the Spot capacity back": (
        "SpotInterruption Your Spot Task was interrupted.",
        "SpotInterruptionError: Spot Instance termination",
    ),
    "AWS has no capacity left": (
        "Capacity is unavailable at this time. Please try again later",
        "InsufficientCapacity: insufficient capacity in the zone",
        "TaskFailedToStart: EMPTY CAPACITY PROVIDER",
    ),
    "the agent of the container instance": ("TaskFailedToStart: AGENT", "Agent disconnected"),
    "no container instance has room": (
        "TaskFailedToStart: RESOURCE:MEMORY",
        "TaskFailedToStart: ATTRIBUTE",
    ),
    "AWS stopped the task for its own reasons": (
        "TerminationNotice ECS is performing maintenance on the underlying infrastructure",
        "TaskStoppedByAWS: Task stopped by AWS",
        "Your task was stopped due to task retirement",
        "InfrastructureHealth The host is unhealthy",
        "Host EC2 (instance i-1) terminated.",
    ),
    "a volume of the task could not be set up": (
        "CannotCreateContainerError: invalid volume specification",
    ),
    "ECS replaced the task": (
        "Scaling activity initiated by (deployment ecs-svc/9223370537206000000)",
        "deployment completed",
        "Instance deregistered by user",
    ),
    "the container did not stop in time": (
        "CannotStopContainerError: the container is still running",
        "stopTimeout passed",
    ),
    "the container did not start in time": (
        "Task did not start: TaskStartTimedout",
        "DockerTimeoutError: Could not transition to created; timed out after waiting 4m0s",
    ),
    "the container could not be started": (
        f"{START}OCI runtime create failed: something new",
        "CannotInspectContainerError: no answer",
        "InternalError: the agent failed",
    ),
}

LOG_ROWS: dict[str, tuple[str, ...]] = {
    "the image was built for another processor": ("exec /app/start: exec format error",),
    "the database server has no database": (
        "(1049, \"Unknown database 'school'\")",
        'FATAL: database "school" does not exist',
    ),
    "the database refused the user": (
        "(1045, \"Access denied for user 'school'@'10.0.0.1'\")",
        "(1044, \"Access denied for user 'school'@'%' to database 'school'\")",
        'FATAL: password authentication failed for user "school"',
        "code: 'ER_ACCESS_DENIED_ERROR'",
        '"hint": "the database refused the user or the database name (error 1045)"',
    ),
    "the database takes no more connections": (
        '(1040, "Too many connections")',
        "FATAL: remaining connection slots are reserved",
    ),
    "the encrypted connection was refused": (
        "ssl.SSLCertVerificationError: certificate verify failed: self-signed certificate",
        "Connections using insecure transport are prohibited: require_secure_transport=ON",
        "the database offers no TLS: turn it on there",
    ),
    "a host that the container wants to reach": (
        "(2003, \"Can't connect to MySQL server on 'db' ([Errno -2] Name or service not known)\")",
        "Error: getaddrinfo ENOTFOUND db.internal",
        'could not translate host name "db"',
    ),
    "the container cannot reach the database": (
        "(2003, \"Can't connect to MySQL server on 'db' (timed out)\")",
        "Error: connect ECONNREFUSED 10.0.0.5:3306",
        'connection to server at "10.0.0.5", port 5432 failed: Connection timed out',
        "(2013, 'Lost connection to MySQL server during query')",
        '"message": "the database is not available"',
    ),
    "a parameter or secret that the container reads": (
        "An error occurred (ParameterNotFound) when calling the GetParameter operation",
        "PARAM_HOST_PATH: SSM parameter /schoolapp/dev/db_host does not exist in us-east-1",
        "PARAM_HOST_PATH: SSM parameter /schoolapp/dev/db_host is empty",
    ),
    "the container may not do something on AWS": (
        (
            "botocore.exceptions.ClientError: An error (AccessDeniedException) when calling"
            " the GetParameters operation"
        ),
    ),
    "the container found no AWS credentials": (
        "botocore.exceptions.NoCredentialsError: Unable to locate credentials",
        "CredentialsProviderError: Could not load credentials from any providers",
    ),
    "two processes of the task want the same port": (
        "OSError: [Errno 98] Address already in use",
        "Error: listen EADDRINUSE: address already in use :::3000",
    ),
    "the container writes to its root filesystem": (
        "OSError: [Errno 30] Read-only file system: '/app/x'",
    ),
    "the task's disk is full": ("OSError: [Errno 28] No space left on device",),
    "the process ran out of memory": (
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        "java.lang.OutOfMemoryError: Java heap space",
        "MemoryError",
    ),
    "a library that the program needs": (
        "ModuleNotFoundError: No module named 'flask'",
        "Error: Cannot find module 'express'",
    ),
    "a system library that the program needs": (
        "error while loading shared libraries: libmariadb.so.3: cannot open shared object file",
        "version `GLIBC_2.38' not found",
    ),
    "a table that the program needs": (
        "(1146, \"Table 'school.users' doesn't exist\")",
        "sqlite3.OperationalError: no such table: users",
    ),
    "the container's user may not": (
        "PermissionError: [Errno 13] Permission denied: '/data'",
        "Error: listen EACCES: permission denied 0.0.0.0:80",
    ),
    "a command that the container runs": ("/bin/sh: 1: gunicorn: not found",),
    "a setting that the program needs": (
        "DB_SECRET_ARN is not set: the secret with the password",
        "KeyError: 'DATABASE_URL'",
    ),
}

EVENT_ROWS: dict[str, tuple[str, ...]] = {
    "a limit of the account": (
        (
            "(service web) was unable to place a task. Reason: You reached the limit on the number"
            " of vCPUs you can run concurrently."
        ),
        (
            "(service web) failed to launch a task with (error You reached the limit on the number"
            " of tasks you can run concurrently)."
        ),
        "(service web) was unable to place a task. Reason: The CPU is above the limit.",
    ),
    "ECS may not use a role": (
        "(service web) failed: unable to assume the service linked role",
        "(service web) failed to launch a task with (error ECS was unable to assume the role)",
    ),
    "no container instance": (
        (
            "(service web) was unable to place a task because no container instance met all of its"
            " requirements."
        ),
    ),
    "Fargate does not offer": (
        "(service web) was unable to place a task. Reason: Availability zone is not supported.",
    ),
    "AWS has no capacity": (
        (
            "(service web) was unable to place a task. Reason: Capacity is unavailable at this time"
            " in this availability zone."
        ),
    ),
    "ECS finds no place": ("(service web) was unable to place a task.",),
    "the tasks stop soon": ("(service web) is unable to consistently start tasks successfully.",),
    "the load balancer found": (
        (
            "(service web) (task 12) (port 3000) is unhealthy in (target-group x) due to (reason"
            " Health checks failed)"
        ),
    ),
    "`min_percent` and `max_percent`": (
        (
            "(service web) was unable to stop or start tasks during a deployment because of the"
            " service deployment configuration."
        ),
    ),
    "the load balancer did not take": (
        "(service web) failed to register targets in (target-group x) with (error not found)",
    ),
    "AWS slows the service down": ("(service web) operations are being throttled on elb.",),
    "the circuit breaker ended": (
        "(service web) (deployment ecs-svc/1) deployment failed: tasks failed to start.",
        "(service web) rolling back to deployment ecs-svc/0.",
    ),
}


def _rows(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(text, cause) for cause, texts in table.items() for text in texts]


@pytest.mark.parametrize(("reason", "cause"), _rows(STOP_ROWS))
def test_a_stop_reason_has_its_cause(reason: str, cause: str) -> None:
    assert _cause(STOPPED, f"TaskFailedToStart {reason}").startswith(cause)


@pytest.mark.parametrize(("line", "cause"), _rows(LOG_ROWS))
def test_a_log_line_has_its_cause(line: str, cause: str) -> None:
    assert _cause(SAID, f"starting\n{line}\nend").startswith(cause)


@pytest.mark.parametrize(("message", "cause"), _rows(EVENT_ROWS))
def test_an_event_of_trouble_has_its_cause(message: str, cause: str) -> None:
    assert _cause(UNPLACED, message).startswith(cause)


@pytest.mark.parametrize(
    ("rules", "table"),
    [(STOPPED, STOP_ROWS), (SAID, LOG_ROWS), (UNPLACED, EVENT_ROWS)],
    ids=["stopped", "said", "events"],
)
def test_every_rule_is_reached_by_a_row(
    rules: Sequence[Rule], table: dict[str, tuple[str, ...]]
) -> None:
    reached = [matching(rules, text) for text, _ in _rows(table)]
    assert [each.cause for each in rules if each not in reached] == []


def test_every_rule_that_means_trouble_has_a_fix() -> None:
    assert [each for each in (*STOPPED, *SAID, *UNPLACED) if each.trouble and not each.fix] == []


@pytest.mark.parametrize(
    "line",
    [
        "GET /assets/logo.png 200",
        "listening on 0.0.0.0:3000",
        "registered Ada Lovelace",
        "worker booted (pid 9)",
    ],
)
def test_an_ordinary_log_line_explains_nothing(line: str) -> None:
    assert matching(SAID, line) is None


def _cause(rules: Sequence[Rule], text: str) -> str:
    found = matching(rules, text)
    return found.cause if found is not None else f"none for {text}"
