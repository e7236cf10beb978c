"""An export of a billing software: one line for each act, read whatever its encoding, separator and headings.

Nothing of it is stored. Dates are French (31/12/2026) or ISO (2026-12-31); UTF-8 or cp1252; `;`, `,` or a tabulation.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import Any

from gateway import resources
from gateway.errors import InputError
from gateway.findings import Finding, error, warning

FIELDS = ("patient", "date", "mode", "act", "line", "name")
REQUIRED = ("patient", "date")
MAX_BYTES = 50_000_000
"""Size limit of an export in bytes: ten years of a large practice."""
_DATES = ("%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y", "%d.%m.%Y", "%Y%m%d", "%d/%m/%y")
_MATRICULE = re.compile(r"[0-9]{5}(?:[0-9]{2}|2[AB])[0-9]{6}(?:[0-9]{2})?")


@dataclass(frozen=True, slots=True)
class Act:
    """A billed line: `number` in the file (1 is the heading), the patient as the file names him, the day.

    `direct` None: the file does not say how the patient came. `label` is the file's own reference of the line.
    """

    number: int
    patient: str
    day: date
    direct: bool | None = None
    act: str = ""
    label: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Export:
    """The acts that could be read, what was wrong with the others, and which heading was taken for which field."""

    acts: tuple[Act, ...]
    findings: tuple[Finding, ...]
    columns: Mapping[str, str] = field(default_factory=dict)


@cache
def _words() -> Mapping[str, Any]:
    return tomllib.loads(resources.read_text("config", "billing.toml"))


def read(data: bytes, columns: Mapping[str, str] | None = None) -> Export:
    """The acts of an export. `columns` gives the heading of a field, over what is known of them.

    Raises InputError: REC-001 no table, REC-002 a column is missing, REC-003 a heading that is not there.
    """
    if len(data) > MAX_BYTES or b"\x00" in data[:1000]:
        raise _refused("REC-001", "", "Ce fichier n'est pas un export CSV.", "Exporter en CSV, UTF-8 ou Windows-1252.")
    rows = _rows(_text(data))
    places = _places(rows[0], columns or {})
    acts: list[Act] = []
    findings: list[Finding] = []
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        found = _act(number, row, places)
        if isinstance(found, Act):
            acts.append(found)
        else:
            findings.append(found)
    return Export(tuple(acts), tuple(findings), {name: rows[0][place].strip() for name, place in places.items()})


def _rows(text: str) -> list[list[str]]:
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text)))
    except csv.Error:
        rows = []
    if len(rows) < 2 or len(rows[0]) < 2:
        advice = "Exporter en CSV avec une ligne de titres."
        raise _refused("REC-001", "", "Ce fichier n'a ni en-tête ni lignes lisibles.", advice)
    return rows


def _refused(code: str, path: str, message: str, advice: str) -> InputError:
    return InputError([error(code, path, message, advice)], "Export de facturation refusé.")


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _separator(text: str) -> str:
    heading = text.partition("\n")[0]
    return max((";", ",", "\t"), key=heading.count)


def _places(heading: Sequence[str], wanted: Mapping[str, str]) -> dict[str, int]:
    plain = [_plain(cell) for cell in heading]
    places: dict[str, int] = {}
    for name in FIELDS:
        if name in wanted:
            if _plain(wanted[name]) not in plain:
                advice = f"Titres du fichier : {', '.join(cell.strip() for cell in heading)}."
                raise _refused("REC-003", f"/{name}", "Cette colonne n'est pas dans le fichier.", advice)
            places[name] = plain.index(_plain(wanted[name]))
            continue
        known = (_plain(title) for title in _words()["columns"][name])
        found = next((plain.index(title) for title in known if title in plain), None)
        if found is not None and found not in places.values():
            places[name] = found
    for name in REQUIRED:
        if name not in places:
            advice = f"La désigner par --column {name}=TITRE."
            raise _refused("REC-002", f"/{name}", f"Colonne introuvable : {name}.", advice)
    return places


def _plain(text: str) -> str:
    spread = unicodedata.normalize("NFKD", text.strip().casefold().replace("’", "'").replace("_", " "))
    return " ".join("".join(char for char in spread if not unicodedata.combining(char)).split())


def _act(number: int, row: Sequence[str], places: Mapping[str, int]) -> Act | Finding:
    def cell(name: str) -> str:
        place = places.get(name)
        return row[place].strip() if place is not None and place < len(row) else ""

    day, patient = _day(cell("date")), patient_key(cell("patient"))
    if day is None or not patient:
        what = "Date illisible." if day is None else "Patient absent."
        return warning("REC-004", f"/{number}", what, "Ligne ignorée : la corriger dans le fichier.")
    direct = _plain(cell("mode")) in _words()["direct"]["yes"] if "mode" in places else None
    return Act(number, patient, day, direct, cell("act"), cell("line"), cell("name"))


def _day(text: str) -> date | None:
    day = re.split(r"[ T]", text, maxsplit=1)[0]
    for shape in _DATES:
        try:
            return datetime.strptime(day, shape).date()  # noqa: DTZ007 (a calendar day)
        except ValueError:
            continue
    return None


def patient_key(text: str) -> str:
    """What a patient is compared by: the 13 characters of a matricule or NIR, else the local number as written."""
    bare = re.sub(r"[\s.-]", "", text).upper()
    return bare[:13] if _MATRICULE.fullmatch(bare) else text.strip()


def patients(acts: Sequence[Act]) -> Iterator[tuple[str, list[Act]]]:
    """The acts of each patient, by day."""
    grouped: dict[str, list[Act]] = {}
    for one in acts:
        grouped.setdefault(one.patient, []).append(one)
    for key, found in grouped.items():
        yield key, sorted(found, key=lambda one: (one.day, one.number))
