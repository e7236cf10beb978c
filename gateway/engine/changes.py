"""Planning a change of a document in the DMP as a delivery: same outbox, same journal, same retries (TD3.3).

Only of what this gateway fed: the DMP lets nobody else change it, and the frozen request is made from the feed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

from gateway import wording
from gateway.channels.dmp import rights
from gateway.engine.plan import parts
from gateway.errors import InputError
from gateway.findings import Finding, error
from gateway.package import dmp as dmp_package
from gateway.package.change import change_package
from gateway.package.types import Change, DmpContext, Package, Part, context_from_json, context_to_json
from gateway.store.base import PlannedDelivery
from gateway.store.dmp_acts import DmpChange
from gateway.store.linked import Seen
from gateway.store.states import FINAL, Transport

if TYPE_CHECKING:
    from gateway.clock import Clock, Randomness
    from gateway.settings import AccountSettings, Settings
    from gateway.store.base import DeliveryRow, DocumentRow, Store

CHANGES: tuple[Change, ...] = get_args(Change)
ROLE = "dmp_"
"""What the role of a change's delivery begins with; the change follows."""
_UNDER_WAY = frozenset({Transport.SENDING, Transport.TRANSMITTING, Transport.IN_DOUBT})


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be done, before it is: `findings` say why not, `pending` is the same change already under way.

    `unique_id` is the document's identifier in the DMP, `feed` the delivery that brought it there.
    """

    account: str
    document: str
    change: Change
    unique_id: str | None = None
    feed: DeliveryRow | None = None
    context: DmpContext | None = None
    pending: str | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it can be done."""
        return not self.findings

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; no identity."""
        return {
            "account": self.account,
            "document_id": self.document,
            "unique_id": self.unique_id,
            "change": self.change,
            "label": wording.change(self.change),
            "mode": None if self.context is None else self.context.mode,
            "pending": self.pending,
            "ok": self.ok,
            "findings": [one.as_dict() for one in self.findings],
        }


def propose(store: Store, settings: Settings, account: str, document: str, change: Change) -> Proposal:
    """Whether a change may be asked for, and of what. `document` is our id or the uniqueId.

    Raises NotFoundError (DOC-404).
    """
    row = store.named(account, document.removeprefix("urn:oid:"))
    blank = Proposal(account, row.id, change, row.unique_id)
    stop = _about_account(settings.find_account(account), change) or _about_document(row, change)
    if stop is not None:
        return _with(blank, stop)
    deliveries = [store.delivery(one).row for one in row.delivery_ids]
    fed = _feed(store, row, deliveries, document)
    if isinstance(fed, Finding):
        return _with(blank, fed)
    feed, context = fed
    other = _pending(deliveries)
    found = Proposal(account, row.id, change, context.document_id, feed, context, None if other is None else other.id)
    if other is not None and other.role != ROLE + change:
        advice = "Attendre son issue (queue show), ou l'abandonner (queue cancel)."
        return _with(found, _no("DMP-CHG-PENDING", "Un autre changement de ce document est en cours.", advice))
    return found


def order(
    store: Store, settings: Settings, proposal: Proposal, *, by: str, reason: str, clock: Clock, ids: Randomness
) -> str:
    """Plan the change; returns its delivery. The same change already under way is not planned twice.

    Raises InputError with the findings of the proposal, and like `Store.change`.
    """
    if proposal.findings:
        raise InputError(list(proposal.findings), "Changement refusé.")
    if proposal.pending is not None:
        return proposal.pending
    feed, context, account = proposal.feed, proposal.context, settings.find_account(proposal.account)
    assert feed is not None  # no finding
    assert context is not None
    assert account is not None
    blobs = tuple(Part(one.name, one.media_type, one.data) for one in store.parts(feed.id))
    fed = Package(blobs, dmp_package.acting(context, account))
    package = change_package(fed, proposal.change, now=clock.now(), ids=ids)
    planned = PlannedDelivery(
        destination="dmp",
        role=ROLE + proposal.change,
        channel="dmp",
        parts=parts(package),
        context=context_to_json(package.context),
        waits_for=feed.id if feed.state in _UNDER_WAY else None,
        needs_it=feed.state in _UNDER_WAY,
        purpose="deletion" if proposal.change == "delete" else "document",
    )
    return store.change(DmpChange(Seen.of(feed), planned, proposal.change, by, reason))


def _about_account(account: AccountSettings | None, change: Change) -> Finding | None:
    if account is None or account.dmp is None:
        return _no("DMP-CHG-NO-ACCESS", "Ce compte n'a pas d'accès au DMP configuré.", "Renseigner [account.dmp].")
    return not_allowed(account, change)


def not_allowed(account: AccountSettings, operation: rights.Operation) -> Finding | None:
    """Why the account's authentication mode forbids an operation; None: it does not. Asked before any call."""
    assert account.dmp is not None
    if rights.allowed(account.dmp.mode, operation):
        return None
    message = f"L'accès du compte au DMP (mode {account.dmp.mode}) ne permet pas cette opération."
    return error(rights.REFUSED, "/mode", message, wording.advice("dead", "none", rights.REFUSED), "PDT-INF-526")


def _about_document(row: DocumentRow, change: Change) -> Finding | None:
    if row.erased_at is not None:
        advice = "Faire le changement dans le DMP du patient, ou avec un autre logiciel."
        return _no("DMP-CHG-ERASED", "Le contenu de ce document a été effacé de la passerelle.", advice)
    if row.withdrawn is not None and change != "delete":
        return _no("DMP-CHG-WITHDRAWN", "Ce document a été annulé (withdraw).", "Voir withdraw --status.")
    return None


def _feed(
    store: Store, row: DocumentRow, deliveries: list[DeliveryRow], wanted: str
) -> tuple[DeliveryRow, DmpContext] | Finding:
    """The delivery that brought the document to the DMP; of several editions, the one that is named."""
    feeds = [(one, context) for one in deliveries if (context := _fed(store, one)) is not None]
    named = [pair for pair in feeds if pair[1].document_id == wanted.removeprefix("urn:oid:")] or feeds
    there = [pair for pair in named if pair[0].state is Transport.SENT or pair[0].state in _UNDER_WAY]
    if there:
        return there[-1]
    if feeds:
        advice = "L'abandonner avant son départ (queue cancel), ou attendre qu'il soit parti."
        return _no("DMP-CHG-NOT-SENT", "Ce document n'est pas encore dans le DMP.", advice)
    advice = "Seul un document que la passerelle a mis dans le DMP peut y être changé par elle."
    return _no("DMP-CHG-NO-FEED", f"Le document {row.id} n'est pas allé au DMP.", advice)


def _fed(store: Store, row: DeliveryRow) -> DmpContext | None:
    data = store.context(row.id) if row.channel == "dmp" else None
    context = None if data is None else context_from_json(data)
    return context if isinstance(context, DmpContext) else None


def _pending(deliveries: list[DeliveryRow]) -> DeliveryRow | None:
    """A change that has not come to an end: two at once could overtake each other."""
    return next((one for one in deliveries if one.role.startswith(ROLE) and one.state not in FINAL), None)


def _no(code: str, message: str, advice: str) -> Finding:
    return error(code, "/document", message, advice)


def _with(proposal: Proposal, finding: Finding) -> Proposal:
    return replace(proposal, findings=(finding,))
