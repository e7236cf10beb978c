"""What `doctor` asks of a SQLite file before it is opened: whole, ours, of a known schema, writable, in its time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from gateway import platform
from gateway.errors import StoreError
from gateway.findings import Finding, Severity, error, warning
from gateway.store import journal
from gateway.store.claiming import CLOCK_STEP
from gateway.store.database import migrations
from gateway.store.sqlite import APPLICATION_ID, ENGINE, _translated

PLACE = "/store/url"
PATIENCE = 5.0
"""Seconds to wait for another process's transaction."""


def inspect(path: Path) -> list[Finding]:
    """Findings on the file; no schema is made and nothing is changed. Never raises for what it finds."""
    if not path.exists():
        return []  # made at the first use
    found: list[Finding] = []
    if platform.is_private(path) is False:
        found.append(warning("CFG-143", PLACE, "D'autres utilisateurs peuvent lire la base.", f"chmod 600 {path}"))
    try:
        with _translated(path), closing(_connect(path)) as connection:
            found += [*_ours(connection, path), *_schema(connection), *_whole(connection), *_clock(connection)]
            found += _writable(connection)
    except StoreError as fault:
        found.append(error(fault.code, PLACE, fault.message, fault.advice))
    return found


def _connect(path: Path) -> sqlite3.Connection:
    # Not read-only: what a crash left half done is undone by whoever opens the file next.
    return sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None, timeout=PATIENCE)


def _ours(connection: sqlite3.Connection, path: Path) -> Iterator[Finding]:
    if connection.execute("PRAGMA application_id").fetchone()[0] not in {APPLICATION_ID, 0}:
        yield error("STO-003", PLACE, f"{path} n'est pas une base de la passerelle.", "Corriger store.url.")


def _schema(connection: sqlite3.Connection) -> Iterator[Finding]:
    yield from compared(int(connection.execute("PRAGMA user_version").fetchone()[0]), ENGINE)


def compared(present: int, engine: str) -> Iterator[Finding]:
    """What a schema's number means to this release."""
    latest = migrations(engine)[-1][0]
    if present > latest:
        yield error("STO-004", PLACE, "La base vient d'une version plus récente.", "Mettre la passerelle à jour.")
    elif 0 < present < latest:
        message = f"La base a le schéma {present} ; cette version le portera au schéma {latest} en l'ouvrant."
        advice = "En faire d'abord une sauvegarde (kine-gateway backup) : on ne revient pas en arrière."
        yield Finding("CFG-145", Severity.INFO, PLACE, message, advice)


def _whole(connection: sqlite3.Connection) -> Iterator[Finding]:
    first = connection.execute("PRAGMA quick_check(1)").fetchone()
    if first is None or first[0] != "ok":
        advice = "Arrêter la passerelle et restaurer une sauvegarde."
        yield error("STO-008", PLACE, "La base est abîmée (quick_check).", advice, "sqlite.org, PRAGMA quick_check")


def _clock(connection: sqlite3.Connection) -> Iterator[Finding]:
    """A journal that is ahead of the clock: due times wait for a time that is far off."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'journal'").fetchone():
        return
    row = connection.execute("SELECT record FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
    last = None if row is None else journal.parse_time(row[0])
    if last is not None and last > datetime.now(UTC) + CLOCK_STEP:
        message = (
            f"L'horloge de ce poste retarde : le dernier enregistrement du journal est du {last:%d/%m/%Y %H:%M} UTC."
        )
        yield error("CFG-147", PLACE, message, "Mettre ce poste à l'heure (NTP) avant d'envoyer.")


def _writable(connection: sqlite3.Connection) -> Iterator[Finding]:
    try:
        connection.execute("BEGIN IMMEDIATE")
        number = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute(f"PRAGMA user_version = {number:d}")  # only a write tells whether one can write
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError as fault:
        if getattr(fault, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_READONLY:
            raise
        advice = "Rendre le fichier et son dossier à l'utilisateur de la passerelle, en écriture."
        yield error("CFG-146", PLACE, "La base est en lecture seule.", advice)
