"""Names as documents carry them."""

from __future__ import annotations


def split_given(listed: str | None, first: str) -> tuple[str, ...]:
    """The list of birth given names: written as one text, told apart by blanks, the first one known by itself."""
    if not listed:
        return ()
    if listed != first and not listed.startswith(f"{first} "):
        return tuple(listed.split())
    return tuple(part for part in (first, *listed[len(first) :].split()) if part)
