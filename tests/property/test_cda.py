"""Any text that XML can hold renders to well-formed XML and comes back equal; any bytes at all are only findings."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.document.model import ClinicalDocument, Concept, GoalEntry, Items, Paragraph, ProblemEntry, Span, Table
from gateway.render.cda import render
from gateway.validate import preflight
from gateway.validate.ucum import is_unit
from tests.unit.render_cda import samples
from tests.unit.render_cda.samples import measure, section

NS = {"c": "urn:hl7-org:v3"}
HOSTILE = ("]]>", "<!--", "&amp;", "&", "<", ">", '"', "'", "<b/>", "<?x?>", "\n", "\t", "é", "𝒳", "\u202e", "\u00a0")
# What a record may hold (gateway.records.base): no control character but line feed and tab.
PIECES = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\ufffe\uffff"), max_size=20),
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)


def reading(element: etree._Element) -> str:
    """The text of a piece of narrative, with its line breaks."""
    text = element.text or ""
    for item in element:
        text += "\n" if str(item.tag).endswith("}br") else reading(item)
        text += item.tail or ""
    return text


def rendered(*sections: object) -> etree._Element:
    document = ClinicalDocument(samples.HEADER, sections)  # type: ignore[arg-type]
    return etree.fromstring(render(document, samples.TERMS))


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_narrative_comes_back_equal(paragraph: str, item: str, column: str, cell: str) -> None:
    root = rendered(
        section(
            "comment",
            Paragraph(Span(paragraph, "p")),
            Items((Span(item, "i"),)),
            Table((column,), ((Span(cell, "c"),),)),
        )
    )
    found = {str(e.get("ID")): reading(e) for e in root.iter("{urn:hl7-org:v3}content")}
    assert found == {"p": paragraph, "i": item, "c": cell}
    head = root.find(".//c:th", NS)
    assert head is not None
    assert reading(head) == column


@given(TEXTS, TEXTS, TEXTS)
def test_entries_keep_their_words(goal: str, note: str, raw: str) -> None:
    root = rendered(
        section("care_plan", Paragraph(Span("g", "g")), entries=(GoalEntry("g", goal, samples.NOW.date()),)),
        section(
            "problems", Paragraph(Span("p", "p")), entries=(ProblemEntry("p", Concept(goal), "active", note=note),)
        ),
        section(
            "results", Paragraph(Span("r", "r")), entries=(measure("r", "mrc", "result", "4", "{score}", raw=raw),)
        ),
    )

    def one(path: str) -> str:
        element = root.find(path, NS)
        assert element is not None
        return element.text or ""

    assert one(".//c:observation[@moodCode='GOL']/c:value") == goal
    assert one(".//c:act//c:act/c:text") == note
    assert one(".//c:entryRelationship[@typeCode='COMP']//c:value") == raw


@given(TEXTS)
def test_names_and_addresses_keep_their_words(text: str) -> None:
    person = replace(samples.PATIENT, birth_family=text, first_given=text)
    header = replace(samples.HEADER, patient=person, title=text or "x")
    root = etree.fromstring(render(ClinicalDocument(header, ()), samples.TERMS))
    family = root.find(".//c:patient/c:name/c:family", NS)
    assert family is not None
    assert (family.text or "") == text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**8), max_value=10**8, places=4))
def test_numbers_keep_their_value(value: Decimal) -> None:
    root = rendered(
        section("results", Paragraph(Span("r", "r")), entries=(measure("r", "x", "result", str(value), "cm"),))
    )
    element = root.find(".//c:observation/c:value", NS)
    assert element is not None
    text = str(element.get("value"))
    assert "E" not in text
    assert Decimal(text) == value


@given(st.binary(max_size=300))
def test_the_preflight_never_raises_on_bytes(data: bytes) -> None:
    assert preflight.check(data, samples.TERMS)


SOUND = render(samples.full(), samples.TERMS)


@given(st.integers(0, len(SOUND) - 1), st.integers(0, 400), st.binary(max_size=12))
def test_the_preflight_never_raises_on_a_damaged_document(start: int, length: int, put: bytes) -> None:
    preflight.check(SOUND[:start] + put + SOUND[start + length :], samples.TERMS)


@given(st.integers(0, 10**6), st.text(max_size=10))
def test_the_preflight_never_raises_on_a_document_with_a_piece_changed(seed: int, text: str) -> None:
    root = etree.fromstring(SOUND)
    elements = list(root.iter(etree.Element))
    element = elements[seed % len(elements)]
    names = sorted(str(name) for name in element.attrib)
    clean = "".join(c for c in text if c.isprintable())
    if names:
        element.set(names[seed % len(names)], clean)
    elif (parent := element.getparent()) is not None:
        parent.remove(element)
    preflight.check(etree.tostring(root, encoding="UTF-8"), samples.TERMS)


@given(st.text(max_size=30))
def test_the_unit_check_never_raises(text: str) -> None:
    assert is_unit(text) in {True, False}
