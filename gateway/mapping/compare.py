"""Two versions of a mapping file, or of the whole pack: which rows were added, removed, changed."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gateway.errors import MappingError

_KEYS = ("path", "key", "to", "code", "url", "name", "fr", "suite")
"""Fields that name an entry of a list better than its number does."""
_TABLES = frozenset({".toml", ".csv", ".json"})


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: the file, the row, and its values before and after."""

    kind: Literal["added", "removed", "changed"]
    file: str
    row: str
    before: str
    after: str


def compare(ours: Path, other: Path) -> list[Change]:
    """Differences of two files, or of two folders file by file, `ours` being the newer.

    Raises MappingError `MAP-112` when one of them cannot be read, or one is a file and the other a folder.
    """
    if ours.is_dir() != other.is_dir() or not (ours.exists() and other.exists()):
        message = f"Rien à comparer : {ours} et {other}."
        raise MappingError("MAP-112", message, "Donner deux fichiers, ou deux dossiers de correspondances.")
    if not ours.is_dir():
        return list(_files(ours.name, ours, other))
    names = sorted({name for folder in (ours, other) for name in _names(folder)})
    return [change for name in names for change in _files(name, ours / name, other / name)]


def _names(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in _TABLES:
            yield path.relative_to(folder).as_posix()


def _files(name: str, ours: Path, other: Path) -> Iterator[Change]:
    after = rows(ours) if ours.exists() else {}
    before = rows(other) if other.exists() else {}
    for row in dict.fromkeys([*before, *after]):
        old, new = before.get(row), after.get(row)
        if old is None:
            yield Change("added", name, row, "", new or "")
        elif new is None:
            yield Change("removed", name, row, old, "")
        elif old != new:
            yield Change("changed", name, row, old, new)


def rows(path: Path) -> dict[str, str]:
    """A file as rows: of a CSV by its first column, of a TOML or JSON by the place of each value."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".csv":
            return _csv(text)
        return dict(_leaves(tomllib.loads(text) if path.suffix == ".toml" else json.loads(text), ""))
    except (OSError, ValueError, csv.Error, RecursionError) as fault:
        message = f"Fichier de correspondance illisible : {path.name}."
        raise MappingError("MAP-112", message, "Donner un fichier TOML, JSON ou CSV.") from fault


def _csv(text: str) -> dict[str, str]:
    """A row that repeats a first column is told apart by its second column, then by its number."""
    lines = list(csv.reader(io.StringIO(text), strict=True))
    found: dict[str, str] = {}
    for cells in lines:
        label = next(
            (",".join(cells[:width]) for width in range(1, len(cells) + 1) if ",".join(cells[:width]) not in found), ""
        )
        found[label or f"{','.join(cells)} ({len(found)})"] = ",".join(cells)
    return found


def _leaves(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _leaves(one, f"{place}/{key}")
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for label, one in _labelled(value):
            yield from _leaves(one, f"{place}/{label}")
    else:
        yield place, json.dumps(value, ensure_ascii=False, default=str)


def _labelled(values: list[Any]) -> Iterator[tuple[str, Any]]:
    taken: dict[str, int] = {}
    for number, one in enumerate(values):
        label = next((str(one[key]) for key in _KEYS if isinstance(one, dict) and key in one), str(number))
        taken[label] = taken.get(label, 0) + 1
        yield (label if taken[label] == 1 else f"{label}#{taken[label]}"), one
