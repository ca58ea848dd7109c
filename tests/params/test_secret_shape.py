"""Plain text or RDS's JSON: what is stored for a given password."""

from __future__ import annotations

import json

import pytest

from schoolctl.base.errors import UsageError
from schoolctl.model.values import SecretValue
from schoolctl.params.secret_shape import shape_secret

RDS = '{"username": "app", "password": "old", "engine": "mysql", "port": 3306}'


def shape(
    given: str, stored: str | None, *, username: str | None = None, plain: bool = False
) -> str:
    before = SecretValue(stored) if stored is not None else None
    return shape_secret(SecretValue(given), before, username=username, plain=plain).reveal()


@pytest.mark.parametrize("stored", [None, "old", "12", '["a"]', '{"token": "x"}', "{broken"])
def test_a_password_is_plain_text_where_no_database_object_is(stored: str | None) -> None:
    assert shape("new", stored) == "new"


def test_a_database_object_keeps_its_other_fields() -> None:
    assert json.loads(shape("new", RDS)) == {**json.loads(RDS), "password": "new"}


def test_a_username_makes_or_changes_the_object() -> None:
    assert json.loads(shape("new", None, username="u")) == {"username": "u", "password": "new"}
    assert json.loads(shape("new", RDS, username="u"))["username"] == "u"
    assert json.loads(shape("new", RDS, username="u"))["engine"] == "mysql"


def test_the_same_password_leaves_the_object_as_it_was_spelt() -> None:
    assert shape("old", RDS) == RDS
    assert shape("old", RDS, username="app") == RDS


def test_an_object_is_stored_as_it_was_given() -> None:
    assert shape('{"password":"new"}', RDS) == '{"password":"new"}'


def test_plain_leaves_the_object_behind() -> None:
    assert shape("new", RDS, plain=True) == "new"


def test_a_username_around_an_object_is_refused_without_showing_it() -> None:
    with pytest.raises(UsageError) as caught:
        shape('{"password": "canary"}', None, username="u")

    assert "canary" not in str(caught.value.document())
