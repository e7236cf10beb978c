"""The header: Composition, Patient, Encounter, and the tags that say what they do not."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.document.model import Addressee, Code, DocumentRef, Episode, Header, Professional, StructureRef
from gateway.read import kinds
from gateway.read.fhir import people
from gateway.read.fhir.scan import Json, Scan, bare_oid, extension, first, items, obj, string
from gateway.read.reading import ABSENT_CODE, ABSENT_ID

_URI = "urn:ietf:rfc:3986"
_OID = "urn:oid:"


def header(scan: Scan, composition: Json) -> Header:
    """The header of the document."""
    encounter = scan.resolve(composition.get("encounter"), "/Composition/encounter")
    subject = scan.resolve(composition.get("subject"), "/Composition/subject")
    event = first(composition.get("event"))
    period = obj(event.get("period") or encounter.get("period"))
    marks = items(obj(composition.get("meta")).get("tag"))
    template = _template(marks)
    kind = scan.coded_or_absent(composition.get("type"))
    known = kinds.definition(scan.terms, template, kind.code)
    set_id = bare_oid(string(obj(composition.get("identifier")).get("value")))
    confidentiality, visibility = _confidentiality(scan, composition)
    return Header(
        kind=kinds.kind_of(known, scan.trail, "/Composition/type"),
        id=bare_oid(string(obj(scan.bundle.get("identifier")).get("value"))),
        set_id=set_id,
        version=_version(scan, composition),
        type=kind,
        class_code=scan.coded_or_absent(first(composition.get("category"))),
        format_code=_format(scan, marks) or kinds.format_of(known, template),
        template_id=template,
        title=string(composition.get("title")),
        effective_time=scan.moment_or_absent(composition.get("date"), "/Composition/date"),
        confidentiality=confidentiality,
        visibility=visibility,
        language=string(composition.get("language")),
        patient=people.patient(scan, subject),
        author=_author(scan, composition),
        custodian=people.structure(scan, scan.resolve(composition.get("custodian"), "/Composition/custodian"))
        or StructureRef(ABSENT_ID, ""),
        addressees=tuple(_addressees(scan, composition)),
        medecin_traitant=_medecin_traitant(scan, subject),
        service_start=scan.moment_or_absent(period.get("start"), "/Composition/event/period/start"),
        service_stop=scan.moment(period.get("end"), "/Composition/event/period/end"),
        practice_setting=scan.coded_or_absent(encounter.get("serviceType")),
        facility_type=_facility(scan, composition, encounter),
        encounter=_encounter(scan, encounter),
        author_document_id=_author_number(encounter, set_id),
        software=_software(scan, marks),
        episode=_episode(scan, encounter),
        replaces=_replaced(scan, composition),
    )


def is_own(scan: Scan, composition: Json) -> bool:
    """Whether the Composition is tagged with a template of this product."""
    own = {one.template_id for one in kinds.definitions(scan.terms)}
    return _template(items(obj(composition.get("meta")).get("tag"))) in own


def _template(marks: list[Json]) -> str:
    found = (string(one.get("code")) for one in marks if one.get("system") == _URI)
    return next((bare_oid(code) for code in found if code.startswith(_OID)), "")


def _format(scan: Scan, marks: list[Json]) -> Code | None:
    """The XDS format: the tag that is neither the template nor the product's own."""
    codes = (scan.code(one) for one in marks if one.get("system") != _URI)
    return next((code for code in codes if code is not None and code.system != scan.terms.local_system), None)


def _software(scan: Scan, marks: list[Json]) -> str:
    said = (code.display for code in scan.local_codes(marks) if code.code == "software")
    return next(said, "").removeprefix("-")


def _replaced(scan: Scan, composition: Json) -> DocumentRef | None:
    """The version that this one says it replaces; number 0 where only its identifier is there."""
    for one in items(composition.get("relatesTo")):
        former = obj(one.get("targetIdentifier"))
        if one.get("code") == "replaces" and former:
            number = string(extension(former, scan.tables.extension("version")).get("valueString"))
            version = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
            return DocumentRef(bare_oid(string(former.get("value"))), version)
    return None


