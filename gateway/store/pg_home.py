"""Which server, database and schema a store on PostgreSQL is in, and whether the one it was in is still there.

A standby that was promoted keeps the identifier of its server: a failover is no copy. A dump loaded elsewhere, and a
server made anew (pg_upgrade included), are others.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from gateway.store.homes import Home, Verdict

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[dict[str, Any]]

_MAY = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE') AS may"
_SERVER = "SELECT system_identifier::text AS id FROM pg_control_system()"
_PLACE = """
SELECT pg_database.oid::text AS database, coalesce(current_schema()::text, '') AS schema
FROM pg_database WHERE datname = current_database()
"""
_DATABASE_THERE = "SELECT EXISTS (SELECT 1 FROM pg_database WHERE oid::text = %s) AS found"
_SCHEMA_THERE = "SELECT to_regclass(quote_ident(%s) || '.journal') IS NOT NULL AS found"


def home(connection: Connection) -> Home:
    """Where this connection leads."""
    row = _row(connection, _PLACE)
    host = None
    if _row(connection, _MAY)["may"]:
        host = sha256(b"kine-gateway " + _row(connection, _SERVER)["id"].encode()).hexdigest()[:32]
    return Home(host, f"{row['database']}/{row['schema']}")


def compare(connection: Connection, known: Home, here: Home) -> Verdict:
    """What it means that a store was there and is here."""
    if known.host is not None and here.host is not None and known.host != here.host:
        return Verdict.OTHER_SERVER
    database, _, schema = known.place.partition("/")
    if known.place == here.place:
        return Verdict.AT_HOME
    if database == here.place.partition("/")[0]:
        there = _row(connection, _SCHEMA_THERE, schema)["found"]
    else:
        there = _row(connection, _DATABASE_THERE, database)["found"]
    return Verdict.STILL_THERE if there else Verdict.MOVED


def _row(connection: Connection, text: str, *values: str) -> dict[str, Any]:
    row = connection.execute(text.encode(), values or None).fetchone()
    assert row is not None
    return row
