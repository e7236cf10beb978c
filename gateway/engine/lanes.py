"""The lanes of an account: its channels, the host of each, and how a doubt is settled there."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from gateway.engine import retry
    from gateway.settings import AccountSettings


def ways_of(account: AccountSettings) -> list[tuple[str, str, retry.Policy]]:
    """Channel, host, and how a doubt is settled: the DMP can be asked, and the own mailbox where copies go to it.

    A channel that is no longer configured keeps its lane: what waits on it is paused and shown, not forgotten.
    """
    smtp = "" if account.smtp is None else account.smtp.host
    dmp = "" if account.dmp is None else urlsplit(account.dmp.url).hostname or ""
    policy: retry.Policy = "human" if account.dmp is None else account.dmp.in_doubt
    return [
        ("mssante", smtp or f"{account.id}/mssante", _mail_policy(account)),
        ("dmp", dmp or f"{account.id}/dmp", policy),
    ]


def _mail_policy(account: AccountSettings) -> retry.Policy:
    if account.imap is None or not account.imap.self_copy:
        return "none"  # nobody to ask: a receipt settles it, or a person
    return "look" if account.imap.in_doubt == "resend" else account.imap.in_doubt
