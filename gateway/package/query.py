"""ITI-18 Registry Stored Query: the requests of TD3.1, as plain SOAP (spec dmp §1.6; ITI TF-2 §3.18).

Quoting (ITI TF-2 §3.18.4.1.2.3.4): a string stands between single quotes, a quote inside is doubled; a parameter
that may have several values has them between parentheses, with commas; one that has a single value has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from gateway.package import soap
from gateway.package.mtom import HttpBody

QUERY = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"

FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
MAX_VALUES = 20
"""Most ids in one query: larger batches are to be cut (spec dmp §1.6)."""

ReturnType = Literal["LeafClass", "ObjectRef"]
Value = str | Sequence[str]
"""One value, or the values of a parameter that may have several."""


def get_documents(unique_ids: Sequence[str], return_type: ReturnType) -> bytes:
    """GetDocuments by uniqueId (TD3.1b with `ObjectRef`): the `query:AdhocQueryRequest` element.

    Raises ValueError without an id or with more than MAX_VALUES.
    """
    if not 0 < len(unique_ids) <= MAX_VALUES:
        raise ValueError(f"from 1 to {MAX_VALUES} ids in one query")
    return stored_query(GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": tuple(unique_ids)}, return_type)


def find_documents(ins: str, ins_oid: str, return_type: ReturnType, statuses: Sequence[str] = (APPROVED,)) -> bytes:
    """FindDocuments (TD3.1a) of one patient: the `query:AdhocQueryRequest` element."""
    parameters: dict[str, Value] = {
        "$XDSDocumentEntryPatientId": f"{ins}^^^&{ins_oid}&ISO^NH",
        "$XDSDocumentEntryStatus": tuple(statuses),
    }
    return stored_query(FIND_DOCUMENTS, parameters, return_type)


def stored_query(query_id: str, parameters: Mapping[str, Value], return_type: ReturnType) -> bytes:
    """Any stored query, its parameters quoted."""
    slots = "".join(
        f"<rim:Slot name={quoteattr(name)}><rim:ValueList><rim:Value>{escape(_quoted(value))}</rim:Value>"
        "</rim:ValueList></rim:Slot>"
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
    return HttpBody(f'application/soap+xml; charset=UTF-8; action="{soap.STORED_QUERY}"', data)


def _quoted(value: Value) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"({','.join(_quoted(one) for one in value)})"
