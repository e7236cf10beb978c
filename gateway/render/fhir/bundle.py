"""ClinicalDocument -> FHIR document: the Bundle, its Composition, one validation, exact JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import RenderError
from gateway.render.fhir import attached, marks, people
from gateway.render.fhir.assembly import Assembly, without_none
from gateway.render.fhir.datatypes import instant
from gateway.render.fhir.sections import section
from gateway.render.fhir.write import to_json

if TYPE_CHECKING:
    from gateway.document.model import ClinicalDocument
    from gateway.render.fhir.assembly import Json
    from gateway.terminology import Terminology

_IDENTIFIERS = "urn:ietf:rfc:3986"


def render(
    document: ClinicalDocument,
    terminology: Terminology,
    fr_core: str = "2.2-ballot",
    *,
    pdf: bytes | None = None,
    document_core: bool = False,
) -> bytes:
    """The document as a FHIR R4 Bundle of type document, UTF-8 JSON; same document, same bytes.

    `fr_core` names the release of FR Core whose codes are used: `2.1`, `2.2-ballot` or `2.2`. `pdf` is the PDF
    rendering, to be carried along. `document_core` claims the ANS draft profiles of a document, whose rules are kept
    anyhow.

    Raises:
        ConfigError: `CFG-021`, a release that the mapping does not know.
        RenderError: `REN-021`, the Bundle does not pass the resource models.
    """
    bundle = build(document, terminology, fr_core, pdf=pdf, document_core=document_core)
    check(bundle)
    return to_json(bundle).encode()


def build(
    document: ClinicalDocument,
    terminology: Terminology,
    fr_core: str = "2.2-ballot",
    *,
    pdf: bytes | None = None,
    document_core: bool = False,
) -> Json:
    """The Bundle as a plain dict, not validated; numbers are Decimal. Arguments as for `render`."""
    assembly = Assembly(document, terminology, fr_core)
    people.add_patient(assembly)
    people.add_encounter(assembly)
    claims = assembly.data.document_core if document_core else {}
    composition = _composition(assembly, pdf, claims)
    header = document.header
    return {
        "resourceType": "Bundle",
        "meta": _meta(assembly, claims.get("bundle")),
        "identifier": {"system": _IDENTIFIERS, "value": f"urn:oid:{header.id}"},
        "type": "document",
        "timestamp": instant(header.effective_time),
        "entry": [composition, *assembly.entries()],
    }


def check(bundle: Json) -> None:
    """Validate with the R4B models, once. Raises RenderError `REN-021`."""
    from fhir.resources.R4B.bundle import Bundle
    from pydantic import ValidationError

    try:
        Bundle.model_validate(bundle)
    except ValidationError as fault:
        # Places only: the values are health data and an error may be logged.
        places = "; ".join(".".join(map(str, detail["loc"])) for detail in fault.errors(include_input=False)[:5])
        raise RenderError("REN-021", f"Le document FHIR n'est pas conforme aux modèles R4 ({places}).") from None


def _meta(assembly: Assembly, profile: str | None) -> Json:
    """Confidentiality and visibility, and the profile that is claimed, if any."""
    header = assembly.header
    claimed = {"profile": [profile]} if profile else {}
    return {**claimed, "security": [assembly.coding(code) for code in (header.confidentiality, *header.visibility)]}


def _composition(assembly: Assembly, pdf: bytes | None, claims: dict[str, str]) -> Json:
    header = assembly.header
    author = people.role(assembly, header.author, civil=True)
    written = instant(header.effective_time)
    sections = _sections(assembly, pdf)
    resource = without_none(
        resourceType="Composition",
        id=assembly.url("composition").removeprefix("urn:uuid:"),
        meta={**_meta(assembly, claims.get("composition")), "tag": marks.document_tags(assembly)},
        language=header.language,
        extension=_extensions(assembly),
        identifier={"system": _IDENTIFIERS, "value": f"urn:oid:{header.set_id}"},
        status="final",
        type=assembly.codeable(header.type),
        category=[assembly.codeable(header.class_code)],
        **assembly.clinical(),
        date=written,
        author=[{**author, "extension": [{"url": _url(assembly, "author_time"), "valueDateTime": written}]}],
        title=header.title,
        confidentiality=header.confidentiality.code,
        attester=[{"mode": "legal", "time": written, "party": author}],
        custodian=people.organization(assembly, header.custodian),
        relatesTo=_relations(assembly),
        event=[_event(assembly, author)],
        section=sections,
    )
    return {"fullUrl": assembly.url("composition"), "resource": resource}


def _relations(assembly: Assembly) -> list[Json]:
    """The replaced version, by its own identifier: `Composition.identifier` names the whole set of versions."""
    former = assembly.header.replaces
    if former is None:
        return []
    identifier = {
        "extension": [{"url": _url(assembly, "version"), "valueString": str(former.version)}],
        "type": {"text": "Identifiant du document"},
        "system": _IDENTIFIERS,
        "value": f"urn:oid:{former.id}",
    }
    return [{"code": "replaces", "targetIdentifier": identifier}]


def _sections(assembly: Assembly, copy: bytes | None) -> list[Json]:
    """What was written, then a copy as PDF where one is wanted; at level 1 the PDF is all there is."""
    pdf = assembly.document.pdf
    if pdf is not None:
        return [attached.section(assembly, pdf)]
    written = [section(assembly, part) for part in assembly.document.sections]
    return [*written, *([attached.section(assembly, copy)] if copy is not None else [])]


def _url(assembly: Assembly, name: str) -> str:
    return assembly.data.extensions[name]


def _extensions(assembly: Assembly) -> list[Json]:
    """Version of the document, then its recipients in their order."""
    found: list[Json] = [{"url": _url(assembly, "version"), "valueString": str(assembly.header.version)}]
    for addressee in assembly.header.addressees:
        party = people.role(assembly, addressee.professional)
        reference = {**party, **marks.recipient_role(assembly, addressee)}
        found.append({"url": _url(assembly, "recipient"), "valueReference": reference})
    return found


def _event(assembly: Assembly, author: Json) -> Json:
    """The principal event: the care described, and who gave it."""
    marks = [
        {"url": _url(assembly, "principal_event"), "valueBoolean": True},
        {"url": _url(assembly, "event_performer"), "valueReference": author},
    ]
    return {
        "extension": marks,
        "period": people.service_period(assembly),
        "detail": [assembly.reference("encounter")],
    }
