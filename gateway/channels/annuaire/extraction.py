"""Import of the daily file: read as a stream into a new SQLite file, put in place only when it is whole.

A failed, truncated or suspiciously small import leaves the list in place untouched (spec mssante §5).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path

from gateway import platform
from gateway.channels.annuaire import listing, web
from gateway.channels.annuaire.listing import About, Listing
from gateway.channels.annuaire.model import AnnuaireError, ListRefusedError
from gateway.channels.annuaire.reading import Counts, Opened, Row, opened, rows, stamp
from gateway.channels.annuaire.words import fold, fold_town, town_of
from gateway.clock import Clock
from gateway.findings import Finding, Severity, warning
from gateway.settings import AnnuaireSettings, ExtractionSettings
from gateway.skew import http_date

Progress = Callable[[str, int, int], object]
"""Called with the step (`download`, `import`, `index`), the bytes done and the bytes announced (0: unknown)."""

SHRINK = 0.8
"""A list that holds less than this share of the one in place is refused: it was cut, or half of it is missing."""
BAD_SHARE = 0.01
"""More bad lines than this share, and the file is not the one we know."""
_LEFTOVER = 3600.0
"""Seconds after which the remains of a killed import are removed."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. `findings` are about lines left out and dates; `seconds` the time it took."""

    about: About
    findings: tuple[Finding, ...]
    lines: int
    seconds: float


def _silent(*_: object) -> None:
    return None


def import_file(
    settings: AnnuaireSettings,
    path: Path,
    clock: Clock,
    *,
    source: str = "",
    made: datetime | None = None,
    force: bool = False,
    progress: Progress = _silent,
) -> Imported:
    """Replace the list by the content of `path` (ZIP or text).

    `made` dates a file whose name does not; `force` takes a list that is smaller or older than the one in place.
    Raises ListRefusedError: ANN-301 unreadable, ANN-302 too much, ANN-303 header, ANN-305 too many bad lines, ANN-306
    too small, ANN-307 too old; AnnuaireError ANN-308 no room or no right.
    """
    start = time.monotonic()
    _sweep(settings.file)
    counts = Counts()
    with _fresh(settings.file) as temporary:
        with opened(path) as text:
            at, doubts = _dated(text, path, made, clock)
            _check_age(at, settings, clock, force)
            digest = hashlib.sha256()
            boxes = _fill(temporary, _hashed(text, digest), counts, progress)
        _check_size(boxes, counts, settings, force)
        about = About(source or path.name, at, clock.now(), boxes, counts.left, digest.hexdigest())
        progress("index", 0, 0)
        _finish(temporary, about)
        platform.durable_rename(temporary, settings.file)
    return Imported(about, (*doubts, *_left_out(counts)), counts.lines, time.monotonic() - start)


def download(
    settings: AnnuaireSettings, clock: Clock, *, force: bool = False, progress: Progress = _silent
) -> Imported:
    """Fetch today's file and import it. Raises AnnuaireError as `import_file`, and ANN-102 to ANN-106 for the web."""
    remote = settings.extraction
    if remote is None:
        message, advice = "Aucune adresse de téléchargement.", "Ajouter [annuaire.extraction] à la configuration."
        raise AnnuaireError("ANN-309", message, advice)
    with _fresh(settings.file) as temporary:
        name, modified = _fetch(remote, temporary, progress)
        made = stamp(name) or modified
        return import_file(settings, temporary, clock, source=remote.url, made=made, force=force, progress=progress)


