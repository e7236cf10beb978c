"""A received mail -> what it reports about a mail that was sent: DSN, MDN, failure in plain words, or a reply.

Hostile input: whatever the bytes, nothing is raised, and size, header and part counts are bounded. What is read is
kept as codes and addresses; no text of the mail goes further. Sources: RFC 3461 and 3464 (DSN), RFC 8098 (MDN), RFC
6522 (multipart/report), RFC 3834 (automatic answers), and the French profiles of the MDN and of the ordinary failure
mail (ANS, courriel MSS, `struct-msg-mdn`, `struct-email-standard`).
"""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass
from email.errors import MessageError
from email.message import Message
from enum import StrEnum
from hashlib import sha256

from gateway.read import bounce, report_fields
from gateway.read.report_fields import Fields

MAX_BYTES = 40_000_000
"""Size limit of a received mail: a report may return the whole original, which operators limit to some 25 MB."""
MAX_HEADER_BYTES = 256_000
MAX_BOUNDARIES = 2_000
"""Lines that may be a boundary: a mail with more is not a report, and parsing it would take long."""
MAX_NOTICES = 50
_PARTS = 60
_STATUS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_DISPOSITION = frozenset({"message/disposition-notification", "message/global-disposition-notification"})
_RETURNED = frozenset({"message/rfc822", "message/global"})
_RETURNED_HEADERS = frozenset({"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"})
_FAULTS = (ValueError, LookupError, AttributeError, TypeError, RecursionError, MessageError, MemoryError)
"""What the standard library raises on malformed mail, at one place or another."""


