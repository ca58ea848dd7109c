"""The result of a rollout as text, as an error and as a JSON document. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, assert_never

from schoolctl.base.errors import RolloutError, SchoolctlError, TimedOutError
from schoolctl.base.text import duration
from schoolctl.ecs_service.rollout.verdict import (
    Completed,
    Failed,
    Gone,
    InProgress,
    RolledBack,
    ScaledToZero,
    Stopped,
    Superseded,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from schoolctl.ecs_service.causes.failure import FailureReport
    from schoolctl.ecs_service.rollout.verdict import Verdict
    from schoolctl.model.services import Deployment, TaskDefinitionRef

GOES_ON = "the rollout goes on: watch it with `schoolctl wait`, undo it with `schoolctl rollback`"
AGAIN = "when it is mended: `schoolctl push`, then `schoolctl deploy`"
_ANEW = "when it is mended: `schoolctl restart`"
"""After new tasks of a revision that ran well before: what changed is not the image."""
_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])")


def success(verdict: Verdict, seconds: float) -> str:
    """Say that it went well: `completed in 42 s, 2 of 2 running`."""
    if isinstance(verdict, Completed):
        return f"completed in {duration(seconds)}, {verdict.running} of {verdict.desired} running"
    return verdict.reason


def failure(
    verdict: Verdict,
    started: Deployment,
    service: str,
    *,
    seconds: float,
    report: FailureReport | None,
) -> SchoolctlError:
    """Give the error for a rollout that did not succeed.

    Args:
        verdict: what became of it; InProgress means that the time is up.
        started: our deployment.
        service: `cluster/service`.
        seconds: how long it was watched.
        report: what explains it, where that was looked for.
    """
    of_ours = f"the rollout of {started.task_definition} on {service}"
    fix = _fix(report)
    match verdict:
        case RolledBack(reason=reason, to=to, finished=finished):
            way = "was" if finished else "is being"
            again = _ANEW if to == started.task_definition else AGAIN
            error: SchoolctlError = RolloutError(
                f"{of_ours} failed and {way} rolled back to {_name(to, started)}",
                why=reason,
                hint=_lines(fix, again),
            )
        case Failed():
            error = _failed(verdict, of_ours, fix)
        case Superseded(reason=reason, by=by):
            error = RolloutError(
                f"{of_ours} was superseded by {_name(by.task_definition, started)}",
                why=reason,
                hint="`schoolctl status` shows what runs now",
            )
        case ScaledToZero(reason=reason):
            error = RolloutError(
                f"{of_ours} proved nothing: no task runs",
                why=reason,
                hint="`schoolctl scale 1` starts a task again",
            )
        case Stopped(reason=reason, still_running=still):
            error = RolloutError(
                f"{of_ours} was stopped; {_runs(still)}",
                why=reason,
                hint=_lines(fix, "`schoolctl deploy` tries again, `schoolctl rollback` goes back"),
            )
        case Gone(reason=reason):
            error = RolloutError(
                f"{of_ours} ended with the service",
                why=reason,
                hint="`schoolctl deploy` creates the service anew",
            )
        case InProgress(reason=reason, answered=False):
            error = TimedOutError(
                f"{of_ours} was not seen to be decided within {duration(seconds)}",
                why=reason,
                hint=GOES_ON,
            )
        case InProgress(reason=reason) | Completed(reason=reason):
            error = TimedOutError(
                f"{of_ours} was not decided within {duration(seconds)}",
                why=_sentences("ECS is still at work", reason),
                hint=_lines(fix, GOES_ON),
            )
        case _:
            assert_never(verdict)
    error.details = report.lines() if report else ()
    return error


def _failed(verdict: Failed, of_ours: str, fix: str) -> RolloutError:
    if verdict.replaced_by is not None:
        return RolloutError(
            f"{of_ours} failed; {verdict.replaced_by} was deployed since",
            why=verdict.reason,
            hint="`schoolctl status` shows what runs now",
        )
    if verdict.first:
        return RolloutError(
            f"{of_ours} failed, and there is nothing to roll back to",
            why=_sentences(verdict.reason, "it is the first deployment of this service"),
            hint=_lines(fix, AGAIN, "or stop its tasks: `schoolctl scale 0`"),
        )
    runs = _runs(verdict.still_running)
    way = "the way back failed, too" if verdict.rollback_failed else "was not rolled back"
    return RolloutError(
        f"{of_ours} failed and {way}; {runs}",
        why=verdict.reason,
        hint=_lines(fix, "`schoolctl rollback` goes back now"),
    )


def _runs(still_running: Iterable[TaskDefinitionRef]) -> str:
    still = _list(still_running)
    return f"{still} still has running tasks" if still else "no other revision has running tasks"


def document(
    verdict: Verdict,
    started: Deployment,
    *,
    seconds: float,
    report: FailureReport | None,
    more: Mapping[str, object],
) -> dict[str, object]:
    """Give the verdict for JSON, with the report's fields and `more` beside it."""
    name = "timed_out" if isinstance(verdict, InProgress) else _snake(verdict)
    found: dict[str, object] = {
        "verdict": name,
        "deployment_id": started.id,
        "revision": str(started.task_definition),
        "reason": verdict.reason,
        "seconds": round(seconds, 1),
    }
    match verdict:
        case Completed():
            found |= {"running": verdict.running, "desired": verdict.desired}
        case RolledBack():
            found["rolled_back_to"] = str(verdict.to) if verdict.to else None
            found["rollback_finished"] = verdict.finished
        case Failed():
            found["still_running"] = [str(each) for each in verdict.still_running]
            found["replaced_by"] = str(verdict.replaced_by) if verdict.replaced_by else None
            found["rollback_failed"] = verdict.rollback_failed
        case Stopped():
            found["still_running"] = [str(each) for each in verdict.still_running]
        case Superseded():
            found["superseded_by"] = str(verdict.by.task_definition)
        case _:
            pass
    return found | (report.document() if report else {}) | {**more}


def _snake(verdict: Verdict) -> str:
    return _WORD_START.sub("_", type(verdict).__name__).lower()


def _fix(report: FailureReport | None) -> str:
    found = report.diagnosis if report else None
    return found.fix if found else ""


def _name(ref: TaskDefinitionRef | None, started: Deployment) -> str:
    """Name a revision; the same one as ours is called so, or the text would say nothing."""
    if ref is None:
        return "what ran before"
    same = ref == started.task_definition
    return f"the deployment before it (the same revision, {ref})" if same else str(ref)


def _list(refs: Iterable[TaskDefinitionRef]) -> str:
    return ", ".join(dict.fromkeys(str(each) for each in refs))


def _lines(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _sentences(*parts: str) -> str:
    return "; ".join(part.rstrip(".") for part in parts if part)
