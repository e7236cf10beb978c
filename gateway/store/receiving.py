"""Received mails in the store: matched, applied, recorded and journalled together with the place in the mailbox.

What a receipt may change is the table `RECEIPTS`; whatever it cannot change is kept and journalled all the same. A
receipt that is believed proves that its mail left, so a doubt ends with it and nothing is sent again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.store import journal, mail_keys, reading
from gateway.store.core import Core, Work, find_delivery, find_document, from_ms, receipt_of, to_ms
from gateway.store.received import (
    PROVED,
    Cursor,
    LooseMail,
    MailKeys,
    Place,
    ReceivedLine,
    ReceivedMail,
    TakenMail,
    Verdict,
    Word,
)
from gateway.store.requests import NORMAL, URGENT
from gateway.store.states import GATEWAY, RECEIPTS, TRANSITIONS, Event, Receipt, Transport, allowed

if TYPE_CHECKING:
    from gateway.store.database import Row
    from gateway.store.rows import DeliveryRow

UNMATCHED = "MSS-RCPT-UNMATCHED"
AMBIGUOUS = "MSS-RCPT-AMBIGUOUS"
OTHER_RECIPIENT = "MSS-RCPT-OTHER-RECIPIENT"
CONTRADICTS = "MSS-RCPT-CONTRADICTS"
OVERDUE = "MSS-RCPT-OVERDUE"
NOT_READ = "MSS-RCPT-URGENT"
"""Reasons that the store itself finds; those of a receipt come with it."""
_QUIET = frozenset({"reply", "auto_reply", "own"})
"""Kinds of mail that are nobody's business here unless they are about a delivery."""
_SETTLED_VERDICTS = frozenset({"applied", "noted", "doubled"})


# ------------------------------------------------------------------------------------------------- taking


