"""Another delivery of the same document, in place of one that was proven not to be accepted (DESIGN §4 rule 7).

Readdressed: another box of the same doctor. Prepared again: the same place, a new envelope, set and signature. What is
decided here is only carried out by the store if nothing has moved since.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from gateway import rules, wording
from gateway.engine import changes, evidence, plan, remake, stored
from gateway.errors import PackageError
from gateway.findings import Finding, error, has_errors
from gateway.package.types import DmpContext, context_to_json
from gateway.rules import addressing
from gateway.store.base import PlannedDelivery
from gateway.store.linked import Link, Seen
from gateway.store.states import Transport
from gateway.store.stops import OPPOSED

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gateway.clock import Clock, Randomness
    from gateway.engine.remake import Edition
    from gateway.package.keys import SigningKeys
    from gateway.package.types import Package, SendContext
    from gateway.pipeline import World
    from gateway.records.level1 import AnySubmission
    from gateway.records.people import Recipient, StructureId
    from gateway.rules.addressing import Owners
    from gateway.settings import AccountSettings, Settings
    from gateway.store.base import DeliveryDetail, DocumentRow, Store
    from gateway.store.linked import LinkAction

WAITS = frozenset({"ENG-AFTER", "ENG-NO-PREDECESSOR"})
"""Reasons of what depends on an earlier version: packing it anew changes nothing about that."""


@dataclass(frozen=True, slots=True)
class Office:
    """What planning needs: the store and the world, never a network. `keys` loads an account's signing keys.

    `owners` says whose box an address is, by the directory that is on this machine; empty where it does not know.
    """

    store: Store
    settings: Settings
    world: World
    clock: Clock
    ids: Randomness
    keys: Callable[[AccountSettings], SigningKeys | None]
    owners: Owners


@dataclass(frozen=True, slots=True)
class Order:
    """What a person asks for. `name` is whose box the new address is, in that person's words."""

    delivery: str
    by: str
    reason: str
    to: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be done, before it is: shown as it is by a preview. `link` is None when a finding stops it."""

    action: LinkAction
    delivery: str
    document: str
    destination: str
    role: str
    before: str | None
    after: str | None
    size: int
    findings: tuple[Finding, ...]
    link: Link | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready. Addresses are those of professionals; a patient's is left out."""
        names = ("action", "delivery", "document", "destination", "role", "before", "after", "size")
        found = {name: getattr(self, name) for name in names}
        if self.destination == "patient":
            found |= {"before": None, "after": None}
        return {**found, "ok": self.link is not None, "findings": [one.as_dict() for one in self.findings]}


@dataclass(frozen=True, slots=True)
class _Case:
    """A delivery with all that is known of it."""

    detail: DeliveryDetail
    document: DocumentRow
    submission: AnySubmission | None
    account: AccountSettings | None
    context: SendContext | None


def readdress(office: Office, order: Order) -> Proposal:
    """Plan the same document to another box of the same doctor. Raises NotFoundError."""
    case, found = _examine(office, order)
    if not found and case.detail.row.channel != "mssante":
        found = [_no("LNK-NOT-MAIL", "Seul un envoi par messagerie se réadresse.", "Voir queue reprepare.")]
    if not found and case.detail.row.destination == "patient":
        advice = "Remettre le document en main propre : queue print, puis queue handed."
        found = [_no("LNK-PATIENT", "La boîte du patient se déduit de son INS : elle ne se change pas.", advice)]
    if not found:
        found = _check_address(office, case, order)
    if has_errors(found):
        return _proposal("readdress", case, order, found)
    assert order.to is not None
    return _packed(office, case, order, found, "readdress", order.to)


def reprepare(office: Office, order: Order) -> Proposal:
    """Plan the same document to the same place, packed and signed anew. Raises NotFoundError."""
    case, found = _examine(office, order)
    row = case.detail.row
    if not found and row.reason in WAITS:
        advice = "Trancher d'abord l'envoi de la version précédente."
        found = [_no("LNK-WAITS", "Cet envoi dépend de la version précédente.", advice)]
    if not found and row.channel == "manual":
        found = [_no("LNK-NOT-MAIL", "Cet envoi est fait par une personne.", "Voir queue print et queue handed.")]
    if not found:
        found = _check_route(office, case)
    if has_errors(found):
        return _proposal("reprepare", case, order, found)
    to = remake.address_of(case.context)
    if to is None and row.channel == "mssante" and row.destination != "patient":
        recipient = _recipient(office.store, case)
        to = recipient.mssante if recipient is not None else None
    return _packed(office, case, order, found, "reprepare", to)


@dataclass(frozen=True, slots=True)
class RefusedBox:
    """A doctor whose box did not take a document. `address` is empty where none is known."""

    rpps: str
    address: str
    structure: StructureId | None
    refused_at: datetime


