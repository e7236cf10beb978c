"""Codes and concepts: what the tables give and what documents are made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A coded value: `system` is a bare OID, `display` the exact label of the code in that system."""

    code: str
    system: str
    display: str


@dataclass(frozen=True, slots=True)
class Concept:
    """A notion as text, as the product's local code, and as the verified code of each target.

    A target without a verified code gets the local code and the text, never a guess.
    """

    text: str
    local: Code | None = None
    cda: Code | None = None
    fhir: tuple[Code, ...] = ()
