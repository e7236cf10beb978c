from __future__ import annotations

import dataclasses
import io
import re
import unicodedata
from datetime import date
from typing import Any

import pikepdf
import pypdf
import pytest

from gateway import terminology
from gateway.document import model
from gateway.errors import RenderError
from gateway.render.pdf import compile_view, render
from gateway.render.pdf.blocks import weights
from gateway.render.pdf.compiler import view
from gateway.render.pdf.front import alerts, versions
from gateway.render.pdf.legible import clip, legible, long_date, moment, wording
from gateway.render.pdf.people import age, contact
from gateway.render.pdf.rows import Row, shorten, summary_rows, value
from tests.unit.render_samples import HOSTILE, NOW, PATIENT, assessment, measure, summary

TERMS = terminology.load()
DOCUMENTS = [assessment(), summary()]


def pages(pdf: bytes) -> list[str]:
    """Text of each page; line breaks are the layout's, not the author's."""
    found = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]
    return [unicodedata.normalize("NFC", text) for text in found]


def squeezed(text: str) -> str:
    """Without spaces and hyphenation, to compare text whatever its line breaks."""
    return re.sub(r"[\s\u200b\u2010-]+", "", text)


def with_header(document: model.ClinicalDocument, **changes: Any) -> model.ClinicalDocument:
    return dataclasses.replace(document, header=dataclasses.replace(document.header, **changes))


def with_patient(document: model.ClinicalDocument, **changes: Any) -> model.ClinicalDocument:
    return with_header(document, patient=dataclasses.replace(document.header.patient, **changes))


def with_section(
    *blocks: model.Block, entries: tuple[model.Entry, ...] = (), key: str = "reason"
) -> model.ClinicalDocument:
    section = dataclasses.replace(assessment().sections[0], key=key, blocks=blocks, entries=entries)
    return dataclasses.replace(assessment(), sections=(section,))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_same_document_same_bytes(document: model.ClinicalDocument) -> None:
    first = render(document, TERMS)
    render(DOCUMENTS[0], TERMS)  # the kept compiler has no memory that shows
    assert render(document, TERMS) == first


@pytest.mark.parametrize("document", DOCUMENTS)
def test_it_is_marked_as_pdf_a_1b_and_keeps_its_promises(document: model.ClinicalDocument) -> None:
    data = render(document, TERMS)
    assert len(data) < 200_000
    with pikepdf.open(io.BytesIO(data)) as pdf:
        assert not pdf.is_encrypted
        with pdf.open_metadata() as metadata:
            assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("1", "B")
        assert pdf.Root.OutputIntents[0].DestOutputProfile.read_bytes()
        for page in pdf.pages:
            assert "/Group" not in page
            for font in page.Resources.Font.values():
                assert embedded(font)


def embedded(font: Any) -> bool:
    descriptor = font.DescendantFonts[0].FontDescriptor if "/DescendantFonts" in font else font.FontDescriptor
    return any(key in descriptor for key in ("/FontFile", "/FontFile2", "/FontFile3"))


def test_the_date_of_the_file_is_the_documents() -> None:
    with pikepdf.open(io.BytesIO(render(assessment(), TERMS))) as pdf:
        assert str(pdf.docinfo["/CreationDate"]).startswith("D:20260105133000")  # 14:30 in Paris
        assert str(pdf.docinfo["/Title"]) == "Bilan initial de kinésithérapie"


def test_first_page_tells_who_to_whom_and_what() -> None:
    front = pages(render(assessment(), TERMS))[0]
    for words in (
        "Bilan initial de kinésithérapie", "5 janvier 2026", "Maëlys LE GOFF-ESSAI", "née le 14 mars 2001", "24 ans",
        "201032227890155", "INS de test", "Gwenaël TESTOU", "99700001011", "Masseur-Kinésithérapeute",
        "Cabinet de kinésithérapie FICTIF", "3, place du Cœur, 22000 Saint-Brieuc", "Dr Hélène MODELE",
        "médecin traitant", "Reprise du handball", "01/03/2026", "6/10", "51,20", "D 12,5°",
    ):  # fmt: skip
        assert squeezed(words) in squeezed(front), words


