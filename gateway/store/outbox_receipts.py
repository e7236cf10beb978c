"""The receipt side of the outbox: implements `gateway.store.received.ReceiptStore`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from gateway.store import attending, receiving

if TYPE_CHECKING:
    from gateway.store.core import Core
    from gateway.store.received import (
        Cursor,
        LooseMail,
        MailKeys,
        PairHold,
        Place,
        ReceivedLine,
        ReceivedMail,
        TakenMail,
    )
    from gateway.store.rows import DeliveryRow


class ReceiptOutbox:
    """What `Outbox` inherits; every method is described in ReceiptStore."""

    core: Core

    def mail_cursor(self, account: str, folder: str) -> Cursor | None:
        """See ReceiptStore."""
        return receiving.cursor(self.core, account, folder)

    def move_cursor(self, account: str, place: Place) -> None:
        """See ReceiptStore."""
        receiving.move_cursor(self.core, account, place)

    def take_mail(self, account: str, mail: ReceivedMail) -> TakenMail:
        """See ReceiptStore."""
        return receiving.take(self.core, account, mail)

    def note_mailbox(self, account: str, event: str, *, reason: str | None, host: str | None) -> None:
        """See ReceiptStore."""
        receiving.note_mailbox(self.core, account, event, reason, host)

    def mark_overdue(self, account: str | None = None) -> list[DeliveryRow]:
        """See ReceiptStore."""
        return receiving.mark_overdue(self.core, account)

    def received(self, delivery_id: str) -> list[ReceivedLine]:
        """See ReceiptStore."""
        return receiving.received(self.core, delivery_id)

    def loose_mails(self, account: str | None = None, limit: int = 200) -> list[LooseMail]:
        """See ReceiptStore."""
        return receiving.loose(self.core, account, limit)

    def attend(self, delivery_id: str, action: Literal["called", "seen"], *, by: str, reason: str) -> DeliveryRow:
        """See ReceiptStore."""
        return attending.attend(self.core, delivery_id, action, by, reason)

    def hold_pair(self, delivery_id: str, *, by: str, reason: str) -> list[DeliveryRow]:
        """See ReceiptStore."""
        return attending.hold_pair(self.core, delivery_id, by, reason)

    def release_pair(self, delivery_id: str, *, by: str, reason: str) -> list[DeliveryRow]:
        """See ReceiptStore."""
        return attending.release_pair(self.core, delivery_id, by, reason)

    def pair_holds(self) -> list[PairHold]:
        """See ReceiptStore."""
        return attending.pair_holds(self.core)

    def unkeyed_mails(self, limit: int = 100) -> list[str]:
        """See ReceiptStore."""
        return receiving.unkeyed(self.core, limit)

    def key_mail(self, delivery_id: str, keys: MailKeys | None) -> None:
        """See ReceiptStore."""
        receiving.key_mail(self.core, delivery_id, keys)
