"""Reads the files of mappings/ strictly: a missing column, an empty key or a repeated row is named with its line."""

from __future__ import annotations

import csv
import hashlib
import io
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from gateway import resources
from gateway.errors import ConfigError, MappingError

Row = Mapping[str, str]


def fault(file: str, where: str, what: str) -> MappingError:
    """`MAP-001`: a mapping file cannot be used as it stands."""
    return MappingError(
        "MAP-001",
        f"Table de correspondance inutilisable : {file}, {where} : {what}.",
        "Réinstaller la passerelle ou corriger le fichier nommé.",
    )


def missing(what: str) -> MappingError:
    """`MAP-002`: a table lacks the row that was asked for."""
    return MappingError("MAP-002", f"Absent des tables de correspondance : {what}.", "Vérifier le code saisi.")


def toml(file: str) -> dict[str, Any]:
    """A TOML file of mappings/."""
    try:
        return tomllib.loads(resources.read_text("mappings", file))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise fault(file, "fichier", f"TOML illisible ({cause})") from cause


def field(table: Mapping[str, Any], name: str, file: str, where: str) -> Any:
    """A compulsory key of a TOML table."""
    if name not in table or table[name] == "":
        raise fault(file, where, f"« {name} » manque")
    return table[name]


def rows(file: str, columns: Sequence[str], key: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """Rows of a CSV file with exactly these columns; `key` columns must differ from row to row."""
    reader = csv.reader(io.StringIO(resources.read_text("mappings", file)), strict=True)
    header = next(reader, [])
    if header != list(columns):
        raise fault(file, "ligne 1", f"colonnes {header}, attendues {list(columns)}")
    seen: set[tuple[str, ...]] = set()
    for number, cells in enumerate(reader, start=2):
        where = f"ligne {number}"
        if len(cells) != len(columns):
            raise fault(file, where, f"{len(cells)} colonnes au lieu de {len(columns)}")
        row = dict(zip(columns, cells, strict=True))
        empty = [name for name in columns if not row[name] and name not in optional]
        if empty:
            raise fault(file, where, f"« {empty[0]} » vide")
        identity = tuple(row[name] for name in key)
        if identity in seen:
            raise fault(file, where, f"ligne répétée {identity}")
        seen.add(identity)
        yield row


def number(text: str, file: str, where: str) -> Decimal | None:
    """An exact number, or None for an empty cell."""
    if not text:
        return None
    try:
        return Decimal(text)
    except InvalidOperation as cause:
        raise fault(file, where, f"« {text} » n'est pas un nombre") from cause


def folded(text: str) -> str:
    """What two spellings of one French name have in common: no capitals, no accents, one space."""
    letters = unicodedata.normalize("NFD", text.replace("’", "'").casefold())
    return " ".join("".join(letter for letter in letters if not unicodedata.combining(letter)).split())


def altered_files() -> list[str]:
    """Files of the pack that are missing or whose SHA-256 differs from the one in manifest.toml."""
    listed = toml("manifest.toml").get("file", [])
    return [str(entry["path"]) for entry in listed if not _intact(entry)]


def _intact(entry: Mapping[str, Any]) -> bool:
    try:
        content = resources.read_bytes("mappings", *str(entry["path"]).split("/"))
    except ConfigError:
        return False
    return hashlib.sha256(content).hexdigest() == str(entry["sha256"])
