"""Whether a request has the form that AWS takes, before anything is sent.

The configuration's `overrides` go into requests as they are; what is wrong with them is told with
its path. botocore's own error quotes the values, which may be secrets.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from botocore.validate import ParamValidator

from schoolctl.base.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from schoolctl.aws.session.clients import Clients

_WRONG_TYPE = re.compile(
    r"^Invalid type for parameter (\S+), value: .*?, type: <class '[^']*'>, valid types: (.*?)$",
    re.MULTILINE | re.DOTALL,
)
_OTHERS = re.compile(
    r"^((?:Unknown parameter|Missing required parameter|Invalid length|Invalid range) .*)$",
    re.MULTILINE,
)
_CLASS = re.compile(r"<class '([^']*)'>")
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
}


def check_form(
    clients: Clients, operation: str, request: Mapping[str, Any], *, overrides: str
) -> None:
    """Refuse a request that botocore would refuse.

    Args:
        clients: the AWS clients; none of them is called.
        operation: of ECS, such as `RegisterTaskDefinition`.
        request: as it would be sent.
        overrides: the key of the configuration that shaped it, such as `task.overrides`.

    Raises:
        ConfigError: with a line for each problem, without the values.
    """
    shape = clients.ecs.meta.service_model.operation_model(operation).input_shape
    if shape is None:
        raise AssertionError(f"{operation} takes no request")
    report = ParamValidator().validate(dict(request), shape).generate_report()
    problems = list(_problems(report))
    if problems:
        raise ConfigError(
            f"`{overrides}` makes a request that ECS does not take; nothing was changed",
            why="\n".join(problems),
            hint=f"correct `{overrides}` in schoolctl.yaml: it is written as {operation} takes it",
        )


def _problems(report: str) -> Iterator[str]:
    for path, classes in _WRONG_TYPE.findall(report):
        words = [_WORDS[name] for name in _CLASS.findall(classes) if name in _WORDS]
        yield f"{path}: must be {' or '.join(words) or 'of another type'}"
    rest = _WRONG_TYPE.sub("", report)
    yield from (text[0].lower() + text[1:] for text in _OTHERS.findall(rest))
    if report and not _WRONG_TYPE.search(report) and not _OTHERS.search(rest):
        yield "a value has a form that AWS does not take"
