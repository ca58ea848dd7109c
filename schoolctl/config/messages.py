"""pydantic's errors as sentences about the file, with suggestions for misspelt keys."""

from __future__ import annotations

import difflib
from functools import cache
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

from pydantic import BaseModel

from schoolctl.config.models import Settings
from schoolctl.config.tree import ListNode, MapNode, Node, Scalar, dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from schoolctl.config.tree import Path_


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


FILE_KEYS: Final = ("default_environment", "environments")
"""The keys that only the file itself has, not an environment."""

FREE_FORM: Final = (("task", "overrides"), ("service", "overrides"))
"""The paths below which AWS decides what there is."""

REMOVED: Final = (("service", "database_connections"),)
"""The paths of keys that earlier versions had."""

_CLOSE: Final = 0.6
_VERY_CLOSE: Final = 0.75


def suggest(key: str, candidates: Iterable[str], *, cutoff: float = _CLOSE) -> str | None:
    """Give the candidate that `key` was probably meant to be, if there is one.

    `desiredCount` and `desired-count` are recognised as `desired_count`.
    """
    by_form = {_form(candidate): candidate for candidate in candidates}
    close = difflib.get_close_matches(_form(key), by_form, n=1, cutoff=cutoff)
    return by_form[close[0]] if close else None


def sibling_keys(parent: Path_, *, file_level: bool) -> tuple[str, ...]:
    """Give the keys that the mapping at `parent` may have; empty where any key may stand.

    Args:
        parent: path inside an environment's settings.
        file_level: whether the path is one of the file itself, not of an environment.
    """
    model = _model_at(parent)
    if model is None:
        return ()
    extra = FILE_KEYS if file_level and not parent else ()
    return (*field_names(model), *extra)


def suggest_elsewhere(key: str) -> str | None:
    """Give the dotted path of a key in any other place that `key` was probably meant to be."""
    places = _all_places()
    found = suggest(key, places, cutoff=_VERY_CLOSE)
    return places[found] if found is not None else None


def field_names(model: type[BaseModel]) -> tuple[str, ...]:
    """Give the keys of a model as the file spells them."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _form(key: str) -> str:
    return "".join(character for character in key.lower() if character.isalnum())


@cache
def _all_places() -> dict[str, str]:
    """Map each key to its first place, the outermost first."""
    found: dict[str, str] = {}
    for path in sorted(_paths(Settings, ()), key=len):
        found.setdefault(str(path[-1]), dotted(path))
    return found


def _paths(model: type[BaseModel], parent: Path_) -> Iterator[Path_]:
    for name, field in model.model_fields.items():
        path = (*parent, field.alias or name)
        yield path
        nested = _nested(field.annotation)
        if nested is not None:
            child, keyed = nested
            yield from _paths(child, (*path, "<key>") if keyed else path)


def _model_at(path: Path_) -> type[BaseModel] | None:
    model: type[BaseModel] = Settings
    steps = list(path)
    while steps:
        step = steps.pop(0)
        annotation = next(
            (
                field.annotation
                for name, field in model.model_fields.items()
                if (field.alias or name) == step
            ),
            None,
        )
        nested = _nested(annotation)
        if nested is None:
            return None
        model, keyed = nested
        if keyed and not steps:
            return None
        if keyed:
            steps.pop(0)
    return model


def _nested(annotation: object) -> tuple[type[BaseModel], bool] | None:
    """Give the model inside an annotation, and whether it is the value of a dictionary."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    keyed = get_origin(annotation) is dict
    for argument in get_args(annotation):
        found = _nested(argument)
        if found is not None:
            return found[0], keyed or found[1]
    return None
