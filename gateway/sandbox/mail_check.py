"""What a strict receiver notices in an MSSanté mail (spec mssante §1-2), with readers of its own.

A report: the operator stores the mail whatever it says, unless it is set to be strict.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

from gateway.sandbox import ebrim
from gateway.sandbox.cda import CdaHeader, read_header
from gateway.sandbox.crosscheck import cross_check
from gateway.sandbox.dmp.package import sha1
from gateway.sandbox.ebrim import RegistryObject
from gateway.sandbox.hl7 import parse_cx
from gateway.sandbox.mailboxes import PATIENT_DOMAIN
from gateway.sandbox.problems import Problem
from gateway.sandbox.xdm import Archive, XdmError, read_archive
from gateway.sandbox.xml import XmlError

SUBJECT_PREFIX = "XDM/1.0/DDM+"
_CORRECTION = "[Annule et remplace] "
_PDF_NAME = re.compile(r"(?P<date>\d{8})_(?P<type>[^_/\\]{1,40})_(?P<family>[^_/\\a-z]+)_[^_/\\]+(_[^_/\\]+)?\.pdf")
_REQUIRED = ("From", "To", "Message-ID", "Date", "Subject", "X-MSS-NIL")


def check_mail(content: bytes, recipients: Sequence[str]) -> list[Problem]:
    """Everything that a receiver's software could complain about."""
    message = BytesParser(policy=policy.default).parsebytes(content)
    assert isinstance(message, EmailMessage)
    problems = [*_headers(message, recipients)]
    archives = [part for part in message.iter_attachments() if _name(part).lower() == "ihe_xdm.zip"]
    if not archives:
        problems += _without_archive(message)
    elif len(archives) > 1:
        problems.append(_say("MSS-XDM", "attachments", "une seule archive IHE_XDM.ZIP attendue"))
    else:
        problems += _with_archive(message, archives[0], recipients)
    return problems


def _say(code: str, location: str, message: str) -> Problem:
    return Problem(code, location, message)


def _name(part: EmailMessage) -> str:
    return part.get_filename() or ""


def _headers(message: EmailMessage, recipients: Sequence[str]) -> Iterator[Problem]:
    for name in _REQUIRED:
        if len(message.get_all(name, [])) != 1:
            yield _say("MSS-HEADER", name, f"en-tête {name} attendu une fois")
    if message.get("Return-Path") is not None:
        yield _say("MSS-HEADER", "Return-Path", "Return-Path est écrit par le serveur, pas par l'émetteur")
    sender = message.get("From")
    if sender is not None and not all(item.display_name for item in sender.addresses):
        yield _say("MSS-HEADER", "From", "nom d'affichage obligatoire (ECO.2.2.7)")
    visible = {a.addr_spec.lower() for n in ("To", "Cc") for h in message.get_all(n, []) for a in h.addresses}
    if not {item.lower() for item in recipients} <= visible:
        yield _say("MSS-HEADER", "To", "destinataire d'enveloppe absent de To et Cc")


def _without_archive(message: EmailMessage) -> Iterator[Problem]:
    for name in ("X-MSS-CODECDA", "X-MSS-INS"):
        if message.get(name) is not None:
            yield _say("MSS-HEADER", name, f"{name} sans archive IHE_XDM")
    if str(message.get("Subject", "")).startswith(SUBJECT_PREFIX):
        yield _say("MSS-SUBJECT", "Subject", "préfixe XDM/1.0/DDM+ sans archive IHE_XDM")


def _with_archive(message: EmailMessage, part: EmailMessage, recipients: Sequence[str]) -> Iterator[Problem]:
    subject = str(message.get("Subject", "")).removeprefix(_CORRECTION)
    if not subject.startswith(SUBJECT_PREFIX):
        yield _say("MSS-SUBJECT", "Subject", "objet XDM/1.0/DDM+<libellé> <NOM> <prénom> attendu (ECO.2.1.3)")
    try:
        archive = read_archive(part.get_content())
    except XdmError as fault:
        yield _say("MSS-XDM", "IHE_XDM.ZIP", str(fault))
        return
    yield from _layout(archive)
    yield from archive.submission.problems
    headers: list[CdaHeader] = []
    for entry in archive.submission.entries:
        yield from _entry(entry, archive, headers)
    if headers:
        yield from _coherence(message, subject, headers)
        yield from _one_patient(archive, headers, recipients)


