"""Whatever text a parameter holds, a file brings it back."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolctl.model.values import SecretValue
from schoolctl.params.values import Format, read_values_file, render_values

KEYS = st.from_regex(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*", fullmatch=True)
TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.sampled_from(["yes", "1.10", "1:30", "~", "null", "2026-11-27", "{a: b}", "# c", " x "]),
    st.text(alphabet="\"'\\#= \n\r\tn$", max_size=8),
)


@pytest.mark.parametrize(
    ("form", "name"), [(Format.DOTENV, "v.env"), (Format.JSON, "v.json"), (Format.YAML, "v.yaml")]
)
@given(values=st.dictionaries(KEYS, TEXTS, min_size=1, max_size=4))
def test_reading_is_the_inverse_of_writing(form: Format, name: str, values: dict[str, str]) -> None:
    hidden = {key: SecretValue(text) for key, text in values.items()}
    with TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(render_values(hidden, form).encode())
        assert read_values_file(file) == hidden
