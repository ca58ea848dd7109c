"""`config show`, `config check` and `config schema`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from schoolctl.aws.session.clients import get_identity, key_in_use
from schoolctl.aws.session.profiles import list_profiles, unknown_profile
from schoolctl.base.errors import ConfigMissingError, ConflictError, UsageError, WrongTargetError
from schoolctl.base.text import count
from schoolctl.config.file import dump_values, find_config_file, list_values, load_config_file
from schoolctl.config.overlay import write_overlay
from schoolctl.config.schema import json_schema, write_schema
from schoolctl.core.options import Command
from schoolctl.core.run import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schoolctl.aws.session.connection import Connection, Setting
    from schoolctl.aws.session.profiles import Profile
    from schoolctl.config.file import ResolvedConfig


app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Show and check the configuration."
)


@app.command("show", cls=Command)
def show(context: typer.Context) -> None:
    """Show every value, and the file and line it comes from.

    Credentials are masked, and so are variables whose names say that they are secret.
    """
    run = Run.of(context)
    resolved = run.resolved
    environment = resolved.config.environment
    run.reporter.note(f"environment {environment} of {resolved.file.path}")
    run.reporter.table(
        {
            "environment": environment,
            "file": str(resolved.file.path),
            "values": dump_values(resolved.config),
            "origins": {path: str(origin) for path, origin in resolved.origins.items()},
        },
        ("KEY", "FROM", "VALUE"),
        _rows(resolved, list_values(resolved.config)),
    )


@app.command("check", cls=Command)
def check(context: typer.Context) -> None:
    """Check all environments, and name all problems at once.

    This machine's .schoolctl/<environment>.yaml files are checked, too.
    """
    run = Run.of(context)
    file = load_config_file(run.options.config, cwd=run.services.directory, overlays=True)
    names = file.environment_names
    listed = ", ".join(names)
    run.reporter.result(
        {"file": str(file.path), "environments": list(names), "problems": []},
        [f"{file.path.name}: no problems in {count(len(names), 'environment')}: {listed}"],
    )


@app.command("schema", cls=Command)
def schema(
    context: typer.Context,
    write: Annotated[
        bool,
        typer.Option("--write", help="Write it to .schoolctl/schema.json, beside schoolctl.yaml."),
    ] = False,
) -> None:
    """Print the JSON Schema of schoolctl.yaml, for editors.

    The first line that `schoolctl init` writes names .schoolctl/schema.json, where --write puts
    it: an editor with a YAML language server then completes and explains the keys.
    """
    run = Run.of(context)
    if not write:
        document = json_schema()
        run.reporter.result({"schema": document}, [json.dumps(document, indent=2)])
        return
    file = find_config_file(run.options.config, cwd=run.services.directory)
    path = write_schema(file.parent)
    run.reporter.result({"file": str(path)}, [f"wrote {path}"])


def _rows(resolved: ResolvedConfig, values: dict[str, object]) -> list[tuple[str, str, str]]:
    # The value stands last: a long one, such as a certificate, would else push the rest aside.
    return [(path, str(resolved.origins[path]), _shown(value)) for path, value in values.items()]


def _shown(value: object) -> str:
    """Write a value on one line: text as it is, `-` for nothing, else JSON."""
    if value is None:
        return "-"
    if isinstance(value, str) and value and value.isprintable():
        return value
    return json.dumps(value, ensure_ascii=False)


profile_app = typer.Typer(
    help="AWS profiles, and whose credentials are used.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@profile_app.command("list", cls=Command)
def list_all(context: typer.Context) -> None:
    """List the AWS profiles, and which environment uses which."""
    run = Run.of(context)
    users = _environments_by_profile(run)
    profiles = list_profiles()
    if not profiles:
        run.reporter.note(
            "no profile in ~/.aws/config or ~/.aws/credentials;"
            " `aws configure --profile NAME` makes one"
        )
    run.reporter.table(
        {"profiles": [_document(each, users.get(each.name, [])) for each in profiles]},
        ("PROFILE", "SIGNS IN BY", "ACCOUNT", "REGION", "USED BY"),
        [
            [
                each.name,
                each.kind,
                each.account or "-",
                each.region or "-",
                ", ".join(users.get(each.name, [])) or "-",
            ]
            for each in profiles
        ],
    )


def _environments_by_profile(run: Run) -> Mapping[str, list[str]]:
    """Give the names of the environments that use each profile; none without a schoolctl.yaml."""
    users: dict[str, list[str]] = {}
    try:
        environments = run.config_file.all()
    except ConfigMissingError:
        return users
    for name, resolved in environments.items():
        if resolved.config.profile is not None:
            users.setdefault(resolved.config.profile, []).append(name)
    return users


def _document(profile: Profile, environments: list[str]) -> dict[str, object]:
    return {
        "name": profile.name,
        "signs_in_by": profile.kind,
        "account": profile.account or None,
        "region": profile.region or None,
        "environments": environments,
    }


@profile_app.command("use", cls=Command)
def use(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The AWS profile.")],
) -> None:
    """Let an environment use a profile, on this machine only."""
    run = Run.of(context)
    if run.options.profile is not None:
        raise UsageError("the profile is given twice", hint="leave out --profile")
    config = run.config
    if config.credentials is not None:
        overlay = f".schoolctl/{config.environment}.yaml"
        raise ConflictError(
            f"environment {config.environment} uses the access keys in {overlay}",
            why="keys there are stronger than a profile; nothing was changed",
            hint=f"take `credentials` out of {overlay} first",
        )
    known = {each.name: each for each in list_profiles()}
    if name not in known:
        raise unknown_profile(name, known)
    account = known[name].account
    if account and config.account and account != config.account:
        raise WrongTargetError(
            f"profile {name} leads to account {account}, and environment"
            f" {config.environment} is account {config.account}",
            why=f"{run.config_file.path.name} pins it; nothing was changed",
            hint="`schoolctl profile list` shows the account of each profile",
        )
    file = write_overlay(run.config_file.directory, config.environment, {"profile": name})
    shown = file.relative_to(run.config_file.directory)
    run.reporter.result(
        {"environment": config.environment, "profile": name, "file": str(file)},
        [f"environment {config.environment} uses profile {name} on this machine ({shown})"],
    )


@profile_app.command("show", cls=Command)
def show_identity(context: typer.Context) -> None:
    """Show whose credentials are used, and where each setting came from."""
    run = Run.of(context)
    try:
        config = run.config
    except ConfigMissingError:
        if run.options.env is not None or run.options.config is not None:
            raise
        config = None
    # Without an environment the default connection is shown, as `aws` would use it.
    connection = run.connection if config is not None else run.connect(None)
    # Before AWS is asked: where the settings came from is what explains a failure.
    run.reporter.result(*_settings(run, connection))
    clients = run.clients if config is not None else run.clients_for(connection)
    try:
        key = key_in_use(clients)
        run.reporter.result(
            {"key": {"value": key.masked, "origin": key.source}},
            [_line("key", key.masked, key.source)],
        )
        identity = run.identity() if config is not None else get_identity(clients)
    finally:
        clients.close()
    run.reporter.result(
        {
            "account": identity.account,
            "arn": identity.arn,
            "pinned_account": config.account if config is not None else None,
        },
        [_line("account", identity.account), _line("arn", identity.arn)],
    )
    if config is not None:
        run.check_account()


def _settings(run: Run, connection: Connection) -> tuple[dict[str, object], list[str]]:
    """Give profile, region and endpoint with their origins, as a document and as lines."""
    settings = {
        "profile": connection.credentials,
        "region": connection.region,
        "endpoint_url": connection.endpoint_url,
    }
    origins = {key: _origin(run, key, setting) for key, setting in settings.items()}
    document: dict[str, object] = {
        key: {"value": setting.value, "origin": origins[key]} for key, setting in settings.items()
    }
    lines = [
        _line(key.removesuffix("_url"), setting.value or "-", origins[key])
        for key, setting in settings.items()
    ]
    return document, lines


def _origin(run: Run, key: str, setting: Setting) -> str:
    """Give a setting's origin; of one in a file, with the place."""
    if not setting.origin.startswith("environment "):
        return setting.origin
    place = run.resolved.origins.get(key)
    return f"{setting.origin}, {place}" if place is not None else setting.origin


def _line(label: str, value: str, origin: str = "") -> str:
    return f"{label:<9} {value}" + (f"  ({origin})" if origin else "")
