"""The check for people and for `--json`: a drawing, the findings, a document. Pure."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schoolctl.base.text import count
from schoolctl.network.group_rules import Status, judge, rule_text
from schoolctl.network.state import APPLY, FIX, Role, parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from schoolctl.config.models import Config
    from schoolctl.network.group_rules import EdgeState, Judged
    from schoolctl.network.state import Finding, NetworkState, Part, Parts

_EXTRA = "EXTRA"
_WORDS = max(map(len, (*Status, _EXTRA)))
_INDENT = "   "


@dataclass(frozen=True)
class Pen:
    """What the lines of a drawing are made of."""

    line: str
    head: str


ASCII = Pen("|", "v")
UNICODE = Pen("\N{BOX DRAWINGS LIGHT VERTICAL}", "\N{BLACK DOWN-POINTING TRIANGLE}")


@dataclass(frozen=True)
class Report:
    """A check of a network, ready to be shown."""

    config: Config
    state: NetworkState
    parts: Parts
    judged: Judged
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    def lines(self, pen: Pen, columns: int) -> list[str]:
        """Give the drawing and the findings, no wider than `columns` but for ids and commands."""
        lines = _drawing(self, pen, columns)
        for each in self.findings:
            lines += ["", *_finding(each, columns)]
        return lines

    def advice(self) -> str:
        """Say what `network apply` does about the findings; empty where there are none."""
        if not self.findings:
            return ""
        said = []
        adds, fixes = (
            sum(each.fixed_by == command for each in self.findings) for command in (APPLY, FIX)
        )
        if fixes:
            without = f", {adds} of them without --fix" if adds else ""
            said.append(f"`schoolctl {FIX}` repairs {adds + fixes}{without}")
        elif adds:
            said.append(f"`schoolctl {APPLY}` repairs {adds}")
        left = sum(not each.fixed_by for each in self.findings)
        if left:
            said.append(f"{left} {'is' if left == 1 else 'are'} to be repaired by hand")
        return f"{count(len(self.findings), 'difference')}: {'; '.join(said)}"

    def document(self) -> dict[str, object]:
        """Give the check for `--json`."""
        state = self.state
        return {
            "environment": self.config.environment,
            "vpc": state.vpc_id or None,
            "groups": {role.name.lower(): _groups(part) for role, part in self.parts.items()},
            "edges": [_edge(each) for each in self.judged.edges],
            "findings": [each.document() for each in self.findings],
            "notes": list(self.notes),
            "unverified": list(state.unverified),
        }


def report(
    config: Config, state: NetworkState, findings: Sequence[Finding], notes: Sequence[str]
) -> Report:
    """Return what is to be shown of a check of the network."""
    parts = parts_of(config, state)
    judged = judge(config, state, parts)
    return Report(config, state, parts, judged, tuple(findings), tuple(notes))


def _groups(part: Part) -> dict[str, object]:
    return {
        "configured": part.wanted,
        "used_by": part.user or None,
        "groups": [
            {"id": each.id, "name": each.name or None, "vpc": each.vpc_id or None}
            for each in part.groups
        ],
    }


def _edge(found: EdgeState) -> dict[str, object]:
    edge = found.edge
    return {
        "from": edge.source.name.lower() if edge.source else "internet",
        "to": edge.target.name.lower(),
        "port": edge.port,
        "range": edge.cidr or None,
        "status": found.status.lower().replace(" ", "_"),
        "rules": [each.id for each in found.exact or found.wider],
    }


# The drawing


def _drawing(shown: Report, pen: Pen, columns: int) -> list[str]:
    lines = ["internet"]
    for role, part in shown.parts.items():
        start = f"{_INDENT}{pen.line} "
        for word, text in _arrows(shown, role):
            lines += _folded(text, columns, f"{start}{word:<{_WORDS}}  ", f"{start:<{len(start)}}")
        lines += [f"{_INDENT}{pen.head}", str(role)]
        lines += [f"{_INDENT}{line}" for line in _names(part)]
    return lines


def _arrows(shown: Report, role: Role) -> Iterator[tuple[str, str]]:
    for each in shown.judged.state_of(role):
        range_ = f" from {each.edge.cidr}" if ":" in each.edge.cidr else ""
        yield each.status, f"{each.edge.port}{range_}"
    for rule in shown.judged.extra_of(role):
        yield _EXTRA, rule_text(rule, shown.state)


def _names(part: Part) -> list[str]:
    if not part.groups:
        return [f"{part.wanted}: there is none"]
    return [f"{each.name} {each.id}".strip() for each in part.groups]


def _finding(found: Finding, columns: int) -> list[str]:
    lines: list[str] = []
    for number, line in enumerate(found.lines()):
        # Ids and commands are there to be copied.
        label = "  why:   "
        if number == 0:
            lines += _folded(line, columns, "", " " * 9)
        elif line.startswith(label):
            lines += _folded(line.removeprefix(label), columns, label, " " * len(label))
        else:
            lines.append(line)
    return lines


def _folded(text: str, columns: int, first: str, later: str) -> Sequence[str]:
    later = later.ljust(len(first)) if first else later
    return textwrap.wrap(
        text,
        max(columns, len(later) + 20),
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
