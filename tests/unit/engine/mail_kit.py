"""Mails that were sent, and the taking in of what comes back about them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from gateway.engine import plan, receipts
from gateway.package.types import MailContext, Package, context_to_json
from gateway.rules.trust_space import TrustList
from gateway.store.base import DeliveryRow, Result
from gateway.store.outbox import Outbox
from gateway.store.received import TakenMail
from gateway.store.states import Event, Receipt, Transport
from tests.unit.read.report_samples import DOCTOR, KINE, Sent
from tests.unit.store import kit

TRUST = TrustList(frozenset({"example.mssante.fr", "patient.mssante.fr"}), kit.START.date(), "test")


def sent_mail(number: int = 1, to: str = DOCTOR) -> Sent:
    return Sent(f"<mail-{number}@example.mssante.fr>", f"{number:032x}", KINE, to)


def submit(store: Outbox, number: int = 1, to: str = DOCTOR, *, patient: str = "a", **changes: Any) -> str:
    """A mail to one recipient, prepared."""
    about = sent_mail(number, to)
    context = MailContext(KINE, to, about.message_id, about.envid)
    planned = kit.mail(context=context_to_json(context), keys=plan.mail_keys(Package((), context)), **changes)
    request = kit.request(f"{patient}{number}", planned, patient=f"{patient}|{kit.SECRET}")
    request = replace(request, document_date=kit.START.date() - timedelta(days=number))
    return store.accept(request).delivery_ids[0]


def deliver(store: Outbox, delivery: str, event: Event = Event.TAKEN, state: Transport = Transport.SENT) -> None:
    """One attempt with this end."""
    [claim] = [one for one in store.claim(kit.wanted()) if one.delivery_id == delivery]
    store.mark_transmitting(claim)
    receipt = Receipt.AWAITED if state is Transport.SENT else Receipt.NONE
    due = 30.0 if state is Transport.RETRY else None
    assert store.record(claim, Result(event, state, "x", "MSS-X", due_in=due, receipt=receipt))


def doubt(store: Outbox, delivery: str) -> None:
    deliver(store, delivery, Event.DOUBT, Transport.IN_DOUBT)


def take(store: Outbox, raw: bytes, **more: Any) -> TakenMail:
    account = kit.settings(store.core.folder.path.parent).account[0]
    return receipts.take_in(store, account, raw, TRUST, **more)


def row(store: Outbox, delivery: str) -> DeliveryRow:
    return store.delivery(delivery).row


def last(store: Outbox, event: str = "") -> dict[str, Any]:
    """The newest record of the journal, or the newest of that event."""
    records: list[dict[str, Any]] = [json.loads(entry.record) for entry in store.snapshot().records()]
    return next(one for one in reversed(records) if event in {"", one["event"]})
