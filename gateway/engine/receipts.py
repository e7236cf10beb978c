"""Mails that come back: read, judged and taken into the store (spec mssante §3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.store.received import Place, TakenMail

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.engine.events import DeliveryEvent
    from gateway.rules.trust_space import TrustList
    from gateway.settings import AccountSettings
    from gateway.store.base import Store


def take_in(
    store: Store,
    account: AccountSettings,
    raw: bytes,
    trust: TrustList,
    *,
    place: Place | None = None,
    reporters: tuple[str, ...] = (),
    self_copy: bool = False,
) -> TakenMail:
    """Take one received mail in, whatever it is, and say what was done with it.

    `raw` are its bytes as the mailbox gave them (size-limited by the reader below); `place` is where it lies: the
    cursor of that folder moves in the same transaction, so that a mail is taken in once, whatever crashes. `reporters`
    are domains beside the trust space that delivery reports come from (setting `receipts.reporters`). `self_copy`:
    a copy of a sent mail in the sender's own box proves that it left.

    Never raises on what the mail holds. Raises StoreError when the store cannot serve: ask again later, from the
    same cursor.
    """
    raise NotImplementedError


def events(taken: TakenMail, now: datetime) -> list[DeliveryEvent]:
    """What subscribers are told about a mail that was taken in: nothing when no delivery is concerned."""
    raise NotImplementedError
