"""Reader of an IHE XDM archive: the ZIP, its METADATA.XML, its documents (spec mssante §2)."""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass

from gateway.sandbox.ebrim import Submission, read_submission
from gateway.sandbox.xml import XmlError, parse

_MAX_CONTENT = 64 * 1024 * 1024
_MAX_MEMBERS = 500
# What the standard library raises on a damaged, encrypted or strangely compressed archive.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, RuntimeError, EOFError)
_SUBSET = "IHE_XDM/SUBSET01/"


class XdmError(ValueError):
    """The archive cannot be read; the message is French."""


@dataclass(frozen=True, slots=True)
class Archive:
    """Names as stored, the submission of METADATA.XML, and the files of the subset by upper-case name."""

    names: tuple[str, ...]
    submission: Submission
    documents: dict[str, bytes]


def read_archive(data: bytes) -> Archive:
    """Read an IHE_XDM.ZIP. Raises XdmError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read(archive)
    except XdmError:
        raise
    except XmlError as fault:
        raise XdmError(f"METADATA.XML : {fault}") from fault
    except _UNREADABLE as fault:
        raise XdmError("archive ZIP illisible") from fault


def _read(archive: zipfile.ZipFile) -> Archive:
    members = [info for info in archive.infolist() if not info.filename.endswith("/")]
    _check_members(members)
    by_name = {info.filename.upper(): archive.read(info) for info in members}
    if _SUBSET + "METADATA.XML" not in by_name:
        raise XdmError("METADATA.XML absent de IHE_XDM/SUBSET01")
    submission = read_submission(parse(by_name[_SUBSET + "METADATA.XML"]))
    documents = {
        name.removeprefix(_SUBSET): content
        for name, content in by_name.items()
        if name.startswith(_SUBSET) and not name.endswith("METADATA.XML")
    }
    return Archive(tuple(info.filename for info in members), submission, documents)


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    for info in members:
        if info.filename.startswith("/") or ".." in info.filename or "\\" in info.filename:
            raise XdmError("chemin interdit dans l'archive")
    # No member gives more than it declares: the library stops reading there.
    if len(members) > _MAX_MEMBERS or sum(info.file_size for info in members) > _MAX_CONTENT:
        raise XdmError("archive trop grosse une fois décompressée")
    if len({info.filename.upper() for info in members}) != len(members):
        raise XdmError("deux fichiers de même nom dans l'archive")
    upper = [info.filename.upper() for info in members]
    if len(set(upper)) != len(upper):
        raise XdmError("deux fichiers du même nom dans l'archive")
