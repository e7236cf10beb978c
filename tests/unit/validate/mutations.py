"""One fault each, put into a sound document: what the preflight must see, and whether the official kit sees it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from tests.unit.render_cda import samples

NS = {"c": "urn:hl7-org:v3"}
PDF = b"%PDF-1.4\n1 0 obj\n<< >>\nendobj\ntrailer\n<< >>\n%%EOF\n"
Element = etree._Element
Change = Callable[[Element], None]


@dataclass(frozen=True)
class Mutation:
    """A fault: its name, how to make it, the preflight's code; `gap` when spec cda §8 says that no suite sees it."""

    name: str
    change: Change
    code: str
    gap: bool = False
    level: int = 3


def get(root: Element, path: str) -> Element:
    found = root.xpath(path, namespaces=NS)
    assert isinstance(found, list)
    assert found, path
    assert isinstance(found[0], etree._Element)
    return found[0]


def put(path: str, name: str, value: str) -> Change:
    def change(root: Element) -> None:
        get(root, path).set(name, value)

    return change


def drop(path: str, name: str | None = None) -> Change:
    def change(root: Element) -> None:
        element = get(root, path)
        if name is not None:
            del element.attrib[name]
        else:
            parent = element.getparent()
            assert parent is not None
            parent.remove(element)

    return change


def write(path: str, text: str) -> Change:
    def change(root: Element) -> None:
        element = get(root, path)
        for item in list(element):
            element.remove(item)
        element.text = text

    return change


def insert(path: str, name: str, **attributes: str) -> Change:
    """A new element just after the one found."""

    def change(root: Element) -> None:
        get(root, path).addnext(etree.Element(f"{{{NS['c']}}}{name}", attributes))

    return change


def script(root: Element) -> None:
    text = get(root, "//c:section[1]/c:text")
    link = etree.SubElement(text, f"{{{NS['c']}}}linkHtml", {"href": "https://exemple.test/"})
    link.text = "suite"


def hostile_pdf(root: Element) -> None:
    get(root, "//c:nonXMLBody/c:text").text = base64.b64encode(PDF.replace(b"<< >>", b"<< /JavaScript >>")).decode()


def two_faces(root: Element) -> None:
    """The section keeps its French template; its parents are another section's."""
    section = get(root, "//c:section[c:code/@code='11450-4']")
    for item in section.findall("c:templateId", NS):
        if not str(item.get("root")).startswith("1.2.250"):
            item.set("root", "1.3.6.1.4.1.19376.1.5.3.1.3.4")


INS = "//c:patientRole/c:id[1]"
ROM = "//c:value[@unit='deg']"
LAST = "//c:section[c:code/@code='51847-2']"
BODY = "//c:nonXMLBody/c:text"

