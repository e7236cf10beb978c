"""Resources and bundles as the API v2 writes them (profiles as-dp-*, ANS documentation of the Annuaire Santé)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gateway.sandbox.annuaire.people import Box, Place, Post, Professional

_ANS = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/"
_FR_CORE = "https://hl7.fr/ig/fhir/core/StructureDefinition/"
_IDENTIFIER_TYPES = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
_UPDATED = "2026-11-20T18:19:26.335+01:00"


def nos(table: str) -> str:
    """URL of a table of the ANS nomenclature: `TRE_R256-TypeMessagerie`."""
    return f"https://mos.esante.gouv.fr/NOS/{table}/FHIR/{table.replace('_', '-', 1)}"


PROFESSIONS = nos("TRE_G15-ProfessionSante")
SPECIALTIES = nos("TRE_R38-SpecialiteOrdinale")


def practitioner(one: Professional) -> dict[str, Any]:
    """A Practitioner; an inactive one shows its id, its identifiers and its state, no more."""
    resource = {
        **_head("Practitioner", one.id, "fr-core-practitioner", "as-dp-practitioner"),
        "identifier": [
            _identifier("IDNPS", "urn:oid:1.2.250.1.71.4.2.1", f"8{one.rpps}"),
            _identifier("RPPS", "https://rpps.esante.gouv.fr", one.rpps),
        ],
        "active": one.active,
    }
    if not one.active:
        return resource
    name = {"family": one.family, "given": [one.given], "prefix": [one.civility], "suffix": ["DR"]}
    telecom = [*_boxes(one.boxes), *([{"system": "email", "value": one.mail}] if one.mail else [])]
    codings = [(PROFESSIONS, one.profession), (SPECIALTIES, one.specialty)]
    qualification = [{"code": {"coding": [{"system": s, "code": c}]}} for s, c in codings if c]
    return _filled({**resource, "name": [name], "telecom": telecom, "qualification": qualification})


def role(one: Professional, number: int, post: Post) -> dict[str, Any]:
    """A PractitionerRole: one place of practice."""
    resource = {
        **_head("PractitionerRole", role_id(one, number), "fr-core-practitioner-role", "as-dp-practitionerrole"),
        "identifier": [{"system": "https://rpps.esante.gouv.fr", "value": f"1{one.rpps[-8:]}{number}"}],
        "active": post.active and one.active,
    }
    if not resource["active"]:
        return {**resource, "practitioner": {"reference": f"Practitioner/{one.id}"}}
    codes = [(nos("TRE_R22-GenreActivite"), "GENR01"), (nos("TRE_R23-ModeExercice"), "L")]
    return _filled(
        {
            **resource,
            "practitioner": {"reference": f"Practitioner/{one.id}"},
            "organization": {"reference": f"Organization/{post.place.id}"},
            "code": [{"coding": [{"system": system, "code": code}]} for system, code in codes],
            "telecom": list(_boxes(post.boxes)),
        }
    )


def role_id(one: Professional, number: int) -> str:
    """Technical id of a place of practice."""
    return f"005-9{one.rpps[-7:]}-{number}"


def organization(place: Place) -> dict[str, Any]:
    """An Organization with its address; its ordinary e-mail is a telecom too, without the MSSANTE type."""
    kind = {
        "extension": [{"url": f"{_ANS}as-ext-organization-types", "valueCode": "organizationType"}],
        "coding": [
            {"system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-3307", "code": "GEOGRAPHICAL-ENTITY"}
        ],
    }
    telecom = [*_boxes(place.boxes), *([{"system": "email", "value": place.mail}] if place.mail else [])]
    return _filled(
        {
            **_head("Organization", place.id, "fr-core-organization", "as-dp-organization"),
            "identifier": [
                _identifier("IDNST", "urn:oid:1.2.250.1.71.4.2.2", f"1{place.finess}"),
                _identifier("FINEG", "https://finess.esante.gouv.fr", place.finess),
            ],
            "active": place.active,
            "type": [kind],
            "name": place.name,
            "telecom": telecom,
            "address": [{"city": place.town, "postalCode": place.postal_code, "country": "FRA"}],
        }
    )


def _head(kind: str, number: str, fr_core: str, ans: str) -> dict[str, Any]:
    meta = {
        "versionId": "1",
        "lastUpdated": _UPDATED,
        "source": "https://annuaire.sante.fr",
        "profile": [f"{_FR_CORE}{fr_core}", f"{_ANS}{ans}"],
    }
    return {"resourceType": kind, "id": number, "meta": meta, "language": "fr"}


def _identifier(kind: str, system: str, value: str) -> dict[str, Any]:
    coding = [{"system": _IDENTIFIER_TYPES, "code": kind}]
    return {"use": "official", "type": {"coding": coding}, "system": system, "value": value}


def _boxes(boxes: Sequence[Box]) -> Iterator[dict[str, Any]]:
    """Telecoms of the published boxes: a red-listed one is not there at all."""
    for box in boxes:
        if not box.red_listed:
            ranked = {} if box.rank is None else {"rank": box.rank}
            yield {"extension": _about(box), "system": "email", "value": box.address, **ranked}


def _about(box: Box) -> list[dict[str, Any]]:
    kind = {"coding": [{"system": nos("TRE_R257-TypeBAL"), "code": box.kind}]}
    parts: list[dict[str, Any]] = [{"url": "type", "valueCodeableConcept": kind}]
    if box.service:
        parts.append({"url": "description", "valueString": box.service})
    parts += [{"url": "digitization", "valueBoolean": True}, {"url": "listeRouge", "valueBoolean": False}]
    message = {"system": nos("TRE_R256-TypeMessagerie"), "code": "MSSANTE"}
    return [
        {"url": f"{_FR_CORE}fr-core-contact-point-email-type", "valueCoding": message},
        {"url": f"{_ANS}as-ext-mailbox-mss-metadata", "extension": parts},
    ]


def _filled(resource: dict[str, Any]) -> dict[str, Any]:
    """Without empty lists, which FHIR does not allow."""
    return {name: value for name, value in resource.items() if value != []}


def outcome(text: str, code: str = "processing") -> dict[str, Any]:
    """An OperationOutcome as the service words its refusals."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": code, "diagnostics": text}],
    }


def capability(base: str) -> dict[str, Any]:
    """A CapabilityStatement that names what can be searched."""
    kinds = ("Practitioner", "PractitionerRole", "Organization")
    listed = [{"type": kind, "interaction": [{"code": "search-type"}, {"code": "read"}]} for kind in kinds]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-20",
        "kind": "instance",
        "implementation": {"description": "Annuaire de bac a sable", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [{"mode": "server", "resource": listed}],
    }
