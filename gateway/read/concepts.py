"""Concepts from the codes that a document carries. Each target carries its own codes; the tables give the other's."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.document.model import Code, Concept
from gateway.terminology import Terminology
from gateway.terminology.model import MeasureDef


def from_cda(terms: Terminology, text: str, codes: Sequence[Code], fixed: str | None = None) -> Concept:
    """The concept of a CDA element: its code and translations in their order.

    `fixed` is the code that the entry's template imposes: it is the concept's own only where the tables say so.
    """
    own = _local(terms, codes)
    others = [code for code in codes if code.system != terms.local_system]
    if fixed is not None and others and others[0].code == fixed:
        others = others[1:] or _imposed(terms, own, others[0])
    cda = others[0] if others else None
    return Concept(text, own, cda, fhir_codes(terms, own, cda))


def from_fhir(terms: Terminology, text: str, codes: Sequence[Code]) -> Concept:
    """The concept of a FHIR element: its codings in their order."""
    own = _local(terms, codes)
    others = tuple(code for code in codes if code.system != terms.local_system)
    return Concept(text, own, cda_code(terms, own, others), others)


def fhir_codes(terms: Terminology, own: Code | None, cda: Code | None) -> tuple[Code, ...]:
    """The FHIR codes of a concept known by its local code and its CDA code."""
    known = _measure(terms, own)
    if known is not None and cda == known.cda:
        return known.fhir
    return (cda,) if cda is not None else ()


def cda_code(terms: Terminology, own: Code | None, fhir: tuple[Code, ...]) -> Code | None:
    """The CDA code of a concept known by its local code and its FHIR codes."""
    known = _measure(terms, own)
    if known is not None and fhir == known.fhir:
        return known.cda
    return fhir[0] if fhir else None


def _imposed(terms: Terminology, own: Code | None, fixed: Code) -> list[Code]:
    known = _measure(terms, own)
    if known is None:
        return [fixed]
    return [known.cda] if known.cda is not None else []


def _measure(terms: Terminology, own: Code | None) -> MeasureDef | None:
    return terms.measure(own.code) if own is not None else None


def _local(terms: Terminology, codes: Sequence[Code]) -> Code | None:
    return next((code for code in codes if code.system == terms.local_system), None)
