"""A real PostgreSQL for tests: its own cluster in a temporary folder, on a unix socket, as an unprivileged user.

Each test gets a schema of its own in one database, so that no two meet. `fsync` is off unless a test asks for it: what
a SIGKILL of our processes or a restart of the server does is the same either way, only a power cut is not.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg

USER, DATABASE = "kine", "kine"
OWNER = "postgres"
"""System user that runs the server when we are root: initdb refuses root."""


def find(command: str) -> str | None:
    """A program of the server: Debian keeps them out of the PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(command, path=os.pathsep.join([*map(str, places), os.environ.get("PATH", "")]))


def available() -> bool:
    """Whether a server can be started here."""
    return find("initdb") is not None and find("pg_ctl") is not None


@dataclass(frozen=True)
class Place:
    """Where a cluster stands. By default in the temporary folder, and reached from this machine alone."""

    parent: Path | None = None
    """Folder that its own is made in."""
    listen: str = "127.0.0.1"
    within: Sequence[str] = ()
    """Command that leads into its network namespace."""
    certificate: bytes = b""
    """Its key and certificate (PEM), for TLS."""
    access: str = ""
    """Lines for pg_hba.conf: who else may come in."""


HERE = Place()


@dataclass
class Server:
    """A running cluster."""

    folder: Path
    port: int
    place: Place = HERE
    _numbers: Iterator[int] = field(default_factory=count)

    def url(self, schema: str | None = None, *, host: str | None = None) -> str:
        """Address of the database, looking at one schema; by socket unless a host is given."""
        options = "" if schema is None else f"&options=-csearch_path%3D{schema}"
        return f"postgresql://{USER}@/{DATABASE}?host={host or self.folder}&port={self.port}{options}"

    def fresh(self) -> str:
        """Address of a schema that nobody uses."""
        name = f"s{os.getpid()}_{next(self._numbers)}"
        with self.connect() as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return self.url(name)

    def clean(self, url: str) -> None:
        """Empty every table of a schema, as it stood before anything was founded: quicker than making another."""
        with self.connect(url) as connection, connection.transaction():
            found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
            tables = {name for (name,) in found} - {"schema_version"}
            connection.execute("SET LOCAL session_replication_role = replica")  # the journal's triggers refuse
            for table in tables:
                connection.execute(f"DELETE FROM {table}")
            if tables:
                connection.execute("INSERT INTO journal_head VALUES (0, 0, decode(repeat('00', 32), 'hex'), '')")

    def connect(self, url: str | None = None) -> psycopg.Connection:
        """A connection of the test's own."""
        return psycopg.connect(url or self.url(), autocommit=True)

    def restart(self) -> None:
        """Kill the server as a crash would, and start it again: a failover, seen from its clients."""
        self._control("restart", "-m", "immediate")

    def stop(self) -> None:
        """Stop the server at once."""
        self._control("stop", "-m", "immediate")

    def start(self) -> None:
        """Start it."""
        self._control("start")

    def _control(self, *arguments: str) -> None:
        log = self.folder / "log"
        options = f"-p {self.port} -k {self.folder} -c listen_addresses={self.place.listen}"
        command = [str(find("pg_ctl")), "-D", str(self.folder / "data"), "-w", "-l", str(log), "-o", options]
        command += arguments
        run = subprocess.run(
            [*self.place.within, *_as_owner(command)], capture_output=True, text=True, timeout=60, check=False
        )
        assert run.returncode == 0, run.stdout + run.stderr + (log.read_text() if log.exists() else "")


def _as_owner(command: list[str]) -> list[str]:
    if os.geteuid() != 0:
        return command
    return ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--clear-groups", *command]


@contextmanager
def running(port: int, *, segment: int = 1, place: Place = HERE, **settings: str) -> Iterator[Server]:
    """A cluster made for this block, its WAL in files of `segment` MB. `settings` go to its configuration."""
    folder = Path(tempfile.mkdtemp(prefix="kine-pg-", dir=place.parent))
    give(folder)
    server = Server(folder, port, place)
    try:
        _create(
            server,
            segment,
            {"fsync": "off", "full_page_writes": "off", "max_connections": "60", "max_wal_size": "8MB", **settings},
        )
        server.start()
        with psycopg.connect(f"postgresql://{USER}@/postgres?host={folder}&port={port}", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def give(path: Path) -> None:
    """Make a file or folder the server's own."""
    if os.geteuid() == 0:
        owner = pwd.getpwnam(OWNER)
        os.chown(path, owner.pw_uid, owner.pw_gid)


def _create(server: Server, segment: int, settings: dict[str, str]) -> None:
    data = server.folder / "data"
    command = [str(find("initdb")), "-D", str(data), "-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8"]
    command += ["--locale=C", f"--wal-segsize={segment}"]
    subprocess.run(_as_owner(command), capture_output=True, check=True, timeout=60, cwd=server.folder)
    with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.writelines(f"{name} = {value}\n" for name, value in settings.items())
    with (data / "pg_hba.conf").open("a", encoding="utf-8") as file:
        file.write(server.place.access)
    if server.place.certificate:
        _with_tls(data, server.place.certificate)


def _with_tls(data: Path, certificate: bytes) -> None:
    path = data / "server.pem"
    path.touch(0o600)
    path.write_bytes(certificate)
    give(path)
    with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.pem'\n")
