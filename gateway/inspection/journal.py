"""The checkpoints outside the database: there, and up with the journal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gateway.errors import StoreError
from gateway.findings import Finding, error, warning
from gateway.store.checkpoint import CheckpointFolder, Signer

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.store.base import Store

PLACE = "/journal/checkpoint_dir"


def inspect(settings: Settings, store: Store) -> Iterator[Finding]:
    """What the folder of checkpoints knows of this journal. Call it before the store is closed: that signs another."""
    journal = settings.journal
    try:
        folder = CheckpointFolder(journal.checkpoint_dir, Signer.load(journal.key_file, journal.origin))
    except StoreError as fault:
        yield error(fault.code, "/journal/key_file", fault.message, fault.advice)
        return
    records, signed = store.journal_records(), folder.latest_of_each()
    if not signed and records > store.shards:  # the first record of each founds it
        message = f"Aucun point de contrôle signé pour {records} enregistrements du journal : dossier vidé ou changé."
        advice = "Remettre les points de contrôle en place : sans eux, une base restaurée n'est pas reconnue."
        yield error("CFG-152", PLACE, message, advice, "DESIGN §4, Journal")
        return
    behind = records - sum(one.size for one in signed.values())
    if behind > journal.every_records * store.shards:
        message = f"{behind} enregistrements du journal ne sont couverts par aucun point de contrôle."
        advice = "Vérifier que ce dossier se laisse écrire, puis redémarrer la passerelle."
        yield warning("CFG-153", PLACE, message, advice, "DESIGN §4, Journal")
