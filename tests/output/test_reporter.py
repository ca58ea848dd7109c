"""What is printed where: results, notes, documents, errors, questions."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest

from schoolctl.base.errors import DeclinedError, ExitCode, SchoolctlError
from schoolctl.base.plan import Plan
from schoolctl.ecs_service.steps.service import CreateLogGroup
from schoolctl.output.reporter import Reporter


class Streams:
    """A reporter on three streams in memory, none of which is a terminal."""

    def __init__(self, *, stdin: str = "", encoding: str = "utf-8", **options: Any) -> None:
        self._out, self._err = io.BytesIO(), io.BytesIO()
        self._encoding = encoding
        self.reporter = Reporter(
            stdout=io.TextIOWrapper(self._out, encoding=encoding, write_through=True),
            stderr=io.TextIOWrapper(self._err, encoding=encoding, write_through=True),
            stdin=io.StringIO(stdin),
            **options,
        )

    @property
    def out(self) -> str:
        return self._out.getvalue().decode(self._encoding)

    @property
    def err(self) -> str:
        return self._err.getvalue().decode(self._encoding)


PLAN = Plan(
    summary="make it ready",
    steps=(CreateLogGroup("/ecs/a"), CreateLogGroup("/ecs/[prod]")),
    notes=("a note",),
    warnings=("look here",),
)


def test_results_go_to_stdout_and_notes_to_stderr() -> None:
    streams = Streams()
    streams.reporter.result({"a": 1}, ["one", "two"])
    streams.reporter.note("a note")
    streams.reporter.finish(ExitCode.DONE)

    assert (streams.out, streams.err) == ("one\ntwo\n", "a note\n")


def test_json_merges_the_results_into_one_document() -> None:
    streams = Streams(json_output=True)
    streams.reporter.result({"a": 1}, ["not shown"])
    streams.reporter.table({"b": ["ä"]}, ("X",), [["not shown"]])
    streams.reporter.finish(ExitCode.DONE)

    assert json.loads(streams.out) == {"ok": True, "a": 1, "b": ["ä"]}
    assert streams.err == ""


def test_any_other_exit_code_is_not_ok() -> None:
    streams = Streams(json_output=True)
    streams.reporter.finish(ExitCode.DIFFERENCES)

    assert json.loads(streams.out) == {"ok": False}


def test_a_stream_is_json_lines_and_ends_without_a_further_document() -> None:
    streams = Streams(json_output=True)
    streams.reporter.record({"n": 1}, "one")
    streams.reporter.record({"n": 2}, "two")
    streams.reporter.finish(ExitCode.DONE)

    assert [json.loads(line) for line in streams.out.splitlines()] == [{"n": 1}, {"n": 2}]


def test_an_error_in_a_stream_is_one_more_line() -> None:
    streams = Streams(json_output=True)
    streams.reporter.record({"n": 1}, "one")
    streams.reporter.error(SchoolctlError("broken"))
    streams.reporter.finish(ExitCode.FAILED)

    assert json.loads(streams.out.splitlines()[1])["error"]["what"] == "broken"


def test_a_table_keeps_markup_and_long_cells_as_they_are() -> None:
    streams = Streams()
    streams.reporter.table({}, ("TAG", "SIZE"), [["[prod]", "1 MB"], ["x" * 300, "20 MB"]])

    lines = streams.out.splitlines()
    assert lines[1].split("  ")[0] == "[prod]"
    assert lines[2].startswith("x" * 300)
    assert all(line == line.rstrip() for line in lines)


def test_a_right_column_is_set_to_the_right() -> None:
    streams = Streams()
    streams.reporter.table({}, ("N",), [["1"], ["100"]], right=("N",))

    assert streams.out == "  N\n  1\n100\n"


def test_an_error_has_its_parts_in_order_each_line_labelled_once() -> None:
    streams = Streams()
    error = SchoolctlError("it broke", why="first\nsecond", hint="do that")
    error.done = ("one", "two")
    error.left = ("three",)
    streams.reporter.error(error)

    assert streams.err == (
        "error: it broke\n"
        "why:   first\n"
        "       second\n"
        "done:  one\n"
        "       two\n"
        "left:  three\n"
        "hint:  do that\n"
    )


def test_a_plan_shows_warnings_notes_and_numbered_steps() -> None:
    streams = Streams()
    streams.reporter.plan(PLAN)

    assert streams.err == (
        "warning: look here\n"
        "a note\n"
        "make it ready\n"
        "  1. create log group /ecs/a\n"
        "  2. create log group /ecs/[prod]\n"
    )


def test_a_plan_without_its_steps_keeps_warnings_and_notes() -> None:
    streams = Streams()
    streams.reporter.plan(PLAN, steps=False)

    assert streams.err == "warning: look here\na note\n"


def test_an_empty_plan_says_that_there_is_nothing_to_do() -> None:
    streams = Streams()
    streams.reporter.plan(Plan(summary="x", steps=(), nothing="all is well"))

    assert streams.err == "all is well\n"


def test_quiet_keeps_warnings_and_errors() -> None:
    streams = Streams(quiet=True)
    streams.reporter.note("no")
    streams.reporter.detail("no")
    streams.reporter.warn("yes")
    streams.reporter.error(SchoolctlError("yes"))

    assert streams.err == "warning: yes\nerror: yes\n"


def test_details_are_for_verbose() -> None:
    quiet, verbose = Streams(), Streams(verbose=1)
    for each in (quiet, verbose):
        each.reporter.detail("more")

    assert (quiet.err, verbose.err) == ("", "more\n")


def test_what_an_encoding_lacks_is_escaped() -> None:
    streams = Streams(encoding="ascii")
    streams.reporter.note("\u20ac \udcff")
    streams.reporter.table({}, ("X",), [["\u20ac"]])

    assert streams.err == "\\u20ac \\udcff\n"
    assert streams.out == "X\n\\u20ac\n"


def test_lone_surrogates_do_not_break_utf_8() -> None:
    streams = Streams()
    streams.reporter.note("tag \udcff")

    assert streams.err == "tag \\udcff\n"


def test_without_a_terminal_nothing_is_asked() -> None:
    streams = Streams(stdin="y\n")
    for ask in (
        lambda: streams.reporter.ask("which?"),
        lambda: streams.reporter.ask_secret("which?"),
        lambda: streams.reporter.confirm("sure?"),
    ):
        with pytest.raises(DeclinedError):
            ask()

    assert streams.err == ""


def test_a_view_without_a_terminal_prints_each_new_line_once() -> None:
    streams = Streams()
    with streams.reporter.view() as view:
        view.update(["a 1/2", "b"])
        view.update(["a 2/2", "b"])
        view.event("an event")

    assert streams.err == "a 1/2\nb\na 2/2\nan event\n"


def test_a_transfer_without_a_terminal_prints_a_line_for_each_layer() -> None:
    streams = Streams()
    with streams.reporter.transfer() as transfer:
        transfer.update("abc", "Preparing", None, None)
        transfer.update("abc", "Pushing", 100, 2_000_000)
        transfer.update("abc", "Pushing", 2_000_000, 2_000_000)
        transfer.update("abc", "Pushed", None, None)
        transfer.update("abc", "Pushed", None, None)

    assert streams.err == "  abc: pushed (2.0 MB)\n"


def test_a_transfer_on_a_terminal_shows_each_layer_and_the_sum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    stderr = _Terminal()
    reporter = Reporter(stderr=stderr, color=False)
    with reporter.transfer() as transfer:
        transfer.update("abc", "Pushing", 500_000, 1_000_000)
        transfer.update("def", "Pushing", 1_000_000, 3_000_000)
        transfer.update("abc", "Pushed", None, None)
        transfer.update("ghi", "Layer already exists", None, None)

    shown = stderr.getvalue()
    last = {name: _last_line(shown, name) for name in ("abc", "def", "all together")}
    assert "abc pushed" in last["abc"]
    assert "1.0/3.0 MB" in last["def"]
    assert "2.0/4.0 MB" in last["all together"]
    assert "ghi" not in shown


def _last_line(text: str, name: str) -> str:
    return [line for line in re.split(r"[\r\n]", text) if name in line][-1]


def test_standard_input_is_read_as_bytes() -> None:
    assert Streams(stdin="a\r\n").reporter.read_stdin() == b"a\r\n"


class _Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [20, 60, 80, 140])
def test_a_table_on_a_terminal_keeps_its_key_columns(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    stdout = _Terminal()
    reason = "it is among the newest ten, and service schoolapp/schoolapp-backend runs it"
    Reporter(stdout=stdout, color=False).table(
        {},
        ("VERDICT", "DIGEST", "TAGS", "REASONS"),
        [["KEEP", "67b41ead6da7", "1.0, release-1", reason], ["DELETE", "d9f11fbd28a7", "-", "x"]],
    )
    shown = re.sub(r"\x1b\[[0-9;]*m", "", stdout.getvalue())
    for whole in ("KEEP", "67b41ead6da7", "1.0, release-1", "DELETE", "d9f11fbd28a7"):
        assert whole in shown
    assert "".join(reason.split()) in "".join(shown.split())
    longest = max(map(len, shown.splitlines()))
    assert longest <= max(columns, len("VERDICT  67b41ead6da7  1.0, release-1  ") + 24)
