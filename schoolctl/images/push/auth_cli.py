"""`login`: Docker's own login to ECR, for a `docker push` by hand."""

from __future__ import annotations

import typer

from schoolctl.core.options import ChangingCommand
from schoolctl.core.run import Run

app = typer.Typer(rich_markup_mode=None)


@app.command("login", cls=ChangingCommand)
def login(context: typer.Context) -> None:
    """Log Docker in to ECR, for pushes by hand."""
    from schoolctl.aws.ecr import authorization
    from schoolctl.base.plan import Plan
    from schoolctl.base.text import duration, iso, local_time
    from schoolctl.docker.login import find_login_place
    from schoolctl.images.push.steps import StoreLogin

    run = Run.of(context)
    token = authorization(run.clients, run.config)
    place = find_login_place(token.registry, run.services.environ)
    nothing = f"nothing to do: Docker asks {place} for {token.registry}, which gets its own tokens"
    steps = () if place.needs_no_login else (StoreLogin(token, str(place)),)
    plan = Plan(f"log in to {token.registry}", steps, nothing=nothing, quiet=True, local=True)
    outcome = run.carry_out(plan)
    if outcome is None:
        return
    left = (token.expires_at - run.clock.now()).total_seconds()
    document = {"registry": token.registry, "stored_in": str(place), "stored": bool(steps)}
    if not steps:
        run.reporter.result(document)
        return
    if not place.helper:
        run.reporter.note(
            "the file holds the token as it is: `credsStore` in it names a safer place"
        )
    until = f"{local_time(token.expires_at)} (for {duration(left)})"
    run.reporter.result(
        {**document, "expires_at": iso(token.expires_at)},
        [f"logged in to {token.registry} until {until}"],
    )