class Kind(StrEnum):
    """What a received mail is."""

    DSN = "dsn"
    MDN = "mdn"
    FAILURE = "failure"
    REPLY = "reply"
    AUTO_REPLY = "auto_reply"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Notice:
    """What a report says about one recipient.

    `action` is the DSN action or the MDN disposition type, in lower case; `failed` is true whenever anything in the
    report speaks of an error, however it is written. `status` as `5.1.1`; `code` is the error's number (0, 100-207,
    900-906) where one is given; `cause` the kind of a failure in plain words (mappings/receipts.toml).
    """

    action: str
    failed: bool = False
    status: str | None = None
    code: str | None = None
    cause: str | None = None
    original: tuple[str, ...] = ()
    final: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A received mail as the engine judges it.

    `sender` is the one address of From, None when there is none or several. `null_sender`: Return-Path is `<>`, None:
    the header is absent. `report_id` is the mail's own Message-ID; `message_ids` are those of the mail that it is
    about, in order of preference; `envids` the envelope id as written and as decoded.
    """

    kind: Kind
    evidence_sha256: str
    sender: str | None = None
    null_sender: bool | None = None
    report_id: str | None = None
    message_ids: tuple[str, ...] = ()
    envids: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()


def read(raw: bytes) -> Report:
    """The report in these bytes. Never raises."""
    evidence = sha256(raw).hexdigest()
    if len(raw) > MAX_BYTES or raw.count(b"\n--") > MAX_BOUNDARIES or _header_size(raw) > MAX_HEADER_BYTES:
        return Report(Kind.UNREADABLE, evidence)
    try:
        return _read(email.message_from_bytes(raw, policy=email.policy.compat32), evidence)
    except _FAULTS:
        return Report(Kind.UNREADABLE, evidence)


def _header_size(raw: bytes) -> int:
    ends = [place for mark in (b"\r\n\r\n", b"\n\n") if (place := raw.find(mark)) >= 0]
    return min(ends, default=len(raw))


@dataclass(slots=True)
class _Parts:
    """The parts of a mail that matter here. Attached mails are looked at, never descended into."""

    status: list[Message]
    disposition: list[Message]
    returned: list[Fields]
    text: str = ""


def _read(mail: Message, evidence: str) -> Report:
    parts = _Parts([], [], [])
    _collect(mail, parts)
    head = report_fields.of(mail)
    notices, envids, ids = _notices(parts)
    kind = _kind(parts)
    if kind is None:
        return _unstructured(head, parts, evidence)
    failed = bounce.subject_code(head.first("subject") or "") is not None and kind is Kind.MDN
    if failed:  # the subject says failure: a report that says otherwise is not believed to be a success
        notices = [_failing(one, bounce.subject_code(head.first("subject") or "")) for one in notices]
    ids += [found for returned in parts.returned for found in report_fields.message_ids(returned.all("message-id"))]
    return _report(kind, head, evidence, ids, envids, notices)


def _failing(notice: Notice, code: str | None) -> Notice:
    return Notice(notice.action, True, notice.status, notice.code or code or None, None, notice.original, notice.final)


def _report(
    kind: Kind, head: Fields, evidence: str, ids: list[str], envids: list[str], notices: list[Notice]
) -> Report:
    own = report_fields.message_ids(head.all("message-id"))
    path = head.first("return-path")
    return Report(
        kind,
        evidence,
        report_fields.sender(head),
        None if path is None else not report_fields.address(path),
        own[0] if own else None,
        tuple(dict.fromkeys(ids))[:MAX_NOTICES],
        tuple(dict.fromkeys(envids)),
        tuple(notices[:MAX_NOTICES]),
    )


def _kind(parts: _Parts) -> Kind | None:
    if parts.status:
        return Kind.DSN
    return Kind.MDN if parts.disposition else None


def _collect(mail: Message, parts: _Parts) -> None:
    """Sort the parts of the outer mail, multiparts opened, attached mails not."""
    waiting, seen = [mail], 0
    while waiting and seen < _PARTS:
        part = waiting.pop(0)
        seen += 1
        kind = part.get_content_type()
        if kind in _STATUS:
            parts.status.append(part)
        elif kind in _DISPOSITION:
            parts.disposition.append(part)
        elif kind in _RETURNED or kind in _RETURNED_HEADERS:
            parts.returned.append(report_fields.returned(part))
        elif part.get_content_maintype() == "multipart":
            payload = part.get_payload()
            waiting += [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []
        elif kind == "text/plain" and not parts.text:
            parts.text = report_fields.text(part)
        elif report_fields.named_mail(part):  # message_original.eml sent as a plain file
            parts.returned.append(report_fields.returned(part))


def _notices(parts: _Parts) -> tuple[list[Notice], list[str], list[str]]:
    notices: list[Notice] = []
    envids: list[str] = []
    ids: list[str] = []
    for part in parts.status:
        blocks = report_fields.blocks(part)
        for block in blocks:
            envids += [form for value in block.all("original-envelope-id") for form in report_fields.xtext(value)]
        notices += [_delivery(block) for block in blocks if block.first("action") or block.first("final-recipient")]
    for part in parts.disposition:
        fields = report_fields.merged(report_fields.blocks(part))
        ids += report_fields.message_ids(fields.all("original-message-id"))
        notices.append(_disposition(fields))
    return notices, envids, ids


def _delivery(block: Fields) -> Notice:
    """One recipient of a DSN (RFC 3464 §2.3)."""
    action = (block.first("action") or "").partition("(")[0].strip().lower()
    status = report_fields.status(block.first("status"))
    # A report that says "delivered" with a permanent failure's code is no proof of delivery.
    failed = action == "failed" or (action != "delayed" and (status or "").startswith("5"))
    return Notice(action, failed, status, None, None, *_recipients(block))


def _recipients(block: Fields) -> tuple[tuple[str, ...], str | None]:
    original = [form for value in block.all("original-recipient") for form in report_fields.typed_address(value)]
    final = [form for value in block.all("final-recipient") for form in report_fields.typed_address(value)]
    return tuple(dict.fromkeys(original)), final[0] if final else None


def _disposition(fields: Fields) -> Notice:
    """An MDN (RFC 8098 §3.2.6, §3.2.7), in the old and in the new French writing of errors.

    Success is what is exactly written as one; an `Error` or `Failure` field, or a modifier, stands against it.
    """
    said = [report_fields.disposition(value) for value in fields.all("disposition")]
    errors = [*fields.all("error"), *fields.all("failure"), *(one.rest for one in said if one.failed)]
    codes = [code for one in errors for code in report_fields.codes(one)]
    code = next((one for one in codes if one.startswith("9")), codes[0] if codes else None)
    spoken = any(code != "0" for code in codes) if codes else bool(fields.all("error") or fields.all("failure"))
    failed = any(one.failed for one in said) or spoken
    kinds = {one.type for one in said if not one.modified}
    action = said[0].type if said and (failed or len(kinds) == 1) else ""
    return Notice(action, failed, None, code, None, *_recipients(fields))


def _unstructured(head: Fields, parts: _Parts, evidence: str) -> Report:
    """No report inside: a failure in plain words, an automatic answer, or a person's."""
    subject = head.first("subject") or ""
    threaded = report_fields.message_ids(head.all("in-reply-to"))
    threaded += list(reversed(report_fields.message_ids(head.all("references"))))
    returned = [found for one in parts.returned for found in report_fields.message_ids(one.all("message-id"))]
    sender = report_fields.sender(head)
    named = [form for one in parts.returned for value in one.all("to") for form in report_fields.addresses(value)]
    to = tuple(dict.fromkeys(named or report_fields.mentioned(parts.text)))
    code = bounce.subject_code(subject)
    cause = bounce.cause(subject, parts.text, sender or "")
    if code is not None or cause is not None:
        notice = Notice("failed", True, None, code or None, cause, to, sender)
        return _report(Kind.FAILURE, head, evidence, returned + threaded, [], [notice])
    kind = Kind.AUTO_REPLY if report_fields.automatic(head) else Kind.REPLY
    return _report(kind, head, evidence, threaded, [], [Notice("reply", final=sender)])
