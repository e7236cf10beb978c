"""What a reader returns, and what stands where a document is silent."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal

from gateway.document.model import ClinicalDocument, Code, Id
from gateway.findings import Finding, Severity, error, warning

Kind = Literal["cda", "fhir", "xdm", "mail", "unknown"]

ABSENT_DAY = date(1, 1, 1)
ABSENT_TIME = datetime(1, 1, 1, tzinfo=UTC)
ABSENT_CODE = Code("", "", "")
ABSENT_ID = Id("", "")
"""Stand in a header that another software wrote incompletely: the model wants a value, and none may be made up."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a document or a message carries: PDF of a level-1 body, copy of the document."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """One document as it was read. `document` is None when the file is not one at all; `findings` say why.

    `own` tells a document of this product (every loss is then a fault) from another's (best effort).
    """

    kind: Kind
    document: ClinicalDocument | None
    findings: tuple[Finding, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    own: bool = False


@dataclass
class Trail:
    """Findings while reading: codes `RDB-...`, paths into the file."""

    findings: list[Finding] = field(default_factory=list)

    def fault(self, code: str, path: str, message: str, advice: str = "", source: str = "") -> None:
        """Something that the file should have and has not, or cannot be read."""
        self.findings.append(error(code, path, message, advice, source))

    def doubt(self, code: str, path: str, message: str, advice: str = "", source: str = "") -> None:
        """Something read with a doubt."""
        self.findings.append(warning(code, path, message, advice, source))

    def info(self, code: str, path: str, message: str, advice: str = "", source: str = "") -> None:
        """Something that was seen and not read."""
        self.findings.append(Finding(code, Severity.INFO, path, message, advice, source))
