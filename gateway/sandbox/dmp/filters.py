"""Parameters of the stored queries: names, kinds, and whether an object matches them (ITI TF-2 §3.18.4.1.2.3.7)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.sandbox import ebrim
from gateway.sandbox.dmp.adhoc import Kind, Query
from gateway.sandbox.dmp.entries import read_back, read_set, status_of
from gateway.sandbox.dmp.records import DmpDocument, DmpSubmission
from gateway.sandbox.ebrim import RegistryObject

FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
FIND_SETS = "urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9"
GET_ASSOCIATIONS = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"

PATIENT = "$XDSDocumentEntryPatientId"
STATUS = "$XDSDocumentEntryStatus"
ENTRY_UUID = "$XDSDocumentEntryEntryUUID"
UNIQUE_ID = "$XDSDocumentEntryUniqueId"
SET_PATIENT = "$XDSSubmissionSetPatientId"
SET_STATUS = "$XDSSubmissionSetStatus"
UUID = "$uuid"

_TYPE = "$XDSDocumentEntryType"
_PERSON = "$XDSDocumentEntryAuthorPerson"
_SET_PERSON = "$XDSSubmissionSetAuthorPerson"
_SET_SOURCE = "$XDSSubmissionSetSourceId"
_SET_CONTENT = "$XDSSubmissionSetContentType"
_SET_TIMES = {f"$XDSSubmissionSetSubmissionTime{end}": ("submissionTime", end) for end in ("From", "To")}
_CODES = {
    "$XDSDocumentEntryClassCode": ebrim.CLASS_CODE,
    "$XDSDocumentEntryTypeCode": ebrim.TYPE_CODE,
    "$XDSDocumentEntryPracticeSettingCode": ebrim.PRACTICE,
    "$XDSDocumentEntryHealthcareFacilityTypeCode": ebrim.FACILITY,
    "$XDSDocumentEntryFormatCode": ebrim.FORMAT_CODE,
    "$XDSDocumentEntryEventCodeList": ebrim.EVENT_CODE,
    "$XDSDocumentEntryConfidentialityCode": ebrim.CONFIDENTIALITY,
    _SET_CONTENT: ebrim.SET_CONTENT_TYPE,
}
_REPEATED = {"$XDSDocumentEntryEventCodeList", "$XDSDocumentEntryConfidentialityCode"}
_TIMES = {
    f"$XDSDocumentEntry{name[0].upper()}{name[1:]}{end}": (name, end)
    for name in ("creationTime", "serviceStartTime", "serviceStopTime")
    for end in ("From", "To")
} | _SET_TIMES
_entry_codes: dict[str, Kind] = {
    name: "repeated" if name in _REPEATED else "codes" for name in _CODES if name != _SET_CONTENT
}
_entry_times: dict[str, Kind] = {name: "time" for name in _TIMES if name not in _SET_TIMES}
_set_times: dict[str, Kind] = dict.fromkeys(_SET_TIMES, "time")
KNOWN: dict[str, dict[str, Kind]] = {
    FIND_DOCUMENTS: {
        PATIENT: "one",
        STATUS: "many",
        _TYPE: "many",
        _PERSON: "many",
        **_entry_codes,
        **_entry_times,
    },
    GET_DOCUMENTS: {ENTRY_UUID: "many", UNIQUE_ID: "many", "$homeCommunityId": "one"},
    FIND_SETS: {
        SET_PATIENT: "one",
        SET_STATUS: "many",
        _SET_SOURCE: "many",
        _SET_PERSON: "one",
        _SET_CONTENT: "codes",
        **_set_times,
    },
    GET_ASSOCIATIONS: {UUID: "many", "$homeCommunityId": "one"},
}
"""The parameters of each query that this registry answers."""
_LIKE = {"%": ".*", "_": "."}


def matches_document(document: DmpDocument, query: Query) -> bool:
    """Whether FindDocuments returns this document, rights aside."""
    if status_of(document) not in query.values(STATUS):
        return False
    entry = read_back(document)
    types = query.values(_TYPE)
    return (
        (not types or entry.element.get("objectType") in types)
        and _by_codes_and_times(entry, query)
        and _by_person(entry, query.values(_PERSON))
    )


def matches_set(submission: DmpSubmission, query: Query) -> bool:
    """Whether FindSubmissionSets returns this set, rights aside; every set that was accepted is Approved."""
    found = read_set(submission)
    sources = query.values(_SET_SOURCE)
    return (
        (not sources or submission.source_id in sources)
        and _by_codes_and_times(found, query)
        and _by_person(found, query.values(_SET_PERSON))
    )


def _by_codes_and_times(owner: RegistryObject, query: Query) -> bool:
    return all(_has_code(owner, name, query) for name in query.parameters if name in _CODES) and all(
        _in_time(owner, name, query) for name in query.parameters if name in _TIMES
    )


def _has_code(owner: RegistryObject, name: str, query: Query) -> bool:
    """One of the values of each slot: "or" inside a slot, "and" between slots."""
    held = {f"{code.code}^^{code.scheme}" for code in owner.codes.get(_CODES[name], [])}
    return all(held & set(values) for values in query.parameters[name])


def _in_time(owner: RegistryObject, name: str, query: Query) -> bool:
    """From is inclusive, To is not; without a value there is nothing to exclude."""
    slot, end = _TIMES[name]
    held, limit = owner.slot(slot), query.values(name)[0]
    padded = limit.ljust(14, "0")
    return not held or (held >= padded if end == "From" else held < padded)


def _by_person(owner: RegistryObject, patterns: Sequence[str]) -> bool:
    """SQL LIKE on the XCN of each author."""
    if not patterns:
        return True
    persons = [person for author in owner.authors for person in author.person]
    return any(re.fullmatch(_like(pattern), person) for pattern in patterns for person in persons)


def _like(pattern: str) -> str:
    return "".join(_LIKE.get(letter) or re.escape(letter) for letter in pattern)
