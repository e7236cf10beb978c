"""The way out of an account for a channel, from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import ConfigError

if TYPE_CHECKING:
    from gateway.channels.outcome import Channel
    from gateway.clock import Clock, Randomness
    from gateway.rules.trust_space import TrustList
    from gateway.settings import Settings


def open_way(
    settings: Settings, trust: TrustList | None, account_id: str, channel: str, *, clock: Clock, ids: Randomness
) -> Channel:
    """Open a channel. Raises ConfigError: CFG-012 no such account any more, CFG-013 no such channel any more."""
    from gateway import pipeline

    account = settings.find_account(account_id)
    if account is None:
        raise ConfigError("CFG-012", f"Le compte {account_id} n'est plus dans la configuration.")
    if channel == "dmp" and account.dmp is not None:
        from gateway.channels.dmp import DmpChannel

        return DmpChannel(account.dmp, device=account.oid_root, clock=clock, ids=ids, software=pipeline.SOFTWARE)
    if channel == "mssante" and account.smtp is not None and trust is not None:
        from gateway.channels.mssante import MssanteChannel

        return MssanteChannel(account.smtp, trust)
    raise ConfigError("CFG-013", f"Le compte {account_id} n'a plus de canal {channel} configuré.")
