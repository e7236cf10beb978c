"""The DMP's browser page: what it shows, that nothing of a document becomes markup, and that it never fails."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree, html

from gateway.sandbox.dmp.page.narrative import pdf_of, render
from gateway.sandbox.dmp.page.server import Reply, answer
from gateway.sandbox.xml import XmlError

from . import builders as b
from .conftest import Dmp, outcome
from .operations import fed, leaf_of, retrieve, send, status_change, visibility_change
from .queries import build, get

EVIL = "<script>alert(1)</script>\"'&"
PDF = b"%PDF-1.4 essai"


def see(dmp: Dmp, *steps: str) -> Reply:
    return answer(dmp.store, "/dmp/" + "/".join(quote(step, safe="") for step in steps))


def shown(dmp: Dmp, *steps: str) -> html.HtmlElement:
    reply = see(dmp, *steps)
    assert (reply.status, reply.content_type) == (200, "text/html; charset=utf-8")
    tree = html.document_fromstring(reply.body.decode())
    _safe(tree)
    return tree


def _safe(tree: html.HtmlElement) -> None:
    """No script, no form, no event, no address but this site's."""
    assert not tree.xpath("//script | //style | //form | //iframe | //object | //embed | //img | //base")
    assert not [name for item in tree.iter() for name in item.attrib if name.startswith("on") or name == "style"]
    for item, _, target, _ in tree.iterlinks():
        assert target.startswith(("/dmp/", "#contenu", "data:,")), (item, target)
    assert tree.xpath("string(/html/@lang)") == "fr"
    assert tree.xpath("count(//main) = 1 and count(//h1) = 1")


def words(tree: html.HtmlElement) -> str:
    return " ".join(tree.text_content().split())


def actions(dmp: Dmp, unique_id: str) -> list[str]:
    """What the page of a document offers to do with it."""
    return [str(item.text_content()) for item in shown(dmp, "document", unique_id).xpath("//ul[@class='actions']/li")]


def section(text: str, title: str = "Conclusion") -> Any:
    """Replace the narrative of the builder's only section."""

    def act(root: b.E) -> None:
        [found] = root.iter(f"{{{b.HL7}}}section")
        for item in list(found):
            found.remove(item)
        etree.SubElement(found, f"{{{b.HL7}}}title").text = title
        found.append(etree.fromstring(f'<text xmlns="{b.HL7}">{text}</text>'))

    return act


# --------------------------------------------------------------------------------------------------- what it shows


def test_the_patients(dmp: Dmp) -> None:
    fed(dmp)
    dmp.view.set_patient("277076322082910", b.INS_OID, status="closed", authorisation="INTERDITE")
    tree = shown(dmp, "")
    rows = [[cell.text_content() for cell in row.iter("td")] for row in tree.iter("tr")][1:]
    assert [row[:5] for row in rows] == [
        ["277076322082910", "", "Fermé", "INTERDITE", "0"],
        [b.INS, "PAT-TROIS DOMINIQUE", "Ouvert", "VALIDE", "1"],
    ]
    assert {target for *_, target, _ in tree.iterlinks()} >= {f"/dmp/patient/{b.INS}/{b.INS_OID}", "/dmp/echanges"}


def test_an_empty_dmp_says_so(dmp: Dmp) -> None:
    assert "Tous les patients : rien pour le moment." in words(shown(dmp, ""))


def test_a_patient_a_document_its_versions_and_its_set(dmp: Dmp) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    answer_ = send(dmp, visibility_change(dmp.draft(mode="DIRECTE"), leaf_of(dmp, draft.document_id), ["MASQUE_PS"]))
    assert outcome(answer_) == ("Success",)
    target = dmp.store.by_unique_id(draft.document_id)[0].entry_uuid
    assert outcome(send(dmp, status_change(dmp.draft(mode="DIRECTE"), target))) == ("Success",)
    patient = words(shown(dmp, "patient", b.INS, b.INS_OID))
    assert "Bilan initial" in patient
    assert "Archivé" in patient
    assert "Masqué aux professionnels" in patient
    assert patient.count("Mise à jour") == 2
    document = shown(dmp, "document", draft.document_id)
    versions = [[cell.text_content() for cell in row.iter("td")][:3] for row in document.iter("tr")][1:3]
    assert versions == [["1", "Ancienne version", "Visible"], ["2", "Archivé", "Masqué aux professionnels"]]
    assert "change le statut de" in words(document)
    assert "contient" in words(shown(dmp, "lot", draft.set_id))


