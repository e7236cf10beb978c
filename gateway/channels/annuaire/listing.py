"""The imported list: one SQLite file, opened for each question, replaced as a whole by the next import."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.channels.annuaire.model import AnnuaireError, Box, BoxKind, Found, Person, Query, Source, Structure
from gateway.channels.annuaire.words import fold, fold_town

APPLICATION_ID = 0x416E6E75  # "Annu"
VERSION = 1

SCHEMA = """
CREATE TABLE box (
    kind TEXT NOT NULL, address TEXT NOT NULL, rpps TEXT NOT NULL, family TEXT NOT NULL, given TEXT NOT NULL,
    civility TEXT NOT NULL, profession TEXT NOT NULL, profession_label TEXT NOT NULL, skill TEXT NOT NULL,
    service TEXT NOT NULL, structure_id TEXT NOT NULL, structure_name TEXT NOT NULL, postal_code TEXT NOT NULL,
    town TEXT NOT NULL, name_key TEXT NOT NULL, town_key TEXT NOT NULL
) STRICT;
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""
INDEXES = """
CREATE INDEX box_rpps ON box (rpps);
CREATE INDEX box_address ON box (address);
CREATE INDEX box_name ON box (name_key, town_key);
CREATE INDEX box_town ON box (town_key, profession);
CREATE TABLE profession AS SELECT DISTINCT profession AS code, profession_label AS label FROM box;
"""
INSERT = "INSERT INTO box VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_MOST = 5000
"""Lines looked at for one question: more than anybody reads, less than memory minds."""


@dataclass(frozen=True, slots=True)
class About:
    """Where the list comes from, when the ANS made it, when it was imported, and how many boxes it holds."""

    source: str
    generated_at: datetime
    imported_at: datetime
    boxes: int
    left_out: int
    sha256: str


class Listing:
    """Questions to the imported list. Every method may raise AnnuaireError ANN-304 (absent or damaged)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def exists(self) -> bool:
        """Whether something was imported."""
        return self.path.exists()

    def about(self) -> About:
        """Source, dates and counts."""
        with self._open() as base:
            told = dict(base.execute("SELECT name, value FROM about").fetchall())
        try:
            return About(
                told["source"],
                datetime.fromisoformat(told["generated_at"]),
                datetime.fromisoformat(told["imported_at"]),
                int(told["boxes"]),
                int(told["left_out"]),
                told["sha256"],
            )
        except (KeyError, ValueError) as fault:
            raise _damaged(self.path) from fault

    def find(self, query: Query) -> Found:
        """Professionals and organisations that match every part of the query."""
        at = self.about().generated_at.astimezone(UTC)
        with self._open() as base:
            codes = _professions(base, query)
            found = _by_name(base, query, codes) if query.name and not query.rpps else _rows(base, query, codes)
        people = _people(found)
        more = len(people) > query.limit or len(found) >= _MOST
        return Found(tuple(people[: query.limit]), Source.FILE, at, more)

    def owners(self, address: str) -> set[str]:
        """RPPS numbers of the personal boxes with this address."""
        sql = "SELECT rpps FROM box WHERE address = ? AND kind = 'PER' AND rpps <> ''"
        with self._open() as base:
            return {str(row[0]) for row in base.execute(sql, (address.lower(),))}

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        if not self.path.exists():
            raise AnnuaireError("ANN-304", "Aucune liste de l'annuaire n'est importée.", _IMPORT)
        try:
            base = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)
        except sqlite3.Error as fault:
            raise _damaged(self.path) from fault
        try:
            if base.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise _damaged(self.path)
            if base.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                raise _damaged(self.path)
            base.row_factory = sqlite3.Row
            yield base
        except sqlite3.Error as fault:
            raise _damaged(self.path) from fault
        finally:
            base.close()


_IMPORT = "L'importer : kine-gateway annuaire import --download (ou un fichier)."


def _damaged(path: Path) -> AnnuaireError:
    return AnnuaireError("ANN-304", f"{path.name} n'est pas une liste de l'annuaire utilisable.", _IMPORT)


def _professions(base: sqlite3.Connection, query: Query) -> list[str] | None:
    """Codes of the professions wanted, by code or by words of the label; None when any will do."""
    if not query.profession and not query.profession_label:
        return None
    words = fold(query.profession_label or "").split()
    listed = base.execute("SELECT code, label FROM profession").fetchall()
    labelled = [code for code, label in listed if words and all(word in fold(label) for word in words)]
    return list(dict.fromkeys([code for code, _ in listed if code and code == query.profession] + labelled))


def _rows(base: sqlite3.Connection, query: Query, codes: Sequence[str] | None) -> list[sqlite3.Row]:
    where, values = _filters(query, codes)
    if query.rpps:
        where, values = ["rpps = ?", *where], [query.rpps, *values]
    return _select(base, where, values)


def _by_name(base: sqlite3.Connection, query: Query, codes: Sequence[str] | None) -> list[sqlite3.Row]:
    """A name that begins with one of the words (by the index), else one that holds them anywhere (a scan, 0.2 s)."""
    words = fold(query.name or "").split() or ["?"]
    held, held_values = _filters(query, codes)
    held += ["instr(name_key, ?) > 0"] * len(words)
    held_values += words
    for first in sorted(words, key=len, reverse=True):
        starting = ["name_key >= ?", "name_key < ?", *held]
        if found := _select(base, starting, [first, f"{first}~", *held_values]):
            return found
    return _select(base, held, held_values)


def _filters(query: Query, codes: Sequence[str] | None) -> tuple[list[str], list[Any]]:
    where: list[str] = []
    values: list[Any] = []
    if query.town:
        town = fold_town(query.town)
        where += ["town_key >= ?", "town_key < ?"]
        values += [town, f"{town}~"]
    if codes is not None:
        where.append(f"profession IN ({', '.join('?' * len(codes))})")
        values += codes
    return where, values


def _select(base: sqlite3.Connection, where: Sequence[str], values: Sequence[Any]) -> list[sqlite3.Row]:
    condition = " AND ".join(where) or "0"
    sql = f"SELECT * FROM box WHERE {condition} ORDER BY name_key, rpps LIMIT {_MOST}"  # noqa: S608 fixed pieces only
    return base.execute(sql, values).fetchall()


def _people(rows: Sequence[sqlite3.Row]) -> list[Person]:
    """One person for each RPPS, one organisation for each structure, with their boxes."""
    grouped: dict[str, list[sqlite3.Row]] = {}
    for row in rows:
        grouped.setdefault(row["rpps"] or f"{row['structure_id']} {row['name_key']}", []).append(row)
    return [_person(group) for group in grouped.values()]


def _person(rows: Sequence[sqlite3.Row]) -> Person:
    first = rows[0]
    boxes = tuple(dict.fromkeys(_box(row) for row in rows))
    return Person(
        rpps=first["rpps"],
        family=first["family"] or first["structure_name"] or first["service"],
        given=first["given"],
        civility=first["civility"],
        profession=first["profession"],
        profession_label=first["profession_label"],
        skill=first["skill"],
        places=tuple(dict.fromkeys(box.structure for box in boxes if box.structure is not None)),
        boxes=boxes,
    )


def _box(row: sqlite3.Row) -> Box:
    place = Structure(row["structure_id"], row["structure_name"], row["postal_code"], row["town"])
    return Box(row["address"], BoxKind(row["kind"]), place if place != Structure() else None, None, row["service"])
