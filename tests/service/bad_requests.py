"""Requests that no well-behaved client sends, by class, each with the status that it must get.

200 stands for a request that is strange and does no harm: it registers ADA like any other.
"""

from __future__ import annotations

import gzip
import json
import zlib
from http import HTTPStatus
from typing import Final

from service.body import MAX_BODY_BYTES
from tests.service.conftest import ADA

BODY: Final = json.dumps(ADA).encode()
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
HOST: Final = b"Host: localhost\r\n"
TYPE: Final = b"Content-Type: application/json\r\n"

OK, BAD, AWAY = HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.SERVICE_UNAVAILABLE
TOO_LARGE, BAD_TYPE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE
NO_METHOD, NO_PLACE = HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_FOUND
LONG_LINE = HTTPStatus.REQUEST_URI_TOO_LONG
LONG_HEADERS = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


def length(body: bytes) -> bytes:
    """Give the header that announces a body."""
    return b"Content-Length: %d\r\n" % len(body)


LENGTH: Final = length(BODY)


def request(
    line: bytes = b"POST /api/register HTTP/1.1",
    headers: bytes = LENGTH,
    body: bytes = BODY,
    host: bytes = HOST,
    media_type: bytes = TYPE,
) -> bytes:
    """Give the bytes of a request; of a good one, unless told otherwise."""
    return line + b"\r\n" + host + media_type + headers + b"\r\n" + body


