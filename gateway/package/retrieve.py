"""ITI-43 Retrieve Document Set (TD3.2): the request (spec dmp §1.6; ITI TF-2 §3.43)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from gateway.package import soap
from gateway.package.mtom import IHE, HttpBody, root_only

REPOSITORY_ID = "1.2.250.1.213.4.1.1.1.2"
"""repositoryUniqueId of the DMP, where an entry does not say it (spec dmp §1.6)."""
MAX_DOCUMENTS = 20
"""Most documents in one request."""


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """What names a document in its repository: its OID, never its entryUUID (else XDSDocumentUniqueIdError)."""

    unique_id: str
    repository_id: str = REPOSITORY_ID


def retrieve_request(keys: Sequence[DocumentKey]) -> bytes:
    """The `ihe:RetrieveDocumentSetRequest` element. Raises ValueError without a document, with too many, or with an
    entryUUID in place of a uniqueId.
    """
    if not 0 < len(keys) <= MAX_DOCUMENTS:
        raise ValueError(f"from 1 to {MAX_DOCUMENTS} documents in one request")
    if any(key.unique_id.startswith("urn:uuid:") for key in keys):
        raise ValueError("a uniqueId is an OID, not an entryUUID")
    asked = "".join(
        f"<ihe:DocumentRequest><ihe:RepositoryUniqueId>{escape(key.repository_id)}</ihe:RepositoryUniqueId>"
        f"<ihe:DocumentUniqueId>{escape(key.unique_id)}</ihe:DocumentUniqueId></ihe:DocumentRequest>"
        for key in keys
    )
    return f'<ihe:RetrieveDocumentSetRequest xmlns:ihe="{IHE}">{asked}</ihe:RetrieveDocumentSetRequest>'.encode()


def request(body: bytes, *, to: str, message_id: str, assertion: bytes) -> HttpBody:
    """The HTTP body: MTOM, without attachment. The boundary comes from the MessageID, which nothing else repeats."""
    data = soap.envelope(soap.RETRIEVE, to=to, message_id=message_id, assertion=assertion, body=body)
    return root_only(data, soap.RETRIEVE, f"kine-{message_id.removeprefix('urn:uuid:')}")
