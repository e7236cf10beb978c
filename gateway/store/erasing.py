"""What is held about a patient, and its erasure. See `gateway.store.holdings`.

Erasing destroys the document's key and deletes the sealed content, in one transaction with its journal record. What
stays has no identity: ids, states, codes, times, keyed pseudonyms and the frozen facts of care.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import StateError
from gateway.store import journal, opposing, reading, stopping
from gateway.store.core import Core, find_document, from_ms
from gateway.store.holdings import Disclosed, HeldPair, Holding
from gateway.store.operating import checked_name
from gateway.store.states import FINAL, Transport

if TYPE_CHECKING:
    from gateway.store.database import Transaction
    from gateway.store.oppositions import Person


def erase(core: Core, document_id: str, by: str, reason: str | None) -> bool:
    """See RightsStore.erase."""
    by = checked_name(by)
    with core.write() as work:
        row = find_document(work.tx, document_id)
        for delivery in work.tx.all("deliveries_of_document", document_id=document_id):
            if Transport(delivery["state"]) not in FINAL:
                raise StateError(
                    "DOC-001",
                    f"L'envoi {delivery['id']} du document n'est pas terminé.",
                    "Annulez-le d'abord, ou attendez son issue.",
                )
        if not work.tx.run("document_erase", id=document_id, at=work.ms):
            return False
        work.tx.run("artifacts_erase", document_id=document_id)
        work.tx.run("fact_due_delete", document_id=document_id)
        why = None if reason is None else journal.code(reason)
        work.note("document_erased", of=row["account"], document=document_id, by=by, reason=why)
        return True


def holding(core: Core, person: Person, traits: str | None) -> Holding:
    """See RightsStore.holding."""
    account = person.account
    with core.db.read() as tx:
        name = opposing.pseudonym_of(core, person, tx)
        rows = tx.all("documents_of_patient", account=account, patient=name)
        known = {bytes(row["traits_mac"]) for row in rows if row["traits_mac"] is not None}
        if traits is not None:
            known.add(core.vault.identity_mac("traits", traits))
        alike = _alike(tx, account, name, known)
        pairs = tx.all("pairs_of_patient", account=account, patient=name)
        counted = tx.one("facts_of_patient", account=account, patient=name)
    stops = tuple(one for one in stopping.listing(core, (account,), None) if one.patient == name)
    return Holding(
        account,
        name,
        tuple(reading.same_patient(core, rows[0]["id"])) if rows else (),
        alike,
        stops,
        tuple(opposing.listing(core, person)),
        tuple(HeldPair(row["delivery_id"], row["reason"], row["actor"], from_ms(row["since"])) for row in pairs),
        0 if counted is None else int(counted["number"]),
    )


def _alike(tx: Transaction, account: str, patient: str, macs: set[bytes]) -> tuple[str, ...]:
    found = {
        row["id"]
        for mac in macs
        for row in tx.all("documents_with_traits", account=account, traits_mac=mac)
        if row["patient"] != patient
    }
    return tuple(sorted(found))


def note_disclosed(core: Core, disclosed: Disclosed) -> None:
    """See RightsStore.note_disclosed."""
    by = checked_name(disclosed.by)
    with core.write(disclosed.account) as work:
        about = {"account": disclosed.account, "patient": disclosed.patient}
        work.note("patient_disclosed", by=by, size=disclosed.documents, **about)
