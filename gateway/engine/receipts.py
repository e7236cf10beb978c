"""Mails that come back: read, judged and taken into the store (spec mssante §3).

A receipt is believed when it comes from the trust space (a delivery report may also come from a mail system of the
account's own operator), names a Message-ID or envelope id of ours, which nobody can guess, and the recipient that this
mail was sent to. Whatever falls short of that is recorded, journalled, and changes nothing. Nothing here ever sends.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway import wording
from gateway.engine.events import DeliveryEvent, of_row
from gateway.errors import NotFoundError, StoreError
from gateway.package.types import MailContext, context_from_json
from gateway.read import bounce, receipt
from gateway.read.receipt import Kind, Notice, Report
from gateway.store.received import MailKeys, Place, ReceivedMail, TakenMail, Word
from gateway.store.states import Receipt

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.rules.trust_space import TrustList
    from gateway.settings import AccountSettings
    from gateway.store.base import Store
    from gateway.store.received import MailKind

FORGED = "MSS-RCPT-FORGED"
UNREADABLE = "MSS-RCPT-UNREADABLE"
COPY = "MSS-RCPT-COPY"

_DSN: dict[str, tuple[Receipt | None, str]] = {
    "delivered": (Receipt.DELIVERED, "MSS-RCPT-DELIVERED"),
    # Neither says that the recipient has it (RFC 3464 §2.3.3); each says that our operator had taken it.
    "relayed": (None, "MSS-RCPT-RELAYED"),
    "expanded": (None, "MSS-RCPT-EXPANDED"),
    "delayed": (None, "MSS-RCPT-DELAYED"),
}
_MDN: dict[str, tuple[Receipt | None, str]] = {
    "processed": (Receipt.PROCESSED, "MSS-RCPT-PROCESSED"),
    "displayed": (Receipt.PROCESSED, "MSS-RCPT-DISPLAYED"),
    "dispatched": (Receipt.PROCESSED, "MSS-RCPT-DISPATCHED"),
    # It reached the mailbox; nobody can say that it was read (RFC 8098 §3.2.6.2).
    "deleted": (Receipt.DELIVERED, "MSS-RCPT-DELETED"),
}
_LAST = frozenset({"MSS-RCPT-RELAYED", "MSS-RCPT-EXPANDED"})
"""After these nobody reports a success any more; a failure still comes back as a bounce."""
_UNKNOWN: tuple[Receipt | None, str] = (None, "MSS-RCPT-UNKNOWN")
_KINDS: dict[Kind, MailKind] = {
    Kind.DSN: "dsn",
    Kind.MDN: "mdn",
    Kind.FAILURE: "failure",
    Kind.REPLY: "reply",
    Kind.AUTO_REPLY: "auto_reply",
    Kind.UNREADABLE: "other",
}


def take_in(
    store: Store,
    account: AccountSettings,
    raw: bytes,
    trust: TrustList,
    *,
    place: Place | None = None,
    reporters: tuple[str, ...] = (),
    self_copy: bool = False,
) -> TakenMail:
    """Take one received mail in, whatever it is, and say what was done with it.

    `raw` are its bytes as the mailbox gave them (size-limited by the reader below); `place` is where it lies: the
    cursor of that folder moves in the same transaction, so that a mail is taken in once, whatever crashes. `reporters`
    are domains beside the trust space that delivery reports come from (setting `receipts.reporters`). `self_copy`:
    a copy of a sent mail in the sender's own box proves that it left.

    Never raises on what the mail holds. Raises StoreError when the store cannot serve: ask again later, from the
    same cursor.
    """
    index_older(store)
    report = receipt.read(raw)
    own = _own(account, report) if self_copy else None
    mail = own or _mail(report, account, trust, reporters)
    return store.take_mail(account.id, replace(mail, place=place))


def index_older(store: Store, batches: int | None = None) -> None:
    """Give their keys to mails that were accepted before any were kept: so many batches, None: all."""
    done = 0
    while done != batches and (waiting := store.unkeyed_mails()):
        for delivery in waiting:
            store.key_mail(delivery, _keys(store, delivery))
        done += 1


def _keys(store: Store, delivery: str) -> MailKeys | None:
    """The keys in a delivery's sealed context; None where it can no longer be opened."""
    try:
        data = store.context(delivery)
        context = None if data is None else context_from_json(data)
    except (NotFoundError, StoreError, ValueError):
        return None
    if not isinstance(context, MailContext):
        return None
    return MailKeys(context.message_id, context.envid, context.envelope_to)


def events(taken: TakenMail, now: datetime) -> list[DeliveryEvent]:
    """What subscribers are told about a mail that was taken in: nothing when no delivery is concerned."""
    if taken.verdict in {"known", "ignored"}:
        return []
    told = [of_row("receipt", taken.delivery, now, taken.reason)] if taken.delivery is not None else []
    return told + [of_row("hold", row, now, row.reason) for row in taken.held]