def _layout(archive: Archive) -> Iterator[Problem]:
    for name in ("INDEX.HTM", "README.TXT", "IHE_XDM/SUBSET01/METADATA.XML"):
        if name not in archive.names:
            yield _say("MSS-XDM", name, f"{name} absent de l'archive")
    if not archive.submission.entries:
        yield _say("MSS-XDM", "METADATA.XML", "aucun document décrit")
    described = {entry.slot("URI").upper() for entry in archive.submission.entries}
    for name in archive.documents:
        if name not in described:
            yield _say("MSS-XDM", name, "fichier sans fiche dans METADATA.XML")


def _entry(entry: RegistryObject, archive: Archive, headers: list[CdaHeader]) -> Iterator[Problem]:
    content = archive.documents.get(entry.slot("URI").upper())
    if content is None:
        yield _say("MSS-XDM", entry.label, "URI sans fichier dans l'archive")
        return
    if entry.slot("hash").lower() != sha1(content):
        yield _say("MSS-XDM", f"{entry.label}/hash", "hash absent ou différent du SHA-1 du fichier")
    if entry.slot("size") != str(len(content)):
        yield _say("MSS-XDM", f"{entry.label}/size", "size absent ou différent de la taille du fichier")
    if content.startswith(b"\xef\xbb\xbf"):
        yield _say("MSS-XDM", entry.label, "le CDA commence par une marque BOM")
    try:
        header = read_header(content)
    except XmlError as fault:
        yield _say("MSS-XDM", entry.label, f"CDA illisible : {fault}")
        return
    headers.append(header)
    yield from cross_check(entry, header)


def _coherence(message: EmailMessage, subject: str, headers: list[CdaHeader]) -> Iterator[Problem]:
    """X-MSS headers, subject and PDF names all derive from the documents (ECO.2.1, ECO.2.4)."""
    codes = ",".join(header.code.code for header in headers)
    if str(message.get("X-MSS-CODECDA", "")) != codes:
        yield _say("MSS-HEADER", "X-MSS-CODECDA", f"« {codes} » attendu d'après les documents")
    qualified = all(header.patient.ins and header.patient.has_traits for header in headers)
    if str(message.get("X-MSS-INS", "")) != ("O" if qualified else "N"):
        yield _say("MSS-HEADER", "X-MSS-INS", f"« {'O' if qualified else 'N'} » attendu d'après les documents")
    if len(headers) > 1 and not subject.startswith(f"{SUBJECT_PREFIX}{len(headers)} documents "):
        yield _say("MSS-SUBJECT", "Subject", f"libellé « {len(headers)} documents » attendu")
    yield from _pdfs(message, headers)


def _pdfs(message: EmailMessage, headers: list[CdaHeader]) -> Iterator[Problem]:
    """The same documents as PDF/A-1 beside the archive (ECO.2.1.5), named by ECO.2.1.6."""
    pdfs = [part for part in message.iter_attachments() if part.get_content_type() == "application/pdf"]
    if len(pdfs) != len(headers):
        yield _say("MSS-PDF", "attachments", f"{len(headers)} PDF attendu(s), {len(pdfs)} trouvé(s)")
    dates = {header.services[0][0][:8] for header in headers if header.services}
    for part in pdfs:
        found = _PDF_NAME.fullmatch(_name(part))
        if found is None:
            yield _say("MSS-PDF", "filename", "nom <AAAAMMJJ>_<type>_<NOM>_<prénom>.pdf attendu (ECO.2.1.6)")
        elif found["date"] not in dates:
            yield _say("MSS-PDF", "filename", "la date du nom n'est pas celle de l'acte (serviceEvent)")
        if not part.get_content().startswith(b"%PDF-"):
            yield _say("MSS-PDF", "content", "pièce jointe PDF illisible")


def _one_patient(archive: Archive, headers: list[CdaHeader], recipients: Sequence[str]) -> Iterator[Problem]:
    """Exactly one patient a mail (ECO.2.1.1), the one whose mailbox receives it if it is a patient's."""
    patients = {header.patient.ids for header in headers}
    if len(patients) > 1:
        yield _say("MSS-PATIENT", "IHE_XDM.ZIP", "un courriel ne concerne qu'un patient")
    owner = archive.submission.set
    if owner is not None and not _is_of(owner.identifier(ebrim.SET_PATIENT), headers[0]):
        yield _say("MSS-PATIENT", "METADATA.XML", "patientId du lot absent des documents")
    for address in recipients:
        name, _, domain = address.lower().rpartition("@")
        if domain == PATIENT_DOMAIN and name.upper() not in {value for _, value in headers[0].patient.ins}:
            yield _say("MSS-PATIENT", "RCPT", "boîte d'un autre patient que celui du document")


def _is_of(value: str, header: CdaHeader) -> bool:
    try:
        patient = parse_cx(value)
    except ValueError:
        return False
    return (patient.oid, patient.id) in header.patient.ids
