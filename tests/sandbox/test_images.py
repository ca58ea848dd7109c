"""Base images: which one the Dockerfile wants, and how their equivalents are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schoolctl.sandbox.images import Recipe, default_base

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ARG BASE_IMAGE=python:3.11-slim\nFROM ${BASE_IMAGE}\n", "python:3.11-slim"),
        ("# hello\narg BASE_IMAGE=python:3.12\n", "python:3.12"),
        ('ARG BASE_IMAGE="registry.example:5000/python:3"\n', "registry.example:5000/python:3"),
        ("ARG  BASE_IMAGE=python@sha256:abc # pinned\n", "python@sha256:abc"),
        ("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n", None),
        ("ARG MY_BASE_IMAGE=x\nFROM python:3.11\n", None),
        ("", None),
    ],
)
def test_the_base_image_is_the_default_of_the_build_argument(
    tmp_path: Path, text: str, expected: str | None
) -> None:
    (tmp_path / "Dockerfile").write_text(text)
    assert default_base(tmp_path / "Dockerfile") == expected


def test_without_a_dockerfile_there_is_no_base_image(tmp_path: Path) -> None:
    assert default_base(tmp_path / "Dockerfile") is None


def test_an_equivalent_has_a_name_of_its_own() -> None:
    recipe = Recipe(b"certificates")
    assert recipe.python.startswith("schoolctl-sandbox/python:bookworm-")
    assert recipe.mariadb.startswith("schoolctl-sandbox/mariadb:bookworm-")


def test_other_certificates_make_another_image() -> None:
    assert Recipe(b"one").python == Recipe(b"one").python
    assert Recipe(b"one").python != Recipe(b"two").python
