"""What is held about a patient, document by document, and what an erasure of it would do (RGPD articles 15 and 17).

Nothing here changes the store. What a patient may ask for and what the law makes the practice keep is said in words in
mappings/faces.toml (`[rights]`), with the rule each comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.engine import obligations, remake, stored
from gateway.errors import NotFoundError
from gateway.findings import Finding, Severity, warning
from gateway.store.oppositions import Person
from gateway.store.states import FINAL, Receipt, Transport

if TYPE_CHECKING:
    from gateway.records.level1 import AnySubmission
    from gateway.records.people import Visibility
    from gateway.settings import RulesSettings
    from gateway.store.base import DeliveryDetail, DocumentRow, Store
    from gateway.store.holdings import Holding
    from gateway.store.received import ReceivedLine

RENDERINGS = {"submission": "saisie.json", "cda": "document.cda.xml", "pdf": "document.pdf", "fhir": "document.json"}
"""What a patient is given of a document, and under which name; the archive and the mails hold the same again."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose data are asked for; `traits` also finds his documents under another identifier."""

    person: Person
    traits: str | None = None


def subject_of(submission: AnySubmission) -> Subject:
    """The patient of a submission, in its account."""
    person = Person(submission.account, patient=stored.patient_key(submission.patient))
    return Subject(person, stored.birth_traits(submission.patient))


@dataclass(frozen=True, slots=True)
class HeldDelivery:
    """A delivery with all that is kept of it. `address` is the mailbox it goes to, None once that was erased."""

    detail: DeliveryDetail
    received: tuple[ReceivedLine, ...]
    address: str | None

    @property
    def open(self) -> bool:
        """Whether it is not at an end: its document cannot be erased."""
        return self.detail.row.state not in FINAL


@dataclass(frozen=True, slots=True)
class HeldDocument:
    """A document and its deliveries. `hidden`: from the patient or his representatives, or nobody can say."""

    row: DocumentRow
    hidden: bool
    deliveries: tuple[HeldDelivery, ...]

    @property
    def open(self) -> tuple[HeldDelivery, ...]:
        """The deliveries that are not at an end."""
        return tuple(one for one in self.deliveries if one.open)


@dataclass(frozen=True, slots=True)
class Held:
    """Everything that is held about one patient in one account."""

    holding: Holding
    documents: tuple[HeldDocument, ...]


def look(store: Store, subject: Subject) -> Held:
    """What is held. Raises NotFoundError (DOC-404 no such document, RGT-001 nothing is held)."""
    holding = store.holding(subject.person, subject.traits)
    documents = tuple(_held(store, row) for row in holding.documents)
    if not documents and not holding.alike and not (holding.stops or holding.oppositions):
        advice = "Vérifier le compte ; un document confié sans INS se cherche par --submission ou --document."
        raise NotFoundError("RGT-001", "Rien n'est conservé de ce patient dans ce compte.", advice)
    return Held(holding, documents)


def _held(store: Store, row: DocumentRow) -> HeldDocument:
    found = []
    for name in row.delivery_ids:
        address = None if row.erased_at is not None else remake.address_of(remake.context_of(store, name))
        found.append(HeldDelivery(store.delivery(name), tuple(store.received(name)), address))
    return HeldDocument(row, _hidden(store, row), tuple(found))


def _hidden(store: Store, row: DocumentRow) -> bool:
    if row.erased_at is not None:
        return False
    submission = stored.submission(store, row)
    seen: Visibility | None = None if submission is None else submission.visibility
    return seen is None or seen.hidden_from_patient or seen.hidden_from_representatives


@dataclass(frozen=True, slots=True)
class ErasurePlan:
    """What an erasure would do, by document. `gone`: erased before; `findings`: what a person has to know."""

    held: Held
    erasable: tuple[str, ...]
    gone: tuple[str, ...]
    blocked: tuple[str, ...]
    findings: tuple[Finding, ...]


