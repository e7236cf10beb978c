"""A PostgreSQL on a network of its own, and machines that reach it as real ones do: by TCP, with TLS and a password.

Each machine has its own checkpoint folder; configuration and keys are the same on all.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import trustme

from gateway.errors import StoreError
from gateway.settings import Settings
from gateway.store.pg_session import Dsn, connect
from tests.integration import database, netns, pg_victim
from tests.integration.netns import Machine, Network
from tests.integration.pg_victim import Sink

NAME = "db.example"
PORT = 5432
PASSWORD = "un-mot-de-passe"
QUICK = "&keepalives_idle=1&keepalives_interval=1&tcp_user_timeout=1500&connect_timeout=2"
"""A cable that is cut is noticed ten times as fast as by the defaults."""
HELD = 77
"""Key of the advisory lock at which a machine's transaction is stopped."""
_TRIGGER = """
CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF inet_client_addr() = '{address}' AND NEW.record::jsonb ->> 'event' = '{event}' THEN
    PERFORM pg_advisory_xact_lock_shared({key});
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER held AFTER INSERT ON journal DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION held()
"""
_WAITING = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

_QUEUED = """
SELECT host(client_addr), ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
WHERE wait_event_type = 'Lock' AND client_addr IS NOT NULL
"""
_COUNT = "SELECT count(*) FROM journal WHERE record::jsonb ->> 'event' = %s"

_KEPT_BY_SYSTEM = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
_KEPT_BY_SERVER = ("keepalives_idle", "keepalives_interval", "keepalives_count", "user_timeout")


@dataclass
class Site:
    """The server and the network that it stands on."""

    server: database.Server
    network: Network
    authority: Path

    def url(self, local: str, authority: Path | None = None) -> str:
        """How a machine reaches what `local` is the address of on the server's own machine: nothing lowers what the
        gateway asks of a server elsewhere (sslmode=verify-full).
        """
        far = local.replace(f"{database.USER}@/", f"{database.USER}:{PASSWORD}@{NAME}/")
        far = far.replace(f"host={self.server.folder}", f"hostaddr={netns.HUB}")
        return f"{far}&sslrootcert={authority or self.authority}"


@contextmanager
def site(folder: Path, machines: int) -> Iterator[Site]:
    """A network with a server at its hub. `folder` holds the certificate of its authority."""
    authority = trustme.CA()
    issued = authority.issue_cert(NAME)
    chain = b"".join(blob.bytes() for blob in (issued.private_key_pem, *issued.cert_chain_pems))
    authority.cert_pem.write_to_path(folder / "ca.pem")
    access = f"hostssl {database.DATABASE} {database.USER} {netns.SUBNET} scram-sha-256\n"
    with netns.network(machines) as network:
        place = database.Place(listen=netns.HUB, within=network.within, certificate=chain, access=access)
        with database.running(PORT, place=place) as server:
            with server.connect() as administrator:
                administrator.execute(f"ALTER ROLE {database.USER} PASSWORD '{PASSWORD}'")
            yield Site(server, network, folder / "ca.pem")


def seen_from(chosen: Settings, machine: Machine, url: str) -> Settings:
    """A machine's own configuration: how it reaches the store, and where it keeps checkpoints."""
    kept = chosen.journal.model_copy(update={"checkpoint_dir": chosen.journal.checkpoint_dir / machine.address})
    return chosen.model_copy(update={"store": chosen.store.model_copy(update={"url": url}), "journal": kept})


@dataclass
class Held:
    """A step of a machine's transaction that the server is at, and does not end before it is let go."""

    connection: psycopg.Connection

    @property
    def reached(self) -> bool:
        """Whether the machine waits there."""
        return self.connection.execute(_WAITING).fetchone() == (True,)

    def let_go(self) -> None:
        """The server goes on."""
        self.connection.execute("SELECT pg_advisory_unlock_all()")


@contextmanager
def shut(server: database.Server) -> Iterator[Held]:
    """Whoever asks for the lock `HELD` waits until it is let go."""
    with server.connect() as connection:
        connection.execute(f"SELECT pg_advisory_lock({HELD})")
        yield Held(connection)