def test_a_summary_compares_initial_and_final() -> None:
    # Small capitals: readers of a PDF disagree on the case of their letters.
    front = squeezed(pages(render(summary(), TERMS))[0])
    assert squeezed("Douleur, échelle numérique 6/10 2/10 −4 · amélioration") in front
    assert front.index("Réorientation") < front.casefold().index("mesures")
    assert squeezed("Réorientation sous 24 heures : médecin traitant (05/01/2026)") in front
    assert squeezed("Événement indésirable (05/01/2026, sévérité modérée) : chute") in front
    assert squeezed("Marcher 500 m (échéance 05/01/2026, atteint)") in front


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_whole_narrative_follows_word_for_word_and_in_order(document: model.ClinicalDocument) -> None:
    rest = squeezed("".join(without_margins(pages(render(document, TERMS))[1:])))
    place = 0
    for text in narrative(document):
        place = rest.index(squeezed(text), place) + len(squeezed(text))


def without_margins(texts: list[str]) -> list[str]:
    """Page texts without the running header and footer, where a paragraph may go on from page to page."""
    return [
        re.sub(r"^(?:[^\n]*\n)?5 janvier 2026\n|LE GOFF-ESSAI MAELYS, née le 14/03/2001[\s\S]*$", "", text)
        for text in texts
    ]


def narrative(document: model.ClinicalDocument) -> list[str]:
    found = []
    for section in document.walk():
        found.append(section.title)
        for block in section.blocks:
            match block:
                case model.Paragraph(span):
                    found.append(span.text)
                case model.Items(items):
                    found += [item.text for item in items]
                case model.Table():
                    found += [block.caption or "", *block.columns, *(cell.text for row in block.rows for cell in row)]
    return found


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_page_says_whose_it_is(document: model.ClinicalDocument) -> None:
    found = pages(render(document, TERMS))
    for index, text in enumerate(found, start=1):
        assert "LE GOFF-ESSAI MAELYS, née le 14/03/2001" in text
        assert f"page {index}/{len(found)}" in text
        assert f"Document {document.header.id} · version 1" in text


def test_hostile_text_is_shown_as_it_was_typed() -> None:
    for text in pages(render(assessment(), TERMS)):
        assert squeezed(HOSTILE) in squeezed(text)


@pytest.mark.parametrize("place", ["name", "title", "cell", "item", "goal"])
def test_hostile_text_anywhere_is_only_text(place: str) -> None:
    document = {
        "name": with_patient(assessment(), used_family=HOSTILE, birth_family=HOSTILE),
        "title": with_header(assessment(), title=HOSTILE),
        "cell": with_section(model.Table((HOSTILE, "b"), ((model.Span(HOSTILE), model.Span("x")),), HOSTILE)),
        "item": with_section(model.Items((model.Span(HOSTILE),))),
        "goal": with_section(entries=(model.GoalEntry("g", HOSTILE, NOW.date()),), key="plan"),
    }[place]
    assert squeezed(HOSTILE).casefold() in squeezed("".join(pages(render(document, TERMS)))).casefold()


def test_what_is_not_known_leaves_neither_hole_nor_label() -> None:
    document = with_patient(
        assessment(), ins=None, local_ids=(), used_family=None, used_given=None, birth_place_cog=None,
        birth_place_name=None, address=None, telecoms=(),
    )  # fmt: skip
    document = with_header(document, addressees=(), medecin_traitant=None)
    document = dataclasses.replace(document, sections=document.sections[:1])
    text = squeezed("".join(pages(render(document, TERMS))))
    for label in ("INS", "Objectifs", "Mesures", "Àlired'abord", "Identifiantslocaux", "Adressedupatient", "None", "–"):
        assert squeezed(label).casefold() not in text.casefold(), label
    assert squeezed("aucun professionnel désigné") in text
    assert squeezed("née le 14 mars 2001, 24 ans") in text


@pytest.mark.parametrize("kind", ["assessment", "treatment_summary"])
def test_the_first_page_never_overflows(kind: str) -> None:
    longest = "Wm" * 40 + " " + "mot assez long " * 600
    entries = [measure(f"m{n}", f"code_{n}", "result", f"{n}.5", "deg", context="debout " * 20) for n in range(300)]
    referral = model.ReferralEntry("r", longest[:500], NOW.date(), longest, "urgence")
    goals = [model.GoalEntry(f"g{n}", longest, NOW.date()) for n in range(40)]
    document = with_section(model.Paragraph(model.Span(longest)), entries=(*entries, referral, *goals))
    header = document.header
    crowd = tuple(dataclasses.replace(header.addressees[0], role=longest[:500]) for _ in range(10))
    document = with_header(
        with_patient(document, used_family=longest[:500]), addressees=crowd, kind=kind, title=longest[:200]
    )
    found = pages(render(document, TERMS))
    # The page of the narrative opens with its own heading: what stands before is one page.
    assert "Document complet" not in found[0]
    assert "Document complet" in found[1]
    assert squeezed("dans le document complet") in squeezed(found[0])
    assert len(found) < 40


