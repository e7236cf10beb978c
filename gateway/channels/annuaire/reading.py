"""The daily file as a stream of rows: ZIP or text, columns by name, bad lines counted, nothing unbounded in memory."""

from __future__ import annotations

import contextlib
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

from gateway.channels.annuaire.model import ListRefusedError
from gateway.channels.annuaire.words import ADDRESS, fold

MAX_TEXT = 1_000_000_000
"""Bytes of text read at most, eleven times what the file weighs today: a ZIP that unfolds further is refused."""
MAX_LINE = 65_536
_CHUNK = 1 << 20
_AGAIN = "Télécharger à nouveau ; la liste en place reste employée."
_KINDS = frozenset({"PER", "CAB", "ORG", "APP"})
_STAMP = re.compile(r"(?<!\d)(20\d{10})(?!\d)")

COLUMNS: dict[str, tuple[str, ...]] = {
    "kind": ("TYPE DE BAL",),
    "address": ("ADRESSE BAL",),
    "id_type": ("TYPE IDENTIFIANT PP", "TYPE D IDENTIFIANT PP"),
    "identifier": ("IDENTIFIANT PP",),
    "national": ("IDENTIFICATION NATIONALE PP",),
    "structure_id": ("IDENTIFICATION STRUCTURE",),
    "service": ("SERVICE DE RATTACHEMENT",),
    "civility": ("CIVILITE D EXERCICE",),
    "family": ("NOM D EXERCICE",),
    "given": ("PRENOM D EXERCICE",),
    "profession": ("CODE PROFESSION",),
    "profession_label": ("LIBELLE PROFESSION",),
    "skill": ("LIBELLE SAVOIR FAIRE",),
    "structure_name": ("RAISON SOCIALE STRUCTURE BAL", "RAISON SOCIALE"),
    "postal_line": ("L6LIGNEACHEMINEMENT STRUCTURE BAL", "L6LIGNEACHEMINEMENT"),
    "postal_code": ("CODE POSTAL STRUCTURE BAL", "CODE POSTAL"),
}
"""Our names of the columns that are kept, and how the file's header (31 columns) writes them, folded."""

Row = tuple[str, ...]
"""Values of one line, in the order of COLUMNS."""


@dataclass
class Counts:
    """Lines read and, by kind of fault, how many were left out with the first line numbers."""

    lines: int = 0
    bad: dict[str, int] = field(default_factory=dict)
    first: dict[str, list[int]] = field(default_factory=dict)

    def leave(self, fault: str) -> None:
        """Count the present line as left out."""
        self.bad[fault] = self.bad.get(fault, 0) + 1
        if self.bad[fault] <= 3:
            self.first.setdefault(fault, []).append(self.lines + 1)  # the header is line 1

    @property
    def left(self) -> int:
        """Lines left out."""
        return sum(self.bad.values())


@dataclass(frozen=True, slots=True)
class Opened:
    """The text inside a file: its stream, its size in bytes as announced, its name."""

    stream: IO[bytes]
    size: int
    name: str


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """The text of a ZIP that holds exactly one, or the file itself. Raises ListRefusedError ANN-301, ANN-302."""
    try:
        with path.open("rb") as stream:
            if stream.read(4) != b"PK\x03\x04":
                stream.seek(0)
                yield Opened(stream, path.stat().st_size, path.name)
                return
        _check_directory(path)
        with zipfile.ZipFile(path) as archive, archive.open(_only_text(archive)) as inside:
            info = archive.getinfo(inside.name or "")
            yield Opened(inside, info.file_size, info.filename)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as fault:
        if isinstance(fault, ListRefusedError):
            raise
        what = (fault.strerror or "") if isinstance(fault, OSError) else "archive abîmée ou incomplète"
        raise ListRefusedError("ANN-301", f"{path.name} est illisible : {what}.", _AGAIN) from fault


def _check_directory(path: Path) -> None:
    """Refuse an archive that announces a crowd of files before zipfile builds an object for each (APPNOTE 4.3.16)."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 65_557))
        tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        raise zipfile.BadZipFile
    entries, size = struct.unpack("<HI", tail[at + 10 : at + 16])
    if entries > 16 or size > 65_536:
        raise ListRefusedError("ANN-302", f"{path.name} contient plus que la liste attendue : refusé.", _AGAIN)


def _only_text(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    found = [info for info in archive.infolist() if not info.filename.endswith("/")]
    plain = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
    if len(found) != 1 or found[0].flag_bits & 0x1 or found[0].compress_type not in plain:
        message = "L'archive doit contenir un seul fichier texte, sans mot de passe : refusée."
        raise ListRefusedError("ANN-302", message, _AGAIN)
    return found[0]


def rows(source: Opened, counts: Counts, progress: Callable[[int], object] = lambda _: None) -> Iterator[Row]:
    """The usable lines. `progress` is told the bytes read. Raises ListRefusedError ANN-302 (too large), ANN-303."""
    lines = _lines(source.stream, progress)
    header = next(lines, b"").decode("utf-8-sig", "replace").rstrip("\r").split("|")
    pick = itemgetter(*_positions(header))
    width = len(header)
    for line in lines:
        counts.lines += 1
        try:
            fields = line.decode().rstrip("\r").split("|")
        except UnicodeDecodeError:
            counts.leave("codage")
            continue
        if len(fields) != width:
            counts.leave("colonnes")
            continue
        row: Row = pick(fields)
        if row[0] not in _KINDS:
            counts.leave("type")
        elif not ADDRESS.fullmatch(row[1]):
            counts.leave("adresse")
        else:
            yield row


def _positions(header: list[str]) -> list[int]:
    known = {fold(name): place for place, name in reversed(list(enumerate(header)))}
    found = {name: next((known[s] for s in spellings if s in known), None) for name, spellings in COLUMNS.items()}
    missing = [COLUMNS[name][0] for name, place in found.items() if place is None]
    if missing:
        message = f"Colonnes absentes de l'en-tête : {', '.join(missing)}."
        raise ListRefusedError("ANN-303", message, "Donner le fichier Extraction_Correspondance_MSSante de l'ANS.")
    return [place for place in found.values() if place is not None]


def _lines(stream: IO[bytes], progress: Callable[[int], object]) -> Iterator[bytes]:
    """Lines without their end, the blank last one left out; an endless line or an endless file is refused."""
    done, rest = 0, b""
    while chunk := stream.read(_CHUNK):
        done += len(chunk)
        progress(done)
        if done > MAX_TEXT:
            raise ListRefusedError("ANN-302", f"Le fichier dépasse {MAX_TEXT // 10**6} Mo : refusé.", _AGAIN)
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > MAX_LINE:
            raise ListRefusedError("ANN-302", "Ce fichier n'est pas un texte en lignes : refusé.", _AGAIN)
        yield from whole
    if rest:
        yield rest


def stamp(name: str) -> datetime | None:
    """When the ANS made the file, from its name (`..._AAAAMMJJhhmm.txt`, French legal time); None when not said."""
    found = _STAMP.search(name)
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], "%Y%m%d%H%M").replace(tzinfo=ZoneInfo("Europe/Paris"))
    except ValueError:
        return None
