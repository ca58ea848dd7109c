"""AWS's errors as they come over the wire: each protocol has its form and its own codes."""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from email.message import Message

_SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")


def service_of(headers: Message) -> str:
    """Give the service that a request was signed for."""
    found = _SERVICE.search(headers.get("Authorization", ""))
    return found[1] if found else ""


def error_body(code: str, message: str, headers: Message) -> bytes:
    """Write an error in the form of the service that the request is for."""
    if "X-Amz-Target" in headers:
        return json.dumps({"__type": code, "message": message}).encode()
    inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if service_of(headers) == "ec2":
        text = (
            f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>r</RequestID></Response>"
        )
    else:
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error>"
            "<RequestId>r</RequestId></ErrorResponse>"
        )
    return text.encode()


class Trouble(Enum):
    """What AWS refuses any call with: the codes of JSON, query and EC2, the status, a message."""

    THROTTLED = ("ThrottlingException", "Throttling", "RequestLimitExceeded", 400, "Rate exceeded")
    FAULT = ("ServerException", "InternalFailure", "InternalError", 500, "try again")
    DENIED = (
        "AccessDeniedException",
        "AccessDenied",
        "UnauthorizedOperation",
        400,
        (
            "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: {action}"
            " because no identity-based policy allows the {action} action"
        ),
    )
    EXPIRED = (
        "ExpiredTokenException",
        "ExpiredToken",
        "RequestExpired",
        400,
        "The security token included in the request is expired",
    )

    def answer(self, operation: str, headers: Message, path: str) -> tuple[int, bytes]:
        """Give status and content of the answer to a request."""
        in_json, in_query, in_ec2, status, message = self.value
        message = message.format(action=f"{service_of(headers)}:{operation}")
        if path.startswith("/v2/"):
            return self._of_registry(message)
        if "X-Amz-Target" in headers:
            code = in_json
        else:
            code = in_ec2 if service_of(headers) == "ec2" else in_query
        return status, error_body(code, message, headers)

    def _of_registry(self, message: str) -> tuple[int, bytes]:
        status = {Trouble.THROTTLED: 429, Trouble.FAULT: 500}.get(self, 403)
        return status, json.dumps({"errors": [{"code": "DENIED", "message": message}]}).encode()
