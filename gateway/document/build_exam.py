"""The physical examination: what was seen, felt or provoked, by part of the body."""

from __future__ import annotations

from gateway.document import build_words as words
from gateway.document.build_frame import Frame, items
from gateway.document.model import Code, Concept, Section, Span, StatementEntry
from gateway.records.clinical import Coding, ExamDomain, ExamFinding
from gateway.terminology import Terminology

_SECTIONS = {
    ExamDomain.GENERAL: "exam_general",
    ExamDomain.MUSCULOSKELETAL: "exam_musculoskeletal",
    ExamDomain.LIMBS: "exam_limbs",
    ExamDomain.NERVOUS: "exam_nervous",
}


def physical_exam(frame: Frame) -> Section | None:
    """The coded physical examination, one subsection for each part that was examined."""
    listed = list(enumerate(frame.clinical.examination, start=1))
    parts = []
    for domain, key in _SECTIONS.items():
        chosen = [(place, one) for place, one in listed if one.domain is domain]
        spans = [Span(_text(frame, one), f"examen-{place}") for place, one in chosen]
        parts.append(frame.section(key, (items(spans),), [_entry(frame, place, one) for place, one in chosen]))
    return frame.section("physical_exam", (), (), parts)


def coded(coding: Coding | None, terms: Terminology) -> Code | None:
    """A code typed by the user goes as it was typed, with its own label."""
    return None if coding is None else Code(coding.code, terms.oids[coding.system], coding.label)


def _text(frame: Frame, found: ExamFinding) -> str:
    place = words.where(found, frame.terms)
    method = frame.terms.label("exam_method", found.method)
    code = f"{found.code.system} {found.code.code} : {found.code.label}" if found.code else None
    shown = f"{found.text} ({code})" if code else found.text
    return f"{method} ({place}) : {shown}" if place else f"{method} : {shown}"


def _entry(frame: Frame, place: int, found: ExamFinding) -> StatementEntry:
    """The finding under the way it was made; its place stands in its words, which any target can carry."""
    method = frame.terms.local(f"exam_method.{found.method}", frame.terms.label("exam_method", found.method))
    code = coded(found.code, frame.terms)
    where = words.where(found, frame.terms)
    value = Concept(f"{where} : {found.text}" if where else found.text, None, code, (code,) if code else ())
    return StatementEntry(f"examen-{place}", method, value, frame.at)
