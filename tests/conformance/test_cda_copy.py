"""The PDF joined to the CDA as a copy: accepted by the official suites, carried exactly, read back as a copy."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from typing import Any

from lxml import etree

from gateway import terminology
from gateway.read import cda as reader
from gateway.render import cda, pdf
from gateway.validate import preflight
from tests.conformance.test_cda_kit import CASES, built

V3 = {"h": "urn:hl7-org:v3"}
TERMS = terminology.load()


def test_the_copy_passes_the_suites_and_is_the_pdf(kitcheck: Callable[[bytes], list[Any]]) -> None:
    document = built(CASES[0])
    page = pdf.render(document)
    made = cda.render(document, TERMS, pdf=page)
    assert made == cda.render(document, TERMS, pdf=page)
    assert kitcheck(made) == []
    assert [f for f in preflight.check(made, TERMS) if f.severity == "error"] == []
    [value] = etree.fromstring(made).xpath("//h:observationMedia/h:value", namespaces=V3)
    assert b64decode(value.text) == page


def test_the_copy_is_read_back_as_an_attachment_and_the_document_as_it_was() -> None:
    document = built(CASES[0])
    page = pdf.render(document)
    plain = reader.read(cda.render(document, TERMS), TERMS)
    copied = reader.read(cda.render(document, TERMS, pdf=page), TERMS)
    assert copied.document == plain.document
    assert [one.data for one in copied.attachments] == [page]
    assert plain.attachments == ()
