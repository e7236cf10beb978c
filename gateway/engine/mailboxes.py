"""The mailbox of an account, opened from its settings: for the watch, for the self-copy, for a question."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.channels.mssante.imap import Mailbox
    from gateway.channels.mssante.selfcopy import SelfCopy
    from gateway.engine.events import DeliveryEvent
    from gateway.engine.mailwatch import MailWatch
    from gateway.engine.ways import Wiring
    from gateway.settings import AccountSettings, Settings
    from gateway.store.base import Store


def open_mailbox(account: AccountSettings, wiring: Wiring) -> Mailbox | None:
    """The account's mailbox, not connected yet; None when none is configured."""
    from gateway.channels.mssante.imap import Mailbox

    imap = account.imap
    if imap is None:
        return None
    tracer = wiring.tracer(account, "imap", imap.host)
    return Mailbox(imap, account.mailbox, account=account.id, clock=wiring.clock, token=wiring.tokens, tracer=tracer)


def self_copy(account: AccountSettings, wiring: Wiring) -> SelfCopy | None:
    """Where copies of this account's mails go, if they do."""
    from gateway.channels.mssante.selfcopy import SelfCopy

    imap = account.imap
    if imap is None or not imap.self_copy:
        return None

    def open_box() -> Mailbox:
        box = open_mailbox(account, wiring)
        assert box is not None
        return box

    return SelfCopy(account.mailbox, imap.host, open_box)


def open_watch(
    settings: Settings, account_id: str, store: Store, wiring: Wiring, tell: Callable[[DeliveryEvent], None]
) -> MailWatch | None:
    """A watch over the account's mailbox; None when there is none, or no trust space to judge its mails by."""
    from gateway.engine.mailwatch import Desk, MailWatch

    account = settings.find_account(account_id)
    box = open_mailbox(account, wiring) if account is not None else None
    if account is None or box is None or wiring.trust is None:
        return None
    desk = Desk(store, wiring.trust, wiring.clock, wiring.ids, tell, settings.receipts.reporters)
    return MailWatch(account, box, desk)
