"""A text that must not be seen. Every command has one, of its credentials."""

from __future__ import annotations


class SecretValue:
    """Text that must not be seen: it prints as `***` wherever it ends up."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text, for the call that needs it or for `--reveal`."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretValue) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)
