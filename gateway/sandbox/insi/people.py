"""The people whom the sandbox's INSi knows: synthetic, kept in one JSON file that a test or a person may edit."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Matricule:
    """13 characters, two of key, the OID; `kind`, `begin` and `end` as the service writes them, or nothing."""

    number: str
    key: str
    oid: str
    kind: str = ""
    begin: str = ""
    end: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the national base. `given`: every given name as one text; dates as YYYY-MM-DD."""

    family: str
    given: str
    sex: str
    born: str
    cog: str
    active: Matricule
    history: tuple[Matricule, ...] = ()
    note: str = ""

    @property
    def traits(self) -> tuple[str, str, str, str, str]:
        """What tells this person from another."""
        return self.family, self.given, self.sex, self.born, self.cog


class People:
    """The base of the sandbox, read again at each question: another process may have changed it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        if not file.exists():
            self._write(_initial())

    def all(self) -> list[Person]:
        """Everybody."""
        with self._lock:
            return self._read()

    def add(self, people: Iterable[Person]) -> None:
        """Add people, once each; another matricule with the same traits makes a homonym."""
        with self._lock:
            known = {(one.traits, one.active.number): one for one in self._read()}
            known.update(((one.traits, one.active.number), one) for one in people)
            self._write(known.values())

    def change(self, person: Person) -> None:
        """Put this person in the place of whoever has these traits: another matricule, a longer history."""
        with self._lock:
            self._write([*(one for one in self._read() if one.traits != person.traits), person])

    def remove(self, family: str) -> None:
        """Forget whoever has this family name."""
        with self._lock:
            self._write(one for one in self._read() if one.family != family)

    def find(self, family: str, given: Sequence[str], sex: str, born: str, cog: str) -> list[Person]:
        """People with these traits. The given names asked for must begin the list of the base, in order.

        How the real service compares given names is not published; this is the reading that its guidance suggests.
        """
        words = " ".join(given).replace("-", " ").split()
        return [
            one
            for one in self.all()
            if (one.family, one.sex, one.born) == (family, sex, born)
            and one.given.replace("-", " ").split()[: len(words)] == words
            and cog in {"", one.cog}
        ]

    def _read(self) -> list[Person]:
        rows: list[dict[str, Any]] = json.loads(self._file.read_text(encoding="utf-8"))
        return [_person(row) for row in rows]

    def _write(self, people: Iterable[Person]) -> None:
        rows = [asdict(one) for one in people]
        partial = self._file.with_name(f"{self._file.name}.part")
        partial.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
        partial.replace(self._file)


def _initial() -> list[Person]:
    text = files("gateway.sandbox").joinpath("data", "insi-people.json").read_text(encoding="utf-8")
    return [_person(row) for row in json.loads(text)]


def _person(row: dict[str, Any]) -> Person:
    active, history = Matricule(**row["active"]), tuple(Matricule(**one) for one in row.get("history", ()))
    plain = {key: value for key, value in row.items() if key not in {"active", "history"}}
    return Person(active=active, history=history, **plain)
