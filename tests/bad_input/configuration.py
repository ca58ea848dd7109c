"""Bad schoolctl.yaml files. Each is tried with a command that would write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bad_input.case import Case, changed
from tests.conftest import CONFIG

if TYPE_CHECKING:
    from tests.bad_input.scene import Scene

SET = "params set db_host=h"


def _config(before: str, after: str, *says: str) -> Case:
    return Case(SET, says, config=changed(before, after))


def _task(line: str, *says: str) -> Case:
    return _config("  port: 3000\n", f"  {line}\n", *says)


def _size(cpu: str, memory: str, *says: str) -> Case:
    return _config("  cpu: 256\n  memory: 512\n", f"  cpu: {cpu}\n  memory: {memory}\n", *says)


def _dev(entry: str, *says: str) -> Case:
    return _config('dev: {region: us-east-1, account: "123456789012"}', f"dev: {{{entry}}}", *says)


def _service(entry: str, *says: str) -> Case:
    return _config("  target_group:", f"  {entry}\n  target_group:", *says)


def _text(content: str | bytes, *says: str) -> Case:
    return Case(SET, says, config=content)


def _unreadable(scene: Scene) -> None:
    (scene.directory / "folder.yaml").mkdir()


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
CASES = {
    # Keys
    "a misspelt key": _dev("regoin: us-east-1", "unknown key; did you mean region?"),
    "a misspelt section": _config("task:\n", "taks:\n", "taks: unknown key; did you mean task?"),
    "a key of another tool": _config("app:", "version: 3\napp:", "version: unknown key"),
    "a key that was removed": _config(
        "service:\n", "service:\n  database_connections: 60\n", "was removed in this version"
    ),
    "a key in capitals": _config("  port:", "  Port:", "did you mean port?"),
    "a key twice": _config("  port: 3000\n", "  port: 3000\n  port: 3001\n", "port"),
    "a missing key": _config("  family: schoolapp-backend\n", "", "task.family"),
    "a missing section": _config("image: {repository: schoolapp-backend}\n", "", "image"),
    # Accounts
    "an account without quotes": _dev(
        "region: us-east-1, account: 123456789012", 'put it in quotes: "123456789012"'
    ),
    "an account that YAML reads as octal": _dev(
        "region: us-east-1, account: 012345670123", 'write "012345670123" for text'
    ),
    "an account of 11 digits": _dev('region: us-east-1, account: "12345678901"', "has 12"),
    "an account with hyphens": _dev(
        'region: us-east-1, account: "1234-5678-9012"', "an account id has 12"
    ),
    "an account's name": _dev('region: us-east-1, account: "school-12345"', "12 digits"),
    "an account in Arabic digits": _dev(
        'region: us-east-1, account: "\u0661\u0662\u0663456789012"', "ARABIC-INDIC DIGIT"
    ),
    # Numbers
    "a port in quotes": _task('port: "3000"', "task.port", "write it without quotes"),
    "port 0": _task("port: 0", "task.port: must be 1 or more"),
    "port 70000": _task("port: 70000", "task.port: must be 65535 or less"),
    "port 3000.5": _task("port: 3000.5", "expected a whole number"),
    "port 3e3": _task("port: 3e3", "task.port"),
    "port 0x10": _task("port: 0x10", "task.port"),
    "port 1_000": _task("port: 1_000", "task.port"),
    "port -1": _task("port: -1", "task.port: must be 1 or more"),
    "port of many digits": _task(f"port: {'9' * 5000}", "task.port"),
    "port true": _task("port: true", "task.port: expected a whole number, found true"),
    "port .inf": _task("port: .inf", "task.port"),
    "stop_timeout 121": _task("stop_timeout: 121", "must be 120 or less"),
    "stop_timeout 1": _task("stop_timeout: 1", "must be 2 or more"),
    "desired_count -1": _service("desired_count: -1", "must be 0 or more"),
    "cpu 300": _size("300", "512", "300 is no Fargate size"),
    "cpu 256 with memory 4096": _size("256", "4096", "cpu 256 takes memory 512, 1024, 2048"),
    "cpu 1024 with memory 512": _size("1024", "512", "Fargate has no task with cpu 1024"),
    "cpu .25": _size(".25", "512", "task.cpu"),
    "memory 512MB": _size("256", "512MB", "task.memory"),
    # Names
    "a family with a blank": _config("family: schoolapp-backend", "family: a b", "a task family"),
    "a family of 256 characters": _config(
        "family: schoolapp-backend", f"family: {'x' * 256}", "has 256 characters"
    ),
    "an empty family": _config("family: schoolapp-backend", 'family: ""', "a task family"),
    "a family with a look-alike hyphen": _config(
        "family: schoolapp-backend", "family: schoolapp\u2010backend", "type the hyphen"
    ),
    "a family with a zero-width space": _config(
        "family: schoolapp-backend", "family: schoolapp\u200bbackend", "ZERO WIDTH SPACE"
    ),
    "a family with a Cyrillic letter": _config(
        "family: schoolapp-backend", "family: sch\u043eolapp", "CYRILLIC SMALL LETTER O"
    ),
    "a service with a blank": _config("name: schoolapp-backend", "name: a b", "a service name"),
    "a service of 256 characters": _config(
        "name: schoolapp-backend", f"name: {'x' * 256}", "has 256 characters"
    ),
    "a repository in capitals": _config(
        "repository: schoolapp-backend", "repository: SchoolApp", "lower-case letters"
    ),
    "a repository with its registry": _config(
        "repository: schoolapp-backend",
        "repository: 123456789012.dkr.ecr.us-east-1.amazonaws.com/a:1",
        "cannot be a repository name",
    ),
    "an unknown placeholder": _config(
        "family: schoolapp-backend", 'family: "{name}-x"', "`{name}` is no placeholder"
    ),
    "a role of 65 characters": _config(
        "task_role: schoolapp-task", f"task_role: {'x' * 65}", "has 65 characters"
    ),
    "the ARN of a user for a role": _config(
        "task_role: schoolapp-task",
        "task_role: arn:aws:iam::123456789012:user/x",
        "is not the ARN of a role",
    ),
    "a variable with a hyphen": _config("PARAM_HOST_PATH", "PARAM-HOST", "a variable's name"),
    "a variable twice": _config("PARAM_USER_PATH", "PARAM_HOST_PATH", "is set twice"),
    "an environment with a blank": _config("  prod: {", "  a b: {", "an environment name"),
    # Contradictions
    "min_percent above max_percent": _service(
        "deployment: {min_percent: 100, max_percent: 100}", "must be below max_percent"
    ),
    "a rollout that could not begin": _service(
        "deployment: {min_percent: 90, max_percent: 110}", "no rollout could begin"
    ),
    "a rollback without its breaker": _service(
        "deployment: {circuit_breaker: false, rollback: true}", "rolls back only where"
    ),
    # YAML
    "a tag that is a number": _config(
        "repository: schoolapp-backend}", "repository: 1.10}", "put it in quotes"
    ),
    "a boolean for a name": _config(
        "family: schoolapp-backend", "family: no", 'or "no" for the word'
    ),
    "a date for a name": _config("family: schoolapp-backend", "family: 2026-11-27", "task.family"),
    "a tab": _config("  port: 3000", "\tport: 3000", "tab"),
    "a quote that is not closed": _config("app: schoolapp", 'app: "schoolapp', "schoolctl.yaml:"),
    "a bracket that is not closed": _config(
        "image: {repository: schoolapp-backend}", "image: {repository: x", "schoolctl.yaml:"
    ),
    "an anchor that is not there": _config("app: schoolapp", "app: *school", "school"),
    "a Python object": _config(
        "app: schoolapp", "app: !!python/object/apply:os.system [exit]", "!!python"
    ),
    "aliases without end": _text(LAUGHS, "alias"),
    "an alias of itself": _text("a: &a [*a]\n", "a"),
    "two documents": _text(f"{CONFIG}---\n{CONFIG}", "document"),
    "an empty file": _text("", "schoolctl.yaml"),
    "a list": _text("- app\n", "schoolctl.yaml"),
    "a word": _text("schoolapp\n", "schoolctl.yaml"),
    "JSON that is cut off": _text('{"app": ', "schoolctl.yaml"),
    "UTF-16": _text(CONFIG.encode("utf-16"), "UTF-16"),
    "Latin-1": _text(b"# caf\xe9\n" + CONFIG.encode(), "UTF-8"),
    "a NUL": _text(CONFIG.encode() + b"\0", "schoolctl.yaml:"),
    "nesting without end": _text("[" * 20_000, "schoolctl.yaml"),
    # Environments
    "no environment": _text(CONFIG.split("environments:", maxsplit=1)[0], "environments"),
    "an environment of nothing": _dev("", "region"),
    "an environment that is a list": _config(
        "environments:\n", "environments:\n  stage: [a]\n", "environments.stage"
    ),
    "a default that is no environment": _config(
        "default_environment: dev", "default_environment: prd", "did you mean prod?"
    ),
    "an unknown environment": Case(f"{SET} -e prd", "did you mean prod?"),
    "an unknown environment of the process": Case(SET, "prd", environ={"SCHOOLCTL_ENV": "prd"}),
    "an empty environment": Case(("params", "set", "db_host=h", "-e", ""), "--env is empty"),
    "an endpoint with a password": _dev(
        "region: us-east-1, endpoint_url: 'http://u:canary@x'", "holds credentials"
    ),
    "an endpoint without http": _dev(
        "region: us-east-1, endpoint_url: 'localhost:4566'", "http:// or https://"
    ),
    "a registry with https": _dev("region: us-east-1, registry: 'https://x'", "a registry"),
    "keys in the shared file": _dev(
        "region: us-east-1, credentials: {access_key_id: a, secret_access_key: canary}",
        "credentials",
    ),
    # Files
    "no file": Case(SET, ("schoolctl.yaml", "`schoolctl init`"), config=None),
    "a file that is not there": Case(f"{SET} -c none.yaml", "none.yaml"),
    "a file of the process that is not there": Case(
        SET, "none.yaml", environ={"SCHOOLCTL_CONFIG": "none.yaml"}
    ),
    "a folder for a file": Case(f"{SET} -c folder.yaml", "folder.yaml", prepare=_unreadable),
    "an overlay with a misspelt key": Case(
        SET, ".schoolctl/dev.yaml", files={".schoolctl/dev.yaml": "regoin: x\n"}
    ),
    "an overlay that is no YAML": Case(
        SET, ".schoolctl/dev.yaml", files={".schoolctl/dev.yaml": "a: [canary\n"}, hides="canary"
    ),
    "an overlay with half a key": Case(
        SET,
        "secret_access_key",
        files={".schoolctl/dev.yaml": "credentials: {access_key_id: AKIA}\n"},
    ),
}