@contextmanager
def held(server: database.Server, url: str, machine: Machine, event: str) -> Iterator[Held]:
    """Hold the COMMIT by which a machine journals an event."""
    with server.connect(url) as administrator, shut(server) as made:
        administrator.execute(_TRIGGER.format(address=machine.address, event=event, key=HELD).encode())
        try:
            yield made
        finally:
            made.let_go()
            administrator.execute("DROP FUNCTION held CASCADE")


@contextmanager
def nobody_writes(server: database.Server, url: str) -> Iterator[Callable[[], set[tuple[str, bool]]]]:
    """Whoever wants to write waits until the end of this block. Gives: the addresses that wait, and whether by TLS."""
    with server.connect(url) as holder, server.connect() as administrator, holder.transaction():
        holder.execute("SELECT 1 FROM journal_head FOR UPDATE")
        yield lambda: set(administrator.execute(_QUEUED).fetchall())


def events(server: database.Server, url: str, event: str) -> int:
    """How many records of the journal tell this event, as committed."""
    with server.connect(url) as connection:
        row = connection.execute(_COUNT, [event]).fetchone()
    assert row is not None
    return int(row[0])


# ------------------------------------------------------------------------------- what runs on a machine


def try_to_open(chosen: Settings, name: str, sink: Sink) -> None:
    """Open the store, and complain of what is in the way."""
    try:
        pg_victim.open_store(chosen).close()
    except StoreError as fault:
        sink.complain(name, fault)


def ask_on_and_on(chosen: Settings, name: str, sink: Sink, patience: float) -> None:
    """Ask the store for its counts until the file `over` lies beside the sink's; each complaint with how long it took.
    The sink hears of the first answer, and of the first after each complaint. `patience`: seconds to wait for a server
    that was there before, instead of the ten.
    """
    from gateway.store import postgres

    postgres.PATIENCE = patience
    store, answered = pg_victim.open_store(chosen), False
    while not sink.path.with_name("over").exists():
        started = time.monotonic()
        try:
            store.counts()
            if not answered:
                sink.take("answered", name)
            answered = True
        except StoreError as fault:
            sink.complain(name, fault, time.monotonic() - started)
            answered = False
        time.sleep(0.02)
    store.close()


def vanish_waiting(chosen: Settings) -> None:
    """Hold a shard of the journal, and have a short answer to wait for: its cable is cut meanwhile."""
    _vanish(chosen, f"SELECT pg_advisory_xact_lock_shared({HELD})")


def vanish_reading(chosen: Settings) -> None:
    """The same with an answer of 50 MB, that the server cannot get rid of."""
    held = f"(SELECT pg_advisory_xact_lock_shared({HELD})) AS held"
    _vanish(chosen, f"SELECT repeat('x', 1000000) FROM {held}, generate_series(1, 50)")


def _vanish(chosen: Settings, statement: str) -> None:
    with suppress(StoreError), closing(pg_victim.open_store(chosen)) as store, store.core.write("cabinet") as work:
        work.tx._connection.execute(statement)  # type: ignore[attr-defined]


class _Stopping(Sink):
    """Its process stops itself (SIGSTOP) once, when the n-th document has just arrived."""

    def __init__(self, path: Path, at: int) -> None:
        super().__init__(path)
        self._left = at

    def take(self, delivery: str, worker: str) -> None:
        super().take(delivery, worker)
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGSTOP)


def work_and_stop(chosen: Settings, name: str, sink: Sink, lease: float, at: int) -> None:
    """Deliver, and stop when the n-th document has arrived and nobody recorded it yet."""
    pg_victim.work(chosen, name, _Stopping(sink.path, at), lease, 0.0)


def tell_timeouts(chosen: Settings, sink: Sink) -> None:
    """Write what the system and the server do about a peer that vanishes, for a connection of the gateway."""
    with closing(connect(Dsn.parse(chosen.store.url))) as connection:
        with socket.socket(fileno=os.dup(connection.fileno())) as link:
            client = {name: link.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in _KEPT_BY_SYSTEM}
        shown = {name: connection.execute(f"SHOW tcp_{name}").fetchone() for name in _KEPT_BY_SERVER}
    server = {name: row[f"tcp_{name}"] for name, row in shown.items() if row is not None}
    sink.path.with_name("timeouts").write_text(json.dumps({"client": client, "server": server}))