def test_every_link_leads_somewhere(dmp: Dmp) -> None:
    draft, _ = fed(dmp, mode="DIRECTE", pdf=PDF)
    send(dmp, build(dmp.draft(mode="DIRECTE"), get(draft.document_id)))
    send(dmp, retrieve(dmp.draft(mode="DIRECTE"), draft.document_id))
    todo, done = ["/dmp/"], set()
    while todo:
        path = todo.pop()
        if path in done or path.startswith(("#", "data:")):
            continue
        done.add(path)
        reply = answer(dmp.store, path)
        assert reply.status == 200, path
        if reply.content_type.startswith("text/html"):
            tree = html.document_fromstring(reply.body.decode())
            _safe(tree)
            todo += [target for *_, target, _ in tree.iterlinks()]
    assert len(done) > 15


def test_the_pdf_of_a_level_1_and_the_copy_of_a_level_3(dmp: Dmp) -> None:
    first, _ = fed(dmp, pdf=PDF)
    assert see(dmp, "document", first.document_id, "pdf") == Reply(200, "application/pdf", PDF)

    def with_copy(root: b.E) -> None:
        [found] = root.iter(f"{{{b.HL7}}}section")
        media = etree.SubElement(etree.SubElement(found, f"{{{b.HL7}}}entry"), f"{{{b.HL7}}}observationMedia")
        value = etree.SubElement(media, f"{{{b.HL7}}}value", mediaType="application/pdf", representation="B64")
        value.text = b.base64.b64encode(PDF).decode()  # type: ignore[attr-defined]

    second, _ = fed(dmp, edits={"cda": with_copy})
    assert see(dmp, "document", second.document_id, "pdf").body == PDF
    assert "PDF" in actions(dmp, second.document_id)
    third, _ = fed(dmp)
    assert see(dmp, "document", third.document_id, "pdf").status == 404
    assert actions(dmp, third.document_id) == ["Lire le document", "XML", "Échanges"]


# --------------------------------------------------------------------------------------------------- narrative


def test_the_narrative_is_shown_with_its_shape(dmp: Dmp) -> None:
    text = (
        "<paragraph>Marche <content styleCode='Bold Italics'>très</content> lente</paragraph>"
        "<list listType='ordered'><item>un</item><item>deux</item></list>"
        "<table><thead><tr><th colspan='2'>Mesure</th></tr></thead><tbody><tr><td>EVA</td><td>4<sub>/10</sub></td></tr>"
        "</tbody></table>fin<br/>suite"
    )
    draft, _ = fed(dmp, edits={"cda": section(text)})
    tree = shown(dmp, "document", draft.document_id, "contenu")
    [found] = tree.xpath("//main/section")
    inside = etree.tostring(found, encoding="unicode")
    for piece in (
        "<h2>Conclusion</h2>",
        "<p>Marche <span><strong><em>très</em></strong></span> lente</p>",
        "<ol><li>un</li><li>deux</li></ol>",
        '<th colspan="2">Mesure</th>',
        "4<sub>/10</sub>",
        "fin<br/>suite",
    ):
        assert piece in inside
    assert "TESTOU" in words(tree)
    assert "Né(e) le28/03/1979" in words(tree)


@pytest.mark.parametrize(
    "text",
    [
        "<linkHtml href='https://elsewhere.example/'>ici</linkHtml>",
        "<linkHtml href='javascript:alert(1)'>ici</linkHtml>",
        "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>alert(1)</x:script>",
        "<content onclick='alert(1)' style='position:fixed'>ici</content>",
        "<renderMultiMedia referencedObject='https://elsewhere.example/x.png'/>",
        "<td colspan='2&quot; onmouseover=&quot;x'>ici</td>",
        "<paragraph>&lt;script&gt;alert(1)&lt;/script&gt;</paragraph>",
        "<script>alert(1)</script>",
    ],
)
def test_nothing_of_a_document_becomes_active(dmp: Dmp, text: str) -> None:
    draft, _ = fed(dmp, edits={"cda": section(text, title=EVIL)})
    tree = shown(dmp, "document", draft.document_id, "contenu")
    assert EVIL in tree.text_content()
    shown(dmp, "document", draft.document_id, "xml")


