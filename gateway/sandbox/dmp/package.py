"""The body of ITI-41: documents and metadata tied together, both ways (spec dmp §1.2)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from gateway.sandbox.dmp.mtom import XOP, Mtom, content_id
from gateway.sandbox.ebrim import LCM, SET_UNIQUE, RegistryObject, Submission, read_submission
from gateway.sandbox.problems import (
    MISSING_DOCUMENT,
    MISSING_METADATA,
    OTHER_HASH,
    OTHER_SIZE,
    REPOSITORY,
    Problem,
)
from gateway.sandbox.xml import Element, XmlError, children, text

XDSB = "urn:ihe:iti:xds-b:2007"
_NS = {"xds": XDSB, "lcm": LCM, "xop": XOP}


@dataclass(frozen=True, slots=True)
class Package:
    """A submission and the bytes of its documents, by entry id; `problems` of the packaging itself."""

    submission: Submission
    contents: dict[str, bytes]
    problems: tuple[Problem, ...]

    @property
    def set_unique_id(self) -> str:
        """uniqueId of the submission set, empty when it cannot be read."""
        found = self.submission.set
        return found.identifier(SET_UNIQUE) if found is not None else ""


def read_package(payload: Element, mtom: Mtom) -> Package:
    """Read a ProvideAndRegisterDocumentSetRequest. Raises XmlError when it is not one."""
    if payload.tag != f"{{{XDSB}}}ProvideAndRegisterDocumentSetRequest":
        raise XmlError("ProvideAndRegisterDocumentSetRequest attendu dans le Body")
    requests = payload.findall("lcm:SubmitObjectsRequest", _NS)
    if len(requests) != 1:
        raise XmlError("un lcm:SubmitObjectsRequest attendu")
    submission = read_submission(requests[0])
    reader = _Reader(mtom)
    for document in payload.findall("xds:Document", _NS):
        reader.read(document)
    reader.match(submission.entries)
    return Package(submission, reader.contents, tuple(reader.problems))


class _Reader:
    """Resolves the documents of one request."""

    def __init__(self, mtom: Mtom) -> None:
        self.mtom = mtom
        self.contents: dict[str, bytes] = {}
        self.failed: set[str] = set()
        self.problems: list[Problem] = []
        self.used: set[str] = set()
        if not mtom.multipart:
            self._fault(REPOSITORY, "Document", "MTOM/XOP obligatoire (EX_2.1-1260)")

    def _fault(self, code: str, location: str, message: str) -> None:
        self.problems.append(Problem(code, location, message))

    def read(self, document: Element) -> None:
        """Find the bytes of one xds:Document."""
        name = document.get("id", "")
        if name in self.contents or name in self.failed:
            self._fault(REPOSITORY, f"Document[{name}]", f"Document id « {name} » répété")
            return
        content = self._content(document, name)
        if content is None:
            self.failed.add(name)
        else:
            self.contents[name] = content

    def _content(self, document: Element, name: str) -> bytes | None:
        where = f"Document[{name}]"
        inside = children(document)
        if len(inside) != 1 or inside[0].tag != f"{{{XOP}}}Include" or text(document):
            self._fault(REPOSITORY, where, "xop:Include attendu : le contenu en ligne est refusé")
            return None
        wanted = content_id(inside[0].get("href", ""))
        found = self.mtom.attachments.get(wanted)
        if found is None:
            self._fault(MISSING_DOCUMENT, where, f"aucune partie MIME de Content-ID « {wanted} »")
        elif wanted in self.used:
            self._fault(REPOSITORY, where, f"Content-ID « {wanted} » désigné deux fois")
        self.used.add(wanted)
        return found

    def match(self, entries: list[RegistryObject]) -> None:
        """Each entry has its document, each document its entry, each part its document."""
        ids = {entry.id for entry in entries}
        for entry in entries:
            if entry.id in self.contents:
                self._check_bytes(entry, self.contents[entry.id])
            elif entry.id not in self.failed:
                self._fault(MISSING_DOCUMENT, entry.label, "fiche sans document (Document/@id)")
        for name in (self.contents.keys() | self.failed) - ids:
            self._fault(MISSING_METADATA, f"Document[{name}]", f"Document « {name} » sans ExtrinsicObject")
        for extra in sorted(self.mtom.attachments.keys() - self.used):
            self._fault(MISSING_METADATA, extra, f"partie MIME « {extra} » désignée par aucun Document")

    def _check_bytes(self, entry: RegistryObject, content: bytes) -> None:
        """hash and size are optional in the request and checked when present (SHA-1 hex, octets)."""
        stated = entry.slot("hash")
        if stated and stated.lower() != sha1(content):
            self._fault(OTHER_HASH, f"{entry.label}/hash", "hash différent du SHA-1 du document reçu")
        size = entry.slot("size")
        if size and size != str(len(content)):
            self._fault(OTHER_SIZE, f"{entry.label}/size", f"size {size}, {len(content)} octets reçus")


def sha1(content: bytes) -> str:
    """SHA-1 in hexadecimal: XDS fixes it for DocumentEntry.hash."""
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