def refused_box(office: Office, delivery_id: str) -> RefusedBox | None:
    """The doctor to look up for a delivery; None where its address is not what went wrong. Raises NotFoundError."""
    case, found = _examine(office, Order(delivery_id, "", ""))
    row = case.detail.row
    why = row.receipt_reason if row.state is Transport.SENT else row.reason
    if found or row.destination == "patient" or not wording.about_address(why):
        return None
    recipient = _readdressed(office.store, case)
    if recipient is None or recipient.rpps is None:
        return None
    address = remake.address_of(case.context) or ""
    return RefusedBox(recipient.rpps, address, recipient.organization, row.changed_at)


def _examine(office: Office, order: Order) -> tuple[_Case, list[Finding]]:
    """The delivery, and what forbids to send it another way whatever that way is."""
    store = office.store
    detail = store.delivery(order.delivery)
    row = store.document(detail.row.document_id)
    account = office.settings.find_account(row.account)
    if row.erased_at is not None:
        case = _Case(detail, row, None, account, None)
        return case, [_no("LNK-ERASED", "Le contenu de ce document a été effacé.", "Confier le document à nouveau.")]
    context = remake.context_of(store, order.delivery)
    case = _Case(detail, row, _records(store, row), account, context)
    if detail.row.reason == OPPOSED:
        return case, [_no("DST-OPPOSITION", "Le patient s'oppose à cet envoi.", "Respecter ce choix.")]
    return case, _forbidden(case)


def _records(store: Store, row: DocumentRow) -> AnySubmission | None:
    """The submission; of a PDF handed over as it is, its metadata, which name the same people."""
    return cast("AnySubmission | None", stored.submission(store, row))


def _forbidden(case: _Case) -> list[Finding]:
    row, document = case.detail.row, case.document
    if document.withdrawn is not None:
        return [_no("WDR-001", "Ce document a été annulé (withdraw).", "Confier le bon document comme un nouveau.")]
    if row.purpose != "document":
        advice = "Déclarer comment le destinataire a été prévenu : queue handed."
        return [_no("LNK-PURPOSE", "Une annulation ne se réadresse pas.", advice)]
    if row.role.startswith(changes.ROLE):
        advice = "Demander le changement de nouveau : dmp mask, dmp archive, dmp delete..."
        return [_no("LNK-PURPOSE", "Un changement dans le DMP ne se prépare pas de nouveau.", advice)]
    if document.replaced_by is not None:
        advice = "Réadresser l'envoi de la dernière version."
        return [_no("LNK-REPLACED", f"Une version corrigée existe : {document.replaced_by}.", advice)]
    if case.account is None or case.submission is None:
        return [_no("LNK-NO-ACCOUNT", "Le compte de ce document n'est plus configuré.", "Le rétablir, ou remettre.")]
    unproven = evidence.unproven(case.detail)
    return [] if unproven is None else [_unproven(unproven, row.succeeded_by)]


def _unproven(code: str, successor: str | None) -> Finding:
    said = wording.words()["linked"][code]
    message = said["message"] if successor is None else f"{said['message']} Il est remplacé par {successor}."
    return _no(code, message, said["advice"])


def _no(code: str, message: str, advice: str) -> Finding:
    return error(code, "/delivery", message, advice)


def _recipient(store: Store, case: _Case) -> Recipient | None:
    """The professional of a delivery: by role in the submission, else by mailbox in the versions before it."""
    submission, row = case.submission, case.detail.row
    assert submission is not None
    assert case.account is not None
    old = (remake.address_of(case.context) or "").lower()
    named = next((one for one in rules.routes(submission, case.account, None) if one.role == row.role), None)
    if named is not None and named.recipient is not None:
        found = submission.recipients[named.recipient]
        if not old or (found.mssante or "").lower() == old:
            return found
    return next((one for one in _everybody(store, case) if old and (one.mssante or "").lower() == old), None)


def _everybody(store: Store, case: _Case) -> list[Recipient]:
    """Recipients of this version and of those before it."""
    found, row = [], case.document
    while True:
        submission = stored.submission(store, row)
        found += list(submission.recipients) if submission is not None else []
        if row.replaces is None:
            return found
        row = store.document(row.replaces)


def _check_address(office: Office, case: _Case, order: Order) -> list[Finding]:
    assert case.submission is not None
    assert case.account is not None
    recipient = _readdressed(office.store, case)
    if recipient is None:
        advice = "Confier une nouvelle version du document avec ce destinataire."
        return [_no("LNK-NO-RECIPIENT", "Le document ne nomme aucun destinataire pour cet envoi.", advice)]
    others = tuple(one for one in _everybody(office.store, case) if one != recipient and _differs(one, recipient))
    claim = addressing.Claim(order.to or "", order.name, recipient, others)
    found = addressing.check(claim, case.account, office.world.trust, office.owners)
    if (remake.address_of(case.context) or "").lower() == claim.address.lower():
        found.append(_no("LNK-SAME", "C'est déjà l'adresse de cet envoi.", "Voir queue retry ou queue reprepare."))
    if claim.address.lower() in _going(office.store, case):
        found.append(_no("LNK-TWICE", "Ce document va déjà à cette adresse.", "Voir queue list."))
    return found


