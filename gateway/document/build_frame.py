"""What every section builder works with: the records, the tables, and sections that exist only when filled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from gateway.document.model import Block, Entry, Items, Paragraph, Section, Span, StatementEntry
from gateway.records.access import Access
from gateway.records.clinical import Clinical
from gateway.records.level1 import AnySubmission, PdfDocument
from gateway.records.submission import Submission
from gateway.terminology import Terminology


@dataclass(frozen=True, slots=True)
class Frame:
    """One submission being built. `claimed_mode` is the access mode that the rules let the document claim."""

    submission: AnySubmission
    terms: Terminology
    claimed_mode: str

    @property
    def told(self) -> Clinical | PdfDocument:
        """The document as it was handed over: a clinical record, or the little that is known of a PDF."""
        return self.submission.document

    @property
    def access(self) -> Access:
        """The declared access; a document with sections always has one."""
        assert self.submission.access is not None
        return self.submission.access

    @property
    def clinical(self) -> Clinical:
        """The clinical record."""
        assert isinstance(self.submission, Submission)
        return self.submission.document

    @property
    def at(self) -> datetime:
        """Instant of the document, with its offset."""
        return self.submission.document.date

    @property
    def day(self) -> date:
        """Day of the document where it was written."""
        return self.submission.document.date.date()

    def section(
        self,
        key: str,
        blocks: Iterable[Block | None],
        entries: Sequence[Entry] = (),
        subsections: Iterable[Section | None] = (),
        *,
        title: str | None = None,
    ) -> Section | None:
        """A section, or None when nothing was said: an empty section is never written."""
        shown = tuple(block for block in blocks if block is not None)
        parts = tuple(part for part in subsections if part is not None)
        if not shown and not parts:
            return None
        known = self.terms.section(key)
        return Section(key, known.code, title or known.title, shown, tuple(entries), parts)

    def statement(self, anchor: str, name: str, value: str) -> StatementEntry:
        """A value of one of the product's own lists, dated from the document."""
        text = self.terms.label(name, value)
        return StatementEntry(anchor, self.terms.statement(name), self.terms.local(f"{name}.{value}", text), self.at)


def paragraph(text: str | None, anchor: str | None = None) -> Paragraph | None:
    """A paragraph, or None without text."""
    return Paragraph(Span(text, anchor)) if text else None


def labelled(label: str, text: str | None, anchor: str | None = None) -> Paragraph | None:
    """`Label : text`, or None without text."""
    return paragraph(f"{label} : {text}", anchor) if text else None


def items(texts: Iterable[str | Span | None]) -> Items | None:
    """A list of what was given, or None."""
    spans = tuple(text if isinstance(text, Span) else Span(text) for text in texts if text)
    return Items(spans) if spans else None