def overdue(store: Store, account: str | None, now: datetime) -> list[DeliveryEvent]:
    """Look for receipts whose time is over: each becomes overdue once, and never sends anything."""
    index_older(
        store, batches=1
    )  # a worker asks between two sendings: what an old store holds must not keep it from them
    return [of_row("receipt_overdue", row, now, row.receipt_reason) for row in store.mark_overdue(account)]


# ------------------------------------------------------------------------------------------------ judging


def _mail(report: Report, account: AccountSettings, trust: TrustList, reporters: tuple[str, ...]) -> ReceivedMail:
    if report.kind is Kind.UNREADABLE:
        return ReceivedMail("other", report.evidence_sha256, doubt=UNREADABLE)
    believed = _plausible(report, account, trust, reporters)
    return ReceivedMail(
        _KINDS[report.kind],
        report.evidence_sha256,
        tuple(_word(report.kind, notice) for notice in report.notices),
        report.message_ids,
        report.envids,
        report.report_id,
        _domain(report.sender) or None,
        doubt=None if believed else FORGED,
        strict=report.kind in {Kind.DSN, Kind.MDN},
    )


def _own(account: AccountSettings, report: Report) -> ReceivedMail | None:
    """A copy of a mail that this account sent, by its own Message-ID; None for anything else."""
    if report.sender != account.mailbox.lower() or report.report_id is None or report.kind is Kind.UNREADABLE:
        return None
    word = Word(None, COPY, anyone=True)
    return ReceivedMail("own", report.evidence_sha256, (word,), (report.report_id,))


def _plausible(report: Report, account: AccountSettings, trust: TrustList, reporters: tuple[str, ...]) -> bool:
    """Whether such a mail can be genuine.

    A delivery report has an empty return path (RFC 3464 §2) and comes from a host rather than a mailbox, so hosts
    below a listed domain, and those of the operator that this account sends by, count as well.
    """
    if report.sender is None:
        return False
    if report.kind is Kind.DSN and report.null_sender is False:
        return False
    if trust.allows(report.sender):
        return True
    return report.kind in {Kind.DSN, Kind.FAILURE} and _is_host(report.sender, account, trust, reporters)


def _is_host(sender: str, account: AccountSettings, trust: TrustList, reporters: tuple[str, ...]) -> bool:
    domain = _domain(sender)
    known = {*trust.domains, *(one.lower() for one in reporters), *_operator_domains(account)}
    parents = domain.split(".")
    return any(".".join(parents[start:]) in known for start in range(len(parents) - 1))


def _operator_domains(account: AccountSettings) -> set[str]:
    """The domain of the SMTP host: `smtp.operator.example` also reports as `mx1.operator.example`."""
    host = account.smtp.host.lower() if account.smtp is not None else ""
    labels = host.split(".")
    if len(labels) < 3 or labels[-1].isdigit() or ":" in host:
        return {host} if len(labels) == 2 and not labels[-1].isdigit() else set()
    return {".".join(labels[1:])}


def _domain(address: str | None) -> str:
    return (address or "").rpartition("@")[2].lower()


# ------------------------------------------------------------------------------------------------- saying


def _word(kind: Kind, notice: Notice) -> Word:
    if kind in {Kind.REPLY, Kind.AUTO_REPLY}:
        reason = "MSS-RCPT-REPLY" if kind is Kind.REPLY else "MSS-RCPT-AUTO-REPLY"
        return Word(None, reason, final=notice.final, reply=True, anyone=True)
    wanted, reason = (Receipt.REFUSED, _failure(kind, notice)) if notice.failed else _success(kind, notice)
    return Word(
        wanted,
        reason,
        notice.original,
        notice.final,
        asks=wanted is not None and wording.receipt_step(reason) == "call",
        last=reason in _LAST,
        not_patient=wording.receipt_says_not_patient(reason),
        # A mail system that quotes neither the mail nor an address answers in its thread, and that is all it says.
        anyone=kind is Kind.FAILURE and not notice.original and bounce.is_system(notice.final or ""),
    )


def _success(kind: Kind, notice: Notice) -> tuple[Receipt | None, str]:
    if kind is Kind.DSN:
        return _DSN.get(notice.action, _UNKNOWN)
    if kind is Kind.MDN and notice.action == "processed" and notice.code == "0":
        return Receipt.INTEGRATED, "MSS-RCPT-0"
    return _MDN.get(notice.action, _UNKNOWN) if kind is Kind.MDN else _UNKNOWN


def _failure(kind: Kind, notice: Notice) -> str:
    """The code of a failure: what the error's number, the status or the wording says, most telling first."""
    if kind is Kind.DSN:
        return f"MSS-RCPT-{notice.status.replace('.', '-')}" if notice.status else "MSS-RCPT-FAILED"
    if notice.code is not None and notice.code != "0":
        return f"MSS-RCPT-{notice.code}"
    return f"MSS-RCPT-{notice.cause}" if notice.cause else "MSS-RCPT-ERROR"