def _readdressed(store: Store, case: _Case) -> Recipient | None:
    """The doctor of a delivery that took the place of another is that of the other."""
    while (found := _recipient(store, case)) is None and case.detail.row.succeeds is not None:
        before = store.delivery(case.detail.row.succeeds)
        case = _Case(before, case.document, case.submission, case.account, remake.context_of(store, before.row.id))
    return found


def _differs(one: Recipient, other: Recipient) -> bool:
    """Whether two recipients are two people, as far as the records tell."""
    if one.rpps is not None and other.rpps is not None:
        return one.rpps != other.rpps
    return (one.family, one.given) != (other.family, other.given)


_OVER = frozenset({Transport.CANCELLED, Transport.SUPERSEDED, Transport.DEAD, Transport.IMPOSSIBLE})


def _going(store: Store, case: _Case) -> set[str]:
    """Mailboxes that another delivery of this document went or goes to."""
    found = set()
    for one in case.document.delivery_ids:
        row = store.delivery(one).row
        if one != case.detail.row.id and row.state not in _OVER and row.channel == "mssante":
            found.add((remake.address_of(remake.context_of(store, one)) or "").lower())
    return found


def _check_route(office: Office, case: _Case) -> list[Finding]:
    """Whether the destination can be reached by the present configuration and records."""
    assert case.submission is not None
    assert case.account is not None
    routes = rules.routes(case.submission, case.account, office.world.trust)
    route = next((one for one in routes if one.role == case.detail.row.role), None)
    if route is None or route.reason is None:
        return []
    said = wording.advice("impossible", "none", route.reason)
    return [_no(route.reason, "Cette destination ne peut toujours pas être atteinte.", said)]


def _packed(
    office: Office, case: _Case, order: Order, found: list[Finding], action: LinkAction, to: str | None
) -> Proposal:
    assert case.account is not None
    edition = remake.edition_of(office.store, case.document.id, office.world.terminology, case.context)
    if edition is None:
        advice = "Confier une nouvelle version du document avec ce destinataire."
        message = "Ce document en remplace un que ce destinataire n'a jamais reçu."
        return _proposal(action, case, order, [*found, _no("LNK-EDITION", message, advice)])
    try:
        package = _package(office, case, edition, to)
    except PackageError as fault:
        return _proposal(action, case, order, [*found, _no(fault.code, fault.message, fault.advice)])
    size = sum(len(part.data) for part in package.parts)
    smtp = case.account.smtp
    if case.detail.row.channel == "mssante" and (smtp is None or size > smtp.max_bytes):
        code = "DST-NO-SMTP" if smtp is None else "MSS-SIZE"
        found = [*found, _no(code, "Le message ne peut pas partir.", wording.advice("dead", "none", code))]
    if has_errors(found):
        return _proposal(action, case, order, found)
    link = Link(Seen.of(case.detail.row), _planned(case, package), action, order.by, order.reason)
    return _proposal(action, case, order, found, to=to, size=size, link=link)


def _package(office: Office, case: _Case, edition: Edition, to: str | None) -> Package:
    assert case.account is not None
    row, making = case.detail.row, remake.Making(case.account, office.clock.now(), office.ids)
    if row.channel == "dmp":
        before = case.context if isinstance(case.context, DmpContext) else None
        return remake.feed(edition, making, office.keys(case.account), before)
    replaced = remake.threaded(office.store, row.id)
    if to is None or row.destination == "patient":
        return remake.mail_to_patient(edition, making, replaced)
    return remake.mail_to(edition, to, making, replaced)


def _planned(case: _Case, package: Package) -> PlannedDelivery:
    """The new delivery. One that was held stays so: whoever held it has not let it go. By its keys the store knows
    whose mailbox it is for: an opposition, or a hold between that recipient and the patient, stops it like any other.
    """
    row = case.detail.row
    held = row.state is Transport.HELD
    return PlannedDelivery(
        destination=row.destination,
        role=row.role,
        channel=row.channel,
        state=Transport.HELD if held else Transport.PREPARED,
        reason=row.reason if held else None,
        priority=row.priority,
        parts=plan.parts(package),
        context=context_to_json(package.context),
        keys=plan.mail_keys(package),
    )


def _proposal(
    action: LinkAction,
    case: _Case,
    order: Order,
    found: list[Finding],
    *,
    to: str | None = None,
    size: int = 0,
    link: Link | None = None,
) -> Proposal:
    row = case.detail.row
    before = remake.address_of(case.context)
    after = to or order.to
    return Proposal(action, row.id, row.document_id, row.destination, row.role, before, after, size, tuple(found), link)