def _fetch(remote: ExtractionSettings, target: Path, progress: Progress) -> tuple[str, datetime | None]:
    """Store the answer; its file name as the server says it, and Last-Modified."""
    site = web.Site(web.trust(remote.ca_file), remote.timeout, {}, sleep=time.sleep)
    try:
        with site.get(remote.url) as response, target.open("wb") as stream:
            total, done = _number(response.headers.get("content-length", "")), 0
            for chunk in response.iter_raw():
                done += len(chunk)
                if done > web.MAX_DOWNLOAD:
                    raise ListRefusedError("ANN-302", "Le téléchargement dépasse la taille permise : refusé.", "")
                stream.write(chunk)
                progress("download", done, total)
            headers = dict(response.headers)
    finally:
        site.close()
    return _file_name(headers.get("content-disposition", "")), http_date(headers.get("last-modified"))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _file_name(disposition: str) -> str:
    """The `filename` of a Content-Disposition (RFC 6266)."""
    message = Message()
    message["Content-Disposition"] = disposition
    try:
        return message.get_filename("") or ""
    except (ValueError, LookupError):  # an encoding that is none
        return ""


@contextlib.contextmanager
def _fresh(target: Path) -> Iterator[Path]:
    """A new private file beside `target`, gone at the end unless it was renamed."""
    try:
        if not target.parent.exists():
            platform.make_private_dir(target.parent)
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as fault:
        raise _no_room(fault) from fault
    os.close(descriptor)
    try:
        yield Path(name)
    except (sqlite3.Error, OSError) as fault:
        raise _no_room(fault) from fault
    finally:
        Path(name).unlink(missing_ok=True)


def _no_room(fault: Exception) -> AnnuaireError:
    what = fault.strerror if isinstance(fault, OSError) else type(fault).__name__
    advice = "Vérifier la place libre (300 Mo) et les droits du dossier ; la liste en place reste employée."
    return AnnuaireError("ANN-308", f"L'import n'a pas pu s'écrire ({what}).", advice)


def _sweep(target: Path) -> None:
    """Remove what a killed import left beside the list."""
    for path in target.parent.glob(f".{target.name}.*.part*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _LEFTOVER:
                path.unlink()


def _hashed(text: Opened, digest: hashlib._Hash) -> Opened:
    return Opened(_Hashing(text.stream, digest), text.size, text.name)  # type: ignore[arg-type]


class _Hashing:
    """A stream that digests what is read from it."""

    def __init__(self, stream: object, digest: hashlib._Hash) -> None:
        self._read: Callable[[int], bytes] = stream.read  # type: ignore[attr-defined]
        self._digest = digest

    def read(self, size: int) -> bytes:
        """The next bytes."""
        data = self._read(size)
        self._digest.update(data)
        return data


def _fill(target: Path, text: Opened, counts: Counts, progress: Progress) -> int:
    """Write every usable line; the number written. The file needs no journal: it is thrown away if this fails."""
    base = sqlite3.connect(target, isolation_level=None)
    try:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "cache_size = -16000"):
            base.execute(f"PRAGMA {pragma}")
        base.executescript(listing.SCHEMA)
        base.execute("BEGIN")
        found = rows(text, counts, lambda done: progress("import", done, text.size))
        base.executemany(listing.INSERT, map(_stored, found))
        base.execute("COMMIT")
        return int(base.execute("SELECT count(*) FROM box").fetchone()[0])
    finally:
        base.close()


def _stored(row: Row) -> tuple[str, ...]:
    """A line as it is kept: what a question compares is folded here, once."""
    (kind, address, id_type, identifier, national, structure, service, civility, family, given, profession) = row[:11]
    label, skill, structure_name, postal_line, postal_code = row[11:]
    rpps = _rpps(id_type, identifier, national) if kind in {"PER", "CAB"} else ""
    code, town = town_of(postal_line)
    name = f"{family} {given}" if family else structure_name or service
    return (
        kind, address.lower(), rpps, family, given, civility, profession, label, skill, service, structure,
        structure_name, postal_code or code, town, fold(name), fold_town(town) if town else "",
    )  # fmt: skip


def _rpps(id_type: str, identifier: str, national: str) -> str:
    """The RPPS number: type 8 and 11 digits, or the national identifier, which is 8 and the number."""
    if id_type in {"8", "RPPS"} and len(identifier) == 11 and identifier.isdigit():
        return identifier
    return national[1:] if len(national) == 12 and national.startswith("8") and national.isdigit() else ""


