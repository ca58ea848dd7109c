"""`make demo`: the whole workflow on a local AWS, each command shown before it runs.

It can run again at any time: what is there is found, and the second person has another address.
"""

from __future__ import annotations

import http.client
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pymysql

ROOT = Path(__file__).resolve().parent.parent
COMMAND = Path(sys.executable).parent / "schoolctl"
FOLDER = ROOT / ".schoolctl"
BEFORE, AFTER = "Register for a program", "Register for the new term"
PATIENCE_SECONDS = 30


class DemoError(Exception):
    """Something did not turn out as the demo says it does."""


@dataclass(frozen=True)
class Answer:
    """What the service answered through its load balancer."""

    status: int
    text: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON of the answer."""
        document: dict[str, Any] = json.loads(self.text)
        return document


def main() -> int:
    """Run the demo; returns its exit code."""
    try:
        run_demo()
    except DemoError as error:
        print(f"\nThe demo stopped: {error}", file=sys.stderr)
        return 1
    return 0


def run_demo() -> None:
    """Go through the workflow, from nothing to a rollback."""
    say("A local AWS: emulator, database, and what an account would have")
    schoolctl("sandbox", "up")
    sandbox = json.loads(read("sandbox", "status", "--json"))
    url = str(sandbox["url"])
    database = next(part["address"] for part in sandbox["parts"] if part["name"] == "database")

    say("The first deployment: build and push, parameters and password, deploy")
    push_first_version()
    schoolctl("params", "set", "--from-file", ".schoolctl/sandbox.env")
    schoolctl("deploy", "--tag", "1.0")
    email = register_somebody(url)
    show_row(database, email)

    say("What is in the registry, and which of it runs")
    schoolctl("images", "list")

    say("A second version, deployed and taken back")
    push_second_version()
    schoolctl("deploy", "--tag", "1.1")
    expect_heading(url, AFTER)
    schoolctl("rollback")
    expect_heading(url, BEFORE)
    schoolctl("status")
    say(f"Done. The form is at {url} (a browser and curl find it)")
    show("`schoolctl sandbox down` removes all of it")


def push_first_version() -> None:
    """Push tag 1.0; where a demo of an older state of the files left one, start from nothing."""
    command = ("push", "--tag", "1.0", "--create-repo")
    if attempt(*command) == 0:
        return
    if not json.loads(read("images", "list", "--json", check=False) or "{}").get("images"):
        raise DemoError("the push failed, see above")
    say("The files changed since the last demo, and a tag is never overwritten: start afresh")
    schoolctl("sandbox", "down")
    schoolctl("sandbox", "up")
    schoolctl(*command)


def push_second_version() -> None:
    """Push tag 1.1 from a copy of the project with another heading: the work tree stays clean."""
    with tempfile.TemporaryDirectory(prefix="schoolctl-demo-") as name:
        copy = Path(name)
        for file in ("schoolctl.yaml", "Dockerfile", ".dockerignore"):
            shutil.copy(ROOT / file, copy / file)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "service", copy / "service", ignore=ignored)
        (copy / ".schoolctl").mkdir(mode=0o700)
        shutil.copy(FOLDER / "sandbox.yaml", copy / ".schoolctl" / "sandbox.yaml")
        change_heading(copy / "service" / "templates")
        show("(from a copy of the project, in which the form has a new heading)")
        schoolctl("-c", str(copy / "schoolctl.yaml"), "push", "--tag", "1.1")


def change_heading(templates: Path) -> None:
    """Put the new heading into the template that has the old one."""
    for path in templates.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        if heading(BEFORE) in text:
            path.write_text(text.replace(heading(BEFORE), heading(AFTER)), encoding="utf-8")
            return
    raise DemoError(f"no template in {templates} has the heading {BEFORE!r}")


def register_somebody(url: str) -> str:
    """Register a person through the load balancer, and somebody else with the same address."""
    person = {
        "name": "Ada Lovelace",
        "email": f"ada.{uuid.uuid4().hex[:8]}@school.example",
        "phone": "+44 20 7946 0958",
        "program": "Mathematics",
    }
    say("A person registers, through the load balancer")
    created = register(url, person)
    expect(created, http.HTTPStatus.CREATED)
    say("The same address with other data is refused")
    refused = register(url, {**person, "name": "Charles Babbage"})
    expect(refused, http.HTTPStatus.CONFLICT)
    return person["email"]


def register(url: str, person: dict[str, str]) -> Answer:
    """Show the request as a command, and send it."""
    header = shlex.quote("Content-Type: application/json")
    show(f"$ curl {url}api/register -H {header} -d {shlex.quote(json.dumps(person))}")
    return request(url, "POST", "/api/register", person)


def show_row(address: str, email: str) -> None:
    """Show the person's row, read over TLS from the MariaDB at `address`."""
    host, _, port = address.partition(":")
    lines = (FOLDER / "sandbox.env").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines)
    query = "SELECT id, name, email, phone, program, created_at FROM users WHERE email = %s"
    say("The row in MariaDB")
    show(f"> {query.replace('%s', repr(email))}")
    connection = pymysql.connect(
        host=host,
        port=int(port),
        user=values["db_user"],
        password=values["db_password"],
        database=values["db_name"],
        ssl_ca=str(FOLDER / "sandbox" / "tls" / "ca.pem"),
        ssl_verify_cert=True,
        ssl_verify_identity=True,
        connect_timeout=10,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(query, (email,))
        rows = cursor.fetchall()
    if len(rows) != 1:
        raise DemoError(f"{len(rows)} rows have the address {email}, not one")
    show("  ".join(str(value) for value in rows[0]))


def heading(text: str) -> str:
    """Give the HTML of a heading."""
    return f"<h1>{text}</h1>"


def expect_heading(url: str, text: str) -> None:
    """Wait until the form has the heading `text`: the last old tasks answer while they drain."""
    show(f"$ curl {url}")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while heading(text) not in (answer := request(url, "GET", "/")).text:
        if time.monotonic() > deadline:
            raise DemoError(f"the form does not have the heading {text!r}:\n{answer.text[:2000]}")
        time.sleep(0.5)
    show(f"the form has the heading: {text}")


def expect(answer: Answer, status: int) -> None:
    """Check an answer's status."""
    show(f"{answer.status} {answer.text.strip()}")
    if answer.status != status:
        raise DemoError(f"the service answered {answer.status}, not {status}")


def request(url: str, method: str, path: str, document: dict[str, str] | None = None) -> Answer:
    """Ask the service through the load balancer, until a task answers.

    The name in `url` is for browsers and curl; here it goes into the Host header, as not every
    system's resolver knows that `*.localhost` is this machine.
    """
    parts = urlsplit(url)
    body = None if document is None else json.dumps(document)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=20)
        headers = {"Host": parts.netloc, "Content-Type": "application/json"}
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        answer = Answer(reply.status, reply.read().decode())
        connection.close()
        # The emulator's load balancer has no health checks: it forwards to a task that does not
        # listen yet, and says so with 502.
        if answer.status != http.HTTPStatus.BAD_GATEWAY or time.monotonic() > deadline:
            return answer
        time.sleep(0.5)


def schoolctl(*args: str) -> None:
    """Show a command, run it, and stop where it fails."""
    code = attempt(*args)
    if code != 0:
        raise DemoError(f"the command ended with exit code {code}")


def attempt(*args: str) -> int:
    """Show a command and run it; returns its exit code."""
    # The sandbox's own commands are for the environment `sandbox` unless told otherwise.
    words = args if args[0] == "sandbox" else ("-e", "sandbox", *args)
    show(f"$ {shlex.join(('schoolctl', *words))}")
    return subprocess.run([str(COMMAND), *words], cwd=ROOT, check=False).returncode


def read(*args: str, check: bool = True) -> str:
    """Run a command for its output, without showing it."""
    done = subprocess.run(
        [str(COMMAND), "-e", "sandbox", *args],
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )
    if check and done.returncode != 0:
        raise DemoError(f"`schoolctl {shlex.join(args)}` ended with {done.returncode}")
    return done.stdout


def say(text: str) -> None:
    """Begin a chapter."""
    show(f"\n== {text}")


def show(text: str) -> None:
    """Print a line at once: the commands print between."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
