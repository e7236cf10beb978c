"""ITI-18 Registry Stored Query (TD3.1): FindDocuments and GetDocuments (spec dmp §1.5, §1.6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from lxml import etree

from gateway.sandbox import ebrim
from gateway.sandbox.dmp.adhoc import QUERY, Kind, Query, QueryError, query_id, read_query, require
from gateway.sandbox.dmp.entries import STATUSES, read_back, status_of, write_leaves, write_references
from gateway.sandbox.dmp.patients import check_patient
from gateway.sandbox.dmp.registry import write_status
from gateway.sandbox.dmp.soap import SoapFault
from gateway.sandbox.dmp.store import DmpDocument, DmpStore
from gateway.sandbox.dmp.transactions import Answer, Call
from gateway.sandbox.dmp.vihf_content import Vihf
from gateway.sandbox.ebrim import RIM, RegistryObject
from gateway.sandbox.hl7 import parse_cx
from gateway.sandbox.problems import (
    MISSING_PARAMETER,
    NOT_SINGLE_PATIENT,
    OTHER_PATIENT,
    PARAMETER_NUMBER,
    POLICY,
    REGISTRY,
    Problem,
)
from gateway.sandbox.xml import Element

ACTION = "urn:ihe:iti:2007:RegistryStoredQuery"
FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"

_PATIENT = "$XDSDocumentEntryPatientId"
_STATUS = "$XDSDocumentEntryStatus"
_TYPE = "$XDSDocumentEntryType"
_PERSON = "$XDSDocumentEntryAuthorPerson"
_ENTRY_UUID = "$XDSDocumentEntryEntryUUID"
_UNIQUE_ID = "$XDSDocumentEntryUniqueId"
_CODES = {
    "$XDSDocumentEntryClassCode": ebrim.CLASS_CODE,
    "$XDSDocumentEntryTypeCode": ebrim.TYPE_CODE,
    "$XDSDocumentEntryPracticeSettingCode": ebrim.PRACTICE,
    "$XDSDocumentEntryHealthcareFacilityTypeCode": ebrim.FACILITY,
    "$XDSDocumentEntryFormatCode": ebrim.FORMAT_CODE,
    "$XDSDocumentEntryEventCodeList": ebrim.EVENT_CODE,
    "$XDSDocumentEntryConfidentialityCode": ebrim.CONFIDENTIALITY,
}
_REPEATED = {"$XDSDocumentEntryEventCodeList", "$XDSDocumentEntryConfidentialityCode"}
_TIMES = {
    f"$XDSDocumentEntry{name[0].upper()}{name[1:]}{end}": (name, end)
    for name in ("creationTime", "serviceStartTime", "serviceStopTime")
    for end in ("From", "To")
}
_codes: dict[str, Kind] = {name: "repeated" if name in _REPEATED else "codes" for name in _CODES}
_times: dict[str, Kind] = dict.fromkeys(_TIMES, "time")
_KNOWN: dict[str, dict[str, Kind]] = {
    FIND_DOCUMENTS: {_PATIENT: "one", _STATUS: "many", _TYPE: "many", _PERSON: "many", **_codes, **_times},
    GET_DOCUMENTS: {_ENTRY_UUID: "many", _UNIQUE_ID: "many", "$homeCommunityId": "one"},
}
_LIKE = {"%": ".*", "_": "."}


class StoredQuery:
    """Searches of the registry, for the patient that the VIHF names and by the rights of who asks."""

    path = "registry"
    action = ACTION
    stores = False

    def __init__(self, store: DmpStore, unknown_patient: str) -> None:
        self._store = store
        self._unknown_patient = unknown_patient
        self._ways: dict[str, Callable[[Query, Vihf], list[DmpDocument]]] = {
            FIND_DOCUMENTS: self._find,
            GET_DOCUMENTS: self._get,
        }

    def answer(self, call: Call) -> Answer:
        """Answer a query. Raises SoapFault when it is about another patient than the VIHF."""
        asked = query_id(call.request.payload)
        try:
            query = read_query(call.request.payload, _KNOWN)
            found = self._ways[query.id](query, call.vihf)
            self._check_access(query, call.vihf)
        except QueryError as refused:
            self._store.add_question(asked, 0, [refused.problem.code])
            return self.refuse(call, [refused.problem])
        visible = [document for document in found if _visible(document, call.vihf)]
        self._store.add_question(asked, len(visible), [])
        write = write_leaves if query.leaves else write_references
        return Answer(ACTION + "Response", lambda body: write(_response(body, []), visible))

    def refuse(self, call: Call, problems: Sequence[Problem]) -> Answer:  # noqa: ARG002 the protocol's
        """Failure, with an empty list of objects."""
        return Answer(ACTION + "Response", lambda body: _fail(body, problems))

    def _check_access(self, query: Query, vihf: Vihf) -> None:
        for problem in check_patient(self._store, vihf.patient, self._unknown_patient):
            raise QueryError(problem.code, problem.location, problem.message)
        if query.leaves and not vihf.direct:
            message = "authentification indirecte : références seulement (ObjectRef)"
            raise QueryError(POLICY, "ResponseOption/@returnType", message)

    def _find(self, query: Query, vihf: Vihf) -> list[DmpDocument]:
        require(query, _PATIENT)
        require(query, _STATUS)
        _check_patient_id(query.values(_PATIENT)[0], vihf)
        unknown = [status for status in query.values(_STATUS) if status not in STATUSES]
        if unknown:
            raise QueryError(REGISTRY, _STATUS, f"statut « {unknown[0]} » inconnu")
        held = self._store.documents(vihf.patient.id, signatures=True)
        return [one for one in held if one.oid == vihf.patient.oid and _matches(one, query)]

    def _get(self, query: Query, vihf: Vihf) -> list[DmpDocument]:
        given = [name for name in (_ENTRY_UUID, _UNIQUE_ID) if name in query.parameters]
        if len(given) != 1:
            code = PARAMETER_NUMBER if given else MISSING_PARAMETER
            raise QueryError(code, _UNIQUE_ID, f"un et un seul de {_ENTRY_UUID} et {_UNIQUE_ID} attendu")
        found: dict[str, DmpDocument] = {}
        for value in query.values(given[0]):
            for document in self._named(given[0], value):
                found[document.entry_uuid] = document
        _check_one_patient(list(found.values()), query, vihf)
        return list(found.values())

    def _named(self, name: str, value: str) -> list[DmpDocument]:
        if name == _UNIQUE_ID:
            return self._store.by_unique_id(value)
        one = self._store.by_entry_uuid(value)
        return [one] if one is not None else []


def _check_patient_id(value: str, vihf: Vihf) -> None:
    try:
        patient = parse_cx(value)
    except ValueError as fault:
        raise QueryError(REGISTRY, _PATIENT, str(fault)) from fault
    if (patient.id, patient.oid) != (vihf.patient.id, vihf.patient.oid):
        raise SoapFault("VIHF : resource-id diffère du patient de la requête", "wsse:FailedCheck")


def _check_one_patient(found: Sequence[DmpDocument], query: Query, vihf: Vihf) -> None:
    patients = {(document.matricule, document.oid) for document in found}
    if query.leaves and len(patients) > 1:
        raise QueryError(NOT_SINGLE_PATIENT, _UNIQUE_ID, "documents de plusieurs patients")
    if patients - {(vihf.patient.id, vihf.patient.oid)}:
        raise QueryError(OTHER_PATIENT, _UNIQUE_ID, "document d'un autre patient que celui du VIHF")


def _visible(document: DmpDocument, vihf: Vihf) -> bool:
    """A document masked to professionals is found only by who fed it (spec dmp §1.5)."""
    own = document.author_id == vihf.name_id if vihf.direct else document.structure == vihf.structure
    return own or "MASQUE_PS" not in document.confidentiality


def _matches(document: DmpDocument, query: Query) -> bool:
    if status_of(document) not in query.values(_STATUS):
        return False
    entry = read_back(document)
    types = query.values(_TYPE)
    return (
        (not types or entry.element.get("objectType") in types)
        and all(_has_code(entry, name, query) for name in query.parameters if name in _CODES)
        and all(_in_time(entry, name, query) for name in query.parameters if name in _TIMES)
        and _by_person(entry, query.values(_PERSON))
    )


def _has_code(entry: RegistryObject, name: str, query: Query) -> bool:
    """One of the values of each slot: "or" inside a slot, "and" between slots."""
    held = {f"{code.code}^^{code.scheme}" for code in entry.codes.get(_CODES[name], [])}
    return all(held & set(values) for values in query.parameters[name])


def _in_time(entry: RegistryObject, name: str, query: Query) -> bool:
    """From is inclusive, To is not (ITI TF-2 §3.18.4.1.2.3.7.1); without a value there is nothing to exclude."""
    slot, end = _TIMES[name]
    held, limit = entry.slot(slot), query.values(name)[0]
    padded = limit.ljust(14, "0")
    return not held or (held >= padded if end == "From" else held < padded)


def _by_person(entry: RegistryObject, patterns: Sequence[str]) -> bool:
    """SQL LIKE on the XCN of each author."""
    if not patterns:
        return True
    persons = [person for author in entry.authors for person in author.person]
    return any(re.fullmatch(_like(pattern), person) for pattern in patterns for person in persons)


def _like(pattern: str) -> str:
    return "".join(_LIKE.get(letter) or re.escape(letter) for letter in pattern)


def _response(body: Element, problems: Sequence[Problem]) -> Element:
    """The response with its status; returns the list that objects go into."""
    root = etree.SubElement(body, f"{{{QUERY}}}AdhocQueryResponse", nsmap={"query": QUERY, "rim": RIM})
    write_status(root, problems)
    return etree.SubElement(root, f"{{{RIM}}}RegistryObjectList")


def _fail(body: Element, problems: Sequence[Problem]) -> None:
    _response(body, problems)
