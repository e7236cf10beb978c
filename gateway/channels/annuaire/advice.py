"""What the imported list says of the recipients of a submission: a box to add, or one that is somebody else's.

The list never fills in an address: whoever writes the submission decides where health data go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.channels.annuaire.directory import Directory
from gateway.channels.annuaire.model import Choice, Verdict
from gateway.findings import Finding, Severity, error
from gateway.records.people import Recipient

_SOURCE = "Annuaire Santé, liste des boîtes MSSanté"
_SHOWN = 5


def on_recipients(recipients: Sequence[Recipient], directory: Directory) -> list[Finding]:
    """Findings on every recipient whose RPPS is known; none where no list is imported."""
    return [
        finding
        for place, recipient in enumerate(recipients)
        if recipient.rpps is not None and recipient.known and recipient.opposition is None
        for finding in _on(f"/recipients/{place}/mssante", recipient, directory)
    ]


def _on(path: str, recipient: Recipient, directory: Directory) -> Iterator[Finding]:
    rpps, address = recipient.rpps or "", recipient.mssante
    if address is None:
        yield from _suggestion(path, directory.listed(rpps))
    elif (owners := directory.owners(address)) and rpps not in owners:
        message = "D'après l'annuaire, cette boîte est celle d'un autre professionnel que ce RPPS."
        advice = f"Vérifier le RPPS et l'adresse : kine-gateway annuaire find --rpps {rpps}."
        yield error("DST-BOX-OTHER", path, message, advice, _SOURCE)


def _suggestion(path: str, choice: Choice) -> Iterator[Finding]:
    addresses = ", ".join(box.address for box in choice.boxes[:_SHOWN])
    if choice.verdict is Verdict.ONE:
        message, advice = "L'annuaire donne une boîte à ce destinataire.", f"Après vérification, ajouter {addresses}."
        yield Finding("DST-BOX-FOUND", Severity.INFO, path, message, advice, _SOURCE)
    elif choice.verdict is Verdict.ASK:
        message = "L'annuaire donne plusieurs boîtes possibles à ce destinataire."
        yield Finding("DST-BOX-CHOICE", Severity.INFO, path, message, f"Choisir : {addresses}.", _SOURCE)
