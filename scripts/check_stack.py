"""`make check-stack`: the stack's template before checkov, a linter of policies.

checkov and what it brings are as large as everything else that the tests need, so it gets an
environment of its own. What it finds and what is left so stands below, with the reason for each.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
VERSION: Final = "3.3.30"
EXCEPTIONS: Final = {
    "CKV_AWS_2": "port 80 serves only where no certificate is given; with one, it redirects",
    "CKV_AWS_103": "the same listener: it has no TLS to have a version of",
    "CKV_AWS_260": "the load balancer is for everybody, on 80 as on 443",
    "CKV_AWS_65": "container insights cost money by the task: `infra.container_insights`",
    "CKV_AWS_91": "access logs want a bucket with a policy of its own, and hold personal data",
    "CKV_AWS_118": "enhanced monitoring wants a role more; the standard metrics stay",
    "CKV_AWS_158": "log groups are encrypted by CloudWatch's own key",
    "CKV_AWS_161": "the service logs in by the password that RDS makes and rotates",
}
VARIANTS: Final = (
    "{stack: true}",
    "{stack: true, vpc: {cidr: 10.20.0.0/16}, database: {multi_az: true}}",
    (
        '{stack: true, certificate: "arn:aws:acm:us-east-1:123456789012:certificate/0a1b",'
        " database: {multi_az: true}, container_insights: true,"
        " ci_role: {github: school/web, branch: main}}"
    ),
)
CONFIG: Final = """\
app: college
infra: %s
image: {}
parameters: {db_host: {env: PARAM_HOST_PATH}}
secrets: {db_password: {env: DB_SECRET_ARN, from: rds.managed_secret}}
task: {family: college}
service: {name: college}
environments: {dev: {region: us-east-1}}
"""


def main() -> int:
    """Write the templates, install checkov where it is not, and run it."""
    checkov = _checkov(ROOT / ".venv-checkov")
    with tempfile.TemporaryDirectory() as folder:
        for number, infra in enumerate(VARIANTS):
            (Path(folder) / f"{number}.json").write_text(_template(infra))
        command = [str(checkov), "-d", folder, "--framework", "cloudformation", "--compact"]
        command += ["--quiet", "--skip-check", ",".join(EXCEPTIONS)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    sys.stdout.write(done.stdout or done.stderr)
    if done.returncode == 0:
        sys.stdout.write(f"checkov finds nothing but {len(EXCEPTIONS)} known exceptions:\n")
        sys.stdout.writelines(f"  {key}: {reason}\n" for key, reason in EXCEPTIONS.items())
    return done.returncode


def _checkov(folder: Path) -> Path:
    command = folder / "bin" / "checkov"
    if not command.exists():
        venv.create(folder, with_pip=True)
        python = str(folder / "bin" / "python")
        install = [python, "-m", "pip", "install", "-q", f"checkov=={VERSION}"]
        subprocess.run(install, check=True)
    return command


def _template(infra: str) -> str:
    from schoolctl.config.file import parse_config
    from schoolctl.iam.policy import Scope
    from schoolctl.infra.template import Place, make_template

    file = parse_config(CONFIG % infra, path=Path("/project/schoolctl.yaml"))
    scope = Scope(file.resolve("dev").config, "us-east-1", "123456789012")
    return make_template(scope, Place("vpc-1", ("subnet-1", "subnet-2"))).text


if __name__ == "__main__":
    raise SystemExit(main())
