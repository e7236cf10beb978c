"""What must not be found: the traits of every patient of the fixtures and what was written of their health."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from tests.security.disguises import folded, joined, views, words

MONTHS = (
    *("janvier", "février", "mars", "avril", "mai", "juin"),
    *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
)
CODES = frozenset(
    {"code", "kind", "status", "mode", "side", "unit", "urgency", "severity", "format", "account", "proof"}
)
"""Fields of our own vocabulary: they may stand in a log."""
NOBODY_BORN_SINCE, STREET = 2020, 10
SHORT = 6
WINDOW, LONG_ENOUGH = 4, 18
"""Clinical text is looked for in pieces of so many words, of at least so many letters."""


@dataclass(frozen=True)
class Needle:
    """One thing to look for: where it comes from, the words it is made of, and how it is written with accents."""

    kind: str
    words: tuple[str, ...]
    raw: tuple[bytes, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}: {' '.join(self.words)}"


@dataclass(frozen=True)
class Needles:
    """All that is looked for."""

    all: frozenset[Needle]
    first: Mapping[str, tuple[Needle, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, needles: Iterable[Needle]) -> Needles:
        found = frozenset(needles)
        by_word: dict[str, list[Needle]] = {}
        for one in found:
            by_word.setdefault(max(one.words, key=len), []).append(one)
        return cls(found, {word: tuple(ones) for word, ones in by_word.items()})

    def without(self, known: Iterable[Needle]) -> Needles:
        """The rest."""
        return Needles.of(self.all - set(known))

    def within(self, data: bytes) -> set[Needle]:
        """Those that a file holds, in whatever disguise."""
        found = {one for one in self.all if any(raw in data for raw in one.raw)}
        seen: set[str] = set()
        for view in views(data):
            if view in seen:
                continue
            seen.add(view)
            found |= self._in_view(view)
        disguised = found - self._in_view(data.decode("latin-1"))
        return found - disguised if b"\0" in data and _by_chance(disguised) else found

    def _in_view(self, view: str) -> set[Needle]:
        found: set[Needle] = set()
        plain = folded(view)
        for text in dict.fromkeys((plain, joined(plain))):
            tokens = words(text)
            known, line = set(tokens), " ".join(["", *tokens, ""])
            likely = (one for word in known & self.first.keys() for one in self.first[word])
            found |= {one for one in likely if known.issuperset(one.words) and f" {' '.join(one.words)} " in line}
            if text is not plain:
                continue
            # A name inside a longer word (`BILAN_legoffessai2.pdf`); short ones would be found anywhere.
            whole = {one: "".join(one.words) for one in self.all - found if one.kind in {"name", "number"}}
            long = "\n".join(word for word in known if len(word) > 7)
            found |= {one for one, glued in whole.items() if len(glued) > 7 and glued in long}
        return found


def _by_chance(found: set[Needle]) -> bool:
    """Whether it is one short word alone: megabytes of sealed bytes, read in eighty ways, hold it now and then.

    In the bytes as they stand it counts; and who leaks into a database leaks more of a person than that.
    """
    return len(found) == 1 and all(len(one.words) == 1 and len(one.words[0]) < SHORT for one in found)


def of_cases(folder: Path) -> Needles:
    """The traits of every fixture, those of the invalid ones included."""
    found: set[Needle] = set()
    for path in sorted(folder.rglob("*.json")):
        try:
            value = json.loads(path.read_bytes())
        except ValueError:
            continue
        if isinstance(value, dict):
            found |= set(of_submission(value))
    return Needles.of(found)


def of_submission(value: Mapping[str, Any]) -> Iterator[Needle]:
    """The traits of one patient, and the words that were written about him."""
    patient = value.get("patient")
    if isinstance(patient, dict):
        yield from _identity(patient)
    for name in ("document", "summary", "assessment", "access", "letter"):
        yield from _clinical(value.get(name))


def _identity(patient: Mapping[str, Any]) -> Iterator[Needle]:
    given = patient.get("birth_given") if isinstance(patient.get("birth_given"), list) else []
    for name in (patient.get("birth_family"), patient.get("used_family"), patient.get("used_given"), *(given or [])):
        yield from _needle("name", name, accents=True)
    yield from _birth(patient.get("birth_date"))
    ins = patient.get("ins") if isinstance(patient.get("ins"), dict) else {}
    matricule = str((ins or {}).get("matricule") or "")
    yield from _needle("number", matricule)
    yield from _needle("number", matricule[:13] if len(matricule) == 15 else "")
    for one in patient.get("identifiers") or []:
        yield from _needle("identifier", one.get("value") if isinstance(one, dict) else None)
    for name in ("phone", "email", "mail"):
        yield from _phone(str(patient.get(name) or ""))
    address = patient.get("address") if isinstance(patient.get("address"), dict) else {}
    for line in (address or {}).get("lines") or []:
        yield from _needle("street", line if len(str(line)) >= STREET else None)
    if address and address.get("city"):
        yield from _needle("city", f"{address.get('postal_code')} {address.get('city')}")


def _birth(text: Any) -> Iterator[Needle]:
    try:
        day = date.fromisoformat(str(text))
    except ValueError:
        return
    if day.year > NOBODY_BORN_SINCE:  # a mistake of an invalid fixture: such a date is one of anything
        return
    forms = [day.isoformat(), f"{day:%d/%m/%Y}", f"{day:%Y%m%d}", f"{day:%d%m%Y}"]
    for form in (*forms, f"{day.day} {MONTHS[day.month - 1]} {day.year}"):
        yield from _needle("birth", form)


def _phone(text: str) -> Iterator[Needle]:
    digits = "".join(char for char in text if char.isdigit())
    if len(digits) >= 9:
        national = "0" + digits[-9:]
        for form in (national, f"33{national[1:]}", " ".join(national[at : at + 2] for at in range(0, 10, 2))):
            yield from _needle("phone", form)
    elif text:
        yield from _needle("mail", text)


def _clinical(value: Any, name: str = "") -> Iterator[Needle]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from () if key in CODES else _clinical(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _clinical(inner, name)
    elif isinstance(value, str):
        said = words(folded(value))
        for start in range(max(1, len(said) - WINDOW + 1)):
            piece = tuple(said[start : start + WINDOW])
            if len(piece) > 2 and sum(map(len, piece)) >= LONG_ENOUGH:
                yield Needle("clinical", piece)


def _needle(kind: str, value: Any, *, accents: bool = False) -> Iterator[Needle]:
    text = value if isinstance(value, str) else ""
    said = tuple(words(folded(text)))
    if not said or sum(map(len, said)) < 4:
        return
    raw: set[bytes] = set()
    if accents and not text.isascii():
        forms = {text, text.upper(), text.lower()}
        raw = {form.encode(code) for form in forms for code in ("utf-8", "latin-1", "utf-16-le", "utf-16-be")}
    yield Needle(kind, said, tuple(sorted(raw)))
    if kind in {"name", "identifier"} and len(said) > 1:
        yield Needle(kind, ("".join(said),))