def test_an_identification_longer_than_a_page_loses_nothing() -> None:
    header = assessment().header
    crowd = tuple(dataclasses.replace(header.addressees[0], role=f"rôle {n} " + "long " * 90) for n in range(10))
    text = squeezed("".join(pages(render(with_header(assessment(), addressees=crowd), TERMS))))
    # A row may go on to the next page: its words are counted.
    assert all(f"rôle{n}long" in text for n in range(10))
    assert re.split("identificationdudocument", text, flags=re.IGNORECASE)[1].count("long") == 900


def test_three_hundred_measures_flow_over_pages() -> None:
    rows = tuple((model.Span(f"Mesure {n}"), model.Span(f"{n},5 °")) for n in range(300))
    data = render(with_section(model.Table(("Mesure", "Valeur"), rows)), TERMS)
    text = squeezed("".join(pages(data)))
    assert all(squeezed(f"Mesure {n} {n},5 °") in text for n in range(300))
    assert len(data) < 200_000


def test_characters_without_a_glyph_are_shown_by_their_code() -> None:
    document = with_section(model.Paragraph(model.Span("avant 中 😀 \u202eévéné\u200d après")))
    text = squeezed(pages(render(document, TERMS))[1])
    assert "avant[U+4E2D][U+1F600][U+202E]événé[U+200D]après" in text


def test_every_character_said_to_be_shown_has_a_glyph() -> None:
    import tomllib

    from gateway import resources

    shown = tomllib.loads(resources.read_text("mappings", "pdf", "glyphs.toml"))["shown"]
    ends = [tuple(int(end, 16) for end in item.split("-")) for item in shown]
    characters = [chr(number) for first, last in ends for number in range(first, last + 1)]
    assert len(characters) > 3000
    assert set("éèêëàâäîïôöùûüÿçœæŒÆŸÀÉÈÇ’«»…–—−≥≤°µ²½€№ñãßłśžđğşı") <= set(characters)
    # Combining marks would join their neighbours: a base letter stands before each.
    text = " ".join(f"a{one}" if unicodedata.combining(one) else one for one in characters)
    assert not missing_glyphs(render(with_section(model.Paragraph(model.Span(text))), TERMS))


def test_the_probe_for_missing_glyphs_sees_one() -> None:
    value_with_hole = view(with_section(model.Paragraph(model.Span("x"))), TERMS)
    value_with_hole["sections"][0]["blocks"] = [{"kind": "text", "text": "中"}]
    assert missing_glyphs(compile_view(value_with_hole, NOW))


def missing_glyphs(data: bytes) -> int:
    """How often glyph 0 (`.notdef`) is drawn."""
    count = 0
    with pikepdf.open(io.BytesIO(data)) as pdf:
        for page in pdf.pages:
            for operands, operator in pikepdf.parse_content_stream(page):
                if str(operator) in {"Tj", "TJ"}:
                    pieces = operands[0] if str(operator) == "TJ" else operands
                    for piece in pieces:
                        if isinstance(piece, pikepdf.String):
                            raw = bytes(piece)
                            count += sum(raw[at : at + 2] == b"\0\0" for at in range(0, len(raw), 2))
    return count


def test_a_template_that_fails_is_a_render_error() -> None:
    with pytest.raises(RenderError, match="REN-031"):
        compile_view({"words": {}}, NOW)


