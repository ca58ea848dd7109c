"""The boto3 sessions and clients, the identity of the caller, and the access key in use."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

import boto3
from botocore.config import Config as BotoConfig

from schoolctl.aws.session.denials import Denials
from schoolctl.aws.session.errors import find_denial, translated
from schoolctl.aws.session.profiles import ask_for_mfa, open_session, sign_in
from schoolctl.base import interruption
from schoolctl.base.clock import parse_time
from schoolctl.base.errors import CredentialsError, UnavailableError, UsageError
from schoolctl.base.text import is_loopback
from schoolctl.model.surroundings import Identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.credentials import Credentials
    from botocore.model import OperationModel
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_rds import RDSClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

    from schoolctl.aws.session.connection import Connection


P = ParamSpec("P")
T = TypeVar("T")

# A read is repeated patiently; RegisterTaskDefinition has no client token, so a repetition after
# a lost reply would register a second revision.
_PATIENT_ATTEMPTS = 8
_FEW_ATTEMPTS = 3
_ONE_ATTEMPT = 1
_CONNECT_TIMEOUT_SECONDS = 5
_READ_TIMEOUT_SECONDS = 30
_CONNECTIONS = 16
_READS = ("BatchCheck", "BatchGet", "Describe", "Filter", "Get", "List", "Simulate", "Validate")
"""How the names of operations begin that change nothing."""
_CHANGING = "schoolctl_changing"
_SHOWN = 4


class Clients:
    """The boto3 clients of one connection. Safe to use from several threads."""

    def __init__(
        self,
        connection: Connection,
        denials: Denials | None = None,
        ask_mfa: Callable[[str], str] | None = None,
    ) -> None:
        """Prepare them; nothing is called.

        Args:
            connection: where the calls go and as whom.
            denials: notes what AWS denies to these clients.
            ask_mfa: asks for the code of the MFA device with that serial number.
        """
        self.connection = connection
        self.denials = denials if denials is not None else Denials()
        self._ask_mfa = ask_mfa
        self._signed_in = False
        self._lock = threading.RLock()
        self._free = threading.Semaphore(_CONNECTIONS)
        self._closed = False
        self._made: dict[tuple[str, bool], Any] = {}

    @property
    def region(self) -> str:
        """The region that the calls go to."""
        return self.connection.region.value or ""

    @cached_property
    def session(self) -> boto3.Session:
        """The session that every client is made from."""
        keys = self.connection.keys
        with translated("open an AWS session"):
            core = open_session(self.connection.profile)
            parsers = core.get_component("response_parser_factory")
            parsers.set_parser_defaults(timestamp_parser=parse_time)
            if self._ask_mfa is not None:
                ask_for_mfa(core, self._ask_mfa)
            return boto3.Session(
                botocore_session=core,
                region_name=self.region,
                aws_access_key_id=keys.access_key_id if keys else None,
                aws_secret_access_key=keys.secret_access_key.reveal() if keys else None,
            )

    def credentials(self) -> Credentials | None:
        """Give the credentials that the clients use; None where there are none.

        botocore finds them when they are first asked for, and not two threads at once: one of them
        may be told that there are none.

        Raises:
            CredentialsError: signing in failed.
        """
        with self._lock:
            if self._signed_in:
                return self.session.get_credentials()
            session = self.session
            found = sign_in(session.get_credentials)
            self._signed_in = True
            return found

    def start(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start a call in a thread, beside others; `.result()` gives its answer or its error.

        The threads are daemons: an executor's threads are waited for when Python ends, so that
        Ctrl-C would hang for as long as an AWS that does not answer.
        """
        future: Future[T] = Future()

        def work() -> None:
            with self._free:
                if self._closed:
                    future.cancel()
                if not future.set_running_or_notify_cancel():
                    return
                try:
                    future.set_result(call(*args, **kwargs))
                except BaseException as error:  # noqa: BLE001  # belongs to whoever asks
                    future.set_exception(error)

        threading.Thread(target=work, name="aws", daemon=True).start()
        return future

    def close(self) -> None:
        """Begin no further call, and give back the connections; no call is waited for."""
        self._closed = True
        for client in list(self._made.values()):
            client.close()

    @property
    def sts(self) -> STSClient:
        """The sts client."""
        client: STSClient = self._client("sts")
        return client

    @property
    def ecr(self) -> ECRClient:
        """The ecr client."""
        client: ECRClient = self._client("ecr")
        return client

    @property
    def ecs(self) -> ECSClient:
        """The ecs client."""
        client: ECSClient = self._client("ecs")
        return client

    @property
    def ssm(self) -> SSMClient:
        """The ssm client."""
        client: SSMClient = self._client("ssm")
        return client

    @property
    def secretsmanager(self) -> SecretsManagerClient:
        """The secretsmanager client."""
        client: SecretsManagerClient = self._client("secretsmanager")
        return client

    @property
    def logs(self) -> CloudWatchLogsClient:
        """The logs client."""
        client: CloudWatchLogsClient = self._client("logs")
        return client

    @property
    def elbv2(self) -> ElasticLoadBalancingv2Client:
        """The elbv2 client."""
        client: ElasticLoadBalancingv2Client = self._client("elbv2")
        return client

    @property
    def ec2(self) -> EC2Client:
        """The ec2 client."""
        client: EC2Client = self._client("ec2")
        return client

    @property
    def iam(self) -> IAMClient:
        """The iam client."""
        client: IAMClient = self._client("iam")
        return client

    @property
    def rds(self) -> RDSClient:
        """The rds client."""
        client: RDSClient = self._client("rds")
        return client

    @property
    def cloudformation(self) -> CloudFormationClient:
        """The cloudformation client."""
        client: CloudFormationClient = self._client("cloudformation")
        return client

    @property
    def autoscaling(self) -> Any:  # its stubs are a package of their own, for one call
        """The application-autoscaling client."""
        return self._client("application-autoscaling")

    @property
    def ecs_once(self) -> ECSClient:
        """An ECS client that never repeats a call: for those without a client token."""
        client: ECSClient = self._client("ecs", once=True)
        return client

    @property
    def _patience(self) -> int:
        # Nothing that is on this machine comes back by waiting half a minute for it.
        host = urlsplit(self.connection.endpoint_url.value or "").hostname or ""
        return _FEW_ATTEMPTS if is_loopback(host) else _PATIENT_ATTEMPTS

    def _client(self, service: str, *, once: bool = False) -> Any:
        key = (service, once)
        made = self._made.get(key)
        if made is not None:
            return made
        # Making a client is not thread-safe in boto3, using one is.
        with self._lock:
            if key not in self._made:
                self._made[key] = self._make(service, once=once)
            return self._made[key]

    def _make(self, service: str, *, once: bool) -> Any:
        attempts = _ONE_ATTEMPT if once else self._patience
        self.credentials()
        with translated(f"reach {service}"):
            try:
                made = self.session.client(  # type: ignore[call-overload]  # the name is a variable
                    service,
                    endpoint_url=self.connection.configured_endpoint,
                    config=BotoConfig(
                        retries={"mode": "standard", "total_max_attempts": attempts},
                        connect_timeout=_CONNECT_TIMEOUT_SECONDS,
                        read_timeout=_READ_TIMEOUT_SECONDS,
                        max_pool_connections=_CONNECTIONS,
                    ),
                )
            except ValueError as error:
                # botocore's word for an endpoint that is no URL; it may hold a password.
                raise UsageError(
                    f"the endpoint for {service} is no URL",
                    why="`endpoint_url` of the AWS profile, or AWS_ENDPOINT_URL, is not http(s)://...",
                    hint="correct it in ~/.aws/config, or set `endpoint_url` of the environment",
                ) from error
        _let_changes_finish(made)
        made.meta.events.register("after-call", self._note_denial)
        return made

    def _note_denial(self, parsed: dict[str, Any], model: OperationModel, **_: object) -> None:
        error = parsed.get("Error", {})
        code, message = str(error.get("Code", "")), str(error.get("Message", ""))
        denial = find_denial(code, message, model.name)
        if denial is not None:
            # Most actions are called as the operations are.
            usual = f"{model.service_model.signing_name}:{model.name}"
            self.denials.note(denial.action or usual, by_policy=denial.by_policy)


