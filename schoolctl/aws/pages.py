"""Reading page after page, the next one under way before the last is read, and each but once."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from botocore.parsers import ResponseParserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from botocore.client import BaseClient

    from schoolctl.aws.session.clients import Clients

_TOKEN = re.compile(rb'"nextToken"\s*:\s*("(?:[^"\\]|\\.)+")')
"""No text within an answer looks like it: a quotation mark has a backslash before it there."""
_NOTHING = b"{}"


def read_ahead(
    clients: Clients, client: BaseClient, operation: str, **request: object
) -> Iterator[Any]:
    """Give each page of an operation's answer, and ask for the next one as soon as one arrives.

    The pages are as AWS wrote them: times are numbers (`parse_time` reads them), unknown keys stay.
    botocore would take longer to go through a page of a thousand items, value by value, than the
    rest of the command to read and show it. And a page's token is in the one before, so it is
    looked for in the answer's text.

    Args:
        clients: what runs the calls beside each other.
        client: one of them whose operation has `nextToken`, in the JSON protocol.
        operation: its name in the API, such as `DescribeImages`.
        request: what every page is asked with.

    Raises:
        ClientError: as the call does; of the first page that fails.
        ResponseParserError: an answer is no JSON document.
    """
    events, here = client.meta.events, threading.local()
    method = getattr(client, xform_name(operation))
    pages: deque[Future[object]] = deque()

    def ask(**token: str) -> object:
        here.listens = True
        try:
            return method(**request, **token)
        finally:
            here.listens = False

    def arrived(
        response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
    ) -> None:
        # Others may call the same operation meanwhile, and an answer may be a failure.
        if not getattr(here, "listens", False) or response_dict["status_code"] != HTTPStatus.OK:
            return
        here.listens = False
        body = response_dict["body"]
        if found := _TOKEN.search(body):
            pages.append(clients.start(ask, nextToken=json.loads(found[1])))
        customized_response_dict.update(_document(body))
        response_dict["body"] = _NOTHING

    event = f"before-parse.{client.meta.service_model.service_id.hyphenize()}.{operation}"
    events.register(event, arrived)
    try:
        pages.append(clients.start(ask))
        while pages:
            yield pages.popleft().result()
    finally:
        events.unregister(event, arrived)


def _document(body: bytes) -> dict[str, Any]:
    # botocore leaves out what is null. To look at each object takes time: only where one has it.
    hook = _without_null if b"null" in body else None
    try:
        document = json.loads(body, object_hook=hook)
    except ValueError as error:
        raise ResponseParserError("the answer is no JSON") from error
    if not isinstance(document, dict):
        raise ResponseParserError("the answer is no JSON object")
    return document


def _without_null(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
