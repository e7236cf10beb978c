"""Sessions that only a person can renew: who waits for one, and whether it is there again.

A delivery that meets a closed session waits outside the schedule. Its account's token source is then asked now and
then, which costs little and needs nobody: as soon as it gives a token, what waited becomes due.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.channels import tokens
from gateway.errors import GatewayError
from gateway.store.base import Filter
from gateway.store.states import Transport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.channels.tokens import TokenSource
    from gateway.clock import Clock
    from gateway.settings import AccountSettings, Settings
    from gateway.store.base import ChannelName, Store

NEEDED = "MSS-SESSION"
"""Reason of a delivery whose token source asked for a person. One whose session the operator refused waits for that
person's word instead: the source has tokens to give, so asking it proves nothing."""
GATEWAY = "gateway"


class SessionWatch:
    """Looks after the sessions of the accounts of one worker."""

    def __init__(self, store: Store, settings: Settings, source: TokenSource | None, clock: Clock) -> None:
        self._store = store
        self._accounts = {a.id: a for a in settings.account if a.smtp is not None and a.smtp.auth == "xoauth2"}
        self._source = source
        self._clock = clock
        self._looked: dict[str, float] = {}
        self._told: set[tuple[str, str]] = set()

    def is_news(self, account: str, channel: str, state: Transport) -> bool:
        """Whether a delivery that came to this state shows, first of all, that a session is wanted: one notice, however
        many wait for it.
        """
        if state is not Transport.WAITING_FOR_SESSION:
            return False
        news = (account, channel) not in self._told
        self._told.add((account, channel))
        return news

    async def opened(self, accounts: Iterable[str]) -> list[tuple[str, ChannelName]]:
        """Sessions that are open again; what waited for them is due now."""
        found: list[tuple[str, ChannelName]] = []
        for name in sorted(accounts):
            account = self._accounts.get(name)
            if account is not None and self._is_time(account):
                found += await self._look(account)
        return found

    def _is_time(self, account: AccountSettings) -> bool:
        now = self._clock.elapsed()
        if now - self._looked.get(account.id, float("-inf")) < account.token_probe:
            return False
        self._looked[account.id] = now
        return True

    async def _look(self, account: AccountSettings) -> list[tuple[str, ChannelName]]:
        rows = self._store.deliveries(Filter(account=account.id, states=(Transport.WAITING_FOR_SESSION,)))
        if not rows:
            self._told = {told for told in self._told if told[0] != account.id}
        channels = sorted({row.channel for row in rows if row.reason == NEEDED})
        if not channels or self._source is None:
            return []
        try:
            await tokens.afetch(self._source, account.id, account.token_timeout)
        except GatewayError:
            return []
        for channel in channels:
            self._store.session_ready(account.id, channel, by=GATEWAY)
            self._told.discard((account.id, channel))
        return [(account.id, channel) for channel in channels]
