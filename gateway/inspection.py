"""Looks at the configuration and at this machine: what `config check` and `doctor` report.

Nothing here sends a document. `inspect_settings` reads files only; `inspect_machine` also opens the store and
connects to the operator and the DMP as far as the TLS handshake.
"""

from __future__ import annotations

import socket
import sqlite3
import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway import platform
from gateway.clock import SystemClock
from gateway.errors import GatewayError
from gateway.findings import Finding, Severity, error, warning
from gateway.settings import AccountSettings, Settings, TlsSettings
from gateway.store import on_postgres, pg_doctor

if TYPE_CHECKING:
    from gateway.package import certificates

EXPIRY_WARNING = timedelta(days=30)
CONNECT_SECONDS = 5.0
SAFE_WAL = (3, 51, 3)
"""From this SQLite on, several processes may write to one WAL file (spec engine §1d)."""


def inspect_settings(settings: Settings) -> list[Finding]:
    """Findings on the files that the configuration names: there, private, valid, not about to expire."""
    found = [*_trust_space(settings), *_private("sealing.key_file", settings.sealing.key_file)]
    found += _private("journal.key_file", settings.journal.key_file)
    found += _store_place(settings)
    found += [*_tables(), *_kits(settings), *_annuaire(settings)]
    for account in settings.account:
        found += _account(account)
    return found


def inspect_machine(settings: Settings) -> list[Finding]:
    """`inspect_settings`, then the store, the folders and the two servers of each account."""
    found = inspect_settings(settings)
    found += pg_doctor.inspect(settings.store.url) if on_postgres(settings) else _sqlite()
    for account in settings.account:
        if account.outbox is not None:
            found += _folder(account.id, account.outbox)
        if account.smtp is not None:
            found += _reach(account.id, "smtp", account.smtp.host, account.smtp.port)
        if account.dmp is not None:
            parts = urlsplit(account.dmp.url)
            found += _reach(account.id, "dmp", parts.hostname or "", parts.port or 443)
            found += _handshake(account.id, account.dmp.tls, parts.hostname or "", parts.port or 443)
    return found


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
        yield from _key("/annuaire/api/key_file", annuaire.api.key_file)
    for name, part in (("api", annuaire.api), ("extraction", annuaire.extraction)):
        if part is not None and part.ca_file is not None:
            yield from _certificate(f"/annuaire/{name}/ca_file", part.ca_file)
    yield from inspect(annuaire, SystemClock())


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
    if account.smtp is not None:
        yield from _tls(f"{base}/smtp/tls", account.smtp.tls)
    yield from _replies(base, account)
    if account.imap is not None:
        yield from _tls(f"{base}/imap/tls", account.imap.tls)
        if account.imap.password_file is not None:
            yield from _key(f"{base}/imap/password_file", account.imap.password_file)
    if account.dmp is not None:
        yield from _tls(f"{base}/dmp/tls", account.dmp.tls)
        dmp = account.dmp
        yield from _own(f"{base}/dmp", "sign_", dmp.sign_cert_file, dmp.sign_pkcs12_file, dmp.sign_pkcs12_password_file)
        if dmp.sign_key_file is not None:
            yield from _key(f"{base}/dmp/sign_key_file", dmp.sign_key_file)


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


def _tls(place: str, tls: TlsSettings) -> Iterator[Finding]:
    yield from _certificate(f"{place}/ca_file", tls.ca_file)
    yield from _own(place, "", tls.cert_file, tls.pkcs12_file, tls.pkcs12_password_file)
    if tls.key_file is not None:
        yield from _key(f"{place}/key_file", tls.key_file)


def _own(place: str, prefix: str, cert: Path | None, archive: Path | None, password: Path | None) -> Iterator[Finding]:
    """Our own certificate, PEM or PKCS#12: there, opened by its password, valid, and of the right use."""
    from gateway.package import certificates

    path = f"{place}/{prefix}{'cert_file' if archive is None else 'pkcs12_file'}"
    if password is not None:
        yield from _key(f"{place}/{prefix}pkcs12_password_file", password)
    try:
        found = certificates.own(cert, archive, password)
    except GatewayError as fault:
        yield error(fault.code, path, fault.message, fault.advice)
        return
    except (OSError, ValueError):
        yield error("CFG-105", path, "Certificat absent ou illisible (PEM attendu).", f"Vérifier le fichier {cert}.")
        return
    if found is None:
        return
    held = certificates.describe(found)
    yield from _validity(path, held.ends)
    if not prefix and not held.authenticates:
        message = f"Ce certificat n'est pas fait pour s'authentifier (usage : {', '.join(held.usages)})."
        yield warning("CFG-113", path, message, "Demander un certificat d'authentification (offre ORG, AUTH_CLI).")