def _finish(target: Path, about: About) -> None:
    base = sqlite3.connect(target, isolation_level=None)
    try:
        base.execute("PRAGMA journal_mode = OFF")
        base.execute("PRAGMA synchronous = OFF")
        base.executescript(listing.INDEXES)
        told = {
            "source": about.source,
            "generated_at": about.generated_at.isoformat(),
            "imported_at": about.imported_at.isoformat(),
            "boxes": str(about.boxes),
            "left_out": str(about.left_out),
            "sha256": about.sha256,
        }
        base.executemany("INSERT INTO about VALUES (?, ?)", told.items())
        base.execute(f"PRAGMA user_version = {listing.VERSION}")
        base.execute(f"PRAGMA application_id = {listing.APPLICATION_ID}")
    finally:
        base.close()
    with target.open("rb+") as stream:
        platform.fsync_file(stream.fileno())


def _dated(text: Opened, path: Path, made: datetime | None, clock: Clock) -> tuple[datetime, list[Finding]]:
    """When the ANS made the list: by its name, by what the caller knows, else by the file's own date."""
    at = stamp(text.name) or stamp(path.name) or made
    if at is None:
        at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        message = f"Le nom du fichier ne dit pas sa date : celle du fichier ({at:%d/%m/%Y}) est retenue."
        return at, [warning("ANN-311", "", message, "Garder le nom donné par l'ANS (..._AAAAMMJJhhmm.txt).")]
    if at > clock.now() + timedelta(days=1):
        message = "La liste est datée du futur."
        return clock.now(), [warning("ANN-312", "", message, "Vérifier l'horloge de ce poste.")]
    return at, []


def _check_age(at: datetime, settings: AnnuaireSettings, clock: Clock, force: bool) -> None:
    days = (clock.now() - at).days
    if days > settings.max_age_days:
        message = f"Cette liste a {days} jours : trop ancienne pour être importée ({settings.max_age_days} au plus)."
        raise ListRefusedError("ANN-307", message, "Télécharger la liste du jour (annuaire import --download).")
    present = _present(settings)
    if present is not None and at < present.generated_at and not force:
        message = f"La liste en place ({present.generated_at:%d/%m/%Y %H:%M}) est plus récente."
        raise ListRefusedError("ANN-307", message, "Donner --force pour la remplacer malgré tout.")


def _check_size(boxes: int, counts: Counts, settings: AnnuaireSettings, force: bool) -> None:
    if counts.left > BAD_SHARE * max(counts.lines, 1):
        message = f"{counts.left} lignes sur {counts.lines} sont illisibles : import refusé."
        raise ListRefusedError("ANN-305", message, "Télécharger à nouveau ; la liste en place reste employée.")
    remote = settings.extraction
    least = remote.min_boxes if remote is not None else ExtractionSettings().min_boxes
    present = _present(settings)
    if present is not None:
        least = max(least, int(SHRINK * present.boxes))
    if boxes < least and not force:
        message = f"Liste suspecte : {boxes} boîtes, au moins {least} attendues. La liste en place reste employée."
        raise ListRefusedError("ANN-306", message, "Vérifier le fichier ; --force l'importe malgré tout.")


def _present(settings: AnnuaireSettings) -> About | None:
    try:
        return Listing(settings.file).about()
    except AnnuaireError:
        return None


_FAULTS = {
    "codage": "codage autre que UTF-8",
    "colonnes": "nombre de colonnes inattendu",
    "type": "type de boîte inconnu",
    "adresse": "adresse mal formée",
}


def _left_out(counts: Counts) -> Iterator[Finding]:
    for fault, number in counts.bad.items():
        places = ", ".join(str(line) for line in counts.first[fault])
        message = f"{number} ligne(s) laissée(s) de côté : {_FAULTS[fault]} (lignes {places}…)."
        yield Finding("ANN-310", Severity.INFO, "", message, "Aucune action : les autres lignes sont importées.")
