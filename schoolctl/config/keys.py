"""Which keys there are, and which one a misspelt key was meant to be."""

from __future__ import annotations

import difflib
from functools import cache
from typing import TYPE_CHECKING, Final, get_args, get_origin

from pydantic import BaseModel

from schoolctl.config.models import Settings
from schoolctl.config.tree import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from schoolctl.config.tree import Path_

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
