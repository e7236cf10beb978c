"""IHE_XDM.ZIP -> metadata and documents. An archive comes from anybody: bounded, no path believed, hashes verified."""

from __future__ import annotations

import hashlib
import io
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gateway.document.model import ClinicalDocument
from gateway.findings import Finding
from gateway.read import cda, xml
from gateway.read.ebrim import DocumentMetadata, SubmissionMetadata, submission
from gateway.read.reading import Reading, Trail
from gateway.terminology import Terminology

MAX_ARCHIVE = 40_000_000
"""Size limit of an archive in bytes: a mail is 25 MB at most."""
MAX_CONTENT = 80_000_000
"""Size limit of everything that is unpacked, in bytes: a bomb stops here."""
MAX_MEMBERS = 500

_UNSAFE = re.compile(r"(^|[\\/])\.\.([\\/]|$)|^[\\/]|^[A-Za-z]:|\x00")
_METADATA = re.compile(r"(.*/)?IHE_XDM/[^/]+/METADATA\.XML", re.IGNORECASE)
_NUMBERED = re.compile(r"(.*/)?DOC0*(\d{1,8})\.(\w+)", re.IGNORECASE)
_BESIDE = re.compile(r"(.*/)?(INDEX\.HTML?|README\.TXT|METADATA\.XML|STYLE\.XSL)", re.IGNORECASE)
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ArchivedDocument:
    """A file of the archive: what the metadata say of it, its bytes, and the document where it is a CDA."""

    name: str
    data: bytes
    metadata: DocumentMetadata | None
    reading: Reading | None


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive as it was read. `submission` is None without METADATA.XML; `findings` are the archive's own."""

    submission: SubmissionMetadata | None
    documents: tuple[ArchivedDocument, ...]
    files: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass
class _Unpacked:
    """Members by name, as far as they may be read."""

    trail: Trail
    members: dict[str, bytes] = field(default_factory=dict)
    listed: list[str] = field(default_factory=list)


def read(data: bytes, terminology: Terminology) -> Archive:
    """Everything in these bytes. Never raises on bad input."""
    unpacked = _Unpacked(Trail())
    _unpack(data, unpacked)
    folder, lot = _metadata(unpacked)
    documents = [*_announced(unpacked, folder, lot), *_others(unpacked, folder, lot)]
    read_documents = tuple(_document(unpacked, name, meta, terminology) for name, meta in documents)
    return Archive(lot, read_documents, tuple(unpacked.listed), tuple(unpacked.trail.findings))


def _unpack(data: bytes, into: _Unpacked) -> None:
    if len(data) > MAX_ARCHIVE:
        message = f"Archive trop grosse ({len(data)} octets)."
        into.trail.fault("RDB-061", "/", message, f"La limite est de {MAX_ARCHIVE // 1_000_000} Mo.")
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _members(archive, into)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, UnicodeError) as fault:
        message = f"Archive illisible ({type(fault).__name__})."
        into.trail.fault("RDB-060", "/", message, "Demander un nouvel envoi.")


def _members(archive: zipfile.ZipFile, into: _Unpacked) -> None:
    left = MAX_CONTENT
    for place, info in enumerate(archive.infolist()):
        if place >= MAX_MEMBERS:
            message = f"Plus de {MAX_MEMBERS} fichiers : les suivants ne sont pas lus."
            into.trail.fault("RDB-062", "/", message, "Vérifier l'origine de l'archive.")
            return
        if info.filename.endswith("/"):  # is_dir() fails on an empty name
            continue
        into.listed.append(info.filename)
        if not _trusted(info, into):
            continue
        content = _content(archive, info, left, into.trail)
        if content is None:
            continue
        left -= len(content)
        into.members[info.filename] = content


def _trusted(info: zipfile.ZipInfo, into: _Unpacked) -> bool:
    """Whether a member may be read: nothing is ever written to disk, but its name must not lie either."""
    advice = "Vérifier l'origine de l'archive."
    if _UNSAFE.search(info.filename) or "\\" in info.filename:
        into.trail.fault("RDB-063", "/", "Fichier dont le nom sort de l'archive : il n'est pas lu.", advice)
        return False
    if stat.S_ISLNK(info.external_attr >> 16):
        into.trail.fault("RDB-063", "/", "Lien symbolique dans l'archive : il n'est pas lu.", advice)
        return False
    if info.filename in into.members:
        into.trail.fault(
            "RDB-064", f"/{info.filename}", "Deux fichiers portent le même nom : le premier est lu.", advice
        )
        return False
    if info.flag_bits & 0x1:
        into.trail.fault(
            "RDB-065", f"/{info.filename}", "Fichier chiffré : il n'est pas lu.", "Demander un envoi en clair."
        )
        return False
    return True


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, left: int, trail: Trail) -> bytes | None:
    """The bytes of a member; the size that it declares is not believed."""
    try:
        with archive.open(info) as member:
            content = member.read(left + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, RuntimeError, EOFError) as fault:
        message = f"Fichier de l'archive illisible ({type(fault).__name__})."
        trail.fault("RDB-066", f"/{info.filename}", message, "Demander un nouvel envoi.")
        return None
    if len(content) > left:
        message = f"Plus de {MAX_CONTENT // 1_000_000} Mo une fois décompressé : fichier non lu."
        trail.fault("RDB-067", f"/{info.filename}", message, "Vérifier l'origine de l'archive.")
        return None
    return content