MUTATIONS = (
    # -- identity
    Mutation("ins-short", put(INS, "extension", "27903512151898"), "CDA-010", gap=True),
    Mutation("ins-letters", put(INS, "extension", "2790351215189AB"), "CDA-010", gap=True),
    Mutation("ins-key", put(INS, "extension", "279035121518988"), "CDA-011", gap=True),
    Mutation(
        "two-ins-roots",
        insert(INS, "id", root="1.2.250.1.213.1.4.8", extension="279035121518989"),
        "CDA-012",
        gap=True,
    ),
    Mutation("no-ins", drop(INS), "CDA-013", gap=True),
    Mutation("ins-c", put("//c:patientRole/c:id[2]", "root", "1.2.250.1.213.1.4.2"), "CDA-014"),
    Mutation("nss-for-ins", put(INS, "root", "1.2.250.1.213.1.4.13"), "CDA-014"),
    Mutation("no-birthplace", drop("//c:birthplace"), "CDA-015"),
    # -- people
    Mutation("rpps-bare", put("//c:assignedAuthor/c:id", "extension", "99700001011"), "CDA-020", gap=True),
    Mutation("structure-bare", put("//c:representedOrganization/c:id", "extension", "x1"), "CDA-021", gap=True),
    Mutation("author-no-profession", drop("//c:assignedAuthor/c:code"), "CDA-022", gap=True),
    Mutation("performer-no-profession", drop("//c:performer/c:assignedEntity/c:code"), "CDA-022", gap=True),
    Mutation("author-no-person", drop("//c:assignedAuthor/c:assignedPerson"), "CDA-023", gap=True),
    Mutation("signer-no-person", drop("//c:legalAuthenticator//c:assignedPerson"), "CDA-023", gap=True),
    Mutation("no-medecin-traitant", drop("//c:participant"), "CDA-024", gap=True),
    # -- version and time
    Mutation("version-0", put("//c:versionNumber", "value", "0"), "CDA-025", gap=True),
    Mutation("no-zone", put("/*/c:effectiveTime", "value", "20260105143000"), "CDA-026", gap=True),
    Mutation("day-only", put("/*/c:effectiveTime", "value", "20260105"), "CDA-026", gap=True),
    Mutation("no-zone-in-entry", put("//c:encounter/c:effectiveTime", "value", "202601051430"), "CDA-026", gap=True),
    Mutation("iso-date", put("//c:encounter/c:effectiveTime", "value", "2026-01-05"), "CDA-027"),
    Mutation(
        "end-before-start",
        put("//c:observation[@moodCode='GOL']/c:effectiveTime/c:high", "value", "20250101"),
        "CDA-028",
        gap=True,
    ),
    # -- codes
    Mutation("type-display", put("/*/c:code", "displayName", "Synthèse médicale"), "CDA-030", gap=True),
    Mutation("type-system", put("/*/c:code", "codeSystem", "2.16.840.1.113883.6.96"), "CDA-031", gap=True),
    Mutation("facility-display", put("//c:healthCareFacility/c:code", "displayName", "Pharmacie"), "CDA-030", gap=True),
    Mutation(
        "vital-display",
        put("//c:observation/c:code[@code='29463-7']", "displayName", "Taille"),
        "CDA-030",
        gap=True,
    ),
    Mutation("type-unknown", put("/*/c:code", "code", "99999-9"), "CDA-032"),
    Mutation("unit-degrees", put(ROM, "unit", "degrés"), "CDA-050", gap=True),
    # -- narrative
    Mutation("dangling", put("//c:observation/c:text/c:reference", "value", "#nowhere"), "CDA-040", gap=True),
    Mutation("no-hash", put("//c:observation/c:text/c:reference", "value", "h1"), "CDA-040", gap=True),
    Mutation("same-id-twice", put("//c:content[@ID='h2']", "ID", "h1"), "CDA-042"),
    Mutation("no-text", drop(f"{LAST}/c:text"), "CDA-043"),
    Mutation("empty-text", write("//c:section[c:code/@code='42349-1']/c:text", " \n "), "CDA-043", gap=True),
    Mutation("no-title", drop(f"{LAST}/c:title"), "CDA-044", gap=True),
    # -- templates
    Mutation("other-parents", two_faces, "CDA-045"),
    Mutation(
        "unknown-template",
        put(f"{LAST}/c:templateId[last()]", "root", "1.2.250.1.213.1.1.2.9999"),
        "CDA-047",
        gap=True,
    ),
    Mutation(
        "another-template",
        put(f"{LAST}/c:templateId[last()]", "root", "1.2.250.1.213.1.1.2.73"),
        "CDA-045",
        gap=True,
    ),
    Mutation("no-french-template", drop(f"{LAST}/c:templateId[last()]"), "CDA-048", gap=True),
    Mutation(
        "problem-list-loinc",
        put("//c:section[c:code/@code='11450-4']/c:code", "code", "11348-0"),
        "CDA-046",
        gap=True,
    ),
    Mutation(
        "entry-template",
        put("//c:encounter[@moodCode='EVN']/c:templateId[last()]", "root", "1.2.250.1.213.1.1.3.27"),
        "CDA-049",
        gap=True,
    ),
    # -- content
    Mutation("link", script, "CDA-060"),
    Mutation("external-reference", put("//c:text/c:reference", "value", "https://exemple.test/"), "CDA-060", gap=True),
    Mutation("script-text", write("//c:content[@ID='h1']", "<script>alert(1)</script>"), "CDA-063", gap=True),
    Mutation("media-type", put(BODY, "mediaType", "application/zip"), "CDA-055", gap=True, level=1),
    Mutation("no-representation", drop(BODY, "representation"), "CDA-056", gap=True, level=1),
    Mutation("bad-base64", write(BODY, "JVBERi0xLjQ*"), "CDA-057", gap=True, level=1),
    Mutation("no-pdf", write(BODY, base64.b64encode(b"PK\x03\x04").decode()), "CDA-058", gap=True, level=1),
    Mutation("empty-body", write(BODY, ""), "CDA-058", gap=True, level=1),
    Mutation(
        "cut-pdf", write(BODY, base64.b64encode(PDF.replace(b"%%EOF", b"")).decode()), "CDA-059", gap=True, level=1
    ),
    Mutation("active-pdf", hostile_pdf, "CDA-061", gap=True, level=1),
)


def level_3() -> Element:
    """A sound document."""
    from gateway.render.cda import render

    return etree.fromstring(render(samples.full(), samples.TERMS))


def level_1() -> Element:
    """The same header over a PDF."""
    root = level_3()
    component = get(root, "/*/c:component")
    component.clear()
    body = etree.SubElement(etree.SubElement(component, f"{{{NS['c']}}}nonXMLBody"), f"{{{NS['c']}}}text")
    body.set("mediaType", "application/pdf")
    body.set("representation", "B64")
    body.text = base64.b64encode(PDF).decode()
    get(root, "/*/c:templateId[3]").set("root", "1.3.6.1.4.1.19376.1.2.20")
    return root


def mutate(mutation: Mutation) -> bytes:
    """The document with one fault."""
    root = level_3() if mutation.level == 3 else level_1()
    mutation.change(root)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)
