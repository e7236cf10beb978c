"""The store: sealed documents, deliveries with their states, and the journal, in one database.

`open` gives the store that the settings name; `initialise` makes its keys first, once.
"""

from __future__ import annotations

from pathlib import Path

from gateway.clock import Clock, Randomness, SystemClock
from gateway.errors import ConfigError, StoreError
from gateway.settings import Settings
from gateway.skew import Skew
from gateway.store import keyring
from gateway.store.base import Store
from gateway.store.checkpoint import CheckpointFolder, Signer, create_signing_key
from gateway.store.core import Core, Deadlines
from gateway.store.database import Database
from gateway.store.outbox import Outbox
from gateway.store.sealing import Vault
from gateway.store.sqlite import SqliteDatabase

__all__ = ["database_path", "initialise", "on_postgres", "open"]

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")


def on_postgres(settings: Settings) -> bool:
    """Whether the settings name a PostgreSQL database."""
    return settings.store.url.startswith(_POSTGRES)


def database_path(settings: Settings) -> Path:
    """File of the SQLite database. Raises ConfigError (CFG-010) when the store is not in a file."""
    if not settings.store.url.startswith(_SQLITE):
        raise ConfigError("CFG-010", "store.url : la base n'est pas un fichier.", "sqlite:///chemin")
    return Path(settings.store.url.removeprefix(_SQLITE))


def initialise(settings: Settings, randomness: Randomness) -> list[Path]:
    """Create the master key and the journal's key where they do not exist. Returns what was created.

    Raises StoreError (SEA-009) when a database is there without its key: a new key could not open it.
    """
    if settings.sealing.key_file.exists() and settings.journal.key_file.exists():
        return []
    with keyring.alone(settings.sealing.key_file):
        return _create_missing(settings, randomness)


def _create_missing(settings: Settings, randomness: Randomness) -> list[Path]:
    created = []
    if not settings.sealing.key_file.exists():
        if _founded(settings):
            raise StoreError(
                "SEA-009",
                f"La base existe mais sa clé maîtresse a disparu : {settings.sealing.key_file}.",
                "Restaurez la clé : sans elle, les documents sont illisibles.",
            )
        keyring.create_master_key(settings.sealing.key_file, randomness)
        created.append(settings.sealing.key_file)
    if not settings.journal.key_file.exists():
        create_signing_key(settings.journal.key_file)
        created.append(settings.journal.key_file)
    return created


def _founded(settings: Settings) -> bool:
    """Whether the database was sealed with a key already."""
    if not on_postgres(settings):
        return database_path(settings).exists()
    database = _postgres(settings, SystemClock())
    try:
        with database.read() as tx:
            return tx.one("meta_get", name="key_id") is not None
    finally:
        database.close()


def _postgres(settings: Settings, clock: Clock) -> Database:
    from gateway.store.postgres import PostgresDatabase  # the driver is an extra

    return PostgresDatabase(settings.store.url, server_clock=isinstance(clock, SystemClock))


def open(  # noqa: A001 (store.open reads well)
    settings: Settings, clock: Clock, randomness: Randomness, skew: Skew | None = None
) -> Store:
    """Open the store that the settings name, making what is missing on first use. `skew` measures this clock.

    Raises StoreError and ConfigError, each with its advice.
    """
    initialise(settings, randomness)
    vault = Vault.load(settings.sealing.key_file, randomness)
    folder = CheckpointFolder(
        settings.journal.checkpoint_dir, Signer.load(settings.journal.key_file, settings.journal.origin)
    )
    elsewhere = on_postgres(settings)
    path = None if elsewhere else database_path(settings)
    database = _postgres(settings, clock) if path is None else SqliteDatabase(path)
    wanted = settings.receipts
    deadlines = Deadlines(wanted.delivered, wanted.soon, wanted.urgent, wanted.processed or None)
    core = Core(database, vault, clock, randomness, folder, settings.journal.every_records, deadlines, skew=skew)
    try:
        return Outbox(core, path, settings.journal.shards if elsewhere else 1)
    except BaseException:
        core.db.close()
        raise
