"""ITI-18 Registry Stored Query: the requests of TD3.1, as plain SOAP (spec dmp §1.6; ITI TF-2 §3.18).

Quoting (ITI TF-2 §3.18.4.1.2.3.4): a string stands between single quotes, a quote inside is doubled; a parameter
that may have several values has them between parentheses, with commas; one that has a single value has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from gateway.package import hl7, soap
from gateway.package.mtom import HttpBody, soap_body

QUERY = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"

FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
FIND_SUBMISSION_SETS = "urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9"
GET_ASSOCIATIONS = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"
APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
MAX_VALUES = 20
"""Most ids in one query: larger batches are to be cut (spec dmp §1.6)."""

ReturnType = Literal["LeafClass", "ObjectRef"]


@dataclass(frozen=True, slots=True)
class Instant:
    """A time of HL7 (`yyyyMMddHHmmss`, UTC): a number, without quotes. Raises ValueError on anything else."""

    text: str

    def __post_init__(self) -> None:
        if not (self.text.isascii() and self.text.isdigit() and 4 <= len(self.text) <= 14):
            raise ValueError("not an HL7 time")


Value = str | Instant | Sequence[str]
"""One value, or the values of a parameter that may have several."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """What FindDocuments is asked beside the patient. Codes are (code, codingScheme) pairs; times are UTC, the first
    one included, the last one not (ITI TF-2 §3.18.4.1.2.3.7.1).
    """

    statuses: tuple[str, ...] = (APPROVED,)
    class_codes: tuple[tuple[str, str], ...] = ()
    type_codes: tuple[tuple[str, str], ...] = ()
    created_from: datetime | None = None
    created_before: datetime | None = None

    def parameters(self) -> dict[str, Value]:
        """As parameters of the query."""
        found: dict[str, Value] = {"$XDSDocumentEntryStatus": self.statuses}
        for name, codes in (("ClassCode", self.class_codes), ("TypeCode", self.type_codes)):
            if codes:
                found[f"$XDSDocumentEntry{name}"] = tuple(f"{code}^^{scheme}" for code, scheme in codes)
        for end, moment in (("From", self.created_from), ("To", self.created_before)):
            if moment is not None:
                found[f"$XDSDocumentEntryCreationTime{end}"] = Instant(hl7.utc(moment))
        return found


def get_documents(unique_ids: Sequence[str], return_type: ReturnType) -> bytes:
    """GetDocuments by uniqueId (TD3.1b with `ObjectRef`): the `query:AdhocQueryRequest` element.

    Raises ValueError without an id or with more than MAX_VALUES.
    """
    return stored_query(GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": _batch(unique_ids)}, return_type)


def get_entries(entry_uuids: Sequence[str], return_type: ReturnType) -> bytes:
    """GetDocuments by entryUUID. Raises ValueError without an id or with more than MAX_VALUES."""
    return stored_query(GET_DOCUMENTS, {"$XDSDocumentEntryEntryUUID": _batch(entry_uuids)}, return_type)


def find_documents(patient: str, return_type: ReturnType, criteria: Criteria = Criteria()) -> bytes:
    """FindDocuments (TD3.1a) of one patient, given as XDS writes one: the `query:AdhocQueryRequest` element."""
    parameters: dict[str, Value] = {"$XDSDocumentEntryPatientId": patient, **criteria.parameters()}
    return stored_query(FIND_DOCUMENTS, parameters, return_type)


def find_submission_sets(patient: str, return_type: ReturnType) -> bytes:
    """FindSubmissionSets of one patient: every set that was accepted."""
    parameters: dict[str, Value] = {"$XDSSubmissionSetPatientId": patient, "$XDSSubmissionSetStatus": (APPROVED,)}
    return stored_query(FIND_SUBMISSION_SETS, parameters, return_type)


def get_associations(uuids: Sequence[str], return_type: ReturnType) -> bytes:
    """GetAssociations of entries or sets. Raises ValueError without an id or with more than MAX_VALUES."""
    return stored_query(GET_ASSOCIATIONS, {"$uuid": _batch(uuids)}, return_type)


def batches(values: Sequence[str]) -> list[tuple[str, ...]]:
    """Ids cut into what one query may carry, each once, in their order."""
    single = tuple(dict.fromkeys(values))
    return [single[start : start + MAX_VALUES] for start in range(0, len(single), MAX_VALUES)]


def _batch(values: Sequence[str]) -> tuple[str, ...]:
    if not 0 < len(values) <= MAX_VALUES:
        raise ValueError(f"from 1 to {MAX_VALUES} ids in one query")
    return tuple(values)


def stored_query(query_id: str, parameters: Mapping[str, Value], return_type: ReturnType) -> bytes:
    """Any stored query, its parameters quoted."""
    slots = "".join(
        f"<rim:Slot name={quoteattr(name)}><rim:ValueList>{_values(value)}</rim:ValueList></rim:Slot>"
        for name, value in parameters.items()
    )
    return (
        f'<query:AdhocQueryRequest xmlns:query="{QUERY}" xmlns:rim="{RIM}">'
        f'<query:ResponseOption returnType="{return_type}" returnComposedObjects="true"/>'
        f"<rim:AdhocQuery id={quoteattr(query_id)}>{slots}</rim:AdhocQuery></query:AdhocQueryRequest>"
    ).encode()


def request(body: bytes, *, to: str, message_id: str, assertion: bytes) -> HttpBody:
    """The HTTP body of a stored query."""
    data = soap.envelope(soap.STORED_QUERY, to=to, message_id=message_id, assertion=assertion, body=body)
    return soap_body(data, soap.STORED_QUERY)


def _values(value: Value) -> str:
    """A list that is too long for one slot value goes on in the next (ITI TF-2 §3.18.4.1.2.3.5)."""
    texts = [_quoted(value)] if isinstance(value, str | Instant) else [_quoted(group) for group in _groups(value)]
    return "".join(f"<rim:Value>{escape(text)}</rim:Value>" for text in texts)


def _groups(values: Sequence[str]) -> list[list[str]]:
    groups: list[list[str]] = []
    for value in values:
        if groups and len(_quoted([*groups[-1], value])) <= hl7.MAX_SLOT:
            groups[-1].append(value)
        else:
            groups.append([value])
    return groups


def _quoted(value: Value) -> str:
    if isinstance(value, Instant):
        return value.text
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"({','.join(_quoted(one) for one in value)})"