def test_alerts_stand_in_order_of_urgency() -> None:
    statement = model.StatementEntry(
        "s",
        model.Concept("Drapeaux rouges"),
        model.Concept("Urgence", model.Code("red_flag_decision.urgence", "x", "Urgence")),
        NOW,
    )
    event = model.AdverseEventEntry("e", "1", NOW.date(), "chute", "grave")
    referral = model.ReferralEntry("r", "urgences", NOW.date(), "fièvre", "urgence")
    found = alerts(with_section(entries=(event, statement, referral)), TERMS)
    assert [line["title"].split(" ")[0] for line in found] == ["Réorientation", "Événement", "Drapeaux"]
    light = dataclasses.replace(event, severity="legere")
    found = alerts(with_section(entries=(light, event, statement)), TERMS)
    assert ["légère" in line["title"] for line in found] == [False, False, True]
    assert alerts(assessment(), TERMS) == []


def test_an_alarming_decision_brings_the_flags_that_led_to_it() -> None:
    value = model.Concept("urgence", model.Code("red_flag_decision.urgence", "x", "urgence"))
    told = model.Items(
        (model.Span("recherchés"), model.Span("présents : fièvre"), model.Span("Décision", "s"), model.Span("39,5 °C"))
    )
    entry = model.StatementEntry("s", model.Concept("Décision"), value, NOW)
    assert alerts(with_section(told, entries=(entry,)), TERMS) == [
        {"rank": 1, "title": "Décision : urgence", "text": "présents : fièvre · 39,5 °C"}
    ]


def test_why_nothing_could_be_measured_stands_on_the_first_page() -> None:
    told = model.Paragraph(model.Span("Mesures non réalisables : douleur trop forte"))
    assert "douleur trop forte" in pages(render(with_section(told, key="functional_status"), TERMS))[0]
    with_measure = with_section(
        told, entries=(measure("m", "pain_nrs", "pain", "9", "{score}"),), key="functional_status"
    )
    assert "douleur trop forte" not in pages(render(with_measure, TERMS))[0]


def test_sides_of_one_measure_share_a_row() -> None:
    right, left = model.Code("24028007", "x", "droite"), model.Code("7771000", "x", "gauche")
    entries = (
        measure("a", "rom", "result", "5", "deg", side=right),
        measure("b", "rom", "result", "20", "deg", side=left),
        measure("c", "rom", "result", "7", "deg", side=left, context="passif"),
    )
    rows = versions(with_section(entries=entries), TERMS)[0]["measures"]["rows"]
    assert [row["cells"] for row in rows] == [["D 5° · G 20°"], ["G 7°"]]


@pytest.mark.parametrize(
    ("first", "last", "code", "cells", "verdict"),
    [
        ("6", "2", "pain_nrs", ("6/10", "2/10", "−4 · amélioration importante"), "better"),
        ("2", "6.5", "pain_nrs", ("2/10", "6,5/10", "+4,5 · aggravation"), "worse"),
        ("2", "2", "pain_nrs", ("2/10", "2/10", "stable"), "same"),
        ("2", None, "pain_nrs", ("2/10", "–", ""), ""),
        (None, "2", "pain_nrs", ("–", "2/10", ""), ""),
        ("1", "2", "unheard_of", ("1", "2", "+1"), ""),
        ("400", "450", "six_mwt", ("400\u00a0m", "450\u00a0m", "+50 · amélioration importante"), "better"),
    ],
)
def test_better_and_worse(first: str | None, last: str | None, code: str, cells: tuple[str, ...], verdict: str) -> None:
    unit = "m" if code == "six_mwt" else "{score}"
    entries = [measure("a", code, "pain", first, unit, reference="initial")] if first else []
    entries += [measure("b", code, "pain", last, unit)] if last else []
    row = summary_rows(entries, TERMS)[0]
    assert (row.cells, row.verdict) == (cells, verdict)


@pytest.mark.parametrize(
    ("first", "last", "code", "unit", "track"),
    [
        ("6", "2", "pain_nrs", "{score}", (0.4, 0.8)),  # less pain stands further right
        ("2", "3", "mrc", "{score}", (0.4, 0.6)),
        ("300", "500", "six_mwt", "m", (0.5, 0.833)),
        ("10", "-5", "finger_floor", "cm", (0.118, 1.0)),
        ("-5", "-2", "finger_floor", "cm", (1.0, 0.4)),
        ("11", "2", "pain_nrs", "{score}", None),  # off its scale
        ("72", "70", "heart_rate", "/min", None),  # no direction is better
        ("1", "2", "unheard_of", "{score}", None),
        ("2", None, "pain_nrs", "{score}", None),
    ],
)
def test_before_and_after_on_one_scale(
    first: str, last: str | None, code: str, unit: str, track: tuple[float, float] | None
) -> None:
    entries = [measure("a", code, "result", first, unit, reference="initial")]
    entries += [measure("b", code, "result", last, unit)] if last else []
    assert summary_rows(entries, TERMS)[0].track == track


