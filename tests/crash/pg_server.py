"""The campaign's PostgreSQL: durable as an installed one is, and it can be killed, a process of it or all of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.integration import database
from tests.integration.mailserver import free_ports


class Server(database.Server):
    """A cluster whose processes get killed."""

    def kill_backend(self) -> int:
        """`kill -9` of a process that serves a gateway: PostgreSQL ends the others and recovers. Returns how many."""
        find = "SELECT pid FROM pg_stat_activity WHERE application_name = 'kine-gateway' ORDER BY random() LIMIT 1"
        try:
            with self.connect() as connection:
                row = connection.execute(find).fetchone()
        except psycopg.Error:
            return 0
        if row is None:
            return 0
        os.kill(row[0], signal.SIGKILL)
        return 1


@contextmanager
def running() -> Iterator[Server]:
    """A cluster made for one campaign, with fsync and full page writes."""
    options = {"fsync": "on", "full_page_writes": "on", "max_wal_size": "256MB"}
    with database.running(free_ports(1)[0], **options) as plain:
        yield Server(plain.folder, plain.port)
