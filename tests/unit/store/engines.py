"""One suite, both stores: every test of a folder that imports `engine` runs on SQLite and on a real PostgreSQL.

A module that is about one engine says so: `pytestmark = pytest.mark.engine("sqlite")`. One that opens no store:
`pytest.mark.engine("none")`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration import database
from tests.unit.store import kit

ENGINES = ("sqlite", "postgres")


@pytest.fixture(scope="session")
def postgres(needs: Callable[..., None]) -> Iterator[database.Server]:
    """A server for the session."""
    needs("postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with database.running(port) as server:
        yield server


class Schemas:
    """Schemas of one server, cleaned between tests."""

    def __init__(self, server: database.Server) -> None:
        self._server = server
        self._free: list[str] = []
        self._used: dict[Path, str] = {}

    def url_of(self, folder: Path) -> str:
        """The schema that stands for a folder."""
        if folder not in self._used:
            self._used[folder] = self._free.pop() if self._free else self._server.fresh()
        return self._used[folder]

    def folders(self) -> list[Path]:
        """Where the server writes, flushed."""
        with self._server.connect() as connection:
            connection.execute("CHECKPOINT")
        return [self._server.folder]

    def release(self) -> None:
        """The test is over."""
        for url in self._used.values():
            self._server.clean(url)
            self._free.append(url)
        self._used.clear()


@pytest.fixture(scope="session")
def schemas(postgres: database.Server) -> Schemas:
    return Schemas(postgres)


@pytest.fixture(autouse=True)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Which engine `kit.open_store` opens in this test."""
    name: str = getattr(request, "param", "sqlite")
    if name != "postgres":
        yield name
        return
    schemas: Schemas = request.getfixturevalue("schemas")
    monkeypatch.setattr(kit, "url_of", schemas.url_of)
    monkeypatch.setattr(kit, "server_folders", schemas.folders)
    yield name
    schemas.release()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Import this beside `engine`: it asks for each test once for each engine that it is about."""
    marker = metafunc.definition.get_closest_marker("engine")
    chosen = ENGINES if marker is None else tuple(name for name in marker.args if name in ENGINES)
    if "engine" in metafunc.fixturenames and chosen != ("sqlite",) and chosen:
        metafunc.parametrize("engine", chosen, indirect=True)
