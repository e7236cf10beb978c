"""What FR Core has no element for, in standard places: tags, links to the narrative, components with local codes.

With these marks nothing of the document is lost on the way to FHIR; a reader that ignores them reads a valid document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.document.model import Addressee, Code, MeasureEntry, PatientIdentity
    from gateway.render.fhir.assembly import Assembly, Json

NARRATIVE_LINK = "http://hl7.org/fhir/StructureDefinition/narrativeLink"
OWN_MEASURE = "Code de la mesure"
_URI = "urn:ietf:rfc:3986"
_DETAIL = '<div xmlns="http://www.w3.org/1999/xhtml" xml:lang="fr" lang="fr">{}</div>'


def local_system(assembly: Assembly) -> str:
    """URI of the product's own code system."""
    return assembly.terminology.system_uri(assembly.terminology.local_system)


def linked(assembly: Assembly, anchor: str, element: Json) -> Json:
    """The element with a link to the piece of narrative that says the same."""
    link = {"url": NARRATIVE_LINK, "valueUrl": f"{assembly.url('composition')}#{anchor}"}
    return {**element, "extension": [*element.get("extension", []), link]}


def document_tags(assembly: Assembly) -> list[Json]:
    """What CDA and XDS say of the document and a Composition does not: template, format, software."""
    header = assembly.header
    return [
        {"system": _URI, "code": f"urn:oid:{header.template_id}"},
        assembly.coding(header.format_code),
        {"system": local_system(assembly), "code": "software", "display": header.software or "-"},
    ]


def identity_tags(assembly: Assembly, patient: PatientIdentity, codes: dict[str, str]) -> list[Json]:
    """The state of the identity (RNIV), where the release's code for it stands for several."""
    code = codes.get(patient.identity_status)
    if code is not None and list(codes.values()).count(code) == 1:
        return []
    return [{"system": local_system(assembly), "code": patient.identity_status}]


def recipient_role(assembly: Assembly, addressee: Addressee) -> Json:
    """Elements of the reference to a recipient: why this person receives the document."""
    head, _, tail = addressee.role.rpartition("_")
    words = assembly.terminology.wording("recipient_role", head if tail.isdigit() else addressee.role)
    return {"identifier": {"system": local_system(assembly), "value": addressee.role}, "display": words}


def author_number(assembly: Assembly) -> list[Json]:
    """The author's own number for the document, under the set of its versions as in the CDA."""
    header = assembly.header
    if not header.author_document_id:
        return []
    kind = {"text": "Numéro du document chez son auteur"}
    return [{"type": kind, "system": f"urn:oid:{header.set_id}", "value": header.author_document_id}]


def own_measure(assembly: Assembly, entry: MeasureEntry) -> list[Json]:
    """The author's code of a measure that is not in the catalogue, where no coding says it.

    It also tells a coded answer to such a measure from a statement.
    """
    local = entry.concept.local
    said = local is not None and local.code == entry.measure
    if said and (entry.answer is None or assembly.terminology.measure(entry.measure) is not None):
        return []
    return [{"code": {"text": OWN_MEASURE}, "valueCodeableConcept": {"text": entry.measure}}]


def local_category(assembly: Assembly, code: str, text: str) -> Json:
    """A category of the product's own, beside the standard one."""
    return {"coding": [{"system": local_system(assembly), "code": code}], "text": text}


def more_qualifications(assembly: Assembly, profession: Code | None, specialty: str | None) -> list[Json]:
    """The whole code of the profession where TRE_G15 has only its first part, and the specialty in its own words."""
    found: list[Json] = []
    if profession is not None and "/" in profession.code:
        found.append({"code": assembly.codeable(profession)})
    if specialty:
        found.append({"code": {"text": specialty}})
    return found


def detail_text(paragraphs: list[str]) -> Json:
    """Narrative of a resource that has no element for its details."""
    from html import escape

    said = (escape(words, quote=False).replace("\n", "<br/>") for words in paragraphs)
    return {"status": "generated", "div": _DETAIL.format("".join(f"<p>{words}</p>" for words in said))}