@pytest.mark.parametrize("document", DOCUMENTS)
def test_screen_readers_find_headings_tables_and_the_symbol(document: model.ClinicalDocument) -> None:
    with pikepdf.open(io.BytesIO(render(document, TERMS))) as pdf:
        assert pdf.Root.MarkInfo.Marked
        tags = [str(item.S) for item in pdf.objects if isinstance(item, pikepdf.Dictionary) and "/S" in item]
        figures = [item for item in pdf.objects if isinstance(item, pikepdf.Dictionary) and item.get("/S") == "/Figure"]
        assert ["Datamatrix" in str(figure.get("/Alt")) for figure in figures] == [True]
    assert {"/H1", "/H2", "/Table", "/TH", "/TD", "/L"} <= set(tags)


def test_a_row_stays_whole_unless_it_could_fill_a_page() -> None:
    def table(text: str) -> list[str]:
        rows = tuple((model.Span(f"ligne {n}"), model.Span(text)) for n in range(30))
        block = model.Table(("Nom", "Texte"), rows)
        return pages(render(with_section(block), TERMS))

    for page in table("mot " * 60 + "fin")[1:]:
        assert page.count("ligne ") == page.count("fin")
    assert "".join(table("mot " * 2000 + "fin")).count("fin") >= 30


def test_values_as_a_reader_writes_them() -> None:
    assert value(measure("a", "mrc", "result", "3.5", "{score}", raw="4-"), TERMS) == "4-/5"
    assert value(measure("a", "mrc", "result", None, "{score}", raw="non testé"), TERMS) == "non testé"
    assert value(measure("a", "x", "survey", None, None, answer=model.Code("1", "x", "faible")), TERMS) == "faible"
    assert value(measure("a", "finger_floor", "result", "-3.5", "cm"), TERMS) == "−3,5\u00a0cm"
    assert value(measure("a", "heart_rate", "vital", "72", "/min"), TERMS) == "72\u00a0par minute"


def test_rows_are_left_out_by_importance_and_kept_in_order() -> None:
    rows = [Row("poids", (), 3), Row("flexion", (), 2), Row("lefs", (), 1), Row("douleur", (), 0)]
    assert [row.label for row in shorten(rows, 2)] == ["lefs", "douleur"]
    assert [row.label for row in shorten(rows, 9)] == ["poids", "flexion", "lefs", "douleur"]


def test_french_writing() -> None:
    assert long_date(date(2026, 3, 1)) == "1er mars 2026"
    assert moment(NOW) == "5 janvier 2026 à 14 h 30"
    assert contact(model.Telecom("tel:+33600000001", "MC")) == "06\u202f00\u202f00\u202f00\u202f01"
    assert contact(model.Telecom("mailto:a@b.example", "WP")) == "a@b.example"
    assert [age(date(2000, 2, 29), date(2026, month, 1)) for month in (2, 3)] == [25, 26]


def test_text_is_cut_at_a_word_and_says_so() -> None:
    assert clip("un deux trois", 20) == "un deux trois"
    assert clip("un deux, trois", 10) == "un deux […]"
    assert clip("x" * 50, 10) == "x" * 10 + " […]"


def test_legible_text() -> None:
    assert legible("a\tb\r\nc") == "a    b\nc"
    assert legible("x" * 45) == "\u200b".join(["x" * 12, "x" * 12, "x" * 12, "x" * 9])
    address = "prenom.nom.compose@cabinet-de-kinesitherapie.mssante.example"
    assert legible(address) == address
    assert legible(f"(2.25.{'7' * 39})") == f"(2.25.{'7' * 39})"
    assert legible("\x07") == "[U+0007]"


def test_column_shares_have_bounds() -> None:
    assert weights([["a", "b" * 20, "c" * 900]]) == [8, 20, 48]
    # One long cell among short ones does not take the line.
    assert weights([["b" * 90], *[["b" * 4]] * 29]) == [26]


def test_every_word_of_the_page_is_said_once() -> None:
    assert all(isinstance(text, str) and text for text in wording()["words"].values())
    assert PATIENT.sex.code in wording()["born"]