def test_a_title_that_looks_like_markup_is_a_text_everywhere(dmp: Dmp) -> None:
    def retitle(root: b.E) -> None:
        for item in root.iter(f"{{{b.HL7}}}title"):
            item.text = EVIL

    def rename(root: b.E) -> None:
        for item in root.iter(f"{{{b.RIM}}}LocalizedString"):
            if item.get("value") == "Bilan initial":
                item.set("value", EVIL)

    draft, _ = fed(dmp, mode="DIRECTE", edits={"cda": retitle, "metadata": rename})
    steps: tuple[tuple[str, ...], ...] = (
        ("patient", b.INS, b.INS_OID),
        ("document", draft.document_id),
        ("lot", draft.set_id),
        ("echanges",),
        ("echange", "1"),
    )
    for path in steps:
        assert ("alert(1)" in shown(dmp, *path).text_content()) is (path[0] != "echanges")


@pytest.mark.parametrize("data", [b"", b"<a/>", b"\x00", b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>"])
def test_what_is_not_a_document_is_said(data: bytes) -> None:
    with pytest.raises(XmlError):
        render(data)
    with pytest.raises(XmlError):
        pdf_of(data)


def test_deep_nesting_is_flattened(dmp: Dmp) -> None:
    deep = "<content>" * 200 + "fond" + "</content>" * 200
    draft, _ = fed(dmp, edits={"cda": section(deep)})
    assert "fond" in words(shown(dmp, "document", draft.document_id, "contenu"))


# --------------------------------------------------------------------------------------------------- exchanges


def test_an_exchange_is_shown_part_by_part(dmp: Dmp) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    text = shown(dmp, "echange", "1").text_content()
    assert "multipart/related" in text
    assert "ProvideAndRegisterDocumentSetRequest" in text
    assert "ClinicalDocument" in text
    assert "ResponseStatusType:Success" in text
    assert "content-id: <doc1@essai>" in text
    rows = shown(dmp, "echanges", draft.document_id).xpath("//tbody/tr")
    assert len(rows) == 1


def test_a_body_that_is_no_mime_is_shown_as_it_is(dmp: Dmp) -> None:
    built = retrieve(dmp.draft(mode="DIRECTE"), "2.25.1")
    kind = 'multipart/related; boundary="x"'
    dmp.send(b.Built(built.path, kind, b"\x00<b>\xff", b"", b"", built.assertion, b""), dmp.pki.personal_auth)
    assert "Corps illisible" in shown(dmp, "echange", "1").text_content()


# --------------------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "path",
    [
        "/dmp/x",
        "/dmp/patient/1/2",
        "/dmp/document/2.25.1",
        "/dmp/document/2.25.1/xml",
        "/dmp/lot/1",
        "/dmp/echange/1",
        "/dmp/echange/x",
        "/dmp/echange/0",
        "/dmp/echange/" + "9" * 40,
        "/etc/passwd",
        "/dmp/../schema.sql",
        "*",
    ],
)
def test_an_address_of_nothing(dmp: Dmp, path: str) -> None:
    reply = answer(dmp.store, path)
    assert reply.status == 404
    _safe(html.document_fromstring(reply.body.decode()))


def test_the_root_leads_to_the_page(dmp: Dmp) -> None:
    for path in ("/", "/dmp"):
        assert (answer(dmp.store, path).status, answer(dmp.store, path).location) == (302, "/dmp/")


@settings(max_examples=100, deadline=None)
@given(path=st.text(max_size=40))
def test_no_address_breaks_the_page(shared_dmp: Dmp, path: str) -> None:
    for start in ("/dmp/", "/dmp/document/", "/dmp/echanges/", ""):
        assert answer(shared_dmp.store, start + quote(path, safe="/%?#&;")).status in {200, 302, 404}
