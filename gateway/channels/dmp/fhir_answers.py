"""What a server of the FHIR door answers, read into the same entries as SOAP's. Trusts nothing in it.

A resource that has not the shape that FHIR R4 and MHD give it is refused (AnswerError).
"""

from __future__ import annotations

import json
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.channels.dmp.answers import AnswerError
from gateway.channels.dmp.entries import Coded, Entry, SetEntry
from gateway.package.hl7 import escape
from gateway.package.metadata_update import APPROVED, ARCHIVED, DELETED, DEPRECATED
from gateway.package.pdsm_people import data

Json = Mapping[str, Any]
_STATUS = {"current": APPROVED, "superseded": DEPRECATED, "entered-in-error": DELETED}
_PERSON, _PLACE = "urn:oid:1.2.250.1.71.4.2.1", "urn:oid:1.2.250.1.71.4.2.2"


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue of an OperationOutcome: FHIR's code, and the server's words."""

    code: str
    text: str


def read(body: bytes, *kinds: str) -> Json:
    """A resource of one of these types. Raises AnswerError."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise AnswerError("not JSON") from fault
    if not isinstance(found, dict) or found.get("resourceType") not in kinds:
        raise AnswerError(f"{' or '.join(kinds)} expected")
    return found


def issues(body: bytes) -> tuple[Issue, ...]:
    """The errors of an OperationOutcome; none where the body is no such thing."""
    try:
        found = read(body, "OperationOutcome")
    except AnswerError:
        return ()
    return tuple(issue_of(one) for one in _dicts(found.get("issue")) if one.get("severity") in ("error", "fatal"))


def issue_of(one: Json) -> Issue:
    """An issue with what is said of it."""
    details = one.get("details")
    text = details.get("text") if isinstance(details, dict) else None
    return Issue(str(one.get("code", "")), str(text or one.get("diagnostics") or ""))


def outcomes(response: Json) -> Iterator[tuple[int, tuple[Issue, ...], str]]:
    """Status, errors and location of each entry of a transaction-response. Raises AnswerError."""
    if response.get("type") != "transaction-response":
        raise AnswerError("transaction-response expected")
    for entry in _dicts(response.get("entry")):
        told = entry.get("response")
        status = str(told.get("status", "")) if isinstance(told, dict) else ""
        if not (isinstance(told, dict) and status.isascii() and status[:3].isdigit()):
            raise AnswerError("an entry without status")
        outcome = told.get("outcome")
        found = tuple(issue_of(one) for one in _dicts(outcome.get("issue"))) if isinstance(outcome, dict) else ()
        yield int(status[:3]), found, str(told.get("location", ""))


@dataclass(frozen=True, slots=True)
class Found:
    """Resources of a searchset. `complete`: the server held nothing back."""

    resources: tuple[Json, ...]
    complete: bool


def searchset(body: bytes, kind: str) -> Found:
    """The resources of one type that a search found. Raises AnswerError."""
    bundle = read(body, "Bundle")
    if bundle.get("type") != "searchset":
        raise AnswerError("searchset expected")
    listed = [one.get("resource") for one in _dicts(bundle.get("entry"))]
    warned = [one for one in listed if isinstance(one, dict) and one.get("resourceType") == "OperationOutcome"]
    found = [one for one in listed if isinstance(one, dict) and one.get("resourceType") == kind]
    if len(found) + len(warned) != len(listed):
        raise AnswerError("another resource than what was asked for")
    more = any(one.get("relation") == "next" for one in _dicts(bundle.get("link")))
    return Found(tuple(found), not (more or warned))


def entry(resource: Json) -> Entry:
    """A DocumentReference as an entry of the registry; of a reduced one (SUBSETTED) only what it tells.

    Raises AnswerError.
    """
    unique_id = _uri(resource.get("masterIdentifier"), "urn:oid:")
    status = _STATUS.get(str(resource.get("status")))
    if not unique_id or status is None:
        raise AnswerError("a DocumentReference without masterIdentifier or with an unknown status")
    if status == APPROVED and archived(resource):
        status = ARCHIVED
    content = next(_dicts(resource.get("content")), {})
    attachment = content.get("attachment")
    attachment = attachment if isinstance(attachment, dict) else {}
    period = _dict(_dict(resource.get("context")).get("period"))
    person, place = _author(resource)
    return Entry(
        entry_uuid=_entry_uuid(resource),
        unique_id=unique_id,
        status=status,
        hash=_hash(attachment.get("hash")),
        size=_size(attachment.get("size")),
        version=_text(_dict(resource.get("meta")).get("versionId")),
        mime_type=_text(attachment.get("contentType")),
        title=_text(attachment.get("title")),
        creation_time=_time(resource.get("date")),
        service_start=_time(period.get("start")),
        service_stop=_time(period.get("end")),
        author=person,
        institution=place,
        class_code=_code(next(_dicts(resource.get("category")), None)),
        type_code=_code(resource.get("type")),
        format_code=_code(content.get("format")),
        confidentiality=tuple(filter(None, (_code(one) for one in _dicts(resource.get("securityLabel"))))),
        patient_id=_patient(resource),
        url=_text(attachment.get("url")),
        resource=resource,
    )


