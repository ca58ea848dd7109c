"""What the formats in openapi.json mean, for schemathesis: it loads this file as its hooks.

JSON Schema cannot say which texts are phone numbers; without this a schema-valid number would be
any text of up to forty characters, and the service refuses nearly all of those.
"""

import unicodedata

import schemathesis
from hypothesis import strategies as st

from service.validation import MAX_PROGRAM

_NUMBERS = ("+44 20 7946 0958", "+1 (212) 555-0123", "+49/30/901820", "\uff0b390669812345")
_VISIBLE = st.characters(codec="utf-8", categories=["L", "N", "P", "S"])
_PRINTED = st.characters(codec="utf-8", categories=["L", "M", "N", "P", "S", "Zs"])


schemathesis.openapi.format(
    "single-line",
    # A few characters get longer in NFC, and the stored text is what is measured.
    st.builds(str.__add__, _VISIBLE, st.text(_PRINTED, max_size=MAX_PROGRAM - 1)).filter(
        lambda text: len(unicodedata.normalize("NFC", text)) <= MAX_PROGRAM
    ),
)
schemathesis.openapi.format(
    "phone",
    st.sampled_from(_NUMBERS)
    | st.integers(10**9, 10**10 - 1).map("+1{}".format)
    | st.integers(10**8, 10**9 - 1).map("+353 ({})".format),
)
