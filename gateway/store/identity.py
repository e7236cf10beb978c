"""Whose PDF is it: what the store remembers, under a key, to hold a document that may be another patient's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.store.core import Core

if TYPE_CHECKING:
    from gateway.store.base import Guard
    from gateway.store.database import Transaction

OTHER_PATIENT = "PDF-OTHER-PATIENT"
"""Reason: the very same PDF came earlier for somebody else."""
OTHER_TRAITS = "PDF-OTHER-TRAITS"
"""Reason: this patient's identifier came last with other birth traits."""


def suspicion(core: Core, account: str, patient: str, guard: Guard) -> str | None:
    """Why a level 1 document should wait for a person; None when nothing is against it."""
    with core.db.read() as tx:
        return found(core, tx, account, core.vault.pseudonym(account, patient), guard)


def found(core: Core, tx: Transaction, account: str, patient: str, guard: Guard) -> str | None:
    """`suspicion` inside a transaction; `patient` is the pseudonym."""
    if guard.pdf_sha256 is None:
        return None
    traits = core.vault.identity_mac("traits", guard.traits)
    other = tx.one("document_of_other_patient", pdf_mac=pdf_mac(core, guard), traits_mac=traits)
    if other is not None:
        return OTHER_PATIENT
    last = tx.one("document_last_traits", account=account, patient=patient)
    return OTHER_TRAITS if last is not None and last["traits_mac"] != traits else guard.hold


def columns(core: Core, guard: Guard | None) -> dict[str, bytes | None]:
    """What is kept of a document for the next ones."""
    if guard is None:
        return {"traits_mac": None, "pdf_mac": None}
    return {"traits_mac": core.vault.identity_mac("traits", guard.traits), "pdf_mac": pdf_mac(core, guard)}


def pdf_mac(core: Core, guard: Guard) -> bytes | None:
    """Keyed hash of the PDF that was handed over."""
    return None if guard.pdf_sha256 is None else core.vault.identity_mac("pdf", guard.pdf_sha256)
