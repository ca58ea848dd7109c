"""`iam policy`: the least that a command, a role or a pipeline has to be allowed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.aws.session.clients import Clients, get_identity
from schoolctl.base.errors import ConfigMissingError, UsageError
from schoolctl.config.file import parse_config
from schoolctl.config.schema import render_template
from schoolctl.core.options import Command
from schoolctl.core.run import Run
from schoolctl.iam.policy import Scope, documents, resources
from schoolctl.iam.rules import make_policy, parse_wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schoolctl.config.models import Config
    from schoolctl.iam.policy import Document
    from schoolctl.iam.rules import MadePolicy, Wanted

app = typer.Typer(
    help="IAM policies for commands, roles and a pipeline.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.command("policy", cls=Command)
def policy(
    context: typer.Context,
    for_: Annotated[
        list[str],
        typer.Option(
            "--for",
            metavar="COMMAND",
            help='A command such as push or "params set", a group, all, execution-role,'
            " task-role or ci.",
        ),
    ],
    needed_only: Annotated[
        bool, typer.Option("--needed-only", help="Leave out reads that commands can do without.")
    ] = False,
    kms_key: Annotated[
        list[str] | None,
        typer.Option("--kms-key", metavar="ARN", help="A key of your own that values are under."),
    ] = None,
    github: Annotated[
        str | None,
        typer.Option("--github", metavar="OWNER/REPO", help="Whose workflows take the ci role."),
    ] = None,
    branch: Annotated[
        str | None,
        typer.Option("--branch", metavar="NAME", help="The only branch whose workflows may."),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Print the trust policy of the role instead.")
    ] = False,
    part: Annotated[
        int | None,
        typer.Option("--part", metavar="N", min=1, help="Print one part, where there are several."),
    ] = None,
) -> None:
    """Print the least policy for a command, for this configuration's ARNs.

    Standard output is the policy alone, as `aws iam create-policy --policy-document` takes it.
    With --for several times, one policy is for all of them. `ci` is a role that GitHub's workflows
    take without a stored key; it and the roles of the tasks have a trust policy, too.
    """
    run = Run.of(context)
    wanted = parse_wanted(
        for_, needed_only=needed_only, kms_keys=kms_key or (), github=github, branch=branch
    )
    if trust and not wanted.role:
        raise UsageError("only a role has a trust policy", hint="leave out --trust")
    scope = _scope(run, wanted)
    made = make_policy(wanted, scope)
    policies = documents(made.statements)
    if made.warning:
        run.reporter.warn(made.warning)
    run.reporter.result(_document(wanted, scope, made, policies))
    if trust:
        run.reporter.result({}, [json.dumps(made.trust, indent=2)])
        return
    _print(run, wanted, made, policies, part)


def _scope(run: Run, wanted: Wanted) -> Scope:
    """Give where the policy is for; AWS is asked only for an account that is not pinned."""
    try:
        config = run.config
    except ConfigMissingError:
        if wanted.commands != ("init",):
            raise
        return _scope_of_init(run)
    region = run.options.region or config.region or run.connection.region.value or ""
    account = config.account or run.identity().account
    every = [each.config for each in run.config_file.all().values()]
    sharing = [each for each in every if _shares(each, config, region, account)]
    return Scope(config, region, account, tuple(sharing))


def _scope_of_init(run: Run) -> Scope:
    """Give where `init --from-service` reads, which names nothing of a configuration's."""
    from contextlib import closing

    connection = run.connect(None)
    region = connection.region.value or ""
    with closing(Clients(connection)) as clients:
        account = get_identity(clients).account
    path = run.services.directory / "schoolctl.yaml"
    text = render_template(path, "app", region=region, profile=None)
    return Scope(parse_config(text, path=path).resolve(None).config, region, account)


def _shares(other: Config, config: Config, region: str, account: str) -> bool:
    """Say whether another environment's images are in this one's repository, by what is written."""
    return (
        other.image.repository == config.image.repository
        and other.registry == config.registry
        and other.account in {None, account}
        and other.region in {None, region}
    )


def _print(
    run: Run,
    wanted: Wanted,
    made: MadePolicy,
    policies: Sequence[Document],
    part: int | None,
) -> None:
    if part is not None and part > len(policies):
        raise UsageError(f"there is no part {part}: the policy has {len(policies)}")
    if not policies:
        run.reporter.note("no permission is needed")
    elif len(policies) > 1 and part is None:
        run.reporter.warn(
            f"this is more than one managed policy holds, and stands in {len(policies)}:"
            f" --part 1 to --part {len(policies)} print each alone"
        )
    chosen = policies if part is None else policies[part - 1 : part]
    run.reporter.result({}, [json.dumps(each, indent=2) for each in chosen])
    if made.trust is not None:
        run.reporter.note(f"the role's trust policy: add --trust (--for {wanted.role})")


def _document(
    wanted: Wanted, scope: Scope, made: MadePolicy, policies: Sequence[Document]
) -> dict[str, object]:
    return {
        "environment": scope.config.environment,
        "account": scope.account,
        "region": scope.region,
        "role": wanted.role or None,
        "commands": list(wanted.commands),
        "policy": policies[0] if len(policies) == 1 else None,
        "policies": list(policies),
        "trust": made.trust,
        "permissions": [
            {
                "action": each.action,
                "resources": list(resources(each.on, scope)),
                "when": each.when,
                "without": each.without or None,
            }
            for each in made.permissions
        ],
    }