def _version(scan: Scan, composition: Json) -> int:
    said = string(extension(composition, scan.tables.extension("version")).get("valueString"))
    if said.isascii() and said.isdigit() and len(said) < 10:
        return int(said)
    where = "/Composition/extension(version)"
    scan.trail.doubt(
        "RDB-026",
        where,
        "Numéro de version absent ou illisible : lu comme 1.",
        "Vérifier s'il existe une version plus récente.",
        "ANS document-core",
    )
    return 1


def _confidentiality(scan: Scan, composition: Json) -> tuple[Code, tuple[Code, ...]]:
    """The confidentiality code, then who may not see the document."""
    labels = [scan.code(one) for one in items(obj(composition.get("meta")).get("security"))]
    found = [code for code in labels if code is not None]
    if found:
        return found[0], tuple(found[1:])
    code = string(composition.get("confidentiality"))
    return (Code(code, scan.terms.oids["Confidentiality"], code) if code else ABSENT_CODE), ()


def _author(scan: Scan, composition: Json) -> Professional:
    """The first author who is a person."""
    for one in items(composition.get("author")):
        found = people.professional(scan, scan.resolve(one, "/Composition/author"), "/Composition/author")
        if found is not None:
            return found
    scan.trail.doubt(
        "RDB-023", "/Composition/author", "Aucun auteur nommé.", "Vérifier l'origine du document.", "FHIR R4"
    )
    return Professional(ABSENT_ID, "", people.person_name(None), None)


def _addressees(scan: Scan, composition: Json) -> Iterator[Addressee]:
    where = "/Composition/extension(recipient)"
    for one in items(composition.get("extension")):
        if one.get("url") != scan.tables.extension("recipient"):
            continue
        reference = obj(one.get("valueReference"))
        person = people.professional(scan, scan.resolve(reference, where), where)
        if person is None:
            scan.trail.doubt(
                "RDB-023", where, "Destinataire sans identité.", "Vérifier l'origine du document.", "FHIR R4"
            )
            continue
        named = scan.id(reference.get("identifier"))
        yield Addressee(named.extension if named.root == scan.terms.local_system else "autre_professionnel", person)


def _medecin_traitant(scan: Scan, subject: Json) -> Professional | None:
    where = "/Patient/generalPractitioner"
    for one in items(subject.get("generalPractitioner")):
        found = people.professional(scan, scan.resolve(one, where), where)
        if found is not None:
            return found
    return None


def _facility(scan: Scan, composition: Json, encounter: Json) -> Code:
    location = scan.resolve(first(encounter.get("location")).get("location"), "/Encounter/location")
    keeper = scan.resolve(composition.get("custodian"), "/Composition/custodian")
    return scan.coded(first(location.get("type"))) or scan.coded_or_absent(first(keeper.get("type")))


def _encounter(scan: Scan, encounter: Json) -> Code:
    """The kind of encounter: a French one stands as the type of an ambulatory one."""
    table = scan.tables.fhir["encounter"]
    broad = obj(encounter.get("class"))
    precise = scan.coded(first(encounter.get("type")))
    if precise is not None and (broad.get("system"), broad.get("code")) == (table["system"], table["code"]):
        return precise
    return scan.code(broad) or ABSENT_CODE


def _author_number(encounter: Json, set_id: str) -> str:
    """The author's own number for the document: an identifier under the document's set."""
    numbers = items(encounter.get("identifier"))
    return next((string(one.get("value")) for one in numbers if people.system_of(one) == set_id and set_id), "")


def _episode(scan: Scan, encounter: Json) -> Episode | None:
    where = "/EpisodeOfCare"
    known = scan.resolve(first(encounter.get("episodeOfCare")), where)
    if not known:
        return None
    number = string(first(known.get("identifier")).get("value"))
    start = scan.day_or_absent(obj(known.get("period")).get("start"), f"{where}/period/start")
    return Episode(number, start, known.get("status") == "finished")