def held_certificates(settings: Settings) -> list[tuple[str, str, certificates.Held]]:
    """Account, purpose and description of every certificate of ours that can be read; faults are findings, not here."""
    from gateway.package import certificates

    found = []
    for account in settings.account:
        for purpose, files in _purposes(account):
            with suppress(GatewayError, OSError, ValueError):
                certificate = certificates.own(*files)
                if certificate is not None:
                    found.append((account.id, purpose, certificates.describe(certificate)))
    return found


_Files = tuple[Path | None, Path | None, Path | None]


def _purposes(account: AccountSettings) -> Iterator[tuple[str, _Files]]:
    for purpose, way in (("MSSanté, envoi", account.smtp), ("MSSanté, lecture", account.imap), ("DMP", account.dmp)):
        if way is not None:
            yield purpose, (way.tls.cert_file, way.tls.pkcs12_file, way.tls.pkcs12_password_file)
    dmp = account.dmp
    if dmp is not None:
        yield "DMP, signature", (dmp.sign_cert_file, dmp.sign_pkcs12_file, dmp.sign_pkcs12_password_file)


def _key(place: str, path: Path) -> Iterator[Finding]:
    if not path.exists():
        yield error("CFG-105", place, "Fichier absent.", f"Vérifier le chemin {path}.")
    elif platform.is_private(path) is False:
        yield error("CFG-102", place, "D'autres utilisateurs peuvent lire cette clé.", f"chmod 600 {path}")


def _certificate(place: str, path: Path) -> Iterator[Finding]:
    from cryptography import x509

    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        yield error("CFG-105", place, "Certificat absent ou illisible (PEM attendu).", f"Vérifier le fichier {path}.")
        return
    yield from _validity(place, min(c.not_valid_after_utc for c in certificates))


def _validity(place: str, end: datetime) -> Iterator[Finding]:
    now = datetime.now(UTC)
    if end < now:
        yield error("CFG-107", place, f"Certificat expiré le {end:%d/%m/%Y}.", "Le renouveler : plus rien ne part.")
    elif end - now < EXPIRY_WARNING:
        yield warning("CFG-107", place, f"Certificat valable jusqu'au {end:%d/%m/%Y}.", "Le renouveler dès maintenant.")


def _sqlite() -> Iterator[Finding]:
    if sqlite3.sqlite_version_info < SAFE_WAL:
        message = f"SQLite {sqlite3.sqlite_version} : le mode WAL à plusieurs écrivains y est risqué."
        advice = "Rien à faire : la passerelle emploie journal_mode=DELETE et synchronous=EXTRA."
        yield Finding("CFG-108", Severity.INFO, "/store", message, advice, "sqlite.org, wal.html")


def _folder(account: str, path: Path) -> Iterator[Finding]:
    place = f"/account/{account}/outbox"
    try:
        platform.make_private_dir(path)
        platform.write_atomic(path / ".doctor", b"")
        platform.remove(path / ".doctor")
    except OSError as fault:
        yield error("CFG-109", place, f"Dossier inutilisable : {fault.strerror}.", "Vérifier le chemin et les droits.")


def _reach(account: str, channel: str, host: str, port: int) -> Iterator[Finding]:
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError as fault:
        message = f"{host}:{port} ne répond pas ({type(fault).__name__})."
        advice = "Vérifier l'adresse, le réseau et le pare-feu ; les envois attendent et partiront ensuite."
        yield warning("CFG-110", f"/account/{account}/{channel}", message, advice)


def _handshake(account: str, tls: TlsSettings, host: str, port: int) -> Iterator[Finding]:
    """Mutual TLS as the channel does it: our anchor only, the host's name checked, our certificate shown."""
    from gateway.channels.tls import client_context

    try:
        with (
            socket.create_connection((host, port), CONNECT_SECONDS) as plain,
            client_context(tls).wrap_socket(plain, server_hostname=host),
        ):
            return
    except ssl.SSLError as fault:
        message = f"TLS refusé par {host} : {fault.reason}."
        advice = "Vérifier l'autorité (ca_file), le nom du serveur et le certificat client."
        yield error("CFG-111", f"/account/{account}/dmp/tls", message, advice)
    except (OSError, GatewayError):  # nobody there, or files that have a finding of their own
        return
