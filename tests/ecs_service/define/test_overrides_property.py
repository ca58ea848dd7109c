"""Overrides say whatever a configuration's own keys cannot."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from schoolctl.config.merge import apply_overrides
from schoolctl.ecs_service.define.canonical import definition_overrides
from schoolctl.ecs_service.define.changes import compare_definitions, same_definition
from tests.aws_shapes import request_of
from tests.worlds.deploy_scenes import revision

DEFINITIONS = request_of("RegisterTaskDefinition")


@given(DEFINITIONS, DEFINITIONS)
def test_with_its_overrides_any_definition_is_made_of_any_other(
    made: dict[str, Any], wanted: dict[str, Any]
) -> None:
    result = apply_overrides(made, definition_overrides(made, wanted))
    assert compare_definitions(result, wanted) == ()
    assert same_definition(result, wanted)


@given(DEFINITIONS)
def test_with_its_overrides_any_definition_is_made_of_what_we_render(
    wanted: dict[str, Any],
) -> None:
    made = revision(1).definition
    assert same_definition(apply_overrides(made, definition_overrides(made, wanted)), wanted)


@given(DEFINITIONS)
def test_what_is_made_already_needs_no_overrides(made: dict[str, Any]) -> None:
    assert definition_overrides(made, made) == {}