def chunks(body: bytes, size: int) -> bytes:
    """Give a body in chunks of a size."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def with_body(body: bytes, headers: bytes = b"") -> bytes:
    """Give a request that is good but for its body."""
    return request(headers=length(body) + headers, body=body)


def escaped(text: str) -> bytes:
    """Give text with every character escaped as JSON allows."""
    return "".join(f"\\u{ord(character):04x}" for character in text).encode()


LINES: Final = {
    "no path": (b"POST  HTTP/1.1", BAD),
    "no slash": (b"POST api/register HTTP/1.1", BAD),
    "bytes in the path": (b"POST /api/\xff\xfe HTTP/1.1", BAD),
    "bytes in the query": (b"POST /api/register?a=\xff HTTP/1.1", BAD),
    "a line end in the path": (b"POST /api/\rregister HTTP/1.1", BAD),
    "escaped bytes": (b"POST /api/%ff%fe HTTP/1.1", NO_PLACE),
    "an escaped line end": (b"POST /api/%0d%0aX:%20y HTTP/1.1", NO_PLACE),
    "an escaped NUL": (b"POST /api/register%00 HTTP/1.1", NO_PLACE),
    "an escape that is none": (b"POST /api/register%zz HTTP/1.1", NO_PLACE),
    "an escaped escape": (b"POST /api/%252e%252e/register HTTP/1.1", NO_PLACE),
    "an escaped slash at the end": (b"POST /api/register%2F HTTP/1.1", NO_PLACE),
    "two slashes": (b"POST /api//register HTTP/1.1", NO_PLACE),
    "a slash at the end": (b"POST /api/register/ HTTP/1.1", NO_PLACE),
    "dots": (b"POST /api/../api/./register HTTP/1.1", NO_PLACE),
    "a parameter": (b"POST /api/register;a=b HTTP/1.1", NO_PLACE),
    "the prefix alone": (b"POST /api HTTP/1.1", NO_PLACE),
    "a long path": (b"POST /api/" + b"a" * 5000 + b" HTTP/1.1", LONG_LINE),
    "a query that is too long": (b"POST /api/register?" + b"a" * 5000 + b" HTTP/1.1", LONG_LINE),
    "lower case": (b"post /api/register HTTP/1.1", BAD),
    "no token": (b"P@ST /api/register HTTP/1.1", BAD),
    "a long method": (b"A" * 100 + b" /api/register HTTP/1.1", BAD),
    "an unknown method": (b"BREW /api/register HTTP/1.1", NO_METHOD),
    "GET with a body": (b"GET /api/register HTTP/1.1", NO_METHOD),
    "TRACE": (b"TRACE /api/register HTTP/1.1", NO_METHOD),
    "PATCH": (b"PATCH /api/register HTTP/1.1", NO_METHOD),
    "CONNECT": (b"CONNECT /api/register HTTP/1.1", NO_METHOD),
    "the health check with POST": (b"POST /healthz HTTP/1.1", NO_METHOD),
    "the description with DELETE": (b"DELETE /openapi.json HTTP/1.1", NO_METHOD),
    "tabs": (b"POST\t/api/register\tHTTP/1.1", BAD),
    "spaces": (b"POST  /api/register  HTTP/1.1", BAD),
    "HTTP/2.0": (b"POST /api/register HTTP/2.0", BAD),
    "HTTP/0.1": (b"POST /api/register HTTP/0.1", BAD),
    "HTTP/0.9": (b"GET /api/register", BAD),
    "HTTP/11": (b"POST /api/register HTTP/11", BAD),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0", BAD),
    "the PROXY protocol": (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2", BAD),
    "an address that is none": (b"POST http://[ HTTP/1.1", BAD),
    "an address of another kind": (b"POST javascript:alert(1) HTTP/1.1", BAD),
    "a star": (b"POST * HTTP/1.1", BAD),
    "a whole address": (b"POST http://localhost/api/register HTTP/1.1", OK),
    "the address of another": (b"POST https://evil.example:99999/api/register HTTP/1.1", OK),
    "a fragment": (b"POST /api/register#a HTTP/1.1", OK),
    "escaped letters": (b"POST /%61pi%2Fregister HTTP/1.1", OK),
    "slashes before it": (b"POST ///api/register HTTP/1.1", OK),
    "a long query": (b"POST /api/register?" + b"a" * 4000 + b" HTTP/1.1", OK),
    "many parameters": (b"POST /api/register?" + b"a=1&" * 900 + b" HTTP/1.1", OK),
    "HTTP/1.0": (b"POST /api/register HTTP/1.0", OK),
}

HEADERS: Final = {
    "another length": (b"Content-Length: 3\r\n", BAD),
    "the same length twice": (LENGTH, BAD),
    "a length behind a space": (b"Content-Length : 3\r\n", BAD),
    "two types": (b"Content-Type: text/plain\r\n", BAD),
    "a length and chunks": (CHUNKED, BAD),
    "a length and a coding": (b"Transfer-Encoding: identity\r\n", BAD),
    "a space in a name": (b"X Y: a\r\n", BAD),
    "a space before the colon": (b"X : a\r\n", BAD),
    "no colon": (b"X\r\n", BAD),
    "a control character": (b"X: a\x01b\r\n", BAD),
    "a folded line": (b"X: a\r\n b\r\n", BAD),
    "a line that ends early": (b"X: a\nY: b\r\n", BAD),
    "two hosts": (HOST, BAD),
    "200 headers": (b"".join(b"X%d: a\r\n" % n for n in range(200)), LONG_HEADERS),
    "a long header": (b"X: " + b"a" * 9000 + b"\r\n", LONG_HEADERS),
    "an unknown expectation": (b"Expect: tea\r\n", HTTPStatus.EXPECTATION_FAILED),
    "90 headers": (b"".join(b"X%d: a\r\n" % n for n in range(90)), OK),
    "much in headers": (b"".join(b"X%d: %b\r\n" % (n, b"a" * 8000) for n in range(50)), OK),
    "an origin that is none": (b"Origin: \xff://[\r\n", OK),
    "no origin": (b"Origin: null\r\n", OK),
    "bytes as request id": (b"X-Request-Id: " + b"\xff" * 8 + b"\r\n", OK),
    "a trace that is none": (b'X-Amzn-Trace-Id: \xff"\\\r\n', OK),
    "no address of the client": (b"X-Forwarded-For: ,,\r\n", OK),
    "bytes as address": (b"X-Forwarded-For: \xff<script>\r\n", OK),
    "an address with its port": (b"X-Forwarded-For: [2001:db8::1]:443\r\n", OK),
    "an address with its zone": (b"X-Forwarded-For: fe80::1%eth0\r\n", OK),
    "many addresses": (b"X-Forwarded-For: " + b"192.0.2.1," * 700 + b"\r\n", OK),
    "no known scheme": (b"X-Forwarded-Proto: javascript\r\n", OK),
    "another host": (b"X-Forwarded-Host: evil\r\nX-Forwarded-Prefix: /x\r\n", OK),
    "another method": (b"X-HTTP-Method-Override: DELETE\r\n", OK),
    "a cookie that is none": (b"Cookie: \xff=;;=\r\n", OK),
    "credentials that are none": (b"Authorization: Basic ===\r\n", OK),
    "preferences that are none": (b"Accept: \xff;q=x\r\n", OK),
    "a wish for websockets": (b"Upgrade: websocket\r\n", OK),
    "a wish for HTTP/2": (b"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n", OK),
}

HOSTS: Final = {
    "no host": b"",
    "an empty host": b"Host: \r\n",
    "a host that is none": b"Host: [\r\n",
    "a host of two words": b"Host: a b\r\n",
    "a host with a user": b"Host: a@b:99999\r\n",
    "a port that is none": b"Host: localhost:http\r\n",
    "bytes as host": b"Host: \xff\r\n",
}

FRAMES: Final = {
    "no length": (b"", BODY, BAD),
    "an empty length": (b"Content-Length: \r\n", BODY, BAD),
    "a length with a sign": (b"Content-Length: +5\r\n", BODY, BAD),
    "a length in hexadecimal": (b"Content-Length: 0x5\r\n", BODY, BAD),
    "a length with an underscore": (b"Content-Length: 1_0\r\n", BODY, BAD),
    "a length in other digits": ("Content-Length: ٣\r\n".encode(), BODY, BAD),
    "two lengths in one": (b"Content-Length: 3, 3\r\n", BODY, BAD),
    "a length beyond reason": (b"Content-Length: " + b"9" * 30 + b"\r\n", BODY, TOO_LARGE),
    "a length that is too short": (b"Content-Length: 5\r\n", BODY, BAD),
    "a length that is too long": (b"Content-Length: 500\r\n", BODY, BAD),
    "a length of nothing": (b"Content-Length: 0\r\n", b"", BAD),
    "an unknown coding": (b"Transfer-Encoding: tea\r\n", BODY, HTTPStatus.NOT_IMPLEMENTED),
    "chunks twice": (CHUNKED * 2, b"0\r\n\r\n", BAD),
    "gzip and chunks": (b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n", BAD),
    "chunks before another": (b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n", BAD),
    "no chunks at all": (CHUNKED, b"0\r\n\r\n", BAD),
    "a chunk of less than nothing": (CHUNKED, b"-1\r\n\r\n", BAD),
    "a chunk beyond reason": (CHUNKED, b"f" * 20 + b"\r\nabc", BAD),
    "a chunk that ends early": (CHUNKED, b"ff\r\nabc", BAD),
    "no last chunk": (CHUNKED, b"%x\r\n%b\r\n" % (len(BODY), BODY), BAD),
    "many chunks above the limit": (CHUNKED, chunks(b" " * (MAX_BODY_BYTES + 1), 100), TOO_LARGE),
    "one chunk above the limit": (CHUNKED, chunks(b" " * 20_000, 20_000), TOO_LARGE),
    "chunks up to the limit": (CHUNKED, chunks(BODY.ljust(MAX_BODY_BYTES), 1000), OK),
    "chunks of one byte": (CHUNKED, chunks(BODY, 1), OK),
    "chunks in capitals": (b"Transfer-Encoding: CHUNKED\r\n", chunks(BODY, 9), OK),
    "a trailer": (CHUNKED, b"%x;a=b\r\n%b\r\n0\r\nX: y\r\n\r\n" % (len(BODY), BODY), OK),
    "a length among spaces": (b"Content-Length:   %d  \r\n" % len(BODY), BODY, OK),
}

BODIES: Final = {
    "nothing but a space": (b" ", BAD),
    "a body that breaks off": (BODY[:-1], BAD),
    "true": (b"true", BAD),
    "null": (b"null", BAD),
    "a number": (b"1", BAD),
    "a text": (b'"Ada"', BAD),
    "a list": (b"[" + BODY + b"]", BAD),
    "two objects": (BODY * 2, BAD),
    "a NUL behind it": (BODY + b"\0", BAD),
    "a comment": (b"/**/" + BODY, BAD),
    "a byte order mark": (b"\xef\xbb\xbf" + BODY, BAD),
    "UTF-16": (json.dumps(ADA).encode("utf-16"), BAD),
    "UTF-32": (json.dumps(ADA).encode("utf-32"), BAD),
    "UTF-7": (b"+AHsAfQ-", BAD),
    "Latin-1": (b'{"name": "Jos\xe9"}', BAD),
    "bytes too many for a character": (b'{"name": "\xc0\xaf"}', BAD),
    "half a character in UTF-8": (b'{"name": "\xed\xa0\xbd\xed\xb8\x80"}', BAD),
    "beyond Unicode": (b'{"name": "\xf4\x90\x80\x80"}', BAD),
    "half a character": (b'{"name": "\\ud800"}', BAD),
    "half a character as a name": (b'{"\\udfff": 1}', BAD),
    "halves in the wrong order": (b'{"name": "\\udc00\\ud800"}', BAD),
    "a NUL": (b'{"name": "a\\u0000b"}', BAD),
    "a name twice": (b'{"name": "a", "name": "b"}', BAD),
    "a name twice inside": (b'{"name": {"a": 1, "a": 2}}', BAD),
    "a name in capitals": (b'{"NAME": "Ada"}', BAD),
    "a long name": (b'{"%b": 1}' % (b"k" * 16_000), BAD),
    "many names": (b"{%b}" % b",".join(b'"k%d":1' % number for number in range(1500)), BAD),
    "names of other languages": (b'{"__proto__": {}, "constructor": 1, "$where": 1}', BAD),
    "not a number": (b'{"phone": NaN}', BAD),
    "infinity": (b'{"phone": -Infinity}', BAD),
    "more than a double": (b'{"phone": 1e999}', BAD),
    "an exponent beyond reason": (b'{"phone": 1e%b}' % (b"9" * 5000), BAD),
    "a long number": (b'{"phone": %b}' % (b"9" * 4000), BAD),
    "a longer number": (b'{"phone": %b}' % (b"9" * 15_000), BAD),
    "depth": (b"[" * 8000 + b"]" * 8000, BAD),
    "depth of objects": (b'{"a":' * 2500 + b"1" + b"}" * 2500, BAD),
    "depth in a field": (b'{"name": %b}' % (b"[" * 8000 + b"]" * 8000), BAD),
    "some depth": (b'{"name": %b}' % (b"[" * 500 + b"]" * 500), BAD),
    "depth without an end": (b'{"a":[' * 2700, BAD),
    "other types": (b'{"name": true, "email": 0, "phone": {}, "program": []}', BAD),
    "nulls": (b'{"name": null, "email": null, "phone": null, "program": null}', BAD),
    "gzip unannounced": (gzip.compress(BODY), BAD),
    "a byte too many": (BODY.ljust(MAX_BODY_BYTES + 1), TOO_LARGE),
    "a megabyte": (b" " * 1_000_000, TOO_LARGE),
    "as much as there may be": (BODY.ljust(MAX_BODY_BYTES), OK),
    "space around it": (b"\r\n\t " + BODY + b"\n\n", OK),
    "everything escaped": (
        b"{%b}" % b",".join(b'"%b":"%b"' % (escaped(k), escaped(v)) for k, v in ADA.items()),
        OK,
    ),
}

TYPES: Final = {
    "none": (b"", BAD_TYPE),
    "an empty one": (b"Content-Type: \r\n", BAD_TYPE),
    "text, as a simple form may": (b"Content-Type: text/plain\r\n", BAD_TYPE),
    "a form": (b"Content-Type: application/x-www-form-urlencoded\r\n", BAD_TYPE),
    "parts": (b"Content-Type: multipart/form-data; boundary=\r\n", BAD_TYPE),
    "another JSON": (b"Content-Type: application/merge-patch+json\r\n", BAD_TYPE),
    "two in one": (b"Content-Type: application/json, text/plain\r\n", BAD_TYPE),
    "another charset": (b"Content-Type: application/json; charset=utf-16\r\n", BAD_TYPE),
    "a charset in other words": (
        b"Content-Type: application/json; charset*=utf-8''utf-16\r\n",
        BAD_TYPE,
    ),
    "bytes": (b"Content-Type: application/j\xffson\r\n", BAD_TYPE),
    "gzip": (TYPE + b"Content-Encoding: gzip\r\n", BAD_TYPE),
    "deflate": (TYPE + b"Content-Encoding: deflate\r\n", BAD_TYPE),
    "gzip behind nothing": (
        TYPE + b"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n",
        BAD_TYPE,
    ),
    "many parameters": (b"Content-Type: application/json" + b";a=b" * 1000 + b"\r\n", OK),
}

_ZIPPED: Final = zlib.compress(BODY)


def everything() -> dict[str, tuple[bytes, int]]:
    """Give each request by its name, with the status that it must get."""
    found: dict[str, tuple[bytes, int]] = {}
    for name, (line, status) in LINES.items():
        found[f"line: {name}"] = request(line), status
    for name, (headers, status) in HEADERS.items():
        found[f"header: {name}"] = request(headers=LENGTH + headers), status
    for name, host in HOSTS.items():
        found[f"host: {name}"] = request(host=host), OK
    for name, (headers, body, status) in FRAMES.items():
        found[f"frame: {name}"] = request(headers=headers, body=body), status
    for name, (body, status) in BODIES.items():
        found[f"body: {name}"] = with_body(body), status
    for name, (media_type, status) in TYPES.items():
        found[f"type: {name}"] = request(media_type=media_type), status
    found["type: deflate with its body"] = (
        with_body(_ZIPPED, b"Content-Encoding: deflate\r\n"),
        BAD_TYPE,
    )
    found["line: HTTP/1.0 without a host"] = (
        request(b"POST /api/register HTTP/1.0", host=b""),
        OK,
    )
    return found
