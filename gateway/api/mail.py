"""The accounts' own mailboxes, looked at on demand: what came in, and whether they can be read at all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from gateway import wording
from gateway.errors import ConfigError
from gateway.findings import Finding, Severity

if TYPE_CHECKING:
    from gateway.api.machinery import Machinery
    from gateway.engine.mailwatch import Polled

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BoxState:
    """Whether a mailbox can be read: `unseen` mails nobody has read, `idle` whether the server wakes us by itself.

    `reason` is a code, `advice` French; both empty when all is well.
    """

    account: str
    host: str
    folder: str
    ok: bool
    unseen: int = 0
    idle: bool = False
    reason: str = ""
    advice: str = ""
    verdict: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {name: getattr(self, name) for name in self.__slots__}


def _finding(state: BoxState, rhythm: str) -> Finding:
    place = f"/account/{state.account}/imap"
    if state.ok:
        message = f"Boîte lisible : dossier {state.folder}, {state.unseen} message(s) non lu(s), {rhythm}."
        return Finding("CFG-120", Severity.INFO, place, message)
    severity = Severity.ERROR if state.verdict == "configuration" else Severity.WARNING
    message = f"La boîte ne peut pas être relevée ({state.reason})."
    return Finding("CFG-121", severity, place, message, state.advice)


class Mail:
    """Mailboxes of the configured accounts. Reading changes nothing in them."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    @property
    def looked(self) -> bool:
        """Whether a worker that runs in this process has looked at every mailbox by now (or none runs)."""
        return self._machinery.mail_looked

    def poll(self, account: str | None = None) -> list[Polled]:
        """Take in, once, what is new in the mailbox of an account, or of all. Safe while a sidecar runs: a mail that is
        read twice is known by its content. Raises ConfigError (CFG-012, CFG-015), StoreError.
        """
        return asyncio.run(self.apoll(account))

    async def apoll(self, account: str | None = None) -> list[Polled]:
        """`poll` for asyncio programs."""
        return await self._machinery.mail_room().poll(self._accounts(account))

    def check(self, account: str | None = None) -> list[BoxState]:
        """Connect to each mailbox and say what is there, without taking anything in."""
        return asyncio.run(self.acheck(account))

    async def acheck(self, account: str | None = None) -> list[BoxState]:
        """`check` for asyncio programs."""
        return list(await asyncio.gather(*(self._check(name) for name in self._accounts(account))))

    def inspect(self) -> list[Finding]:
        """`check` as findings, for `doctor`: what each mailbox says, or what keeps it from being read. Not for use
        inside an event loop.
        """
        if all(account.imap is None for account in self._machinery.settings.account):
            return []
        return [_finding(state, self._rhythm(state)) for state in self.check()]

    def _rhythm(self, state: BoxState) -> str:
        account = self._machinery.settings.find_account(state.account)
        assert account is not None
        assert account.imap is not None
        every = f"toutes les {account.imap.poll_every:g} s"
        return f"le serveur prévient (IDLE), relève {every} au plus tard" if state.idle else f"relève {every}"

    async def _check(self, account_id: str) -> BoxState:
        from gateway.channels.mssante.mailbox_faults import MailboxError
        from gateway.engine.mailboxes import open_mailbox

        account = self._machinery.settings.find_account(account_id)
        box = open_mailbox(account, self._machinery.wiring) if account is not None else None
        assert box is not None  # `_accounts` gives those that have one
        try:
            unseen, idle = await box.unseen()
        except MailboxError as fault:
            advice = fault.message or wording.mailbox(fault.reason)
            about = (fault.reason, advice, str(fault.verdict))
            return BoxState(account_id, box.host, box.folder, False, 0, False, *about)
        finally:
            await box.aclose()
        return BoxState(account_id, box.host, box.folder, True, unseen, idle)

    def _accounts(self, account: str | None) -> list[str]:
        settings = self._machinery.settings
        if account is not None and settings.find_account(account) is None:
            raise ConfigError("CFG-012", f"Le compte {account} n'est plus dans la configuration.")
        found = [one.id for one in settings.account if one.imap is not None and account in {None, one.id}]
        if not found:
            message = "Aucune boîte à relever : " + (account or "aucun compte") + " n'a de [account.imap]."
            raise ConfigError(
                "CFG-015", message, "Ajouter la table [account.imap] (modèle : config/gateway.example.toml)."
            )
        return found
