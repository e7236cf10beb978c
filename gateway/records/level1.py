"""Level 1: a document that a vendor made as a PDF, with the little that must be known to send it.

The low end of the product: no coded entry, no measure. Everything that says who, for whom and where is the same as
in a Submission, so identity, destinations and access are checked alike.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gateway.findings import Finding
from gateway.records import archive
from gateway.records.access import Access
from gateway.records.base import Instant, Line, Record, Title
from gateway.records.people import Author, Organization, Patient, Recipient, Visibility
from gateway.records.submission import AccountId, Submission, parse, parse_as

FORMAT = "kine-gateway/level1/1"


class PdfDocument(Record):
    """What the PDF is. Its clinical content is only in the PDF."""

    kind: Literal["assessment", "treatment_summary"]
    id: Line = Field(description="The author's own number of the document.")
    date: Instant = Field(description="When it was written, with its offset from UTC.")
    title: Title | None = Field(default=None, description="Title; by default that of the kind of document.")


class Level1Metadata(Record):
    """`metadata.json` of a PDF: the document, its patient, author and recipients."""

    format: Literal["kine-gateway/level1/1"]
    account: AccountId
    key: Line | None = Field(default=None, description="Idempotency key; the content's hash stands in when absent.")
    replaces: Line | None = Field(
        default=None, description="Document that this one corrects: its document_id, or the identifier of its CDA."
    )
    patient: Patient
    author: Author
    organization: Organization
    recipients: tuple[Recipient, ...] = Field(max_length=10)
    visibility: Visibility = Visibility()
    access: Access | None = None
    document: PdfDocument


class Level1(Level1Metadata):
    """The metadata with the PDF itself."""

    pdf: Annotated[bytes, Field(exclude=True, repr=False)]


AnySubmission = Submission | Level1
"""What the gateway sends: structured records, or a PDF with its metadata."""


def parse_any(data: bytes | AnySubmission) -> tuple[AnySubmission | None, list[Finding]]:
    """Read what somebody hands over: a submission in JSON, or an archive of `metadata.json` and `document.pdf`.

    Records made by a program pass as they are. Never raises on bad input (see `gateway.records.submission.parse`).
    """
    if not isinstance(data, bytes):
        return data, []
    return parse_archive(data) if data.startswith(archive.MAGIC) else parse(data)


def parse_archive(data: bytes) -> tuple[Level1 | None, list[Finding]]:
    """Read an archive of `metadata.json` and `document.pdf`. Paths of findings are inside the metadata."""
    files, refused = archive.read(data)
    if files is None:
        return None, refused
    metadata, findings = parse_as(Level1Metadata, files.metadata)
    if metadata is None:
        return None, findings
    fields = {name: getattr(metadata, name) for name in Level1Metadata.model_fields}
    return Level1.model_construct(**fields, pdf=files.pdf), []