def _metadata(unpacked: _Unpacked) -> tuple[str, SubmissionMetadata | None]:
    """Folder of METADATA.XML and what it says."""
    names = [name for name in unpacked.members if _METADATA.fullmatch(name)]
    if not names:
        if unpacked.members:
            message = "METADATA.XML manque : les documents sont lus sans leurs métadonnées."
            unpacked.trail.fault("RDB-070", "/", message, "Demander un envoi conforme à IHE XDM.", "IHE XDM")
        return "", None
    if len(names) > 1:
        message = "Plusieurs lots dans l'archive : les métadonnées du premier sont lues."
        unpacked.trail.doubt("RDB-071", "/", message, "Demander un envoi par lot.", "IHE XDM")
    root, refused = xml.parse(unpacked.members[names[0]])
    unpacked.trail.findings.extend(refused)
    folder = names[0].rpartition("/")[0] + "/"
    return folder, submission(root) if root is not None else None


Named = tuple[str, DocumentMetadata | None]


def _announced(unpacked: _Unpacked, folder: str, lot: SubmissionMetadata | None) -> Iterator[Named]:
    """The files that the metadata name; DOC0001 and DOC00001 are one name to those who count differently."""
    for meta in lot.documents if lot is not None else ():
        name = _named(unpacked.members, folder, meta.uri)
        if name is None:
            message = f"Document annoncé et absent de l'archive : {meta.uri or 'sans nom'}."
            unpacked.trail.fault("RDB-072", "/METADATA.XML", message, "Demander un nouvel envoi.", "IHE XDM")
        else:
            yield name, meta


def _named(members: Mapping[str, bytes], folder: str, uri: str) -> str | None:
    wanted = f"{folder}{uri}".casefold()
    exact = next((name for name in members if name.casefold() == wanted), None)
    number = _number(uri)
    if exact is not None or number is None:
        return exact
    return next((name for name in members if name.startswith(folder) and _number(name) == number), None)


def _number(name: str) -> tuple[int, str] | None:
    found = _NUMBERED.fullmatch(name)
    return (int(found[2]), found[3].casefold()) if found is not None else None


def _others(unpacked: _Unpacked, folder: str, lot: SubmissionMetadata | None) -> Iterator[Named]:
    """The files that no metadata name: a PDF beside its document is usual, anything else is said."""
    announced = {name for name, _meta in _announced(_Unpacked(Trail(), unpacked.members), folder, lot)}
    for name in unpacked.members:
        if name in announced or _BESIDE.fullmatch(name):
            continue
        if lot is not None:
            unpacked.trail.info(
                "RDB-073",
                f"/{name}",
                "Fichier que les métadonnées n'annoncent pas.",
                "Ne l'ouvrir que si son origine est sûre.",
                "IHE XDM",
            )
        yield name, None


def _document(
    unpacked: _Unpacked, name: str, meta: DocumentMetadata | None, terminology: Terminology
) -> ArchivedDocument:
    data = unpacked.members[name]
    reading = cda.read(data, terminology) if _is_xml(name, data) else None
    if meta is not None:
        _verify(unpacked.trail, name, data, meta)
        if reading is not None and reading.document is not None:
            _agree(unpacked.trail, name, meta, reading.document)
    return ArchivedDocument(name, data, meta, reading)


def _is_xml(name: str, data: bytes) -> bool:
    return name.casefold().endswith(".xml") or data.removeprefix(_BOM).lstrip()[:1] == b"<"


def _verify(trail: Trail, name: str, data: bytes, meta: DocumentMetadata) -> None:
    """Hash and size of the metadata against the bytes; both may have been taken without the byte order mark."""
    at = f"/{name}"
    forms = (data, data.removeprefix(_BOM))
    if not meta.hash or meta.size is None:
        trail.doubt(
            "RDB-074",
            at,
            "Empreinte ou taille absente des métadonnées.",
            "Ne pas exclure qu'il ait changé depuis son envoi.",
            "IHE XDM",
        )
    if meta.hash and meta.hash.casefold() not in {_sha1(form) for form in forms}:
        message = "Le document n'a pas l'empreinte annoncée : il a changé depuis son envoi."
        trail.fault("RDB-075", at, message, "Ne pas s'y fier, demander un nouvel envoi.", "IHE XDM")
    if meta.size is not None and meta.size not in {len(form) for form in forms}:
        message = f"Le document n'a pas la taille annoncée ({len(data)} au lieu de {meta.size} octets)."
        trail.fault("RDB-076", at, message, "Ne pas s'y fier, demander un nouvel envoi.", "IHE XDM")


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()  # the digest that XDS prescribes


def _agree(trail: Trail, name: str, meta: DocumentMetadata, document: ClinicalDocument) -> None:
    """The metadata must be what the document says: a receiver files by them without reading it."""
    header = document.header
    held = {header.patient.ins, *header.patient.local_ids}
    pairs = (
        ("identifiant du document", not meta.unique_id or meta.unique_id == header.id),
        ("type", meta.type is None or meta.type.code == header.type.code),
        ("patient", meta.patient_id is None or meta.patient_id in held),
    )
    for what, same in pairs:
        if not same:
            message = f"Les métadonnées et le document se contredisent : {what}."
            advice = "Ne pas classer sans vérifier le patient et le document."
            trail.fault("RDB-077", f"/{name}", message, advice, "IHE XDM")
