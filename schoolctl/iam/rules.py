"""The policy that was asked for, by the names of commands and roles. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from schoolctl.base.errors import UsageError
from schoolctl.base.partitions import partition_of
from schoolctl.ecs_service.define.task_definition import Names, render_task_definition
from schoolctl.iam.permissions import LOCAL, commands
from schoolctl.iam.policy import GITHUB, TASKS_SERVICE, needed, statement, statements, wrapped
from schoolctl.model.services import SSM_ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from schoolctl.iam.permission import Permissions
    from schoolctl.iam.policy import Document, Scope


ALL, EXECUTION_ROLE, TASK_ROLE, CI = "all", "execution-role", "task-role", "ci"
ROLES = (EXECUTION_ROLE, TASK_ROLE, CI)
_REPOSITORY = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+")
_KMS_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+")
# What git allows in no name of a branch, and what IAM would take for a wildcard.
_NOT_IN_BRANCHES = re.compile(r"[\s*?~^:\\]")


@dataclass(frozen=True)
class Wanted:
    """What is asked for: one role, or commands.

    Attributes:
        role: one of `ROLES`; empty for commands.
        commands: as `schoolctl --help` spells them.
        needed_only: whether reads that can be spared are left out.
        kms_keys: ARNs of keys that values are under.
        github: whose workflows take the ci role, as `OWNER/REPO`.
        branch: the only branch whose workflows may.
    """

    role: str
    commands: tuple[str, ...]
    needed_only: bool = False
    kms_keys: tuple[str, ...] = ()
    github: str = ""
    branch: str | None = None


@dataclass(frozen=True)
class MadePolicy:
    """A policy's statements.

    Attributes:
        statements: empty where nothing has to be allowed.
        permissions: what they come from; empty for the roles of the tasks.
        trust: who may take the role; None where it is no role's.
        warning: what the user should know; empty for nothing.
    """

    statements: Sequence[Document]
    permissions: Permissions = ()
    trust: Document | None = None
    warning: str = ""


def parse_wanted(
    given: Iterable[str],
    *,
    needed_only: bool = False,
    kms_keys: Sequence[str] = (),
    github: str | None = None,
    branch: str | None = None,
) -> Wanted:
    """Read what is asked for.

    Raises:
        UsageError: it names no command, or options that do not go together.
    """
    names = tuple(dict.fromkeys(" ".join(each.split()) for each in given))
    role = next((each for each in names if each in ROLES), "")
    if role and len(names) > 1:
        raise UsageError(
            f"{role} is a role, and its policy stands alone", hint="print each by itself"
        )
    if role != CI and (github is not None or branch is not None):
        raise UsageError("--github and --branch belong to --for ci")
    _check_keys(kms_keys)
    if role == CI:
        _check_github(github, branch)
        return Wanted(CI, CI_COMMANDS, needed_only, tuple(kms_keys), github or "", branch)
    return Wanted(role, () if role else _commands(names), needed_only, tuple(kms_keys))


def _check_keys(kms_keys: Iterable[str]) -> None:
    for each in kms_keys:
        if not _KMS_KEY.fullmatch(each):
            raise UsageError(
                f"{each!r} is no ARN of a KMS key",
                why="a policy names keys: an alias may lead to another one tomorrow",
                hint="`aws kms describe-key --key-id alias/NAME` tells the ARN",
            )


def _check_github(github: str | None, branch: str | None) -> None:
    if github is None:
        raise UsageError(
            "it is not said whose workflows take the ci role", hint="add --github OWNER/REPO"
        )
    if not _REPOSITORY.fullmatch(github):
        raise UsageError(f"{github!r} is no OWNER/REPO", hint="such as --github school/website")
    if branch is not None and (not branch or _NOT_IN_BRANCHES.search(branch)):
        raise UsageError(f"{branch!r} is no name of a branch", hint="such as --branch main")


def _commands(names: Iterable[str]) -> tuple[str, ...]:
    """Give the commands that names stand for; the name of a group stands for all of it."""
    every = sorted({*commands(), *LOCAL})
    found: list[str] = []
    for name in names:
        meant = [each for each in every if name in {ALL, each} or each.startswith(f"{name} ")]
        if not meant:
            raise _unknown(name, [*every, ALL, *ROLES])
        found += meant
    return tuple(dict.fromkeys(found))


def _unknown(name: str, known: Sequence[str]) -> UsageError:
    near = get_close_matches(name.removeprefix("schoolctl "), known, n=1)
    return UsageError(
        f"there is no command {name!r}",
        hint=f'did you mean `--for "{near[0]}"`?' if near else f"there are: {', '.join(known)}",
    )


def make_policy(wanted: Wanted, scope: Scope) -> MadePolicy:
    """Write the statements that are asked for."""
    if wanted.role == EXECUTION_ROLE:
        return MadePolicy(execution_role_policy(scope, wanted.kms_keys), trust=tasks_trust(scope))
    if wanted.role == TASK_ROLE:
        return MadePolicy(task_role_policy(scope, wanted.kms_keys), trust=tasks_trust(scope))
    permissions = tuple(
        each
        for each in needed(scope.config, *wanted.commands)
        if not (wanted.needed_only and each.can_be_left_out)
    )
    made = statements(permissions, scope)
    if made:
        made += decrypting(scope, wanted.kms_keys, writing=True)
    if wanted.role != CI:
        return MadePolicy(made, permissions)
    branch = wanted.branch or scope.config.git.branch
    trust = github_trust(scope, wanted.github, branch)
    return MadePolicy(made, permissions, trust, "" if branch else _any_branch(wanted.github))


def _any_branch(github: str) -> str:
    return (
        f"any branch and any pull request of {github} may take the role: narrow it down with"
        " --branch, or with `git.branch` of the environment"
    )


CI_COMMANDS = (
    "push",
    "diff",
    "deploy",
    "rollback",
    "wait",
    "status",
    "why",
    "history",
    "logs",
    "lock show",
)
"""What a pipeline does: bring an image out, tell what became of it, and go back."""
_OUR_ECR = re.compile(r"(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.[^/]+/([^@:]+)")
_OUR_IMAGE = "{the repository's}"
_SECRET = re.compile(r"(arn:[^:]+:secretsmanager:[^:]+:[^:]+:secret:[^:]+)")
_PARAMETER = re.compile(r"arn:[^:]+:ssm:[^:]+:[^:]+:parameter/.+")


# The execution role


def execution_role_policy(scope: Scope, kms_keys: Iterable[str] = ()) -> list[Document]:
    """Give what ECS needs to start the tasks: their images, their log, what is injected in them.

    What `task.overrides` adds is in it: sidecars, their logs, and injected secrets.
    """
    definition = _definition(scope)
    repositories = sorted(set(_repositories(definition, scope)))
    made = [
        statement(["ecr:GetAuthorizationToken"], ["*"]),
        statement(
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            repositories,
        ),
    ]
    groups = sorted(set(_log_groups(definition, scope, to_create=False)))
    if groups:
        made.append(statement(["logs:CreateLogStream", "logs:PutLogEvents"], groups))
    created = sorted(set(_log_groups(definition, scope, to_create=True)))
    if created:
        made.append(statement(["logs:CreateLogGroup"], created))
    injected = list(dict.fromkeys(_injected(definition)))
    parameters = [_parameter_arn(each, scope) for each in injected if not _SECRET.match(each)]
    secrets = [_whole_secret(found[1]) for each in injected if (found := _SECRET.match(each))]
    if parameters:
        made.append(statement(["ssm:GetParameters"], sorted(set(parameters))))
    if secrets:
        made.append(statement(["secretsmanager:GetSecretValue"], sorted(set(secrets))))
    return [*made, *decrypting(scope, kms_keys if injected else ())]


def _definition(scope: Scope) -> Mapping[str, object]:
    config = scope.config
    roles = [each for each in (config.task.execution_role, config.task.task_role) if each]
    names = Names(
        scope.region,
        {each: scope.role_arn(each) for each in roles},
        {key: scope.secret_arn(key) for key in config.secrets},
    )
    return render_task_definition(config, _OUR_IMAGE, names)


def _containers(definition: Mapping[str, object]) -> list[Mapping[str, object]]:
    found = definition.get("containerDefinitions")
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _repositories(definition: Mapping[str, object], scope: Scope) -> Iterator[str]:
    yield scope.arn("ecr", f"repository/{scope.config.image.repository}")
    for each in _containers(definition):
        found = _OUR_ECR.match(str(each.get("image", "")))
        if found:
            account, region, name = found.groups()
            yield f"arn:{partition_of(region).name}:ecr:{region}:{account}:repository/{name}"


def _log_groups(
    definition: Mapping[str, object], scope: Scope, *, to_create: bool
) -> Iterator[str]:
    for each in _containers(definition):
        options = _inner(_inner(each, "logConfiguration"), "options")
        group = options.get("awslogs-group")
        if group and (not to_create or options.get("awslogs-create-group") == "true"):
            yield scope.arn("logs", f"log-group:{group}:*")


def _injected(definition: Mapping[str, object]) -> Iterator[str]:
    """Give the names and ARNs that ECS itself reads for a container."""
    for each in _containers(definition):
        for source in (each.get("secrets"), _inner(each, "logConfiguration").get("secretOptions")):
            for secret in source if isinstance(source, list) else ():
                if isinstance(secret, Mapping) and secret.get("valueFrom"):
                    yield str(secret["valueFrom"])
        credentials = _inner(each, "repositoryCredentials").get("credentialsParameter")
        if credentials:
            yield str(credentials)


def _inner(outer: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = outer.get(name)
    return found if isinstance(found, Mapping) else {}


def _parameter_arn(name: str, scope: Scope) -> str:
    if _PARAMETER.fullmatch(name):
        return name
    return scope.arn("ssm", f"parameter/{name.lstrip('/')}")


def _whole_secret(arn: str) -> str:
    # ECS takes an ARN without the six characters that Secrets Manager adds.
    return arn if re.search(r"-(?:[A-Za-z0-9]{6}|\?{6})$", arn) else f"{arn}-??????"


# The task role


def task_role_policy(scope: Scope, kms_keys: Iterable[str] = ()) -> list[Document]:
    """Give what the service's own code needs: to read what its variables name, and nothing else.

    Empty where nothing is declared.
    """
    config = scope.config
    parameters = sorted(
        scope.arn("ssm", f"parameter{config.parameter_name(key)}")
        for key, each in config.parameters.items()
        if each.env is not None
    )
    secrets = sorted(
        scope.secret_arn(key) for key, each in config.secrets.items() if each.env is not None
    )
    made = []
    if parameters:
        made.append(statement(["ssm:GetParameters"], parameters))
    if secrets:
        made.append(statement(["secretsmanager:GetSecretValue"], secrets))
    made += decrypting(scope, kms_keys if parameters or secrets else ())
    if config.service.overrides.get("enableExecuteCommand"):
        made.append(statement(SSM_ACTIONS, ["*"]))
    return made


def tasks_trust(scope: Scope) -> Document:
    """Give the trust policy of both roles: ECS's tasks, those of this account alone."""
    return wrapped(
        [
            {
                "Effect": "Allow",
                "Principal": {"Service": TASKS_SERVICE},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": scope.account},
                    "ArnLike": {"aws:SourceArn": scope.arn("ecs", "*")},
                },
            }
        ]
    )


