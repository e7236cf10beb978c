"""Stored documents and sets as FHIR gives them back: DocumentReference, List, Binary, Patient (MHD, PDSm)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime

from gateway.sandbox import ebrim
from gateway.sandbox.dmp.entries import read_back, read_set
from gateway.sandbox.dmp.fhir.values import Json, address_of, facts, profile
from gateway.sandbox.dmp.records import APPROVED, ARCHIVED, DELETED, DEPRECATED, DmpDocument, DmpSubmission
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.ebrim import Code, RegistryObject
from gateway.sandbox.hl7 import parse_cx, parse_xcn, parse_xon

STATUS = {APPROVED: "current", ARCHIVED: "current", DEPRECATED: "superseded", DELETED: "entered-in-error"}
"""DocumentReference.status of each availabilityStatus; an archived document is current, and marked."""
SUBSET = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}


def fhir_id(entry_uuid: str) -> str:
    """The id of a resource: its entryUUID without prefix (DMP draft, identifiers)."""
    return entry_uuid.removeprefix("urn:uuid:")


def document(store: DmpStore, held: DmpDocument, base: str, *, whole: bool) -> Json:
    """A DocumentReference. Not `whole`: references only, for indirect authentication (spec dmp §1.5)."""
    found: Json = {
        "resourceType": "DocumentReference",
        "id": fhir_id(held.entry_uuid),
        "meta": {"versionId": str(held.version), "profile": [profile("document")]},
        "extension": [{"url": facts()["archived"], "valueBoolean": held.status == ARCHIVED}],
        "masterIdentifier": _uri(f"urn:oid:{held.unique_id}"),
        "identifier": [
            {"use": "official", **_uri(held.entry_uuid)},
            {"use": "secondary", **_uri(held.logical_id)},
        ],
        "status": STATUS[held.status],
    }
    if not whole:
        return {**found, "meta": {"versionId": str(held.version), "tag": [SUBSET]}}
    return {**found, **_described(store, held, base)}


def _described(store: DmpStore, held: DmpDocument, base: str) -> Json:
    entry, inside = read_back(held), _Inside()
    patient = inside.patient(entry, held)
    authors = [inside.author(one.person, one.institution, one.specialty) for one in entry.authors]
    institutions = [value for one in entry.authors for value in one.institution]
    found: Json = {
        "type": concept(entry.code(ebrim.TYPE_CODE)),
        "category": [concept(entry.code(ebrim.CLASS_CODE))],
        "subject": {**patient, "identifier": _ins(held)},
        "date": _time(entry.slot("creationTime")),
        "author": authors,
        "authenticator": inside.practitioner(entry.slot("legalAuthenticator"), ()),
        "custodian": inside.organization(institutions[0]) if institutions else None,
        "relatesTo": _relations(store, held),
        "securityLabel": [concept(code) for code in entry.codes.get(ebrim.CONFIDENTIALITY, [])],
        "content": [{"attachment": _attachment(held, entry, base), "format": coding(entry.code(ebrim.FORMAT_CODE))}],
        "context": {
            "period": _period(entry),
            "facilityType": concept(entry.code(ebrim.FACILITY)),
            "practiceSetting": concept(entry.code(ebrim.PRACTICE)),
            "sourcePatientInfo": patient,
        },
    }
    return {"contained": inside.found, **{name: value for name, value in found.items() if value}}


def _attachment(held: DmpDocument, entry: RegistryObject, base: str) -> Json:
    return {
        "contentType": held.mime,
        "language": entry.slot("languageCode"),
        "url": f"{base}/Binary/{fhir_id(held.logical_id)}",
        "size": held.size,
        "hash": b64encode(bytes.fromhex(held.hash)).decode("ascii"),
        "title": held.title,
        "creation": _time(held.creation_time),
    }


def _period(entry: RegistryObject) -> Json:
    times = {"start": entry.slot("serviceStartTime"), "end": entry.slot("serviceStopTime")}
    return {name: _time(value) for name, value in times.items() if value}


def _relations(store: DmpStore, held: DmpDocument) -> list[Json]:
    links = [one for one in store.associations([held.logical_id]) if one.type == ebrim.REPLACES]
    found = []
    for link in links:
        former = store.by_entry_uuid(link.target) if link.source == held.logical_id else None
        if former is not None:
            reference = f"DocumentReference/{fhir_id(former.entry_uuid)}"
            target = {"reference": reference, "identifier": _uri(f"urn:oid:{former.unique_id}")}
            found.append({"code": "replaces", "target": target})
    return found


def submission(held: DmpSubmission, members: Sequence[DmpDocument]) -> Json:
    """A submission set as a List."""
    entry, inside = read_set(held), _Inside()
    patient = inside.plain_patient(held.matricule, held.oid)
    author = entry.authors[0] if entry.authors else None
    source = inside.author(author.person, author.institution, author.specialty) if author is not None else None
    kind = entry.code(ebrim.SET_CONTENT_TYPE)
    extensions = [{"url": facts()["source_id"], "valueIdentifier": _uri(f"urn:oid:{held.source_id}")}]
    if kind is not None:
        extensions.insert(0, {"url": facts()["designation"], "valueCodeableConcept": concept(kind)})
    return {
        "resourceType": "List",
        "id": fhir_id(held.entry_uuid),
        "meta": {"profile": [profile("set")]},
        "contained": inside.found,
        "extension": extensions,
        "identifier": [
            {"use": "usual", **_uri(f"urn:oid:{held.unique_id}")},
            {"use": "official", **_uri(held.entry_uuid)},
        ],
        "status": "current",
        "mode": "working",
        "title": entry.title,
        "code": {"coding": [dict(zip(("system", "code"), facts()["list_type"], strict=True))]},
        "subject": {**patient, "identifier": {"system": f"urn:oid:{held.oid}", "value": held.matricule}},
        "date": _time(entry.slot("submissionTime")),
        **({"source": source} if source else {}),
        "entry": [{"item": {"reference": f"DocumentReference/{fhir_id(one.entry_uuid)}"}} for one in members],
    }


class _Inside:
    """What a resource contains: one of each."""

    def __init__(self) -> None:
        self.found: list[Json] = []

    def _add(self, resource: Json) -> Json:
        """The reference to it, contained once."""
        for known in self.found:
            if {**known, "id": ""} == {**resource, "id": ""}:
                return {"reference": f"#{known['id']}"}
        name = f"{resource['resourceType'].lower()}-{len(self.found) + 1}"
        self.found.append({"resourceType": resource["resourceType"], "id": name, **resource})
        self.found[-1]["id"] = name
        return {"reference": f"#{name}"}

    def patient(self, entry: RegistryObject, held: DmpDocument) -> Json:
        """The patient: INS and the sender's identifier. His traits are not given back (RG_0320)."""
        try:
            source = parse_cx(entry.slot("sourcePatientId"))
        except ValueError:
            return self.plain_patient(held.matricule, held.oid)
        identifiers = [_ins(held)]
        if (source.oid, source.id) != (held.oid, held.matricule):
            identifiers.append({"system": f"urn:oid:{source.oid}", "value": source.id})
        return self._add({"resourceType": "Patient", "identifier": identifiers})

    def plain_patient(self, matricule: str, oid: str) -> Json:
        """The patient by his INS."""
        return self._add({"resourceType": "Patient", "identifier": [{"system": f"urn:oid:{oid}", "value": matricule}]})

    def practitioner(self, xcn: str, specialties: Sequence[str]) -> Json | None:
        """A person of an XCN."""
        try:
            person = parse_xcn(xcn)
        except ValueError:
            return None
        qualification = []
        for value in specialties:
            code, _, rest = value.partition("^")
            words, _, oid = rest.rpartition("^")
            qualification.append({"code": concept(Code(code, oid, words))})
        return self._add(
            {
                "resourceType": "Practitioner",
                "identifier": [{"system": f"urn:oid:{person.oid}", "value": person.id}],
                "name": [{"family": person.family, "given": [person.given]}],
                **({"qualification": qualification} if qualification else {}),
            }
        )

    def organization(self, xon: str) -> Json | None:
        """A structure of an XON."""
        try:
            place = parse_xon(xon)
        except ValueError:
            return None
        identifier = {"system": f"urn:oid:{place.oid}", "value": place.id}
        return self._add({"resourceType": "Organization", "identifier": [identifier], "name": place.name})

    def author(self, persons: Sequence[str], places: Sequence[str], specialties: Sequence[str]) -> Json | None:
        """A person in a structure."""
        person = self.practitioner(persons[0], specialties) if persons else None
        place = self.organization(places[0]) if places else None
        if person is None or place is None:
            return person
        return self._add({"resourceType": "PractitionerRole", "practitioner": person, "organization": place})


def coding(code: Code | None) -> Json | None:
    """A Coding."""
    return {"system": address_of(code.scheme), "code": code.code, "display": code.display} if code else None


def concept(code: Code | None) -> Json | None:
    """A CodeableConcept."""
    return {"coding": [coding(code)], "text": code.display} if code else None


def _uri(value: str) -> Json:
    return {"system": facts()["uri"], "value": value}


def _ins(held: DmpDocument) -> Json:
    return {"system": f"urn:oid:{held.oid}", "value": held.matricule}


def _time(digits: str) -> str:
    """A dateTime of UTC digits, to the second; of fewer digits only the date."""
    if len(digits) < 14:
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}".strip("-")
    return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC).isoformat()