def answer_within(call: Future[T], seconds: float, doing: str) -> T:
    """Give the answer of a call that was started, or its error.

    Raises:
        UnavailableError: there is none after `seconds`; the call goes on.
    """
    try:
        return call.result(timeout=seconds)
    except TimeoutError as error:
        raise UnavailableError(f"could not {doing}", why="no answer came in time") from error


def _let_changes_finish(client: Any) -> None:
    """Begin no call in a run that was interrupted, and let one that changes something finish."""
    events = client.meta.events
    events.register_last("before-call", _before_call)
    events.register("after-call", _after_call)
    events.register("after-call-error", _after_call)


def _before_call(model: OperationModel, context: dict[str, Any], **_: object) -> None:
    interruption.check()
    if not model.name.startswith(_READS):
        context[_CHANGING] = True
        interruption.call_begins()


def _after_call(context: dict[str, Any], **_: object) -> None:
    if context.pop(_CHANGING, False):
        interruption.call_ended()


@dataclass(frozen=True)
class KeyInUse:
    """The access key that calls are signed with, as far as it may be shown."""

    masked: str
    source: str
    """The overlay that has it, or where botocore found it, in its words: `env`, `sso`, ..."""


def get_identity(clients: Clients) -> Identity:
    """Give the caller's account and ARN. Source: STS GetCallerIdentity."""
    with translated("find out whose credentials these are"):
        answer = clients.sts.get_caller_identity()
    return Identity(answer["Account"], answer["Arn"], answer["UserId"])


def key_in_use(clients: Clients) -> KeyInUse:
    """Give the access key in use, all but its last four characters masked.

    Raises:
        CredentialsError: there are none, or signing in failed.
    """
    with translated("find AWS credentials"):
        found = clients.credentials()
        if found is None:
            raise CredentialsError(
                "could not find AWS credentials",
                why="neither the profile, the environment nor this machine's role gives any",
                hint="run `schoolctl profile list`, then `schoolctl profile use NAME`",
            )
        key = found.get_frozen_credentials().access_key or ""
    # botocore's word for keys that it was handed, which says nothing of where they were written.
    handed = found.method == "explicit"
    source = clients.connection.credentials.origin if handed else found.method
    return KeyInUse(f"****{key[-_SHOWN:]}", source)
