"""Bad profiles, credentials, regions and accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schoolctl.base.errors import ExitCode
from tests.bad_input.case import Case, changed

if TYPE_CHECKING:
    from tests.bad_input.scene import Scene

SET = "params set db_host=h"
NO_KEYS = {
    "AWS_ACCESS_KEY_ID": None,
    "AWS_SECRET_ACCESS_KEY": None,
    "AWS_EC2_METADATA_DISABLED": "true",
}
FILES = {
    ".aws/config": (
        "[profile dev2]\nregion = eu-west-1\n"
        "[profile prod]\nregion = us-east-1\nsso_account_id = 210987654321\n"
        "sso_role_name = a\nsso_session = s\n"
        "[sso-session s]\nsso_start_url = https://x.awsapps.com/start\nsso_region = us-east-1\n"
        "[profile lost]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = nowhere\n"
        "[profile round]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = round\n"
        "[profile tool]\ncredential_process = /bin/false\n"
        "[profile gone]\ncredential_process = /no/such/tool\n"
        "[profile keyless]\nregion = us-east-1\n"
        "[profile strange]\nregion = nowhere land\n"
    ),
    ".aws/credentials": (
        "[dev2]\naws_access_key_id = AKIA\naws_secret_access_key = canary\n"
        "[half]\naws_access_key_id = AKIAHALF\n"
        "[other-half]\naws_secret_access_key = canary\n"
        "[strange]\naws_access_key_id = AKIA\naws_secret_access_key = canary\n"
    ),
}


def _profile(name: str, *says: str) -> Case:
    return Case(
        ("params", "set", "db_host=h", "--profile", name),
        says,
        ExitCode.CREDENTIALS,
        environ=NO_KEYS,
        home=FILES,
        hides="canary",
    )


def _answer(code: str, message: str, *says: str) -> Case:
    def refuse(scene: Scene) -> None:
        scene.faults.answer_always("GetCallerIdentity", code, message)

    return Case(SET, says, ExitCode.CREDENTIALS, prepare=refuse)


def _other_account(words: str, stdin: str = "", code: ExitCode = ExitCode.WRONG_TARGET) -> Case:
    return Case(
        f"{words} -e other",
        ("environment other is account 999999999999", "123456789012"),
        code,
        stdin=stdin,
        files={"v.env": "db_host=h\n"},
    )


def _region(words: tuple[str, ...], *says: str) -> Case:
    return Case((*SET.split(), *words), says)


NOWHERE = changed("{region: us-east-1, account", "{account")

CASES = {
    # Profiles
    "an unknown profile": _profile("nobody", "there is no AWS profile nobody", "have dev2"),
    "a misspelt profile": _profile("dev", "did you mean dev2?"),
    "a profile in capitals": _profile("DEV2", "there is no AWS profile DEV2"),
    "a profile with a blank": _profile("dev2 ", "there is no AWS profile dev2"),
    "an unknown profile in the environment": Case(
        SET,
        ("there is no AWS profile nobody", "have dev2"),
        ExitCode.CREDENTIALS,
        environ={**NO_KEYS, "AWS_PROFILE": "nobody"},
        home=FILES,
    ),
    "an unknown profile in schoolctl.yaml": Case(
        SET,
        "there is no AWS profile nobody",
        ExitCode.CREDENTIALS,
        config=changed("dev: {", "dev: {profile: nobody, "),
        environ=NO_KEYS,
        home=FILES,
    ),
    "an unknown profile without any file": Case(
        f"{SET} --profile nobody", "there is no AWS profile nobody", ExitCode.CREDENTIALS
    ),
    "the use of an unknown profile": Case(
        "profile use nobody", "there is no AWS profile nobody", ExitCode.CREDENTIALS, home=FILES
    ),
    "the use of a profile of another account": Case(
        "profile use prod",
        ("leads to account 210987654321", "123456789012"),
        ExitCode.WRONG_TARGET,
        home=FILES,
    ),
    "the use of no profile": Case("profile use", "NAME"),
    "the use of two": Case("profile use dev2 --profile dev2", "given twice", home=FILES),
    "a use in an unknown environment": Case(
        "profile use dev2 -e prd", "did you mean prod?", home=FILES
    ),
    "a profile whose source is not there": _profile("lost", "nowhere"),
    "a profile that is its own source": _profile("round", "round"),
    "a profile whose tool fails": _profile("tool", "tool"),
    "a profile whose tool is not there": _profile("gone", "gone"),
    "a profile without keys": _profile("keyless", "no AWS credentials were found"),
    "a profile that has to sign in": _profile("prod", "aws sso login --profile prod"),
    "half a key in a profile": _profile("half", "aws_secret_access_key"),
    "a broken file of profiles": Case(
        "profile list",
        ".aws/config",
        ExitCode.CREDENTIALS,
        home={".aws/config": "[profile dev2\nregion eu\n"},
    ),
    "a file of profiles that is not text": Case(
        f"{SET} --profile dev2",
        ".aws/config",
        ExitCode.CREDENTIALS,
        environ=NO_KEYS,
        home={".aws/config": b"[profile dev2]\nregion = \xff\xfe\n"},
    ),
    # Keys
    "half a key in the environment": Case(
        SET,
        "AWS_SECRET_ACCESS_KEY is not",
        ExitCode.CREDENTIALS,
        environ={"AWS_SECRET_ACCESS_KEY": None},
    ),
    "the other half": Case(
        SET, "AWS_ACCESS_KEY_ID is not", ExitCode.CREDENTIALS, environ={"AWS_ACCESS_KEY_ID": None}
    ),
    "an empty half": Case(
        SET,
        "AWS_SECRET_ACCESS_KEY is not",
        ExitCode.CREDENTIALS,
        environ={"AWS_SECRET_ACCESS_KEY": ""},
    ),
    "no credentials at all": Case(
        SET, "no AWS credentials were found", ExitCode.CREDENTIALS, environ=NO_KEYS
    ),
    "a token file that is not there": Case(
        SET,
        "/no/such/token",
        ExitCode.CREDENTIALS,
        environ={
            **NO_KEYS,
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/no/such/token",
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/ci",
        },
    ),
    "a token file without a role": Case(
        SET,
        "AWS_ROLE_ARN",
        ExitCode.CREDENTIALS,
        environ={**NO_KEYS, "AWS_WEB_IDENTITY_TOKEN_FILE": "/no/such/token"},
    ),
    "an expired token": _answer("ExpiredToken", "it is expired", "renew what AWS_ACCESS_KEY_ID"),
    "an unknown key": _answer("InvalidClientTokenId", "not known", "`schoolctl profile show`"),
    "a wrong secret key": _answer("SignatureDoesNotMatch", "no", "`schoolctl profile show`"),
    "a wrong clock": _answer(
        "SignatureDoesNotMatch",
        "Signature expired: 20261127T100000Z is now earlier than 20261127T101000Z"
        " (20261127T102500Z - 15 min.)",
        "25 m behind AWS's",
    ),
    # Regions
    "no region": Case(SET, ("no AWS region is set", "region:"), config=NOWHERE),
    "an empty region": Case(
        SET, "region", config=changed("{region: us-east-1, account", '{region: "", account')
    ),
    "a region that is none": Case(
        SET,
        "cannot be a region",
        config=changed("{region: us-east-1, account", "{region: us-east, account"),
    ),
    "a region in capitals": Case(
        SET,
        "cannot be a region",
        config=changed("{region: us-east-1, account", "{region: US-EAST-1, account"),
    ),
    "a zone for a region": Case(
        SET,
        "cannot be a region",
        config=changed("{region: us-east-1, account", "{region: us-east-1a, account"),
    ),
    "a region with a blank on the command line": _region(("--region", "us east 1"), "us east 1"),
    "a zone on the command line": _region(
        ("--region", "us-east-1a"), "it is an availability zone of us-east-1"
    ),
    "an empty region on the command line": _region(("--region", ""), "--region is empty"),
    "an empty profile on the command line": _region(("--profile", ""), "--profile is empty"),
    "a region in capitals on the command line": _region(("--region", "EU-WEST-1"), "EU-WEST-1"),
    "a URL for a region": _region(("--region", "http://x"), "http://x"),
    "a region of a profile that is none": Case(
        f"{SET} --profile strange",
        "nowhere land",
        config=NOWHERE,
        environ=NO_KEYS,
        home=FILES,
        hides="canary",
    ),
    "a region of the process that is none": Case(
        SET, "middle earth", config=NOWHERE, environ={"AWS_REGION": "middle earth"}
    ),
    # Endpoints
    "an endpoint that is no URL": Case(
        SET,
        "AWS_ENDPOINT_URL in the environment is no URL",
        environ={"AWS_ENDPOINT_URL": "u:canary@x"},
        hides="canary",
    ),
    "an endpoint that nobody is at": Case(
        SET,
        "endpoint_url",
        ExitCode.FAILED,
        environ={"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
    ),
    # Accounts
    "another account: params set": _other_account(SET),
    "another account: a pipe": _other_account("params set db_password --stdin", "pw"),
    "another account: a file": _other_account("params import v.env"),
    "another account: questions": _other_account("params set"),
    "another account: list": _other_account("params list"),
    "another account: get": _other_account("params get db_host"),
    "another account: history": _other_account("params history db_host"),
    "another account: delete": _other_account("params delete db_host --yes"),
    "another account: export": _other_account("params export --reveal"),
    "another account: diff": _other_account("params diff --with dev"),
    "another account: RDS": _other_account("params set --from-rds school"),
    "another account: secrets": _other_account("secrets set db_password --stdin", "pw"),
    "another account: repo": _other_account("repo create"),
    "another account: deploy": _other_account("deploy --tag 1.0"),
    "another account: rollback": _other_account("rollback"),
    "another account: scale": _other_account("scale 1"),
    "another account: restart": _other_account("restart"),
    "another account: prune": _other_account("images prune --yes"),
    "another account: show": _other_account("profile show"),
}
