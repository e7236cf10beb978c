"""The way out of an account for a channel, from its settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.channels.trace import Tracer, discard
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from gateway.channels.mssante.xoauth2 import Login
    from gateway.channels.outcome import Channel
    from gateway.channels.recording import Recorder
    from gateway.channels.tokens import TokenSource
    from gateway.channels.trace import TraceSink
    from gateway.clock import Clock, Randomness
    from gateway.rules.trust_space import TrustList
    from gateway.settings import AccountSettings, Settings
    from gateway.skew import Skew


@dataclass(frozen=True, slots=True)
class Wiring:
    """What every channel of a gateway is given: time, chance, the trust space, who gives tokens, who keeps traces, who
    compares clocks.

    `recorder` keeps the exact frames of the DMP's exchanges: for evidence on synthetic patients, never by default.
    """

    clock: Clock
    ids: Randomness
    trust: TrustList | None = None
    tokens: TokenSource | None = None
    traces: TraceSink = discard
    recorder: Recorder | None = None
    skew: Skew | None = None

    def tracer(self, account: AccountSettings, channel: str, host: str) -> Tracer:
        """What makes the traces of an account on a server."""
        return Tracer(self.traces, self.clock, account.id, account.rpps, channel, host, self.skew)


def open_way(settings: Settings, account_id: str, channel: str, wiring: Wiring) -> Channel:
    """Open a channel. Raises ConfigError: CFG-012 no such account any more, CFG-013 no such channel any more."""
    from gateway import pipeline

    account = settings.find_account(account_id)
    if account is None:
        raise ConfigError("CFG-012", f"Le compte {account_id} n'est plus dans la configuration.")
    if channel == "dmp" and account.dmp is not None:
        from gateway.channels.dmp.doors import DmpDoors

        tracer = wiring.tracer(account, "dmp", urlsplit(account.dmp.url).hostname or "")
        names = {"device": account.oid_root, "software": pipeline.SOFTWARE}
        return DmpDoors(
            account.dmp, clock=wiring.clock, ids=wiring.ids, tracer=tracer, recorder=wiring.recorder, **names
        )
    if channel == "mssante" and account.smtp is not None and wiring.trust is not None:
        from gateway.channels.mssante import MssanteChannel
        from gateway.engine.mailboxes import self_copy

        tracer = wiring.tracer(account, "smtp", account.smtp.host)
        return MssanteChannel(
            account.smtp,
            wiring.trust,
            login=_login(account, wiring.tokens),
            tracer=tracer,
            copy=self_copy(account, wiring),
        )
    raise ConfigError("CFG-013", f"Le compte {account_id} n'a plus de canal {channel} configuré.")


def _login(account: AccountSettings, source: TokenSource | None) -> Login | None:
    from gateway.channels import tokens
    from gateway.channels.mssante.xoauth2 import Login

    if source is None:
        return None
    return Login(account.mailbox, lambda: tokens.afetch(source, account.id, account.token_timeout))
