"""A copy of a SQLite store while it works, with the checkpoints beside it and a list that says what is in it.

The copy is taken by SQLite's own backup, in one transaction. It holds nothing readable without the keys, which are kept
apart (`kine-gateway keys backup`). A copy that is put back is recognised by its checkpoints and starts held.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from gateway import platform
from gateway.errors import StoreError

LIST = "backup.json"
FORMAT = "kine-gateway/backup/1"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup folder holds: files by name with their SHA-256, journal records and documents in the copy."""

    taken_at: str
    records: int
    documents: int
    files: dict[str, str]


def take(database: Path, checkpoints: Path, target: Path, now: datetime) -> Backup:
    """Copy the store into the new folder `target`. Other processes go on working.

    Raises StoreError: BAK-001 the folder exists, BAK-002 it cannot be written, BAK-003 the copy is damaged.
    """
    if target.exists():
        raise StoreError("BAK-001", f"{target} existe déjà.", "Donner un dossier nouveau pour chaque sauvegarde.")
    part = target.with_name(f"{target.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        platform.make_private_dir(part)
        records, documents = _copy(database, part / "gateway.db")
        kept = platform.make_private_dir(part / "checkpoints")
        for file in sorted(checkpoints.glob("*")):
            if file.is_file():
                platform.write_atomic(kept / file.name, file.read_bytes())
        files = {str(path.relative_to(part)): _digest(path) for path in sorted(part.rglob("*")) if path.is_file()}
        found = Backup(now.isoformat(), records, documents, files)
        listing = {"format": FORMAT, **asdict(found)}
        platform.write_atomic(part / LIST, json.dumps(listing, indent=1).encode() + b"\n")
        platform.durable_rename(part, target)
    except (OSError, sqlite3.Error) as fault:
        raise StoreError("BAK-002", f"Sauvegarde impossible dans {target} ({type(fault).__name__}).", "") from fault
    return found


def check(folder: Path) -> Backup:
    """A backup whose files are all there and unchanged, its database whole.

    Raises StoreError (BAK-003) otherwise.
    """
    try:
        found = read_listing((folder / LIST).read_bytes())
        changed = [name for name, digest in found.files.items() if _digest(folder / name) != digest]
        if changed:
            raise ValueError(changed[0])
        _look(folder / "gateway.db")
    except (OSError, ValueError, sqlite3.Error, StoreError) as fault:
        raise StoreError("BAK-003", f"{folder} n'est pas une sauvegarde entière.", "En prendre une autre.") from fault
    return found


def read_listing(data: bytes) -> Backup:
    """What `backup.json` announces; every file it names lies inside the backup. Raises StoreError (BAK-003)."""
    try:
        listing = json.loads(data)
        if listing.pop("format") != FORMAT:
            raise ValueError("unknown format")
        found = Backup(**listing)
        if not all(_is_inside(name) and isinstance(digest, str) for name, digest in found.files.items()):
            raise ValueError("a file outside the backup")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as fault:
        raise StoreError("BAK-003", f"{LIST} n'est pas la liste d'une sauvegarde.", "") from fault
    return found


def _is_inside(name: str) -> bool:
    steps = name.replace("\\", "/").split("/")
    return "\x00" not in name and ":" not in name and not {"", ".", ".."} & set(steps)


def _copy(database: Path, target: Path) -> tuple[int, int]:
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, platform.PRIVATE_FILE))
    source, copy = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True), sqlite3.connect(target)
    try:
        source.execute("PRAGMA busy_timeout = 30000")
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    finally:
        source.close()
        copy.close()
    return _look(target)


def _look(database: Path) -> tuple[int, int]:
    """Records and documents of a whole database. Raises sqlite3.DatabaseError on a damaged one."""
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError("integrity_check failed")
        records = connection.execute("SELECT count(*) FROM journal").fetchone()[0]
        return int(records), int(connection.execute("SELECT count(*) FROM document").fetchone()[0])
    finally:
        connection.close()


def _digest(path: Path) -> str:
    found = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()
