"""A proxy in front of an AWS that fails chosen calls as AWS, networks and power cuts do.

It stands before moto's server for the tests that run the command in process, and before the
emulator for those that start it as a process of its own, which it can then kill.
"""

from __future__ import annotations

import re
import threading
from collections import Counter, deque
from collections.abc import Callable
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.wire import Trouble, error_body

if TYPE_CHECKING:
    from subprocess import Popen

Rule = Callable[["Exchange"], None]
"""What becomes of a call."""

_REGISTRY = re.compile(r"/v2/(?:.+/(?P<kind>blobs/uploads|blobs|manifests)/.*)?")


class Call(NamedTuple):
    """One call of a run: the operation, and the how manieth of it.

    Calls that are made side by side arrive in any order; the second GetParameters stays that.
    """

    operation: str
    nth: int

    def __str__(self) -> str:
        return f"{self.operation} {self.nth}"


class Faults:
    """Passes calls on, notes each, and spoils those that a test names.

    Calls are named as the API does: `PutParameter`, `GetCallerIdentity`; a request to the registry
    by method and subject: `PUT manifests`.
    """

    def __init__(self, upstream: str) -> None:
        self.calls: list[str] = []
        self.bodies: list[bytes] = []
        self.victim: Popen[str] | None = None
        """The process that `kill_before` and `kill_after` kill."""
        self.registry = ""
        """The registry's name on AWS, by which the emulator finds the account of an image."""
        self.judge: Callable[[Exchange], Rule | None] | None = None
        """Sees every call, and may decide what becomes of it."""
        self._upstream = urlsplit(upstream).netloc
        self._rules: dict[str, deque[Rule]] = {}
        self._standing: dict[str, Rule] = {}
        self._for_all: Rule | None = None
        self._rewriting: dict[str, Callable[[bytes], bytes]] = {}
        self._lock = threading.Condition()
        self._open = 0
        self._server = _Server(("127.0.0.1", 0), Exchange)
        self._server.faults = self  # type: ignore[attr-defined]  # the handler finds us here
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def host(self) -> str:
        """Where it listens, as the name of a registry."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def endpoint_url(self) -> str:
        """Where the product's calls should go."""
        return f"http://{self.host}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    # What was called

    def numbered(self) -> list[Call]:
        """Give the calls so far, in order of arrival."""
        seen: Counter[str] = Counter()
        numbered = []
        for operation in self.calls:
            seen[operation] += 1
            numbered.append(Call(operation, seen[operation]))
        return numbered

    def unused(self) -> list[str]:
        """Give the calls that were to fail and never came."""
        return [call for call, rules in self._rules.items() if rules]

    def settle(self) -> None:
        """Wait until no call is under way: a killed process leaves some."""
        with self._lock:
            if not self._lock.wait_for(lambda: self._open == 0, timeout=30):
                raise AssertionError("a call is still under way")

    # What becomes of calls

    def at(self, call: Call, rule: Rule) -> None:
        """Apply `rule` to one call, counted from now on."""
        for _ in range(call.nth - 1):
            self.pass_on(call.operation)
        self._add(call.operation, rule)

    def on_all(self, rule: Rule) -> None:
        """Apply `rule` to every call that no other rule is for, until `heal`."""
        self._for_all = rule

    def rewrite(self, call: str, change: Callable[[bytes], bytes]) -> None:
        """Change every answer to `call`."""
        self._rewriting[call] = change

    def answer(self, call: str, code: str, message: str, *, status: int = 400) -> None:
        """Answer the next `call` with an error instead of passing it on."""
        self._add(call, _error(code, message, status))

    def answer_always(self, call: str, code: str, message: str) -> None:
        """Answer every `call` with an error until `heal`."""
        self.always(call, _error(code, message, 400))

    def always(self, call: str, rule: Rule) -> None:
        """Apply `rule` to every `call` until `heal`."""
        self._standing[call] = rule

    def answer_with(self, call: str, content: bytes, *, status: int) -> None:
        """Answer the next `call` with these very bytes."""
        self._add(call, lambda exchange: exchange.reply(status, content))

    def heal(self) -> None:
        """Pass on again whatever is spoiled; rewriting goes on."""
        self._standing.clear()
        self._rules.clear()
        self._for_all = None

    def deny(self, call: str, action: str) -> None:
        """Answer the next `call` as AWS does where a policy lacks `action`."""
        self.answer(
            call,
            "AccessDeniedException",
            f"User: arn:aws:iam::123456789012:user/ann is not authorized to perform: {action}"
            " because no identity-based policy allows it",
        )

    def lose_reply(self, call: str) -> None:
        """Carry out the next `call` and drop the connection instead of answering."""
        self._add(call, lose_reply)

    def pass_on(self, call: str) -> None:
        """Let the next `call` through; for rules that are meant for a later one."""
        self._add(call, pass_on)

    def before(self, call: str, happens: Callable[[], object]) -> None:
        """Let something happen, then let the next `call` through."""

        def rule(exchange: Exchange) -> None:
            happens()
            pass_on(exchange)

        self._add(call, rule)

    def _add(self, call: str, rule: Rule) -> None:
        self._rules.setdefault(call, deque()).append(rule)

    # For the handler

    @property
    def upstream(self) -> str:
        """Host and port of the real thing."""
        return self._upstream

    def begin(self, operation: str, body: bytes) -> Rule:
        """Note a call, and take the rule for it."""
        with self._lock:
            self._open += 1
            self.calls.append(operation)
            self.bodies.append(body)
            rules = self._rules.get(operation)
            if rules:
                return rules.popleft()
            return self._standing.get(operation) or self._for_all or pass_on

    def end(self) -> None:
        """Note that a call is over."""
        with self._lock:
            self._open -= 1
            self._lock.notify_all()

    def rewritten(self, operation: str, content: bytes) -> bytes:
        """Give an answer as the command gets it."""
        change = self._rewriting.get(operation)
        return change(content) if change else content


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256  # sixteen commands at once ask side by side, too

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up: they were killed, or had their answer dropped."""


class Exchange(BaseHTTPRequestHandler):
    """One request and what it is answered; rules act on it."""

    protocol_version = "HTTP/1.1"
    operation = ""
    body = b""

    @property
    def faults(self) -> Faults:
        """The proxy that it came to."""
        found: Faults = self.server.faults  # type: ignore[attr-defined]  # see Faults
        return found

    def _handle(self) -> None:
        self.body = self._read_body()
        self.operation = self._operation()
        rule = self.faults.begin(self.operation, self.body)
        try:
            judged = self.faults.judge(self) if self.faults.judge is not None else None
            (judged or rule)(self)
        finally:
            self.faults.end()

    do_GET = _handle  # noqa: N815  # the names that http.server calls
    do_HEAD = _handle  # noqa: N815
    do_PATCH = _handle  # noqa: N815
    do_POST = _handle  # noqa: N815
    do_PUT = _handle  # noqa: N815

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = bytearray()
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(body)

    def _operation(self) -> str:
        target = self.headers.get("X-Amz-Target")
        if target:
            return str(target).rpartition(".")[2]
        registry = _REGISTRY.fullmatch(urlsplit(self.path).path)
        if registry:
            return f"{self.command} {registry['kind'] or 'v2'}"
        return parse_qs(self.body.decode(errors="replace")).get("Action", ["?"])[0]

    def forward(self) -> tuple[int, bytes, dict[str, str]]:
        """Have the call carried out; gives status, content and headers of the answer."""
        connection = HTTPConnection(self.faults.upstream, timeout=60)
        left_out = {"connection", "transfer-encoding", "content-length"}
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in left_out
        }
        connection.request(self.command, self._path(), self.body, headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return (
            response.status,
            self.faults.rewritten(self.operation, content),
            dict(response.getheaders()),
        )

    def _path(self) -> str:
        if not self.faults.registry or not self.path.startswith("/v2/"):
            return self.path
        return f"{self.path}{'&' if '?' in self.path else '?'}ns={self.faults.registry}"

    def reply(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        """Answer."""
        self.send_response(status)
        kept = {"Content-Type": "application/x-amz-json-1.1", **(headers or {})}
        for name, value in kept.items():
            if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                self.send_header(name, value)
        length = str(len(content))
        if self.command == "HEAD":
            length = {key.lower(): value for key, value in kept.items()}.get("content-length", "0")
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(content)

    def hang_up(self) -> None:
        """Close the connection without an answer."""
        self.close_connection = True

    def kill(self) -> None:
        """Kill the command; nothing of it remains to be answered."""
        victim = self.faults.victim
        assert victim is not None, "the command runs in this process"
        victim.kill()
        self.hang_up()

    def log_message(self, *args: Any) -> None:
        """Keep quiet."""


# Rules: what becomes of a call. Functions, so that a test can write its own.


def pass_on(exchange: Exchange) -> None:
    """Let it through."""
    exchange.reply(*exchange.forward())


def kill_before(exchange: Exchange) -> None:
    """Kill the command before the call reaches AWS."""
    exchange.kill()


def kill_after(exchange: Exchange) -> None:
    """Have the call carried out, and kill the command before it hears of it."""
    exchange.forward()
    exchange.kill()


def lose_reply(exchange: Exchange) -> None:
    """Have the call carried out, and drop the connection instead of answering."""
    exchange.forward()
    exchange.hang_up()


def fail_after(exchange: Exchange) -> None:
    """Have the call carried out, and say that AWS has a fault."""
    exchange.forward()
    refuse(Trouble.FAULT)(exchange)


def refuse(trouble: Trouble) -> Rule:
    """Answer with an error as the service spells it, instead of passing the call on."""

    def rule(exchange: Exchange) -> None:
        status, content = trouble.answer(exchange.operation, exchange.headers, exchange.path)
        exchange.reply(status, content)

    return rule


def refuse_times(trouble: Trouble, times: int) -> Rule:
    """Refuse each call so often; a repetition is known by its content."""
    refused: Counter[tuple[str, bytes]] = Counter()

    def rule(exchange: Exchange) -> None:
        key = exchange.operation, exchange.body
        refused[key] += 1
        (refuse(trouble) if refused[key] <= times else pass_on)(exchange)

    return rule


def quote_request(exchange: Exchange) -> None:
    """Refuse, and quote the request in the message, as some of AWS's validation does."""
    message = f"1 validation error detected: {exchange.body.decode(errors='replace')} is not valid"
    exchange.reply(400, error_body("ValidationException", message, exchange.headers))


def quote_signed(exchange: Exchange) -> None:
    """Refuse the signature, and quote what should have been signed, as AWS does."""
    headers = "\n".join(f"{name.lower()}:{value}" for name, value in exchange.headers.items())
    message = (
        "The request signature we calculated does not match the signature you provided. Check your"
        " AWS Secret Access Key and signing method.\n\nThe Canonical String for this request should"
        f" have been\n'POST\n/\n\n{headers}\n'"
    )
    exchange.reply(403, error_body("SignatureDoesNotMatch", message, exchange.headers))


def _error(code: str, message: str, status: int) -> Rule:
    return lambda exchange: exchange.reply(status, error_body(code, message, exchange.headers))
