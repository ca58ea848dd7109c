"""Bad values, names and files of parameters and secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from schoolctl.base.errors import ExitCode
from tests.bad_input.case import Case, changed

if TYPE_CHECKING:
    from tests.bad_input.scene import Scene

HOST = "/schoolapp/dev/db_host"
SECRET = "schoolapp/dev/db_password"
PIPED = "params set db_password --stdin"
SET = "params set --from-file"


def _value(text: str, says: str) -> Case:
    return Case(("params", "set", f"db_host={text}"), says)


def _pipe(content: str | bytes, says: str) -> Case:
    return Case(PIPED, says, stdin=content, hides="canary")


def _file(name: str, content: str | bytes, *says: str) -> Case:
    return Case(f"{SET} {name}", says, files={name: content}, hides="canary")


def _key(key: str, says: str) -> Case:
    text = changed("parameters:\n", f"parameters:\n  {json.dumps(key)}: {{type: String}}\n")
    return Case(("params", "set", f"{key}=x"), says, config=text)


def _stored_as_string(scene: Scene) -> None:
    scene.aws.client("ssm").put_parameter(Name=HOST, Value="canary", Type="String")


def _deleted(scene: Scene) -> None:
    client = scene.aws.client("secretsmanager")
    client.create_secret(Name=SECRET, SecretString="canary-old")
    client.delete_secret(SecretId=SECRET, RecoveryWindowInDays=7)


def _bytes(scene: Scene) -> None:
    scene.aws.client("secretsmanager").create_secret(Name=SECRET, SecretBinary=b"canary")


def _readable(scene: Scene) -> None:
    scene.write("v.env", "db_password=canary\n").chmod(0o644)


def _folder(scene: Scene) -> None:
    (scene.directory / "v.env").mkdir()


def _refuse(call: str, code: str, message: str) -> object:
    """Give what makes AWS refuse one call, for good."""
    return lambda scene: scene.faults.answer_always(call, code, message)


def _write_refused(code: str, message: str, says: str) -> Case:
    return Case(
        "params set db_host=h",
        says,
        ExitCode.FAILED,
        prepare=_refuse("PutParameter", code, message),  # type: ignore[arg-type]  # a lambda
    )


CASES = {
    # Values
    "an empty value": _value("", "the value is empty"),
    "nothing but a blank": _value(" ", "begins or ends with a blank"),
    "a blank before": _value(" h", "begins or ends with a blank"),
    "a tab behind": _value("h\t", "begins or ends with a blank"),
    "a no-break space behind": _value("h\u00a0", "begins or ends with a blank"),
    "a reference to a parameter": _value("{{ssm:other}}", "holds {{...}}"),
    "a reference in the middle": _value("a{{x}}b", "holds {{...}}"),
    "an empty reference": _value("{{}}", "holds {{...}}"),
    "a reference over two lines": _value("{{a\nb}}", "holds {{...}}"),
    "5 kB": _value("x" * 5000, "has 5000 bytes; a standard parameter takes 4096"),
    "4 kB and a byte of two": _value("x" * 4095 + "\u00e9", "has 4097 bytes"),
    "9 kB": _value("x" * 9000, "no parameter takes more than 8192"),
    "70 kB": _value("x" * 70_000, "no parameter takes more than 8192"),
    "half a character": _value("a\udcff", "is not UTF-8 text"),
    "a secret of 70 kB": _pipe("canary" + "x" * 70_000, "a secret takes 65536"),
    "a NUL": _pipe("canary\0", "holds a NUL byte"),
    "nothing in the pipe": _pipe("", "the value is empty"),
    "a line break alone in the pipe": _pipe("\n", "the value is empty"),
    "two line breaks at the end": _pipe(
        "canary\n\n", "begins or ends with a blank or a line break"
    ),
    "a blank after the password": _pipe("canary \n", "begins or ends with a blank"),
    "a password that is not Latin-1": _pipe("canary\u20ac", "outside Latin-1"),
    "a password in Latin-1 bytes": _pipe(b"canary\xe9", "standard input is not UTF-8 text"),
    "a password in UTF-16": _pipe("canary".encode("utf-16"), "standard input is not UTF-8 text"),
    # Words
    "a password on the command line": Case(
        "params set db_password=canary", "must not stand on the command line", hides="canary"
    ),
    "a secret's password on the command line": Case(
        "secrets set db_password=canary", "must not stand on the command line", hides="canary"
    ),
    "a misspelt key": Case("params set db_hots=h", "did you mean db_host?"),
    "a key in capitals": Case("params set DB_HOST=h", "declares no 'DB_HOST'"),
    "a full name instead of a key": Case(f"params set {HOST}=h", "declares no"),
    "no key": Case("params set =h", "declares no ''"),
    "a key with a blank": Case(("params", "set", "db_host =h"), "did you mean db_host?"),
    "a key twice": Case("params set db_host=a db_host=b", "db_host is given twice"),
    "a key and its value": Case("params set db_host db_host=b", "db_host is given twice"),
    "two keys for one pipe": Case("params set db_host db_name --stdin", "exactly one KEY"),
    "a value and a pipe": Case("params set db_host=h --stdin", "exactly one KEY"),
    "a pipe without a key": Case("params set --stdin", "exactly one KEY"),
    "a file and a key": Case(f"{SET} v.env db_host", "goes with neither KEY nor --stdin"),
    "a file and a pipe": Case(f"{SET} v.env --stdin", "goes with neither KEY nor --stdin"),
    "a question without a terminal": Case(
        "params set db_host", ("no terminal to ask on", "`schoolctl params set db_host=VALUE`")
    ),
    "all questions without a terminal": Case(
        "params set",
        ("4 values missing", "`schoolctl secrets set db_password --stdin`"),
        asks=True,
    ),
    "an option that is none": Case("params set --stdn", "--stdn"),
    "a command that is none": Case("params sett", "sett"),
    "a secret as a parameter": Case("params get db_password", "is a secret, not a parameter"),
    "a parameter as a secret": Case("secrets set db_host --stdin", "db_host", stdin="x"),
    "no KEY": Case("params get", "KEY"),
    "two KEYs": Case("params get db_host db_name", "db_name"),
    # Names
    "a key for Amazon": Case("params set aws/x=h", "declares no 'aws/x'"),
    "a key with two slashes": _key("/a//b", "cannot be a parameter's key"),
    "a key that ends with a slash": _key("a/", "cannot be a parameter's key"),
    "a key with spaces": _key("a b", "cannot be a parameter's key"),
    "an empty key": _key("", "a parameter's key"),
    "a key with an umlaut": _key("pörs", "LATIN SMALL LETTER O WITH DIAERESIS"),
    "a key of 600 characters": _key("x" * 600, "a parameter's key has 1 to 512"),
    "a key of 16 levels": _key("/".join("abcdefghijklmnop"), "SSM takes 15"),
    "an app for Amazon": Case(
        "params set db_host=h",
        "cannot be an app name",
        config=changed("app: schoolapp", "app: ssm-school"),
    ),
    "a type that SSM has not": Case(
        "params set db_host=h",
        ("expected String or SecureString or StringList", "did you mean SecureString?"),
        config=changed("type: SecureString", "type: SecureSting"),
    ),
    "a part of RDS that is none": Case(
        "params set db_host=h",
        "rds.endpoint",
        config=changed("from: rds.endpoint", "from: rds.host"),
    ),
    "a managed secret as a parameter": Case(
        "params set db_host=h",
        "expected rds.endpoint or rds.port or rds.database or rds.user",
        config=changed("from: rds.endpoint", "from: rds.managed_secret"),
    ),
    "a secret's ARN of another service": Case(
        "params set db_host=h",
        "cannot be a secret's ARN",
        config=changed(
            "env: DB_SECRET_ARN", "env: DB_SECRET_ARN, arn: arn:aws:ssm:x:1:parameter/a"
        ),
    ),
    # Files
    "a file that is not there": Case(f"{SET} none.env", "could not read none.env"),
    "a folder for a file": Case(f"{SET} v.env", "could not read v.env", prepare=_folder),
    "an empty file": _file("v.env", "", "v.env holds no values"),
    "a file of comments": _file("v.env", "# db_host=canary\n", "v.env holds no values"),
    "a line that is no pair": _file("v.env", "db_host=h\ncanary\n", "v.env:2: this line is not"),
    "a quote that is not closed": _file("v.env", "db_host='canary\n", "v.env:1: the quote"),
    "a file with a misspelt key": _file("v.env", "db_hots=canary\n", "did you mean db_host?"),
    "a key twice in a file": _file(
        "v.env", "db_host=canary\ndb_host=canary\n", "v.env:2: db_host is given twice"
    ),
    "an empty value in a file": _file("v.env", "db_host=\n", "the value is empty"),
    "two bad values in a file": _file(
        "v.env", "db_host=\ndb_name={{canary}}\n", "2 problems with the values"
    ),
    "a file that is not UTF-8": _file("v.env", b"db_host=canary\xe9\n", "v.env is not UTF-8 text"),
    "a file of 2 MB": _file("v.env", "#" * 2_000_000, "has more than 1000000 bytes"),
    "JSON that is cut off": _file("v.json", '{"db_host": "canary"', "v.json:1:", "not valid JSON"),
    "JSON that is a list": _file("v.json", '["canary"]', "v.json is not a JSON object"),
    "JSON with a number": _file("v.json", '{"db_host": 5}', "v.json: db_host is not text"),
    "JSON with a null": _file("v.json", '{"db_host": null}', "v.json: db_host is not text"),
    "JSON within JSON": _file("v.json", '{"db_host": {"a": "canary"}}', "db_host is not text"),
    "a key twice in JSON": _file("v.json", '{"db_host": "a", "db_host": "b"}', "given twice"),
    "JSON that is nested without end": _file("v.json", "[" * 100_000, "nested too deep"),
    "YAML with a number": _file("v.yaml", "db_host: 1.10\n", "v.yaml:1: db_host is not text"),
    "YAML with a boolean": _file("v.yaml", "db_host: no\n", "db_host is not text"),
    "YAML with a list": _file("v.yaml", "db_host: [canary]\n", "db_host is not text"),
    "YAML that is a list": _file("v.yaml", "- canary\n", "v.yaml is not a YAML mapping"),
    "YAML with a tab": _file("v.yaml", "db_host:\n\t- canary\n", "v.yaml:2:", "not valid YAML"),
    "YAML with an object": _file("v.yaml", "db_host: !!python/name:os.x canary\n", "not text"),
    "two YAML documents": _file("v.yaml", "db_host: canary\n---\na: b\n", "not valid YAML"),
    "a password that others can read": Case(
        f"{SET} v.env",
        ("other users can read v.env", "`chmod 600 v.env`"),
        prepare=_readable,
        hides="canary",
    ),
    "an import that others can read": Case(
        "params import v.env", "other users can read v.env", prepare=_readable, hides="canary"
    ),
    "an import of nothing": Case("params import", "FILE"),
    # What is there
    "another type": Case(
        "params set db_host=h",
        ("is a String", "declare `type: String`", "`schoolctl params delete db_host`"),
        ExitCode.FAILED,
        prepare=_stored_as_string,
    ),
    "a secret that is being deleted": Case(
        PIPED,
        ("scheduled for deletion", "`schoolctl secrets set db_password --restore`"),
        ExitCode.FAILED,
        stdin="canary",
        prepare=_deleted,
        hides="canary",
    ),
    "a missing parameter": Case(
        "params get db_host",
        ("does not exist", "`schoolctl params set db_host -e dev`"),
        ExitCode.FAILED,
    ),
    "a protected environment": Case(
        "params set db_host=h -e prod --yes",
        "add --confirm schoolapp-backend",
        ExitCode.FAILED,
    ),
    "a protected environment by another name": Case(
        "params set db_host=h -e prod --confirm schoolapp",
        "'schoolapp' is not the name of its service",
        ExitCode.FAILED,
    ),
    "a file written over": Case(
        "params export --reveal -o schoolctl.yaml",
        "schoolctl.yaml is there already",
        ExitCode.FAILED,
        prepare=_stored_as_string,
        hides="canary",
    ),
    "a folder to write to that is not there": Case(
        "params export --reveal -o none/v.env",
        "could not write none/v.env",
        ExitCode.FAILED,
        prepare=_stored_as_string,
        hides="canary",
    ),
    "an unknown format": Case("params export --reveal --format xml", "xml"),
}
REFUSED = {
    # What AWS alone knows; the call is made, and nothing was changed.
    "a type that cannot be changed": _write_refused(
        "HierarchyTypeMismatchException", "from String to SecureString", "does not change the type"
    ),
    "a hundred versions": _write_refused(
        "ParameterMaxVersionLimitExceeded", "the oldest has a label", "unlabel-parameter-version"
    ),
    "ten thousand parameters": _write_refused(
        "ParameterLimitExceeded", "too many", "list-service-quotas --service-code ssm"
    ),
    "an advanced parameter": _write_refused(
        "ValidationException",
        "This parameter uses the advanced-parameter tier. You can't downgrade a parameter",
        "delete it and set it again",
    ),
    "a KMS key that is not there": _write_refused(
        "InvalidKeyId", "Key is disabled (KMSKeyDisabledException)", "aws kms describe-key"
    ),
    "a value that the pattern forbids": _write_refused(
        "ParameterPatternMismatchException", "it does not match", "allowed pattern"
    ),
    "a KMS key that may not be used": _write_refused(
        "AccessDeniedException",
        "User: arn:aws:iam::1:user/a is not authorized to perform: kms:Encrypt on resource: arn",
        "kms:Encrypt",
    ),
}
