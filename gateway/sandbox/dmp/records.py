"""What the DMP of the sandbox remembers, as plain rows: patients, sets, documents and their versions, links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["accepted", "refused", "fault"]
VALID = "VALIDE"
"""The only authorisation value that was seen (spec dmp §1.3); any other stands for an opposition."""

APPROVED, DEPRECATED, ARCHIVED, DELETED = "Approved", "Deprecated", "Archived", "Deleted"


@dataclass(frozen=True, slots=True)
class DmpPatient:
    """A DMP: `status` active, closed or absent; `authorisation` VALIDE or anything else (opposition)."""

    matricule: str
    oid: str
    status: str
    authorisation: str


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document about to be stored; `confidentiality` lists the codes."""

    entry_uuid: str
    unique_id: str
    hash: str
    size: int
    mime: str
    is_signature: bool
    title: str
    type_code: str
    class_code: str
    creation_time: str
    confidentiality: tuple[str, ...]
    cda_set_id: str
    cda_version: int
    metadata: str
    content: bytes


@dataclass(frozen=True, slots=True)
class DmpDocument(NewDocument):
    """One metadata version of a stored document: what was fed, then what the registry and its set say of it.

    `latest` marks the current version.
    """

    logical_id: str
    version: int
    latest: bool
    status: str
    set_unique_id: str
    matricule: str
    oid: str
    author_id: str
    structure: str


@dataclass(frozen=True, slots=True)
class NewAssociation:
    """A link about to be stored; `slots` as (name, values)."""

    type: str
    source: str
    target: str
    entry_uuid: str
    slots: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class NewSubmission:
    """A submission set about to be stored. `kind`: `feed` (ITI-41) or `update` (ITI-57)."""

    unique_id: str
    entry_uuid: str
    matricule: str
    oid: str
    source_id: str
    author_id: str
    structure: str
    metadata: str
    documents: tuple[NewDocument, ...]
    associations: tuple[NewAssociation, ...]
    kind: str = "feed"


@dataclass(frozen=True, slots=True)
class DmpSubmission:
    """An accepted submission set; `documents` counts those it brought, its signature left out."""

    unique_id: str
    entry_uuid: str
    matricule: str
    oid: str
    source_id: str
    author_id: str
    structure: str
    kind: str
    received_at: str
    metadata: str
    documents: int


@dataclass(frozen=True, slots=True)
class DmpAssociation:
    """A stored link, with the patient whose set brought it."""

    entry_uuid: str
    type: str
    source: str
    target: str
    slots: tuple[tuple[str, tuple[str, ...]], ...]
    matricule: str
    oid: str


@dataclass(frozen=True, slots=True)
class Reception:
    """One physical arrival of a set, whatever its fate. `codes`: the errors answered."""

    set_unique_id: str
    received_at: str
    outcome: str
    codes: tuple[str, ...]
    request_sha256: str


@dataclass(frozen=True, slots=True)
class Question:
    """One stored query: its id, how many objects it was answered, and the errors."""

    query_id: str
    asked_at: str
    results: int
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NewExchange:
    """A request and its answer, about to be remembered.

    `outcome`: accepted, refused, fault (SOAP or HTTP) or lost (the answer never left, by an injected fault).
    `subjects`: the uniqueIds and entryUUIDs it was about. `status`: HTTP, 0 when nothing was answered.
    """

    transaction: str
    path: str
    action: str
    peer: str
    message_id: str
    patient: str
    subjects: tuple[str, ...]
    outcome: str
    codes: tuple[str, ...]
    status: int
    request_headers: tuple[tuple[str, str], ...]
    request: bytes
    answer_headers: tuple[tuple[str, str], ...]
    answer: bytes


@dataclass(frozen=True, slots=True)
class Exchange:
    """A remembered request and answer; the bodies are None once too many others came after."""

    id: int
    at: str
    transaction: str
    path: str
    action: str
    peer: str
    message_id: str
    patient: str
    subjects: tuple[str, ...]
    outcome: str
    codes: tuple[str, ...]
    status: int
    request_headers: tuple[tuple[str, str], ...] = ()
    request: bytes | None = None
    answer_headers: tuple[tuple[str, str], ...] = ()
    answer: bytes | None = None
