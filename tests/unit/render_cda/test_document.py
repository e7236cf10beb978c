"""The whole rendering: bytes, narrative, errors."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from lxml import etree

from gateway.document.model import ClinicalDocument, Items, Paragraph, Span, Table
from gateway.errors import MappingError, RenderError
from gateway.render.cda import profile, render
from gateway.render.cda.xml import timestamp
from tests.unit.render_cda import samples
from tests.unit.render_cda.samples import section

NS = {"c": "urn:hl7-org:v3"}


def text_of(*blocks: object) -> etree._Element:
    document = ClinicalDocument(samples.HEADER, (section("comment", *blocks),))
    found = etree.fromstring(render(document, samples.TERMS)).find(".//c:section/c:text", NS)
    assert found is not None
    return found


def test_the_same_bytes_twice_utf_8_without_bom() -> None:
    cda = render(samples.full(), samples.TERMS)
    assert cda == render(samples.full(), samples.TERMS)
    assert cda.startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n<ClinicalDocument ")
    assert "Résultats d'examens" in cda.decode("utf-8")
    assert etree.fromstring(cda).nsmap == {
        None: "urn:hl7-org:v3",
        "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    }


def test_blocks() -> None:
    text = text_of(
        Paragraph(Span("a\nb", "p")),
        Items((Span("x", "i"), Span("y"))),
        Table(("A", "B"), ((Span("1", "c1"), Span("2\n3")),), "Légende\nlongue"),
    )
    assert [etree.QName(item).localname for item in text] == ["paragraph", "list", "table"]
    content = text.find("c:paragraph/c:content", NS)
    assert content is not None
    assert content.get("ID") == "p"
    assert etree.tostring(content, encoding="unicode").count("br") == 1
    assert [item.text for item in text.findall(".//c:th", NS)] == ["A", "B"]
    caption = text.find(".//c:caption", NS)
    assert caption is not None
    assert caption.text == "Légende longue"


def test_a_list_or_table_without_content_stays_valid() -> None:
    text = text_of(Items(()), Table(("A", "B"), (), "Mesures"))
    assert "".join(text.itertext()) == "Mesures - A - B"


@pytest.mark.parametrize("text", ["\x00", "\x0b", "\ud800", "\ufffe"])
def test_what_xml_cannot_hold_is_refused_not_dropped(text: str) -> None:
    with pytest.raises(RenderError) as refused:
        text_of(Paragraph(Span(f"a{text}b")))
    assert refused.value.code == "CDA-R01"


def test_an_unmapped_section_is_refused() -> None:
    row = section("comment")
    alien = type(row)("nowhere", row.code, row.title, ())
    with pytest.raises(MappingError):
        render(ClinicalDocument(samples.HEADER, (alien,)), samples.TERMS)


def test_timestamps() -> None:
    assert timestamp(date(2026, 1, 5)) == "20260105"
    assert timestamp(date(79, 1, 5)) == "00790105"
    assert timestamp(datetime(2026, 1, 5, 9, 30, 1, 999999, UTC)) == "20260105093001+0000"
    assert timestamp(datetime(2026, 1, 5, 9, 30, tzinfo=timezone(-timedelta(hours=4)))) == "20260105093000-0400"
    assert timestamp(datetime(79, 1, 5, tzinfo=UTC)) == "00790105000000+0000"
    paris = timezone(timedelta(minutes=9, seconds=21))  # local mean time: the format has no seconds
    assert timestamp(datetime(1900, 1, 1, tzinfo=paris)) == "19000101000000+0009"
    with pytest.raises(ValueError, match="zone"):
        timestamp(datetime(2026, 1, 5, 9, 30))  # noqa: DTZ001 - that is the point


def test_the_two_tables_of_section_templates_agree() -> None:
    """mappings/sections.toml says what to write, mappings/cda.toml what each French template comes with."""
    rules = {rule.fr: rule for rule in profile.load().sections}
    for key in (*samples.KEYS, "pain", "physical_function"):
        known = samples.TERMS.section(key)
        *parents, french = known.cda_templates
        assert rules[french].parents == tuple(parents), key
        assert rules[french].code == known.code.code, key
        if known.cda_templates_uncoded:
            assert rules[french].plain == known.cda_templates_uncoded, key