# Keys of one's own


def decrypting(scope: Scope, kms_keys: Iterable[str], *, writing: bool = False) -> list[Document]:
    """Give the statement for KMS keys of one's own; AWS's own keys need none.

    Args:
        scope: where they are.
        kms_keys: their ARNs.
        writing: whether values are written, too.

    Source: AWS KMS guide, "kms:ViaService"; SSM and Secrets Manager guides, on their use of KMS.
    """
    keys = sorted(set(kms_keys))
    if not keys:
        return []
    actions = ["kms:Decrypt"]
    if writing:
        actions += ["kms:Encrypt", "kms:GenerateDataKey"]
    suffix = partition_of(scope.region).host_suffix
    through = [f"{each}.{scope.region}.{suffix}" for each in ("secretsmanager", "ssm")]
    return [statement(actions, keys, {"StringEquals": {"kms:ViaService": through}})]


# The role of a pipeline


def github_trust(scope: Scope, repository: str, branch: str | None) -> Document:
    """Give the trust policy of a role that GitHub Actions takes without a stored key.

    Args:
        scope: whose role it is.
        repository: as `OWNER/REPO`.
        branch: the only branch whose workflows may take it; None for any, pull requests included.
    """
    provider = f"arn:{scope.partition}:iam::{scope.account}:oidc-provider/{GITHUB}"
    exact = {f"{GITHUB}:aud": f"sts.{partition_of(scope.region).host_suffix}"}
    condition: dict[str, dict[str, str]] = {"StringEquals": exact}
    if branch is None:
        condition["StringLike"] = {f"{GITHUB}:sub": f"repo:{repository}:*"}
    else:
        exact[f"{GITHUB}:sub"] = f"repo:{repository}:ref:refs/heads/{branch}"
    return wrapped(
        [
            {
                "Effect": "Allow",
                "Principal": {"Federated": provider},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": condition,
            }
        ]
    )
