"""LISTEN and NOTIFY between the machines of one store: a hint that something is due, and nothing more.

Workers look at the queue every few seconds whatever happens, so a hint that is lost costs those seconds. It is sent
after the commit, outside of it, by a thread of its own: a NOTIFY inside a transaction makes all such commits of the
database follow each other (PostgreSQL, commands/async.c).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.errors import StoreError
from gateway.store.pg_session import Dsn, connect, driver

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.store.pg_session import Connection

_LOG = logging.getLogger(__name__)
CHANNEL = "kine_gateway"
AGAIN = 2.0
"""Seconds before a server that was not there is asked again."""
LOOK = 0.5
"""Seconds between two looks whether to stop."""
_TELL = f"SELECT pg_notify('{CHANNEL}', current_schema())"


class Hints:
    """What one process tells the others, and hears of them. Nothing here raises for want of a server."""

    def __init__(self, url: str) -> None:
        self._dsn = Dsn.parse(url)
        self._due = threading.Event()
        self._over = threading.Event()
        self._guard = threading.Lock()
        self._teller: threading.Thread | None = None

    def send(self) -> None:
        """Tell the others that something is due. Returns at once; hints that come close together are one."""
        with self._guard:
            if self._teller is None:
                self._teller = threading.Thread(target=self._tell, name="kine-hints", daemon=True)
                self._teller.start()
        self._due.set()

    def close(self, patience: float = 1.0) -> None:
        """Let the last hint go, for `patience` seconds at most."""
        self._over.set()
        self._due.set()
        if self._teller is not None:
            self._teller.join(patience)

    @contextmanager
    def listening(self, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake`, from another thread, whenever somebody tells that something is due."""
        stop = threading.Event()
        listener = threading.Thread(target=self._listen, args=(wake, stop), name="kine-listener", daemon=True)
        listener.start()
        try:
            yield
        finally:
            stop.set()
            listener.join(4 * LOOK)

    def _tell(self) -> None:
        connection: Connection | None = None
        over = False
        while not over:
            self._due.wait()
            self._due.clear()
            over = self._over.is_set()
            connection = self._tell_once(connection)
        if connection is not None:
            connection.close()

    def _tell_once(self, connection: Connection | None) -> Connection | None:
        """The connection to go on with; None where there is no server, and the hint is lost."""
        try:
            if connection is None:
                connection = connect(self._dsn)
                connection.execute("SET synchronous_commit = off")  # nothing to keep: no commit waits for the disk
            connection.execute(_TELL)
        except (driver().Error, StoreError):
            _LOG.info("hint_not_sent")
            if connection is not None:
                connection.close()
            return None
        return connection

    def _listen(self, wake: Callable[[], None], stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                with connect(self._dsn) as connection:
                    self._hear(connection, wake, stop)
            except (driver().Error, StoreError):
                _LOG.info("not_listening")
                stop.wait(AGAIN)

    def _hear(self, connection: Connection, wake: Callable[[], None], stop: threading.Event) -> None:
        row = connection.execute("SELECT current_schema() AS name").fetchone()
        mine = None if row is None else row["name"]
        connection.execute(f"LISTEN {CHANNEL}")
        wake()  # what came before there was anybody to hear it
        while not stop.is_set():
            told = [note.payload for note in connection.notifies(timeout=LOOK, stop_after=1)]
            if mine in told:
                wake()


def of(settings: Settings) -> Hints | None:
    """Hints between the processes of a store on PostgreSQL; None elsewhere: one machine's processes need none."""
    from gateway.store import on_postgres

    return Hints(settings.store.url) if on_postgres(settings) else None
