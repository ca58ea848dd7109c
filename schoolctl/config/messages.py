"""What pydantic complains of, in sentences about the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schoolctl.config.keys import suggest
from schoolctl.config.tree import ListNode, MapNode, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST: Final = 60
_DIGITS: Final = "0123456789"


def describe_fault(kind: str, context: Mapping[str, Any], default: str, node: Node | None) -> str:
    """Say what is wrong with a value.

    Args:
        kind: pydantic's type of error.
        context: its `ctx`.
        default: pydantic's own words, which our own validators write.
        node: the value in the file; None to leave it out of the sentence.
    """
    match kind:
        case "string_type":
            return f"expected text, found {_found(node)}{_quoting(node)}"
        case "int_type" | "int_from_float":
            return f"expected a whole number, found {_found(node)}{_unquoting(node)}"
        case "bool_type":
            return f"expected true or false, found {_found(node)}{_unquoting(node)}"
        case "dict_type" | "model_type" | "model_attributes_type":
            return f"expected a mapping of keys and values, found {_found(node)}"
        case "tuple_type" | "list_type":
            return f"expected a list, found {_found(node)}{_listing(node)}"
        case "literal_error" | "enum":
            return _describe_choice(str(context.get("expected", "")), node)
        case _:
            return _describe_limit(kind, context) or default


def _describe_choice(expected: str, node: Node | None) -> str:
    choices = expected.replace("'", "").replace(" or ", ", ").split(", ")
    written = node.value if isinstance(node, Scalar) else None
    meant = suggest(written, choices) if isinstance(written, str) else None
    question = f"; did you mean {meant}?" if meant else ""
    return f"expected {' or '.join(choices)}, found {_found(node)}{question}"


def _describe_limit(kind: str, context: Mapping[str, Any]) -> str:
    match kind:
        case "greater_than_equal":
            return f"must be {context['ge']} or more"
        case "less_than_equal":
            return f"must be {context['le']} or less"
        case "too_short":
            return f"needs {_count(context['min_length'])} or more"
        case "too_long":
            return f"has {context['actual_length']} entries; {context['max_length']} at most"
        case "string_too_short":
            return "must not be empty"
        case "string_too_long":
            return f"is longer than {context['max_length']} characters"
        case _:
            return ""


def _count(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


def _found(node: Node | None) -> str:
    match node:
        case None:
            return "something else"
        case ListNode():
            return "a list"
        case MapNode():
            return "a mapping"
        case Scalar(value=None):
            return "nothing"
        case Scalar(value=bool(), written=written):
            return written
        case Scalar(value=str(), written=written):
            return f'the text "{_shortened(written)}"'
        case Scalar(written=written):
            return f"the number {written}"


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _quoting(node: Node | None) -> str:
    if isinstance(node, Scalar) and node.value is not None:
        return f'; put it in quotes: "{node.written}"'
    return ""


def _unquoting(node: Node | None) -> str:
    if not isinstance(node, Scalar) or not node.quoted:
        return ""
    plain = node.written in {"true", "false"} or set(node.written) <= set(_DIGITS)
    return "; write it without quotes" if plain and node.written else ""


def _listing(node: Node | None) -> str:
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return f"; write [{', '.join(_shortened(node.value).split())}]"
    return ""