def archived(resource: Json) -> bool:
    """Whether the extension of PDSm says so."""
    url = data().extension["archived"]
    return any(one.get("url") == url and one.get("valueBoolean") is True for one in _dicts(resource.get("extension")))


def set_entry(resource: Json) -> SetEntry:
    """A List as a submission set. Raises AnswerError when it has no uniqueId."""
    names = list(_dicts(resource.get("identifier")))
    unique = next((value for one in names if (value := _uri(one, "urn:oid:"))), None)
    if unique is None:
        raise AnswerError("a submission set without uniqueId")
    person, place = _professional(resource, resource.get("source"))
    url = data().extension
    kinds = [one for one in _dicts(resource.get("extension")) if one.get("url") == url["designation"]]
    senders = [one for one in _dicts(resource.get("extension")) if one.get("url") == url["source_id"]]
    return SetEntry(
        entry_uuid=_entry_uuid(resource),
        unique_id=unique,
        source_id=_uri(senders[0].get("valueIdentifier"), "urn:oid:") or None if senders else None,
        status=_STATUS.get(str(resource.get("status"))),
        title=_text(resource.get("title")),
        submission_time=_time(resource.get("date")),
        content_type=_code(kinds[0].get("valueCodeableConcept")) if kinds else None,
        author=person,
        institution=place,
    )


# --------------------------------------------------------------------------------------------------- datatypes


def _dicts(value: object) -> Iterator[Json]:
    for one in value if isinstance(value, list) else []:
        if isinstance(one, dict):
            yield one


def _dict(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _uri(identifier: object, prefix: str) -> str:
    value = _dict(identifier).get("value")
    known = _dict(identifier).get("system") == data().uri_identifiers
    return value.removeprefix(prefix) if known and isinstance(value, str) and value.startswith(prefix) else ""


def _entry_uuid(resource: Json) -> str:
    """The official identifier, else the id of the resource: it is the entryUUID (DMP draft, identifiers)."""
    for one in _dicts(resource.get("identifier")):
        if one.get("use") == "official" and (value := _uri(one, "urn:uuid:")):
            return f"urn:uuid:{value}"
    found = _text(resource.get("id"))
    if found is None:
        raise AnswerError("a resource without id")
    return found


def _hash(value: object) -> str | None:
    """SHA-1 in hexadecimal of what FHIR writes in base64."""
    if value is None:
        return None
    try:
        digest = b64decode(str(value), validate=True)
    except Base64Error as fault:
        raise AnswerError("a hash that is no base64") from fault
    return digest.hex()


def _size(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise AnswerError("a size that is no number")
    return value


def _time(value: object) -> str | None:
    """An HL7 time in UTC of a dateTime; a date alone keeps its digits."""
    text = _text(value)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return text.replace("-", "")[:8]
        return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S")
    except (ValueError, OverflowError) as fault:  # the last hours of the calendar are beyond it elsewhere
        raise AnswerError("a time that cannot be read") from fault


def _code(value: object) -> Coded | None:
    """The first code of a CodeableConcept, or a Coding."""
    concept = _dict(value)
    coding = next(_dicts(concept.get("coding")), concept)
    code = _text(coding.get("code"))
    if code is None:
        return None
    words = _text(coding.get("display")) or _text(concept.get("text")) or ""
    return Coded(code, data().oid(str(coding.get("system", ""))), words)


def _contained(resource: Json, reference: object) -> Json:
    target = str(_dict(reference).get("reference", ""))
    inside = (one for one in _dicts(resource.get("contained")) if target and f"#{one.get('id')}" == target)
    return next(inside, {})


def _author(resource: Json) -> tuple[str | None, str | None]:
    return _professional(resource, next(_dicts(resource.get("author")), None))


def _professional(resource: Json, reference: object) -> tuple[str | None, str | None]:
    """XCN and XON of a contained PractitionerRole or Practitioner."""
    role = _contained(resource, reference)
    person = _contained(resource, role.get("practitioner")) if "practitioner" in role else role
    place = _contained(resource, role.get("organization"))
    name = next(_dicts(person.get("name")), {})
    given = name.get("given")
    first = str(given[0]) if isinstance(given, list) and given else ""
    number, family = _number(person, _PERSON), _text(name.get("family"))
    shown = f"{escape(number)}^{escape(family or '')}^{escape(first)}" if number or family else None
    where = _text(place.get("name"))
    return shown, None if where is None else f"{escape(where)}^^^^^^^^^{escape(_number(place, _PLACE))}"


def _number(resource: Json, system: str) -> str:
    found = (str(one.get("value", "")) for one in _dicts(resource.get("identifier")) if one.get("system") == system)
    return next(found, "")


def _patient(resource: Json) -> str | None:
    """The INS of the subject as XDS writes it: said beside the reference, or by the patient inside."""
    subject = _dict(resource.get("subject"))
    named = [_dict(subject.get("identifier")), *_dicts(_contained(resource, subject).get("identifier"))]
    for one in named:
        system, value = str(one.get("system", "")), _text(one.get("value"))
        if value is not None and system.startswith("urn:oid:1.2.250.1.213.1.4."):
            return f"{value}^^^&{system.removeprefix('urn:oid:')}&ISO^NH"
    return None