def take(core: Core, account: str, mail: ReceivedMail) -> TakenMail:
    """See ReceiptStore.take_mail."""
    with core.write(account) as work:
        if mail.place is not None:
            _advance(work, account, mail.place)
        evidence = bytes.fromhex(mail.evidence_sha256)
        before = work.tx.one("received_get", account=account, evidence=evidence)
        if before is not None and before["verdict"] in _SETTLED_VERDICTS:
            return TakenMail(mail.kind, "known", before["reason"], _row(work, before["delivery_id"]))
        found = _judge(work, account, mail)
        if found.verdict == "ignored":
            return TakenMail(mail.kind, "ignored", found.reason)
        if before is not None and (before["verdict"], before["reason"]) == (found.verdict, found.reason):
            return TakenMail(mail.kind, "known", found.reason, _row(work, before["delivery_id"]))
        held = _apply(work, account, mail, found)
        _keep(work, account, mail, found)
        row = None if found.row is None else _row(work, found.row["id"])
        return TakenMail(mail.kind, found.verdict, found.reason, row, held)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a mail is about, whether it is believed, and the words of it that count."""

    verdict: Verdict
    reason: str | None
    row: Row | None = None
    words: tuple[Word, ...] = ()


def _judge(work: Work, account: str, mail: ReceivedMail) -> _Found:
    rows = _matches(work, account, mail)
    if mail.kind in _QUIET and (not rows or mail.doubt is not None):
        return _Found("ignored", None)
    if mail.doubt is not None:
        return _Found("forged", mail.doubt, rows[0] if rows else None)
    if not rows:
        return _Found("unmatched", UNMATCHED)
    if mail.strict and len(rows) > 1:
        return _Found("ambiguous", AMBIGUOUS)
    return _weigh(work, rows[0], mail)


def _weigh(work: Work, row: Row, mail: ReceivedMail) -> _Found:
    """What a mail about this one delivery says to it."""
    words = tuple(word for word in mail.words if _names(work, row, word))
    if not words:
        return _Found("wrong_recipient", OTHER_RECIPIENT, row)
    # Bad news last: it stays even where one report says both.
    words = tuple(sorted(words, key=lambda word: word.receipt is Receipt.REFUSED))
    reason = words[-1].reason
    if _said_before(work, row, mail, reason):
        return _Found("doubled", reason, row)
    moves = any(_moves(row, word) for word in words)
    return _Found("applied" if moves else "noted", reason, row, words)


def _matches(work: Work, account: str, mail: ReceivedMail) -> list[Row]:
    """The deliveries that the mail names, in its order of preference, each once."""
    vault = work.core.vault
    found: dict[str, Row] = {}
    macs = [("delivery_by_envelope", vault.mail_mac("envid", one)) for one in mail.envids]
    macs += [("delivery_by_message", mail_keys.message(vault, one)) for one in mail.message_ids]
    for name, mac in macs:
        if (row := work.tx.one(name, account=account, mac=mac)) is not None:
            found.setdefault(row["id"], row)
    return list(found.values())


def _names(work: Work, row: Row, word: Word) -> bool:
    """Whether a word is about the recipient of this delivery, who may have had it forwarded elsewhere."""
    if word.anyone:
        return True
    named = (*word.original, *([word.final] if word.final else []))
    return any(mail_keys.recipient(work.core.vault, one) == row["recipient_mac"] for one in named)


def _said_before(work: Work, row: Row, mail: ReceivedMail, reason: str) -> bool:
    if mail.report_id is None:
        return False
    report = mail_keys.message(work.core.vault, mail.report_id)
    return work.tx.one("received_again", delivery_id=row["id"], report_mac=report, reason=reason) is not None


def _moves(row: Row, word: Word) -> bool:
    if word.receipt is not None and word.receipt in RECEIPTS[receipt_of(row)]:
        return True
    return word.reply or allowed(Event.RECEIPT, Transport(row["state"]), Transport.SENT)


def _apply(work: Work, account: str, mail: ReceivedMail, found: _Found) -> tuple[DeliveryRow, ...]:
    about: dict[str, Any] = {"kind": mail.kind, "verdict": found.verdict, "evidence_sha256": mail.evidence_sha256}
    about["host"] = None if mail.host is None else journal.code(mail.host)
    if found.verdict not in _SETTLED_VERDICTS:
        _note_refused(work, account, found, about)
        return ()
    assert found.row is not None
    if found.verdict == "doubled":
        state, receipt = found.row["state"], found.row["receipt"]
        work.note_delivery(Event.RECEIPT, found.row, state=state, receipt=receipt, text=found.reason, **about)
    for word in found.words:
        said = Said(word.receipt, word.reason, reply=word.reply, asks=word.asks, last=word.last)
        settle(work, find_delivery(work.tx, found.row["id"]), said, {**about, "text": journal.code(word.reason)})
    if any(word.not_patient for word in found.words):
        return tuple(reading.delivery_row(row) for row in hold_pair(work, found.row, found.reason or "", GATEWAY))
    return ()


def _note_refused(work: Work, account: str, found: _Found, about: dict[str, Any]) -> None:
    values = {"reason": found.reason, **about}
    if found.row is None:
        work.note("receipt_refused", account=account, **values)
    else:
        work.note_delivery("receipt_refused", found.row, account=account, **values)


def _keep(work: Work, account: str, mail: ReceivedMail, found: _Found) -> None:
    place = mail.place
    work.tx.run(
        "received_put",
        account=account,
        evidence=bytes.fromhex(mail.evidence_sha256),
        now=work.ms,
        kind=mail.kind,
        verdict=found.verdict,
        reason=found.reason,
        delivery_id=None if found.row is None else found.row["id"],
        report_mac=None if mail.report_id is None else mail_keys.message(work.core.vault, mail.report_id),
        folder=place.folder if place else None,
        uidvalidity=place.uidvalidity if place else None,
        uid=place.uid if place else None,
    )


def _row(work: Work, delivery_id: str | None) -> DeliveryRow | None:
    return None if delivery_id is None else reading.delivery_row(find_delivery(work.tx, delivery_id))


# ------------------------------------------------------------------------------------------ the receipt axis


@dataclass(frozen=True, slots=True)
class Said:
    """What a receipt says: the state it wants, its code, whether a person is to read a reply or is asked to act.

    `last`: no delivery report will follow this one.
    """

    receipt: Receipt | None
    reason: str | None = None
    reply: bool = False
    asks: bool = False
    last: bool = False


def settle(work: Work, row: Row, said: Said, fields: dict[str, Any]) -> bool:
    """Put a receipt on a delivery as far as it may go, end its doubt, and journal it. Returns whether it moved."""
    before, state = receipt_of(row), Transport(row["state"])
    moves = said.receipt is not None and said.receipt in RECEIPTS[before]
    after = said.receipt if moves and said.receipt is not None else before
    if after is Receipt.NONE and said.receipt is None:  # delayed or relayed: nothing yet, but a mail that left
        after = Receipt.AWAITED
    proves = said.receipt is not Receipt.OVERDUE and allowed(Event.RECEIPT, state, Transport.SENT)
    columns = _columns(work, row, said, after, moves=moves)
    if proves:
        work.move(row, Event.RECEIPT, Transport.SENT, fields=fields, receipt=after, reason=PROVED)
        if after is Receipt.AWAITED and not _is_enough(row, said):
            columns["awaited_until"] = work.awaited_until(row)
    else:
        work.note_delivery(Event.RECEIPT, row, state=state, receipt=after, **fields)
    work.tx.run("delivery_receipt", id=row["id"], receipt=after, **columns)
    return moves or proves


def _columns(work: Work, row: Row, said: Said, after: Receipt, *, moves: bool) -> dict[str, Any]:
    """What else is kept of a receipt: its code, since when it asks for a person, until when the next is awaited."""
    before = receipt_of(row)
    kept = {name: row[name] for name in ("alerted_at", "awaited_until", "replies")}
    kept["reason"] = row["receipt_reason"]
    if said.reply:
        kept["replies"] += 1
    if said.receipt is Receipt.REFUSED and before is Receipt.INTEGRATED:
        return {**kept, "reason": CONTRADICTS, "alerted_at": work.ms}
    if not moves and before in {Receipt.NONE, Receipt.AWAITED}:
        until = _until_read(work, row) if _is_enough(row, said) else kept["awaited_until"]
        return {**kept, "reason": said.reason, "awaited_until": until}
    if not moves:
        return kept
    if after is Receipt.REFUSED:
        return {**kept, "reason": said.reason, "alerted_at": work.ms, "awaited_until": None}
    if after is Receipt.DELIVERED and row["priority"] == URGENT:  # in the box is not read: the alert or its time stays
        return kept if kept["alerted_at"] is not None else {**kept, "reason": said.reason}
    alerted = work.ms if said.asks else None
    until = _until_read(work, row) if after is Receipt.DELIVERED else None
    return {**kept, "reason": said.reason, "alerted_at": alerted, "awaited_until": until}


def _is_enough(row: Row, said: Said) -> bool:
    """Whether an ordinary letter waits for no more: a relayed one is reported on by nobody but in case of failure."""
    return said.last and row["priority"] == NORMAL


def _until_read(work: Work, row: Row) -> int | None:
    seconds = work.core.deadlines.processed
    return None if seconds is None else int(row["changed_at"]) + round(seconds * 1000)


def mark_overdue(core: Core, account: str | None) -> list[DeliveryRow]:
    """See ReceiptStore.mark_overdue."""
    with core.db.read() as tx:  # a look costs no lock
        if tx.one("deliveries_overdue", account=account, now=to_ms(core.time_of(tx))) is None:
            return []
    found = []
    with core.write(*([] if account is None else [account])) as work:
        for row in work.tx.all("deliveries_overdue", account=account, now=work.ms):
            if Receipt.OVERDUE not in RECEIPTS[receipt_of(row)]:
                work.tx.run("delivery_await", id=row["id"], until=None)
                continue
            reason = NOT_READ if row["priority"] == URGENT else OVERDUE
            columns = {"reason": reason, "alerted_at": work.ms, "awaited_until": None, "replies": row["replies"]}
            work.tx.run("delivery_receipt", id=row["id"], receipt=Receipt.OVERDUE, **columns)
            work.note_delivery("receipt_overdue", row, state=row["state"], receipt=Receipt.OVERDUE, reason=reason)
            found.append(find_delivery(work.tx, row["id"]))
    return [reading.delivery_row(row) for row in found]


# ------------------------------------------------------------------------------------- holds of a pair, places


def hold_pair(work: Work, row: Row, reason: str, actor: str) -> list[Row]:
    """Hold what is queued, and what comes later, from this patient to this recipient. Returns what is held by it."""
    patient = patient_of(work, row)
    pair = {"account": row["account"], "patient": patient, "recipient_mac": row["recipient_mac"]}
    if work.tx.run("pair_put", delivery_id=row["id"], reason=reason, actor=actor, now=work.ms, **pair):
        work.note_delivery("pair_held", row, account=row["account"], patient=patient, reason=reason, by=actor)
    held = []
    for other in [work.delivery(found["id"]) for found in work.tx.all("deliveries_of_pair", **pair)]:
        if Transport(other["state"]) in TRANSITIONS[Event.HOLD][0]:
            work.move(other, Event.HOLD, Transport.HELD, reason=reason, actor=actor)
            held.append(find_delivery(work.tx, other["id"]))
    return held


def patient_of(work: Work, row: Row) -> str:
    """The pseudonym of the patient of a delivery."""
    return str(find_document(work.tx, row["document_id"])["patient"])


def _advance(work: Work, account: str, place: Place) -> None:
    """Move the cursor forward; another UIDVALIDITY begins anew (RFC 9051 §2.3.1.1)."""
    before = work.tx.one("cursor_get", account=account, folder=place.folder)
    if before is not None and before["uidvalidity"] == place.uidvalidity and before["uid"] >= place.uid:
        return
    values = {"folder": place.folder, "uidvalidity": place.uidvalidity, "uid": place.uid}
    work.tx.run("cursor_put", account=account, **values)


def cursor(core: Core, account: str, folder: str) -> Cursor | None:
    """See ReceiptStore.mail_cursor."""
    with core.db.read() as tx:
        row = tx.one("cursor_get", account=account, folder=folder)
        if row is None:
            return None
        seen = tx.one("cursor_seen", account=account, folder=folder, uidvalidity=row["uidvalidity"])
    at = None if seen is None or seen["at"] is None else from_ms(seen["at"])
    return Cursor(row["uidvalidity"], row["uid"], at)


def move_cursor(core: Core, account: str, place: Place) -> None:
    """See ReceiptStore.move_cursor."""
    with core.write(account) as work:
        _advance(work, account, place)


def note_mailbox(core: Core, account: str, event: str, reason: str | None, host: str | None) -> None:
    """See ReceiptStore."""
    codes = {
        "reason": None if reason is None else journal.code(reason),
        "host": None if host is None else journal.code(host),
    }
    with core.write(account) as work:
        work.note(journal.code(event), account=account, **codes)


def received(core: Core, delivery_id: str) -> list[ReceivedLine]:
    """See ReceiptStore.received."""
    with core.db.read() as tx:
        find_delivery(tx, delivery_id)
        return [_line(row) for row in tx.all("received_of", delivery_id=delivery_id)]


def loose(core: Core, account: str | None, limit: int) -> list[LooseMail]:
    """See ReceiptStore.loose_mails."""
    with core.db.read() as tx:
        rows = tx.all("received_loose", account=account, limit=limit)
    return [LooseMail(row["account"], _line(row), row["delivery_id"]) for row in rows]


def _line(row: Row) -> ReceivedLine:
    same = (row["kind"], row["verdict"], row["reason"], row["evidence"].hex(), row["folder"], row["uid"])
    return ReceivedLine(from_ms(row["seen_at"]), *same)


def unkeyed(core: Core, limit: int) -> list[str]:
    """See ReceiptStore.unkeyed_mails."""
    with core.db.read() as tx:
        return [row["id"] for row in tx.all("deliveries_unkeyed", limit=limit)]


def key_mail(core: Core, delivery_id: str, keys: MailKeys | None) -> None:
    """See ReceiptStore.key_mail."""
    columns = mail_keys.columns(core.vault, keys)
    if keys is None:
        columns["message_mac"] = mail_keys.UNKNOWABLE
    with core.write() as work:
        work.tx.run("delivery_keyed", id=delivery_id, **columns)
        row = find_delivery(work.tx, delivery_id)
        if row["state"] == Transport.SENT and receipt_of(row) is Receipt.AWAITED and row["awaited_until"] is None:
            # Sent before receipts had a time: it begins now, or every old mail would alarm at once.
            work.tx.run("delivery_await", id=delivery_id, until=work.awaited_until(row))
