"""SSM Parameter Store: reading, writing and deleting parameters, and their history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from schoolctl.aws.session.errors import is_code, translated
from schoolctl.base.errors import SchoolctlError
from schoolctl.base.text import batches
from schoolctl.model.values import Parameter, ParameterVersion, SecretValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_ssm.literals import ParameterTypeType
    from mypy_boto3_ssm.type_defs import ParameterHistoryTypeDef, ParameterTypeDef

    from schoolctl.aws.session.clients import Clients

_GET_LIMIT = 10
_FILTER_LIMIT = 50
_HISTORY_LIMIT = 50


def get_parameters(
    clients: Clients, names: Sequence[str], *, decrypt: bool, plain: bool = False
) -> dict[str, Parameter]:
    """Read the parameters called `names`, ten a call, the calls side by side.

    Args:
        clients: the AWS clients.
        names: full names; may be empty, and repeated ones are read once.
        decrypt: whether the values are wanted. Without it every `value` is None, and a customer's
            KMS key is not used.
        plain: whether the values are wanted that nothing has to be decrypted for.

    Returns:
        By name, in the order asked for, those that exist: AWS answers 200 for missing ones, too,
        and lists them in `InvalidParameters`.

    Raises:
        SchoolctlError: AWS refused one of the calls.

    Source: SSM GetParameters.
    """
    wanted = tuple(dict.fromkeys(names))
    first, *others = batches(wanted, _GET_LIMIT) if wanted else [[]]
    started = [
        clients.start(_get_batch, clients, each, decrypt=decrypt, plain=plain) for each in others
    ]
    found = _get_batch(clients, first, decrypt=decrypt, plain=plain) if first else {}
    for call in started:
        found |= call.result()
    return {name: found[name] for name in wanted if name in found}


def _get_batch(
    clients: Clients, names: Sequence[str], *, decrypt: bool, plain: bool
) -> dict[str, Parameter]:
    doing = f"read {_named(names)}"
    with translated(doing):
        answer = clients.ssm.get_parameters(Names=list(names), WithDecryption=decrypt)
    found = {
        each["Name"]: _parameter(each, decrypt=decrypt, plain=plain)
        for each in answer["Parameters"]
    }
    untold = [each for each in names if each not in {*found, *answer.get("InvalidParameters", ())}]
    if untold:
        # What is taken for missing would be created, or let go.
        raise SchoolctlError(
            f"could not {doing}",
            why=f"AWS's answer says neither that {untold[0]} is there nor that it is not",
            hint="run it again; check what stands between this machine and AWS",
        )
    return found


def _parameter(found: ParameterTypeDef, *, decrypt: bool, plain: bool) -> Parameter:
    readable = decrypt or (plain and found["Type"] != "SecureString")
    return Parameter(
        name=found["Name"],
        type=found["Type"],
        version=found["Version"],
        modified_at=found.get("LastModifiedDate"),
        value=SecretValue(found["Value"]) if readable else None,
    )


def last_writers(clients: Clients, names: Sequence[str]) -> Mapping[str, str]:
    """Give the ARN of whoever wrote each of `names` last; missing parameters are absent.

    Source: SSM DescribeParameters (GetParameters does not tell), 50 names a filter, all pages.
    """
    writers: dict[str, str] = {}
    for batch in batches(dict.fromkeys(names), _FILTER_LIMIT):
        with translated(f"read who wrote {_named(batch)}"):
            pages = clients.ssm.get_paginator("describe_parameters").paginate(
                ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": list(batch)}]
            )
            for page in pages:
                for each in page["Parameters"]:
                    writers[each["Name"]] = each.get("LastModifiedUser", "")
    return writers


def put_parameter(
    clients: Clients,
    name: str,
    type_: ParameterTypeType,
    value: SecretValue,
    *,
    overwrite: bool,
    description: str = "",
) -> int:
    """Write a parameter and give its version.

    Raises:
        ConflictError: it exists and `overwrite` is not set, or it has a type that cannot change.

    Source: SSM PutParameter.
    """
    with translated(f"write parameter {name}", hide=value):
        answer = clients.ssm.put_parameter(
            Name=name,
            Type=type_,
            Value=value.reveal(),
            Overwrite=overwrite,
            **({"Description": description} if description else {}),  # type: ignore[arg-type]  # a TypedDict cannot be unpacked in part
        )
    return answer["Version"]


def parameter_history(
    clients: Clients, name: str, *, decrypt: bool
) -> tuple[ParameterVersion, ...]:
    """Give the versions that SSM keeps of a parameter, newest first; none where there is none.

    Args:
        clients: the AWS clients.
        name: full name.
        decrypt: whether the values are wanted; AWS then decrypts every one of them.

    Source: SSM GetParameterHistory, 50 versions a page, all pages; SSM keeps 100.
    """
    found: list[ParameterVersion] = []
    with translated(f"read the history of parameter {name}"):
        pages = clients.ssm.get_paginator("get_parameter_history").paginate(
            Name=name, WithDecryption=decrypt, PaginationConfig={"PageSize": _HISTORY_LIMIT}
        )
        try:
            for page in pages:
                found += [_version(each, decrypt=decrypt) for each in page["Parameters"]]
        except ClientError as error:
            if is_code(error, "ParameterNotFound"):
                return ()
            raise
    return tuple(sorted(found, key=lambda each: each.version, reverse=True))


def _version(found: ParameterHistoryTypeDef, *, decrypt: bool) -> ParameterVersion:
    return ParameterVersion(
        version=found["Version"],
        type=found["Type"],
        modified_at=found.get("LastModifiedDate"),
        writer=found.get("LastModifiedUser", ""),
        labels=tuple(found.get("Labels", ())),
        value=SecretValue(found["Value"]) if decrypt else None,
    )


def delete_parameter(clients: Clients, name: str, *, doing: str = "") -> bool:
    """Delete a parameter; gives False where there was none, which is no error.

    Source: SSM DeleteParameter.
    """
    with translated(doing or f"delete parameter {name}"):
        try:
            clients.ssm.delete_parameter(Name=name)
        except ClientError as error:
            if is_code(error, "ParameterNotFound"):
                return False
            raise
    return True


def _named(names: Sequence[str]) -> str:
    noun = "parameter" if len(names) == 1 else "parameters"
    return f"{noun} {', '.join(names)}"
