"""The lanes of a worker: the channels of each account, the host of each, and how a doubt is settled there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.engine.breaker import Breaker
from gateway.engine.rate import Bucket

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from gateway.channels.outcome import Channel
    from gateway.clock import Clock
    from gateway.engine import retry
    from gateway.engine.flight import Flight
    from gateway.settings import AccountSettings, Settings


@dataclass(slots=True)
class Lane:
    """One channel of one account, and what is under way on it. Lanes of one host share its breaker and its bucket."""

    account: str
    channel: str
    host: str
    policy: retry.Policy
    breaker: Breaker
    bucket: Bucket
    patience: float = 0.0
    flights: dict[asyncio.Task[None], Flight] = field(default_factory=dict)
    way: Channel | None = None
    closed: bool = False
    """Nothing more goes from this machine: its clock is wrong."""

    def room(self, places: int) -> int:
        """How many deliveries may be claimed for it now: free places, a host that answers, tokens."""
        return 0 if self.closed else self.bucket.slots(self.breaker.slots(places - len(self.flights)))

    def claimed(self) -> None:
        """One was claimed."""
        self.breaker.claimed()
        self.bucket.take()

    def short(self, places: int) -> float:
        """Seconds until the host's next token, where nothing else keeps this lane from claiming; else 0."""
        able = not self.closed and self.breaker.slots(places - len(self.flights)) > 0
        return self.bucket.wait() if able else 0.0


def lanes_of(settings: Settings, clock: Clock, accounts: Sequence[str] | None) -> list[Lane]:
    """The lanes of these accounts (None: all)."""
    breakers: dict[str, Breaker] = {}
    buckets: dict[str, Bucket] = {}
    lanes = []
    for account in settings.account:
        if accounts is not None and account.id not in accounts:
            continue
        patience = account.imap.resend_after if account.imap is not None else 0.0
        for channel, host, policy in ways_of(account):
            breaker = breakers.setdefault(
                host, Breaker(clock, settings.retry.breaker_failures, settings.retry.breaker_pause)
            )
            bucket = buckets.setdefault(host, Bucket(clock, *settings.rate.of(host)))
            lanes.append(Lane(account.id, channel, host, policy, breaker, bucket, patience))
    return lanes


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
