"""What `doctor` asks of a PostgreSQL server: that commits last, that its clock is right, that the journal is safe."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gateway.errors import StoreError
from gateway.findings import Finding, Severity, error, warning
from gateway.store.pg_errors import translated
from gateway.store.pg_session import OLDEST, Dsn, connect, local
from gateway.store.sqlite_doctor import compared

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[dict[str, Any]]

PLACE = "/store/url"
SKEW = timedelta(seconds=2)
"""Difference to the server's clock from which records of several machines mislead a reader."""
_WEAK = ("disable", "allow", "prefer", "require", "verify-ca")
_RIGHTS = """
SELECT rolsuper AS super, to_regclass('journal') IS NOT NULL AS founded,
       CASE WHEN to_regclass('journal') IS NULL THEN false
            ELSE has_table_privilege('journal', 'UPDATE, DELETE, TRUNCATE') END AS rewrites
FROM pg_roles WHERE rolname = current_user
"""


def inspect(url: str) -> list[Finding]:
    """Findings on the server; nothing is changed and no schema is made. Never raises for what it finds."""
    try:
        dsn = Dsn.parse(url)
        found = list(_transport(dsn))
        with translated(dsn.place):
            connection = connect(dsn)
            try:
                found += [*_server(connection), *_durable(connection), *_clock(connection), *_rights(connection)]
                found += _schema(connection)
            finally:
                connection.close()
    except StoreError as fault:
        return [error(fault.code, PLACE, fault.message, fault.advice)]
    return found


def _transport(dsn: Dsn) -> Iterator[Finding]:
    mode = dsn.parameters.get("sslmode", "")
    if not local(dsn.parameters) and mode in _WEAK:
        message = f"sslmode={mode} : rien ne prouve que ce serveur est le bon."
        yield warning("CFG-130", PLACE, message, "Employer sslmode=verify-full et sslrootcert.", "libpq, SSL Support")


def _server(connection: Connection) -> Iterator[Finding]:
    version = connection.info.server_version
    if version < OLDEST:
        message = f"PostgreSQL {version // 10000} est trop ancien."
        yield error("CFG-131", PLACE, message, "Passer à PostgreSQL 13 ou plus récent.")


def _schema(connection: Connection) -> Iterator[Finding]:
    row = connection.execute("SELECT to_regclass('schema_version') IS NOT NULL AS founded").fetchone()
    if row is not None and row["founded"]:
        row = connection.execute("SELECT max(number) AS number FROM schema_version").fetchone()
        yield from compared(int((row or {}).get("number") or 0), "postgres")


def _durable(connection: Connection) -> Iterator[Finding]:
    for name in ("fsync", "full_page_writes"):
        row = connection.execute("SELECT current_setting(%s) AS value", [name]).fetchone()
        if row is not None and row["value"] == "off":
            message = f"{name} = off : une coupure de courant peut perdre ou abîmer la base."
            yield error("CFG-132", PLACE, message, f"Mettre {name} = on dans postgresql.conf.", "PostgreSQL, WAL")
    row = connection.execute("SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'").fetchone()
    if row is not None and row["reset_val"] in {"off", "local"}:
        message = f"synchronous_commit = {row['reset_val']} sur le serveur : la passerelle le remet à on pour elle."
        yield Finding("CFG-133", Severity.INFO, PLACE, message, "Rien à faire.", "PostgreSQL, WAL")


def _clock(connection: Connection) -> Iterator[Finding]:
    before = datetime.now(UTC)
    row = connection.execute("SELECT clock_timestamp() AS at").fetchone()
    after = datetime.now(UTC)
    assert row is not None
    off = row["at"] - (before + (after - before) / 2)
    if abs(off) > SKEW + (after - before):
        message = f"L'horloge du serveur diffère de {off.total_seconds():+.0f} s de celle de ce poste."
        yield warning("CFG-134", PLACE, message, "Régler les deux par NTP : le journal porte l'heure du serveur.")


def _rights(connection: Connection) -> Iterator[Finding]:
    row = connection.execute(_RIGHTS).fetchone()
    if row is None or not (row["super"] or row["rewrites"]):
        return
    who = "est administrateur du serveur" if row["super"] else "peut modifier le journal en contournant ses verrous"
    message = f"L'utilisateur de la passerelle {who}."
    yield warning("CFG-135", PLACE, message, "Lui donner les seuls droits de config/postgres-rights.sql.")
