"""People and places of a FHIR document, back into the model."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.document.model import (
    Code,
    Id,
    PatientIdentity,
    PersonName,
    PostalAddress,
    Professional,
    StructureRef,
    Telecom,
)
from gateway.errors import MappingError
from gateway.identity.roots import INS_ROOTS
from gateway.read.fhir.scan import Json, Scan, bare_oid, extension, first, items, obj, string, strings
from gateway.read.names import split_given
from gateway.read.reading import ABSENT_CODE, ABSENT_ID

_USES = {"home": "H", "work": "WP", "mobile": "MC", "temp": "TMP", "old": ""}
_SCHEMES = {"phone": "tel", "fax": "fax", "email": "mailto", "sms": "sms"}
_RPPS = "https://rpps.esante.gouv.fr"


def address(value: object) -> PostalAddress | None:
    """The first postal address of a list."""
    held = first(value)
    if not held:
        return None
    lines = tuple(strings(held.get("line"))) or tuple(filter(None, [string(held.get("text"))]))
    return PostalAddress(lines, string(held.get("postalCode")), string(held.get("city")))


def telecoms(scan: Scan, value: object) -> tuple[Telecom, ...]:
    """Contact points; a secure mailbox says so in the extension of FR Core."""
    found = []
    for one in items(value):
        said, scheme = string(one.get("value")), _SCHEMES.get(string(one.get("system")))
        kind = extension(one, scan.tables.core("fr-core-contact-point-email-type"))
        secure = obj(kind.get("valueCoding")).get("code") == scan.tables.fhir["mailbox_type"]["code"]
        if said:
            found.append(Telecom(f"{scheme}:{said}" if scheme else said, _USES.get(string(one.get("use")), ""), secure))
    return tuple(found)


def person_name(value: object) -> PersonName:
    """Name of a professional."""
    held = first(value)
    prefix, suffix = strings(held.get("prefix")), strings(held.get("suffix"))
    return PersonName(
        string(held.get("family")),
        " ".join(strings(held.get("given"))),
        prefix[0] if prefix else None,
        suffix[0] if suffix else None,
    )


def structure(scan: Scan, resource: Json) -> StructureRef | None:
    """An Organization, by its Struct_IdNat where it has one."""
    if resource.get("resourceType") != "Organization":
        return None
    numbers = items(resource.get("identifier"))
    national = next((one for one in numbers if "IDNST" in _types(one)), first(numbers))
    return StructureRef(
        scan.id(national) if national else ABSENT_ID,
        string(resource.get("name")),
        address(resource.get("address")),
        telecoms(scan, resource.get("telecom")),
    )


def _types(identifier: Json) -> set[str]:
    return {string(coding.get("code")) for coding in items(obj(identifier.get("type")).get("coding"))}


def professional(scan: Scan, resource: Json, at: str) -> Professional | None:
    """A PractitionerRole with its Practitioner and its Organization, or a Practitioner alone."""
    place = None
    if resource.get("resourceType") == "PractitionerRole":
        place = structure(scan, scan.resolve(resource.get("organization"), at))
        resource = scan.resolve(resource.get("practitioner"), at)
    if resource.get("resourceType") != "Practitioner":
        return None
    numbers = items(resource.get("identifier"))
    rpps = next((string(one.get("value")) for one in numbers if one.get("system") == _RPPS), "")
    national = next((scan.id(one) for one in numbers if "IDNPS" in _types(one)), None)
    profession, specialty = _profession(scan, resource)
    return Professional(
        id=national or (Id(scan.terms.professional_root, f"8{rpps}") if rpps else ABSENT_ID),
        rpps=rpps,
        name=person_name(resource.get("name")),
        profession=profession,
        specialty=specialty,
        address=address(resource.get("address")),
        telecoms=telecoms(scan, resource.get("telecom")),
        structure=place,
    )


def _profession(scan: Scan, resource: Json) -> tuple[Code | None, str | None]:
    """Profession in JDV_J01, and the specialty in words.

    The profession stands whole where TRE_G15 has only its first part, and then wins.
    """
    short: Code | None = None
    whole: Code | None = None
    specialty = None
    for one in items(resource.get("qualification")):
        concept = obj(one.get("code"))
        if not concept.get("coding"):
            specialty = string(concept.get("text")) or specialty
            continue
        for coding in items(concept.get("coding")):
            if coding.get("system") == scan.tables.fhir["professions"]:
                short = short or _of_g15(scan, string(coding.get("code")), string(concept.get("text")))
            elif coding.get("system") != scan.tables.fhir["category_profession"]:
                whole = whole or scan.coded(concept)
    return whole or short, specialty


def _of_g15(scan: Scan, number: str, words: str) -> Code:
    try:
        return scan.terms.value("J01", f"G15_{number}")
    except MappingError:
        return Code(number, scan.tables.fhir["professions"], words)


def patient(scan: Scan, resource: Json) -> PatientIdentity:
    """The Patient. What is not said stays empty, with a finding for what designates a person."""
    names = items(resource.get("name"))
    official = next((one for one in names if one.get("use") == "official"), first(names))
    usual = next((one for one in names if one.get("use") == "usual"), {})
    given = strings(official.get("given"))
    listed = string(extension(official, scan.tables.core("fr-core-patient-birth-list-given-name")).get("valueString"))
    if not official.get("family") or not given:
        advice = "Vérifier à qui appartient ce document."
        scan.trail.fault("RDB-022", "/Patient/name", "Le nom ou le prénom du patient manque.", advice, "FR Core")
    ins = next(_ins(scan, resource), None)
    place = obj(extension(resource, scan.tables.extension("birth_place")).get("valueAddress"))
    insee = extension(place, scan.tables.core("fr-core-address-insee-code"))
    used = strings(usual.get("given"))
    return PatientIdentity(
        ins=ins,
        identity_status=_status(scan, resource, with_ins=ins is not None),
        local_ids=tuple(one for one in _numbers(scan, resource) if one != ins),
        birth_family=string(official.get("family")),
        birth_given=split_given(listed or " ".join(given), given[0] if given else ""),
        first_given=given[0] if given else "",
        used_family=string(usual.get("family")) or None,
        used_given=used[0] if used else None,
        sex=_sex(scan, string(resource.get("gender"))),
        birth_date=scan.day_or_absent(resource.get("birthDate"), "/Patient/birthDate"),
        birth_place_cog=string(obj(insee.get("valueCoding")).get("code")) or None,
        birth_place_name=string(place.get("city")) or None,
        address=address(resource.get("address")),
        telecoms=telecoms(scan, resource.get("telecom")),
    )


def _ins(scan: Scan, resource: Json) -> Iterator[Id]:
    """The INS: by its type, for a billing number stands under the same OID."""
    for one in items(resource.get("identifier")):
        found = scan.id(one)
        if found.root in INS_ROOTS and any(kind.startswith("INS-") for kind in _types(one)):
            yield found


def _numbers(scan: Scan, resource: Json) -> Iterator[Id]:
    for one in items(resource.get("identifier")):
        found = scan.id(one)
        if found.extension:
            yield found


def _status(scan: Scan, resource: Json, *, with_ins: bool) -> str:
    """State of the identity: written apart where the code of FR Core stands for several, else from that code."""
    tagged = next(scan.local_codes(obj(resource.get("meta")).get("tag")), None)
    if tagged is not None:
        return tagged.code
    reliability = extension(resource, scan.tables.core("fr-core-identity-reliability"))
    coding = obj(extension(reliability, "identityStatus").get("valueCoding"))
    system, code = string(coding.get("system")), string(coding.get("code"))
    return scan.tables.status(system, code, with_ins=with_ins) or ("QUAL" if with_ins else "PROV")


def _sex(scan: Scan, gender: str) -> Code:
    """JDV_J143 of an administrative gender."""
    code = next((code for code, written in scan.tables.fhir["gender"].items() if written == gender), "UN")
    if gender not in scan.tables.fhir["gender"].values():
        scan.trail.doubt(
            "RDB-052",
            "/Patient/gender",
            "Sexe absent ou d'une valeur inconnue : lu comme inconnu.",
            "Vérifier l'identité.",
        )
    try:
        return scan.terms.value("J143", code)
    except MappingError:
        return ABSENT_CODE


def system_of(identifier: Json) -> str:
    """System of an identifier, as a bare OID where it is one."""
    return bare_oid(string(identifier.get("system")))
