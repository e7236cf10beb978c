"""Emptying a sandbox: mails, documents, exchanges and faults go; certificates and configuration stay."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gateway.clock import Clock
from gateway.errors import ConfigError
from gateway.sandbox.dmp.store import DmpStore

_FILE = "dmp.sqlite"
_MAIL = "mail"
_FAULTS = "faults.json"


@dataclass(frozen=True, slots=True)
class Held:
    """What a reset would forget."""

    mails: int
    documents: int
    exchanges: int

    @property
    def anything(self) -> bool:
        """Whether there is something to forget."""
        return bool(self.mails or self.documents or self.exchanges)


def held(folder: Path) -> Held:
    """Count what the sandbox of this folder keeps; nothing is changed."""
    mails = sum(1 for _ in (folder / _MAIL).rglob("*.eml"))
    return Held(mails, _count(folder / _FILE, "document"), _count(folder / _FILE, "exchange"))


def _count(file: Path, table: str) -> int:
    """Rows of a table, also of a file that another version of the sandbox wrote; 0 when there is none."""
    if not file.exists():
        return 0
    with closing(sqlite3.connect(file)) as database:
        try:
            [number] = database.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 names of this module
        except sqlite3.DatabaseError:
            return 0
    return int(number)


def reset(folder: Path, clock: Clock) -> None:
    """Empty the sandbox of this folder.

    Raises ConfigError SBX-006 when something is there that no sandbox made, OSError when a file cannot be removed.
    """
    if not (folder / "pki" / "ca.pem").is_file():
        if any((folder / name).exists() for name in (_FILE, _MAIL, _FAULTS)):
            advice = "Donner avec --dir le dossier d'un bac à sable (il contient pki/ca.pem)."
            raise ConfigError("SBX-006", f"{folder} n'est pas un dossier de bac à sable : rien n'a été effacé.", advice)
        return
    try:
        store = DmpStore(folder / _FILE, clock)
    except ConfigError:
        for end in ("", "-wal", "-shm"):  # of another version: its tables are not known
            (folder / f"{_FILE}{end}").unlink(missing_ok=True)
    else:
        store.clear()
        store.close()
    if (folder / _MAIL).exists():
        shutil.rmtree(folder / _MAIL)
    (folder / _FAULTS).unlink(missing_ok=True)
