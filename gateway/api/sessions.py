"""Who may send without a person at the keyboard, and the word that a person has logged in again."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from gateway import wording
from gateway.errors import ConfigError, GatewayError
from gateway.findings import Finding, error, warning
from gateway.store.base import Filter
from gateway.store.states import Transport

if TYPE_CHECKING:
    from gateway.api.machinery import Machinery
    from gateway.settings import AccountSettings

PROBE_SECONDS = 20.0
"""How long a look at a server may take: whoever asks is waiting."""
Means = Literal["certificate", "xoauth2", "none"]


@dataclass(frozen=True, slots=True)
class Access:
    """How an account opens its MSSanté box. `unattended`: it can send now, and needs nobody for it.

    `reason` is a code that says why not (`TOK-001` a person has to log in), `advice` the French next step, `waiting`
    the deliveries that wait for the session.
    """

    account: str
    means: Means
    unattended: bool
    reason: str
    advice: str
    waiting: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


class Sessions:
    """Sessions of the accounts with their MSSanté operator."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    def accesses(self) -> list[Access]:
        """For each account, whether it can send unattended. A token is asked for where one is needed, and dropped."""
        return [self._access(account) for account in self._machinery.settings.account]

    def ready(self, account: str, *, by: str) -> int:
        """A person has logged in again: what waited for it becomes due. Returns how many deliveries.

        Raises ConfigError (CFG-012) for an unknown account, InputError for a missing name.
        """
        if self._machinery.settings.find_account(account) is None:
            raise ConfigError("CFG-012", f"Le compte {account} n'est pas dans la configuration.", "Voir session list.")
        count = self._machinery.store.session_ready(account, "mssante", by=by)
        self._machinery.wake()
        return count

    def inspect(self) -> list[Finding]:
        """Open a connection to each account's MSSanté server as a sending would (TLS, login), and leave.

        A warning where time may mend it, an error where nothing can be sent before somebody acts. Not for use inside
        an event loop.
        """
        return asyncio.run(self._inspect())

    async def _inspect(self) -> list[Finding]:
        return [
            found
            for account in self._machinery.settings.account
            if account.smtp is not None
            for found in [await self._refusal(account.id)]
            if found is not None
        ]

    async def _refusal(self, account: str) -> Finding | None:
        from gateway.channels.mssante import MssanteChannel
        from gateway.channels.outcome import Outcome, Verdict
        from gateway.engine.ways import open_way

        way = open_way(self._machinery.settings, account, "mssante", self._machinery.wiring)
        assert isinstance(way, MssanteChannel)
        try:
            outcome = await asyncio.wait_for(way.probe(), PROBE_SECONDS)
        except TimeoutError:
            outcome = Outcome(Verdict.TRANSIENT, "MSS-TIMEOUT")
        if outcome.verdict is Verdict.ACCEPTED:
            return None
        advice = wording.advice("retry", "none", outcome.reason)
        place = f"/account/{account}/smtp"
        if outcome.verdict is Verdict.TRANSIENT:
            return warning("CFG-114", place, f"La messagerie ne s'ouvre pas : {outcome.reason} {outcome.text}", advice)
        return error("CFG-114", place, f"La messagerie ne s'ouvre pas : {outcome.reason} {outcome.text}", advice)

    def _access(self, account: AccountSettings) -> Access:
        waiting = (Transport.WAITING_FOR_SESSION,)
        count = len(self._machinery.store.deliveries(Filter(account=account.id, states=waiting)))
        if account.smtp is None:
            return Access(account.id, "none", unattended=False, reason="DST-NO-SMTP", advice="", waiting=count)
        if account.smtp.auth == "xoauth2":
            fault = self._token_fault(account)
            means: Means = "xoauth2"
        else:
            fault, means = self._certificate_fault(account), "certificate"
        reason, advice = ("", "") if fault is None else (fault.code, f"{fault.message} {fault.advice}".strip())
        return Access(account.id, means, fault is None, reason, advice, count)

    def _token_fault(self, account: AccountSettings) -> GatewayError | None:
        from gateway.channels import tokens

        source = self._machinery.token_source
        if source is None:
            return tokens.no_source(account.id)
        try:
            tokens.fetch(source, account.id)
        except GatewayError as fault:
            return fault
        return None

    def _certificate_fault(self, account: AccountSettings) -> GatewayError | None:
        from gateway.channels.tls import client_context

        assert account.smtp is not None
        if not account.smtp.tls.with_certificate:
            advice = 'Renseigner cert_file et key_file, ou pkcs12_file, ou choisir auth = "xoauth2".'
            return ConfigError("TLS-009", "Le compte n'a pas de certificat client à présenter.", advice)
        try:
            client_context(account.smtp.tls, now=self._machinery.clock.now())
        except GatewayError as fault:
            return fault
        return None