KEEP_YEARS = 20
"""Years after the last care for which the file of a patient is kept (CNIL, délibération n° 2020-081 de 2020)."""


def plan(store: Store, held: Held, rules: RulesSettings, now: datetime) -> ErasurePlan:
    """What erasing this patient's documents would do, and what a person has to know before."""
    gone = tuple(one.row.id for one in held.documents if one.row.erased_at is not None)
    left = [one for one in held.documents if one.row.erased_at is None]
    blocked = tuple(one.row.id for one in left if one.open)
    erasable = tuple(one.row.id for one in left if not one.open)
    chosen = [one for one in left if not one.open]
    findings = [*_blocked(left), *_owed(store, held, rules, now), *_awaited(chosen), *_unwithdrawable(chosen)]
    findings += [*_young(chosen, now), *_alike(held)]
    return ErasurePlan(held, erasable, gone, blocked, tuple(findings))


def _blocked(left: list[HeldDocument]) -> list[Finding]:
    return [
        Finding(
            "RGT-002",
            Severity.ERROR,
            f"/documents/{document.row.id}/deliveries/{one.detail.row.id}",
            "Cet envoi n'est pas terminé : son document ne peut pas être effacé.",
            f"Attendre son issue, ou l'abandonner : kine-gateway queue cancel {one.detail.row.id} --reason ...",
            "DESIGN §4",
        )
        for document in left
        for one in document.open
    ]


def _owed(store: Store, held: Held, rules: RulesSettings, now: datetime) -> list[Finding]:
    """Duties towards a reader that nobody has fulfilled yet: the document will be gone, the duty will not."""
    mine = {one.row.id for one in held.documents if one.row.erased_at is None}
    due = [one for one in obligations.listing(store, rules, now, held.holding.account) if one.open]
    return [
        warning(
            "RGT-003",
            f"/documents/{one.document_id or one.near}",
            f"Une obligation d'envoi n'est pas remplie (destinataire : {one.to}).",
            "Remettre d'abord le document (queue handed), ou noter pourquoi il n'est plus dû.",
            one.source,
        )
        for one in due
        if (one.document_id or one.near) in mine
    ]


def _awaited(left: list[HeldDocument]) -> list[Finding]:
    rows = [one.detail.row for document in left for one in document.deliveries]
    late = [row for row in rows if row.state is Transport.SENT and row.receipt in {Receipt.AWAITED, Receipt.OVERDUE}]
    message = "Un accusé est encore attendu ; il sera reconnu après l'effacement."
    return [Finding("RGT-004", Severity.INFO, f"/deliveries/{row.id}", message, "Aucune action.") for row in late]


def _unwithdrawable(left: list[HeldDocument]) -> list[Finding]:
    sent = [one.row.id for one in left if any(d.detail.row.state is Transport.SENT for d in one.deliveries)]
    if not sent:
        return []
    message = f"{len(sent)} document(s) déjà envoyé(s) : l'effacement ne les rappelle pas, withdraw ne le pourra plus."
    advice = "S'il faut les annuler : kine-gateway withdraw, avant d'effacer."
    return [warning("RGT-005", "/documents", message, advice)]


def _young(left: list[HeldDocument], now: datetime) -> list[Finding]:
    young = [one.row.id for one in left if one.row.document_date.year + KEEP_YEARS > now.year]
    if not young:
        return []
    message = f"{len(young)} document(s) de moins de {KEEP_YEARS} ans : le dossier du patient doit être gardé."
    advice = "S'assurer que le logiciel du cabinet les conserve : seule la copie de la passerelle est effacée."
    source = "CSP R4321-91 ; CNIL, délibération 2020-081"
    return [warning("RGT-006", "/documents", message, advice, source)]


def _alike(held: Held) -> list[Finding]:
    message = "Document aux mêmes traits de naissance, sous un autre identifiant : il n'est pas compris."
    advice = "S'il est du même patient, refaire la commande avec --document."
    return [warning("RGT-007", f"/documents/{one}", message, advice, "identitovigilance") for one in held.holding.alike]
