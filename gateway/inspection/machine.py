"""This machine and what it reaches: folders, room on the disk, ports, names, servers, clock, versions."""

from __future__ import annotations

import errno
import shutil
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway import platform
from gateway.errors import GatewayError
from gateway.findings import Finding, error, warning
from gateway.skew import http_date
from gateway.store import database_path, on_postgres

if TYPE_CHECKING:
    from gateway.settings import AccountSettings, Settings, TlsSettings
    from gateway.settings.machinery import HealthSettings, WebSettings

CONNECT_SECONDS = 5.0
LITTLE_ROOM, NO_ROOM = 1_000_000_000, 50_000_000
"""Free bytes below which a disk is about to be full, and below which nothing more is taken over safely."""
SKEW = timedelta(seconds=30)
"""Difference to a server's clock from which a signed token may be refused; its answer tells whole seconds."""


def inspect(settings: Settings) -> Iterator[Finding]:
    """Everything about this machine that the configuration relies on. Nothing is sent but an empty question."""
    yield from _folders(settings)
    yield from _listening("health", settings.health)
    if settings.web.tokens_file is not None or "web" in settings.model_fields_set:
        yield from _listening("web", settings.web)
    for account in settings.account:
        yield from _servers(account)


# ------------------------------------------------------------------------------------------------------ folders


def _folders(settings: Settings) -> Iterator[Finding]:
    places = [("/journal/checkpoint_dir", settings.journal.checkpoint_dir), ("/traces/dir", settings.traces_folder)]
    places += [(f"/account/{a.id}/outbox", a.outbox) for a in settings.account if a.outbox is not None]
    for place, path in places:
        yield from _folder(place, path)
    if not on_postgres(settings):
        places.insert(0, ("/store/url", database_path(settings).parent))
    full: set[int] = set()
    for place, path in places:
        yield from _room(place, path, full)


def _folder(place: str, path: Path) -> Iterator[Finding]:
    if path.is_dir() and platform.is_private(path) is False:
        yield warning(
            "CFG-143", place, "D'autres utilisateurs peuvent entrer dans ce dossier.", f"chmod 700 {path}", "DESIGN §4"
        )
    try:
        if not path.exists():
            platform.make_private_dir(path)
        platform.write_atomic(path / ".doctor", b"")
        platform.remove(path / ".doctor")
    except OSError as fault:
        yield error("CFG-109", place, f"Dossier inutilisable : {fault.strerror}.", "Vérifier le chemin et les droits.")


def _room(place: str, path: Path, known: set[int]) -> Iterator[Finding]:
    """What is free where this folder lies; each disk is told once."""
    try:
        free, device = shutil.disk_usage(path).free, path.stat().st_dev
    except OSError:
        return
    if device in known or free >= LITTLE_ROOM:
        return
    known.add(device)
    message = f"Il reste {free // 1_000_000} Mo sur ce disque."
    advice = "Libérer de la place : sans elle, plus aucun document n'est pris en charge (rien n'est perdu)."
    if free < NO_ROOM:
        yield error("CFG-144", place, message, advice)
    else:
        yield warning("CFG-144", place, message, advice)


# ----------------------------------------------------------------------------------------------- ports and servers


def _listening(name: str, served: HealthSettings | WebSettings | None) -> Iterator[Finding]:
    """Whether a port that is to be listened on is free, or a gateway's own."""
    if served is None or served.port == 0:
        return
    place = f"/{name}/listen"
    family = socket.AF_INET6 if ":" in served.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((served.host, served.port))
        except OSError as fault:
            if fault.errno != errno.EADDRINUSE:
                message = f"Impossible d'écouter sur {served.listen} : {fault.strerror}."
                yield error("CFG-150", place, message, "Choisir une adresse de ce poste et un port libre.")
            elif not _is_ours(served.host, served.port):
                message = f"Le port {served.port} est pris par un autre programme."
                yield error("CFG-150", place, message, "Choisir un autre port, ou arrêter ce programme.")


def _is_ours(host: str, port: int) -> bool:
    """Whether a gateway answers there: it is at work, which is no fault."""
    question = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    try:
        with socket.create_connection((host, port), CONNECT_SECONDS) as plain:
            plain.settimeout(CONNECT_SECONDS)
            plain.sendall(question)
            return plain.recv(4096).split(b"\r\n")[0].endswith((b" 200 OK", b" 302 Found", b" 303 See Other"))
    except OSError:
        return False


def _servers(account: AccountSettings) -> Iterator[Finding]:
    if account.smtp is not None:
        yield from _reach(account.id, "smtp", account.smtp.host, account.smtp.port)
    if account.dmp is not None:
        parts = urlsplit(account.dmp.url)
        host, port = parts.hostname or "", parts.port or 443
        missing = list(_reach(account.id, "dmp", host, port))
        yield from missing or _handshake(account.id, account.dmp.tls, host, port)


def _reach(account: str, channel: str, host: str, port: int) -> Iterator[Finding]:
    place = f"/account/{account}/{channel}"
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except socket.gaierror:
        message = f"Le nom {host} est inconnu (DNS)."
        advice = "Vérifier l'adresse et la résolution de noms de ce poste ; les envois attendent et partiront ensuite."
        yield warning("CFG-151", place, message, advice)
    except OSError as fault:
        message = f"{host}:{port} ne répond pas ({type(fault).__name__})."
        advice = "Vérifier l'adresse, le réseau et le pare-feu ; les envois attendent et partiront ensuite."
        yield warning("CFG-110", place, message, advice)


def _handshake(account: str, tls: TlsSettings, host: str, port: int) -> Iterator[Finding]:
    """Mutual TLS as the channel does it: our anchor only, the host's name checked, our certificate shown."""
    from gateway.channels.tls import client_context

    try:
        with (
            socket.create_connection((host, port), CONNECT_SECONDS) as plain,
            client_context(tls).wrap_socket(plain, server_hostname=host) as secure,
        ):
            yield from _skew(account, secure, host)
    except ssl.SSLError as fault:
        message = f"TLS refusé par {host} : {fault.reason}."
        advice = "Vérifier l'autorité (ca_file), le nom du serveur et le certificat client."
        yield error("CFG-111", f"/account/{account}/dmp/tls", message, advice)
    except (OSError, GatewayError):  # nobody there, or files that have a finding of their own
        return


def _skew(account: str, secure: ssl.SSLSocket, host: str) -> Iterator[Finding]:
    """How far our clock is from the server's, by the date of its answer to an empty question (RFC 9110 §6.6.1)."""
    before = datetime.now(UTC)
    secure.settimeout(CONNECT_SECONDS)
    secure.sendall(f"HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    there = _date(secure.recv(16_384))
    if there is None:
        return
    off = (before + (datetime.now(UTC) - before) / 2) - there
    if abs(off) > SKEW:
        message = f"L'horloge de ce poste diffère de {off.total_seconds():+.0f} s de celle de {host}."
        advice = "Régler l'heure par NTP : ce qui est signé d'une autre heure est refusé, et le journal porte la nôtre."
        yield error("CFG-148", f"/account/{account}/dmp", message, advice)


def _date(answer: bytes) -> datetime | None:
    for line in answer.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"date":
            return http_date(value.strip().decode("ascii", "replace"))
    return None
