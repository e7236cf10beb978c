"""Looks at the configuration and at this machine: what `config check` and `doctor` report.

Nothing here sends a document. `inspect_settings` reads files only; `inspect_machine` also opens the store and
connects to the operator and the DMP as far as the TLS handshake.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import platform
from gateway.clock import SystemClock
from gateway.errors import GatewayError
from gateway.findings import Finding, error, warning
from gateway.inspection import certificates, journal, machine, pauses, versions
from gateway.inspection.certificates import held_certificates
from gateway.settings import AccountSettings, Settings
from gateway.store import database_path, on_postgres, pg_doctor, sqlite_doctor
from gateway.store.settling import COPIED

if TYPE_CHECKING:
    from gateway.store.base import Store

__all__ = ["held_certificates", "inspect_journal", "inspect_machine", "inspect_pauses", "inspect_settings"]


def inspect_settings(settings: Settings) -> list[Finding]:
    """Findings on the files that the configuration names: there, private, valid, not about to expire."""
    found = [*_trust_space(settings), *_private("sealing.key_file", settings.sealing.key_file)]
    found += _private("journal.key_file", settings.journal.key_file)
    found += _store_place(settings)
    found += [*_tables(), *_kits(settings), *_annuaire(settings), *_others(settings)]
    for account in settings.account:
        found += _account(account)
    return found


def inspect_machine(settings: Settings) -> list[Finding]:
    """`inspect_settings`, then versions, the database, folders, ports and the servers of each account."""
    found = [*inspect_settings(settings), *versions.inspect(sqlite=not on_postgres(settings))]
    if on_postgres(settings):
        found += pg_doctor.inspect(settings.store.url)
    elif not any(one.code == "CFG-103" for one in found):
        found += sqlite_doctor.inspect(database_path(settings))
    return [*found, *machine.inspect(settings)]


def inspect_journal(settings: Settings, store: Store) -> list[Finding]:
    """Findings on the checkpoints of an open store."""
    return list(journal.inspect(settings, store))


def inspect_pauses(store: Store) -> list[Finding]:
    """Findings on what an open store sends nothing of, but for a copy: `Homes.inspect` tells more of that."""
    return list(pauses.inspect([one for one in store.pauses() if one.reason != COPIED]))


def _trust_space(settings: Settings) -> Iterator[Finding]:
    from gateway.rules import trust_space

    try:
        trust_list = trust_space.load(settings.trust_space.file)
    except GatewayError as fault:
        yield error(fault.code, "/trust_space/file", fault.message, fault.advice)
        return
    yield from trust_space.staleness(trust_list, datetime.now(UTC).date())
    for place, account in enumerate(settings.account):
        if not trust_list.allows(account.mailbox):
            message = "La boîte de ce compte n'est pas dans un domaine de l'espace de confiance."
            yield error("CFG-106", f"/account/{place}/mailbox", message, "Corriger l'adresse ou la liste.")


def _tables() -> Iterator[Finding]:
    """Tables that are not those of the pack: meant by whoever changed them, or damaged."""
    from gateway import terminology

    for name in terminology.altered_files():
        message = "Cette table de correspondance n'est pas celle du lot livré."
        advice = "Si le changement est voulu, refaire son empreinte au manifeste ; sinon réinstaller."
        yield warning("CFG-112", f"/mappings/{name}", message, advice, "mappings/manifest.toml")


def _kits(settings: Settings) -> Iterator[Finding]:
    from gateway.validate import kits

    try:
        kits.required(settings.validation)
    except GatewayError as fault:
        yield error(fault.code, "/validation", fault.message, fault.advice)


def _annuaire(settings: Settings) -> Iterator[Finding]:
    """The directory's key, authority and age; nothing where none is configured."""
    from gateway.channels.annuaire.directory import inspect

    annuaire = settings.annuaire
    if annuaire is None:
        return
    if annuaire.api is not None:
        yield from certificates.key("/annuaire/api/key_file", annuaire.api.key_file)
    for name, part in (("api", annuaire.api), ("extraction", annuaire.extraction)):
        if part is not None and part.ca_file is not None:
            yield from certificates.authority(f"/annuaire/{name}/ca_file", part.ca_file)
    yield from inspect(annuaire, SystemClock())


def _others(settings: Settings) -> Iterator[Finding]:
    """Certificates that no account has: of the time-stamping authority, of the pages."""
    stamp, web = settings.journal.timestamp, settings.web
    if stamp is not None:
        yield from certificates.authority("/journal/timestamp/roots_file", stamp.roots_file)
        if stamp.ca_file is not None:
            yield from certificates.authority("/journal/timestamp/ca_file", stamp.ca_file)
    if web.cert_file is not None and web.key_file is not None:
        yield from certificates.served("/web", web.cert_file, web.key_file)


def _private(name: str, path: Path) -> Iterator[Finding]:
    place = "/" + name.replace(".", "/")
    if not path.exists():
        yield warning(
            "CFG-101", place, "Fichier de clé absent : il sera créé au premier usage.", "En garder une copie."
        )
    elif platform.is_private(path) is False:
        yield error("CFG-102", place, "D'autres utilisateurs peuvent lire cette clé.", f"chmod 600 {path}")


def _store_place(settings: Settings) -> Iterator[Finding]:
    if on_postgres(settings):
        return
    path = Path(settings.store.url.removeprefix("sqlite:///"))
    if platform.is_network_filesystem(path):
        advice = "Choisir un disque de cette machine : les verrous d'un partage réseau ne protègent pas la base."
        yield error("CFG-103", "/store/url", "Le stockage est sur un partage réseau.", advice, "DESIGN §4, Store")


def _account(account: AccountSettings) -> Iterator[Finding]:
    base = f"/account/{account.id}"
    if account.smtp is None and account.dmp is None:
        yield error("CFG-104", base, "Ce compte n'a ni messagerie ni DMP.", "Configurer au moins [account.smtp].")
    yield from certificates.inspect(account)
    yield from _replies(base, account)


def _replies(base: str, account: AccountSettings) -> Iterator[Finding]:
    """Whether the box that receipts and answers come to, which is the sender's own, is the one that is read."""
    imap = account.imap
    if account.smtp is not None and imap is None:
        message = "Personne ne relève la boîte de ce compte : accusés et réponses n'y sont pas lus par la passerelle."
        advice = "Configurer [account.imap], ou confier les messages reçus à gateway.receipts.take_in."
        yield warning("CFG-117", f"{base}/imap", message, advice, "docs/mssante.md, Receipts")
    user = account.mailbox if imap is None or imap.user is None else imap.user
    if "@" in user and user.lower() != account.mailbox.lower():
        message = "La boîte relevée n'est pas celle à laquelle les destinataires répondent (mailbox)."
        yield warning("CFG-118", f"{base}/imap/user", message, "Relever la boîte qui envoie.", "ECO.2.3.2")
