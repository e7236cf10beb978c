"""One fault each, put into a sound document: what the preflight must see, and whether the official kit sees it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

from tests.unit.render_cda import samples

NS = {"c": "urn:hl7-org:v3", "xsi": "http://www.w3.org/2001/XMLSchema-instance"}
XSI_TYPE = f"{{{NS['xsi']}}}type"
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
    rule: int = 0
    """Number of the rule of spec cda §7 that it breaks, where there is one."""


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


def move_last(path: str) -> Change:
    def change(root: Element) -> None:
        element = get(root, path)
        parent = element.getparent()
        assert parent is not None
        parent.append(element)

    return change


def copy(path: str) -> Change:
    """The same element a second time, just after itself."""

    def change(root: Element) -> None:
        element = get(root, path)
        element.addnext(deepcopy(element))

    return change


def rename(path: str, name: str) -> Change:
    def change(root: Element) -> None:
        get(root, path).tag = f"{{{NS['c']}}}{name}"

    return change


def open_concern(root: Element) -> None:
    """Closed by its state, without an end."""
    concern = get(root, f"{CONCERN}[c:statusCode/@code='completed']")
    get(concern, "c:effectiveTime").remove(get(concern, "c:effectiveTime/c:high"))


def misnamed_copy(root: Element) -> None:
    section = get(root, LAST)
    get(section, "c:templateId[last()]").set("root", "1.2.250.1.213.1.1.2.243")
    get(section, "c:title").text = "PDF joint"


CONCERN = "//c:act[c:templateId/@root='1.3.6.1.4.1.19376.1.5.3.1.4.5.1']"
PROBLEM = "//c:observation[c:templateId/@root='1.3.6.1.4.1.19376.1.5.3.1.4.5']"
SIMPLE = "//c:observation[c:templateId/@root='1.3.6.1.4.1.19376.1.5.3.1.4.13'][@moodCode='EVN']"
VITALS = "//c:organizer[c:templateId/@root='1.3.6.1.4.1.19376.1.5.3.1.4.13.1']"
SURVEY = "//c:observation[c:templateId/@root='1.3.6.1.4.1.19376.1.5.3.1.1.12.3.6']"
RESULTS = "//c:section[c:templateId/@root='1.3.6.1.4.1.19376.1.5.3.1.3.28']"
NAME = "//c:patient/c:name"
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
    # -- spec cda §7, rule by rule (1 to 22: header; 23 to 25: entries)
    Mutation("r01-four-templates", copy("/*/c:templateId[3]"), "CDA-071", level=1, rule=1),
    Mutation("r02-no-model", drop("/*/c:templateId[3]"), "CDA-071", rule=2),
    Mutation("r02-no-french-template", drop("/*/c:templateId[2]"), "CDA-070", rule=2),
    Mutation("r03-type-unnamed", drop("/*/c:code", "displayName"), "CDA-072", rule=3),
    Mutation("r03-confidentiality-unnamed", drop("/*/c:confidentialityCode", "displayName"), "CDA-072", rule=3),
    Mutation("r04-type-out-of-set", put("/*/c:code", "code", "11369-6-x"), "CDA-032", rule=4),
    Mutation(
        "r05-urn-uuid", put("/*/c:id", "root", "urn:uuid:61d13b09-aff2-5add-851d-f84724bc6d8e"), "CDA-073", rule=5
    ),
    Mutation("r05-urn-oid", put("/*/c:code", "codeSystem", "urn:oid:2.16.840.1.113883.6.1"), "CDA-073", rule=5),
    Mutation("r06-iso-time", put("/*/c:effectiveTime", "value", "2026-01-05T14:30:00+01:00"), "CDA-027", rule=6),
    Mutation("r07-language", put("/*/c:languageCode", "code", "fr"), "CDA-074", rule=7),
    Mutation("r08-no-set", drop("/*/c:setId"), "CDA-075", rule=8),
    Mutation("r08-no-version", drop("/*/c:versionNumber"), "CDA-025", rule=8),
    Mutation("r09-family-bare", drop(f"{NAME}/c:family", "qualifier"), "CDA-076", rule=9),
    Mutation("r09-family-sp", put(f"{NAME}/c:family[2]", "qualifier", "SP"), "CDA-076", rule=9),
    Mutation("r10-no-given-list", drop(f"{NAME}/c:given[not(@qualifier)]"), "CDA-015", rule=10),
    Mutation("r10-no-given-br", drop(f"{NAME}/c:given[@qualifier='BR']"), "CDA-015", rule=10),
    Mutation("r11-no-county", drop("//c:birthplace//c:county"), "CDA-015", rule=11),
    Mutation("r12-gender", put("//c:administrativeGenderCode", "code", "O"), "CDA-032", rule=12),
    Mutation("r13-telecom-bare", put("//c:patientRole/c:telecom", "value", "0600000001"), "CDA-077", rule=13),
    Mutation("r14-telecom-mobile", put("//c:patientRole/c:telecom", "use", "MOBILE"), "CDA-078", rule=14),
    Mutation("r15-prefix", write("//c:assignedAuthor//c:prefix", "DR"), "CDA-083", rule=15),
    Mutation("r15-suffix", write("//c:informationRecipient//c:suffix", "Docteur"), "CDA-083", rule=15),
    Mutation("r16-profession", put("//c:assignedAuthor/c:code", "code", "G15_999"), "CDA-032", rule=16),
    Mutation("r17-custodian", put("//c:representedCustodianOrganization/c:id", "root", "1.2.3"), "CDA-080", rule=17),
    Mutation("r18-no-authenticator", drop("/*/c:legalAuthenticator"), "CDA-081", rule=18),
    Mutation("r18-signature", put("/*/c:legalAuthenticator/c:signatureCode", "code", "X"), "CDA-081", rule=18),
    Mutation("r19-no-time", drop("/*/c:participant/c:time"), "CDA-082", rule=19),
    Mutation("r19-type-ind", put("/*/c:participant", "typeCode", "IND"), "CDA-083", rule=19),
    Mutation("r19-class-pat", put("//c:participant/c:associatedEntity", "classCode", "PAT"), "CDA-084", rule=19),
    Mutation("r19-function", put("//c:participant/c:functionCode", "code", "GP"), "CDA-032", rule=19),
    Mutation("r20-no-start", drop("//c:serviceEvent/c:effectiveTime/c:low"), "CDA-085", rule=20),
    Mutation("r20-two-performers", copy("//c:serviceEvent/c:performer"), "CDA-086", rule=20),
    Mutation("r20-no-performer", drop("//c:serviceEvent/c:performer"), "CDA-086", rule=20),
    Mutation("r21-no-setting", drop("//c:standardIndustryClassCode"), "CDA-087", rule=21),
    Mutation("r21-setting", put("//c:standardIndustryClassCode", "code", "CABINET"), "CDA-032", rule=21),
    Mutation("r22-no-encounter", drop("/*/c:componentOf"), "CDA-088", rule=22),
    Mutation("r22-no-facility", drop("//c:healthCareFacility/c:code"), "CDA-088", rule=22),
    Mutation("r22-facility", put("//c:healthCareFacility/c:code", "code", "SA99"), "CDA-032", rule=22),
    Mutation("r22-encounter", put("//c:encompassingEncounter/c:code", "code", "AMB-X"), "CDA-032", rule=22),
    Mutation("r23-no-reference", drop(f"{SIMPLE}/c:text"), "CDA-090", rule=23),
    Mutation("r23-no-date", drop(f"{SIMPLE}/c:effectiveTime"), "CDA-091", rule=23),
    Mutation("r23-active", put(f"{SIMPLE}/c:statusCode", "code", "active"), "CDA-092", rule=23),
    Mutation("r23-problem-no-date", drop(f"{PROBLEM}/c:effectiveTime"), "CDA-091", rule=23),
    Mutation(
        "r23-problem-unworded", drop(f"{PROBLEM}/c:value[not(@code)]/c:originalText"), "CDA-093", gap=True, rule=23
    ),
    Mutation("r24-concern-code", put(f"{CONCERN}/c:code", "nullFlavor", "UNK"), "CDA-094", rule=24),
    Mutation("r24-concern-no-end", open_concern, "CDA-095", rule=24),
    Mutation("r24-no-ccd-parent", drop(f"{CONCERN}/c:templateId[1]"), "CDA-049", rule=24),
    Mutation(
        "r24-section-no-ccd-parent", drop("//c:section[c:code/@code='11450-4']/c:templateId[1]"), "CDA-045", rule=24
    ),
    Mutation("r25-results-no-act", drop(f"{RESULTS}/c:entry[c:procedure]"), "CDA-096", rule=25),
    Mutation("r25-vitals-code", put(f"{VITALS}/c:code", "code", "46680005"), "CDA-097", rule=25),
    Mutation("r25-vitals-unit", put(f"{VITALS}//c:value[@unit='kg']", "unit", "cm"), "CDA-089", rule=25),
    Mutation("r25-method", insert(f"{SURVEY}/c:value", "methodCode", nullFlavor="UNK"), "CDA-098", rule=25),
    Mutation("r25-copy-title", misnamed_copy, "CDA-099", rule=25),
    Mutation("order-set-last", move_last("/*/c:setId"), "CDA-079"),
    Mutation("order-unknown", insert("/*/c:setId", "status", code="final"), "CDA-079"),
)

MISSED = (
    # -- what the official suites see and the preflight does not: docs/validation.md lists them
    Mutation("entry-no-id", drop(f"{SIMPLE}/c:id"), "", rule=23),
    Mutation("entry-element-order", move_last(f"{SIMPLE}/c:id"), ""),
    Mutation("goal-no-code", drop("//c:observation[@moodCode='GOL']/c:code"), ""),
    Mutation("value-without-type", drop(f"{SIMPLE}/c:value[@xsi:type='PQ']", XSI_TYPE), ""),
    Mutation("mood", put(f"{SIMPLE}", "moodCode", "PRP"), ""),
    Mutation("narrative-tag", rename("//c:section[1]/c:text/c:paragraph", "p"), ""),
    Mutation("two-vital-ids", copy(f"{VITALS}/c:id"), ""),
    Mutation("act-state", put("//c:procedure/c:statusCode", "code", "new"), ""),
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
