"""What a receipt is found by: keyed hashes of Message-ID, envelope id and recipient of a mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.store.database import Row, Transaction
    from gateway.store.received import MailKeys
    from gateway.store.sealing import Vault

UNKNOWABLE = b""
"""Stands for the keys of a mail whose content was erased before any were kept."""


def columns(vault: Vault, keys: MailKeys | None) -> dict[str, bytes | None]:
    """The columns of a delivery for its keys."""
    if keys is None:
        return {"message_mac": None, "envid_mac": None, "recipient_mac": None}
    return {
        "message_mac": message(vault, keys.message_id),
        "envid_mac": vault.mail_mac("envid", keys.envid),
        "recipient_mac": recipient(vault, keys.recipient),
    }


def message(vault: Vault, message_id: str) -> bytes:
    """Keyed hash of a Message-ID, whatever blanks a folded header put into it."""
    return vault.mail_mac("message-id", "".join(message_id.split()))


def recipient(vault: Vault, address: str) -> bytes:
    """Keyed hash of a mailbox; operators compare addresses without case."""
    return vault.mail_mac("recipient", address.strip().lower())


def pair_hold(tx: Transaction, account: str, document: str, recipient_mac: bytes | None) -> Row | None:
    """The hold that stands between the patient of a document and a recipient."""
    if recipient_mac is None:
        return None
    found = tx.one("document_get", id=document)
    assert found is not None  # a delivery belongs to a document
    return tx.one("pair_get", account=account, patient=found["patient"], recipient_mac=recipient_mac)
