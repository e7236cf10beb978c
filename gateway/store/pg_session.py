"""How a connection to PostgreSQL is opened: where to, how protected, with which guards.

The password comes from the URL, from a password file (`PGPASSFILE`, libpq's own ~/.pgpass) or from a service file; it
is never shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from gateway.errors import StoreError

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[dict[str, Any]]

OLDEST = 130000
"""Oldest server: 13."""
_NAMED = re.compile(r"(?<![:\w]):(\w+)(?=(::\w+\[\])?)")

# A process that is paused inside a transaction must not hold the others up for longer than this, and a machine that
# vanished is noticed by the server: its locks end. `off` and `local` would let a commit be lost by a crash.
_GUARDS = """
SET lock_timeout = '30s';
SET idle_in_transaction_session_timeout = '15s';
SET tcp_keepalives_idle = 10;
SET tcp_keepalives_interval = 5;
SET tcp_keepalives_count = 3;
SET tcp_user_timeout = '20s';
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local')
"""
# libpq's side of the same; with several hosts in the URL, the one that can be written to.
_DEFAULTS = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
    "target_session_attrs": "read-write",
    "application_name": "kine-gateway",
}


@dataclass(frozen=True)
class Dsn:
    """Parameters of a connection. `place` is how it may be named to people: no user, no password."""

    parameters: dict[str, str]
    place: str

    @classmethod
    def parse(cls, url: str) -> Dsn:
        """Read `postgresql://...`. Raises StoreError (STO-012 driver missing, STO-005 malformed).

        Between machines the server's certificate is verified (sslmode verify-full) unless the URL says otherwise.
        """
        psycopg = driver()
        try:
            given = {name: str(value) for name, value in psycopg.conninfo.conninfo_to_dict(url).items()}
        except psycopg.ProgrammingError:
            advice = "Attendu : postgresql://utilisateur@serveur/base"
            raise StoreError("STO-005", "store.url : adresse PostgreSQL illisible.", advice) from None
        protected = {} if "sslmode" in given or local(given) else {"sslmode": "verify-full"}
        place = f"PostgreSQL {given.get('host') or given.get('hostaddr') or given.get('service', 'local')}"
        return cls({**_DEFAULTS, **protected, **given}, f"{place}/{given.get('dbname', '')}")


def driver() -> Any:
    """The psycopg module. Raises StoreError (STO-012)."""
    try:
        import psycopg
        import psycopg.conninfo
    except ImportError as fault:
        advice = "pip install 'kine-gateway[postgres]'"
        raise StoreError("STO-012", "Le pilote PostgreSQL (psycopg) n'est pas installé.", advice) from fault
    return psycopg


def local(parameters: dict[str, str]) -> bool:
    """Whether every host of a connection is this machine. A service file may say anything: not known to be local."""
    hosts = [host for name in ("host", "hostaddr") for host in parameters.get(name, "").split(",") if host]
    if not hosts:
        return "service" not in parameters
    return all(_is_loopback(host) for host in hosts)


def _is_loopback(host: str) -> bool:
    if host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def connect(dsn: Dsn) -> Connection:
    """A new connection with its guards set. Raises psycopg.Error."""
    psycopg = driver()
    connection: Connection = psycopg.connect(**dsn.parameters, autocommit=True, row_factory=psycopg.rows.dict_row)
    try:
        connection.execute(_GUARDS)
    except BaseException:
        connection.close()
        raise
    return connection


def named(text: str) -> str:
    """A statement of ours, with `:name` parameters, as psycopg reads it. Arrays go in binary: text has to be escaped,
    value by value, which costs ten times as much.
    """
    return _NAMED.sub(lambda found: f"%({found[1]}){'b' if found[2] else 's'}", text.replace("%", "%%"))
