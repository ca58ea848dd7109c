"""Requests and answers of any content that AWS's own models allow, for properties."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.session import get_session
from hypothesis import strategies as st

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

# Names come from a short list, so that two definitions have some in common.
NAMES = st.sampled_from(["web", "proxy", "log", "data", "AWS_REGION", "LEVEL", "a.b"])
TEXTS = st.one_of(NAMES, st.text(alphabet="abc/:-_ {}'\"#", max_size=6))


@cache
def model() -> Any:
    """Give botocore's model of ECS."""
    return get_session().get_service_model("ecs")


def request_of(operation: str) -> SearchStrategy[dict[str, Any]]:
    """Give requests of an operation: each member that it takes, or some of them."""
    return structure(model().operation_model(operation).input_shape)


def structure(shape: Any) -> SearchStrategy[dict[str, Any]]:
    """Give values of a structure: what it requires, and any of the rest."""
    members = {name: value_of(member, name) for name, member in shape.members.items()}
    required = {name: each for name, each in members.items() if name in shape.required_members}
    optional = {name: each for name, each in members.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional)


def value_of(shape: Any, name: str = "") -> SearchStrategy[Any]:
    """Give values of any shape."""
    match shape.type_name:
        case "structure":
            return structure(shape)
        case "list":
            return _list(shape)
        case "map":
            return st.dictionaries(TEXTS, value_of(shape.value), max_size=2)
        case "string":
            return st.sampled_from(shape.enum) if shape.enum else NAMES if name == "name" else TEXTS
        case "boolean":
            return st.booleans()
        case "float" | "double":
            return st.sampled_from([0.0, 50.0, 99.5])
        case _:
            return st.sampled_from([0, 1, 30, 80, 256, 300, 3000])


def _list(shape: Any) -> SearchStrategy[Any]:
    named = shape.member.type_name == "structure" and "name" in shape.member.members
    item = value_of(shape.member)
    if not named:
        return st.lists(item, max_size=2)
    return st.lists(item, max_size=3, unique_by=lambda each: each.get("name"))
