"""An XDM archive against its own rules: layout, hashes, metadata, and metadata against documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from gateway.sandbox import ebrim
from gateway.sandbox.cda import CdaHeader, read_header
from gateway.sandbox.crosscheck import cross_check
from gateway.sandbox.dmp.package import sha1
from gateway.sandbox.ebrim import RegistryObject, Submission
from gateway.sandbox.metadata import MAIL_RULES, check_entry, check_set
from gateway.sandbox.problems import Problem
from gateway.sandbox.xdm import Archive
from gateway.sandbox.xml import XmlError

_CODE = "MSS-XDM"


def check_archive(archive: Archive) -> tuple[list[Problem], list[CdaHeader]]:
    """Defects of the archive, and the headers of the documents that could be read, in order."""
    problems = [*_layout(archive), *archive.submission.problems, *_members(archive.submission)]
    headers: list[CdaHeader] = []
    if archive.submission.set is not None:
        problems += check_set(archive.submission.set, MAIL_RULES)
    for entry in archive.submission.entries:
        problems += check_entry(entry, MAIL_RULES)
        problems += _entry(entry, archive, headers)
    return problems, headers


def _layout(archive: Archive) -> Iterator[Problem]:
    for name in ("INDEX.HTM", "README.TXT", "IHE_XDM/SUBSET01/METADATA.XML"):
        if name not in archive.names:
            yield Problem(_CODE, name, f"{name} absent de l'archive")
    if not archive.submission.entries:
        yield Problem(_CODE, "METADATA.XML", "aucun document décrit")
    described = {entry.slot("URI").upper() for entry in archive.submission.entries}
    for name in archive.documents:
        if name not in described:
            yield Problem(_CODE, name, "fichier sans fiche dans METADATA.XML")


def _members(submission: Submission) -> Iterator[Problem]:
    """One HasMember per document, from the set (the ANS tool points to a random UUID)."""
    owner = submission.set.id if submission.set is not None else ""
    counts = Counter(
        link.target
        for link in submission.associations
        if link.type == ebrim.HAS_MEMBER
        and link.source == owner
        and link.slots.get("SubmissionSetStatus") == ("Original",)
    )
    for entry in submission.entries:
        if counts[entry.id] != 1:
            yield Problem(_CODE, entry.label, "une association HasMember (Original) attendue")


def _entry(entry: RegistryObject, archive: Archive, headers: list[CdaHeader]) -> Iterator[Problem]:
    content = archive.documents.get(entry.slot("URI").upper())
    if content is None:
        yield Problem(_CODE, f"{entry.label}/URI", "URI sans fichier dans l'archive")
        return
    if entry.slot("hash").lower() != sha1(content):
        yield Problem(_CODE, f"{entry.label}/hash", "hash absent ou différent du SHA-1 du fichier")
    if entry.slot("size") != str(len(content)):
        yield Problem(_CODE, f"{entry.label}/size", "size absent ou différent de la taille du fichier")
    if content.startswith(b"\xef\xbb\xbf"):
        yield Problem(_CODE, entry.label, "le CDA commence par une marque BOM")
    try:
        header = read_header(content)
    except XmlError as fault:
        yield Problem(_CODE, entry.label, f"CDA illisible : {fault}")
        return
    headers.append(header)
    yield from cross_check(entry, header)
