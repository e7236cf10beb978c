"""What a strict receiver notices in an MSSanté mail (spec mssante §1-2), with readers of its own.

A report: the operator stores the mail whatever it says, unless it is set to be strict. The archive itself is
read by `xdm_check.py`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

from gateway.sandbox import ebrim
from gateway.sandbox.cda import CdaHeader
from gateway.sandbox.hl7 import parse_cx
from gateway.sandbox.mailboxes import PATIENT_DOMAIN
from gateway.sandbox.problems import Problem
from gateway.sandbox.xdm import Archive, XdmError, read_archive
from gateway.sandbox.xdm_check import check_archive

HEADER, SUBJECT, ARCHIVE, PDF, PATIENT = "MSS-HEADER", "MSS-SUBJECT", "MSS-XDM", "MSS-PDF", "MSS-PATIENT"
SUBJECT_PREFIX = "XDM/1.0/DDM+"
_CORRECTION = "[Annule et remplace] "
_LABEL = 40
_PDF_NAME = re.compile(r"(\d{8})_([^_/\\]{1,40})_([^_/\\]+)_([^_/\\]+)(?:_[^_/\\]+)?\.pdf")
_REQUIRED = ("From", "To", "Message-ID", "Date", "Subject", "X-MSS-NIL")


def check_mail(content: bytes, sender: str, recipients: Sequence[str]) -> list[Problem]:
    """Everything that a receiver's software could complain about. Never raises: a mail must not be lost for it."""
    try:
        return _check(content, sender, recipients)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as fault:
        # The standard library's header parser raises all of these on what is malformed enough.
        return [Problem(HEADER, "message", f"courriel illisible ({type(fault).__name__})")]


def _check(content: bytes, sender: str, recipients: Sequence[str]) -> list[Problem]:
    message = BytesParser(policy=policy.default).parsebytes(content)
    assert isinstance(message, EmailMessage)
    problems = [*_headers(message, sender, recipients), *_body(message)]
    archives = [part for part in message.iter_attachments() if _name(part).lower() == "ihe_xdm.zip"]
    if not archives:
        problems += _without_archive(message)
    elif len(archives) > 1:
        problems.append(Problem(ARCHIVE, "attachments", "une seule archive IHE_XDM.ZIP attendue"))
    else:
        problems += _with_archive(message, archives[0], recipients)
    return problems


def _name(part: EmailMessage) -> str:
    return part.get_filename() or ""


def _headers(message: EmailMessage, sender: str, recipients: Sequence[str]) -> Iterator[Problem]:
    for name in _REQUIRED:
        values = message.get_all(name, [])
        if len(values) != 1 or not str(values[0]).strip():
            yield Problem(HEADER, name, f"en-tête {name} attendu une fois")
    if message.get("Return-Path") is not None:
        yield Problem(HEADER, "Return-Path", "Return-Path est écrit par le serveur, pas par l'émetteur")
    yield from _sender(message, sender)
    visible = {a.addr_spec.lower() for n in ("To", "Cc") for h in message.get_all(n, []) for a in h.addresses}
    if not {item.lower() for item in recipients} <= visible:
        yield Problem(HEADER, "To", "destinataire d'enveloppe absent de To et Cc")
    if message.get("X-MSS-MES") is not None and (str(message["X-MSS-MES"]) != "FIN" or not _to_patient(recipients)):
        yield Problem(HEADER, "X-MSS-MES", "« FIN », et seulement vers un patient (ECO.2.2.8)")


def _sender(message: EmailMessage, sender: str) -> Iterator[Problem]:
    """Display name required (ECO.2.2.7); From and the receipt's address are the envelope's (RFC 8098 §2.1)."""
    authors = message["From"].addresses if message.get("From") is not None else ()
    if any(not item.display_name for item in authors):
        yield Problem(HEADER, "From", "nom d'affichage obligatoire (ECO.2.2.7)")
    if authors and sender.lower() not in {item.addr_spec.lower() for item in authors}:
        yield Problem(HEADER, "From", "From diffère de l'émetteur de l'enveloppe")
    receipt = message.get("Disposition-Notification-To")
    if receipt is not None and sender.lower() not in str(receipt).lower():
        yield Problem(HEADER, "Disposition-Notification-To", "l'adresse d'accusé n'est pas celle de l'émetteur")


def _to_patient(recipients: Sequence[str]) -> bool:
    return any(address.lower().endswith(f"@{PATIENT_DOMAIN}") for address in recipients)


def _body(message: EmailMessage) -> Iterator[Problem]:
    """A text part in UTF-8 (ECO.2.2.3, ECO.2.2.4)."""
    found = message.get_body(("plain",))
    if found is None:
        yield Problem(HEADER, "Content-Type", "partie text/plain attendue (ECO.2.2.4)")
    elif found.get_content_charset("us-ascii").lower() not in {"utf-8", "us-ascii"}:
        yield Problem(HEADER, "Content-Type", "texte en UTF-8 attendu (ECO.2.2.3)")


def _without_archive(message: EmailMessage) -> Iterator[Problem]:
    for name in ("X-MSS-CODECDA", "X-MSS-INS"):
        if message.get(name) is not None:
            yield Problem(HEADER, name, f"{name} sans archive IHE_XDM")
    if SUBJECT_PREFIX in str(message.get("Subject", "")):
        yield Problem(SUBJECT, "Subject", "préfixe XDM/1.0/DDM+ sans archive IHE_XDM")


def _with_archive(message: EmailMessage, part: EmailMessage, recipients: Sequence[str]) -> Iterator[Problem]:
    if part.get_content_type() != "application/zip":
        yield Problem(ARCHIVE, "Content-Type", "application/zip attendu pour IHE_XDM.ZIP")
    data = part.get_payload(decode=True)
    try:
        archive = read_archive(data if isinstance(data, bytes) else b"")
    except XdmError as fault:
        yield Problem(ARCHIVE, "IHE_XDM.ZIP", str(fault))
        return
    problems, headers = check_archive(archive)
    yield from problems
    if headers:
        yield from _subject(message, headers)
        yield from _mss_headers(message, headers)
        yield from _pdfs(message, headers)
        yield from _one_patient(archive, headers, recipients)


def _subject(message: EmailMessage, headers: list[CdaHeader]) -> Iterator[Problem]:
    """`XDM/1.0/DDM+<libellé> <NOM> <prénom> [date]` (ECO.2.1.3), accents of the label tolerated."""
    subject = str(message.get("Subject", "")).removeprefix(_CORRECTION)
    label, one = headers[0].code.display, len(headers) == 1
    wanted = {ascii_text(label)[:_LABEL], ascii_text(label[:_LABEL])} if one else {f"{len(headers)} documents"}
    patient = headers[0].patient
    who = f"{ascii_text(patient.birth_family).upper()} {ascii_text(patient.first_given)}".strip()
    said = ascii_text(subject)
    if not any(said.startswith(f"{SUBJECT_PREFIX}{start.rstrip()} {who}") for start in wanted):
        yield Problem(SUBJECT, "Subject", "objet XDM/1.0/DDM+<libellé> <NOM> <prénom> attendu (ECO.2.1.3)")
    raw = without_controls(subject)
    if raw != subject:
        yield Problem(SUBJECT, "Subject", "caractère de contrôle dans l'objet")


def ascii_text(text: str) -> str:
    """Text without accents, the two ligatures written out."""
    spread = text.replace("œ", "oe").replace("Œ", "OE").replace("æ", "ae").replace("Æ", "AE").replace("’", "'")
    return unicodedata.normalize("NFKD", spread).encode("ascii", "ignore").decode()


def without_controls(text: str) -> str:
    """Text without control characters."""
    return "".join(char for char in text if unicodedata.category(char) != "Cc")


def _mss_headers(message: EmailMessage, headers: list[CdaHeader]) -> Iterator[Problem]:
    """X-MSS headers derive from the documents (ECO.2.4)."""
    codes = ",".join(header.code.code for header in headers)
    if str(message.get("X-MSS-CODECDA", "")) != codes:
        yield Problem(HEADER, "X-MSS-CODECDA", f"« {codes} » attendu d'après les documents")
    qualified = all(header.patient.ins and header.patient.has_traits for header in headers)
    if str(message.get("X-MSS-INS", "")) != ("O" if qualified else "N"):
        yield Problem(HEADER, "X-MSS-INS", f"« {'O' if qualified else 'N'} » attendu d'après les documents")


def _pdfs(message: EmailMessage, headers: list[CdaHeader]) -> Iterator[Problem]:
    """The same documents as PDF/A-1 beside the archive (ECO.2.1.5), named by ECO.2.1.6."""
    pdfs = [part for part in message.iter_attachments() if part.get_content_type() == "application/pdf"]
    if len(pdfs) != len(headers):
        yield Problem(PDF, "attachments", f"{len(headers)} PDF attendu(s), {len(pdfs)} trouvé(s)")
    for part in pdfs:
        yield from _pdf_name(_name(part), headers)
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes) or not content.startswith(b"%PDF-"):
            yield Problem(PDF, "content", "pièce jointe PDF illisible")


def _pdf_name(name: str, headers: list[CdaHeader]) -> Iterator[Problem]:
    found = _PDF_NAME.fullmatch(name)
    if found is None:
        yield Problem(PDF, "filename", "nom <AAAAMMJJ>_<type>_<NOM>_<prénom>.pdf attendu (ECO.2.1.6)")
        return
    date, kind, family, _ = found.groups()
    if date not in {header.services[0][0][:8] for header in headers if header.services}:
        yield Problem(PDF, "filename", "la date du nom n'est pas celle de l'acte (serviceEvent)")
    if not any(ascii_text(header.code.display).startswith(ascii_text(kind)) for header in headers):
        yield Problem(PDF, "filename", "le type du nom n'est pas celui du document")
    if family != family.upper() or ascii_text(family) != ascii_text(headers[0].patient.birth_family).upper():
        yield Problem(PDF, "filename", "le nom de famille n'est pas celui du patient, en majuscules")


def _one_patient(archive: Archive, headers: list[CdaHeader], recipients: Sequence[str]) -> Iterator[Problem]:
    """Exactly one patient a mail (ECO.2.1.1), the one whose mailbox receives it if it is a patient's."""
    if len({header.patient.ids for header in headers}) > 1:
        yield Problem(PATIENT, "IHE_XDM.ZIP", "un courriel ne concerne qu'un patient")
    owner = archive.submission.set
    if owner is not None and not _is_of(owner.identifier(ebrim.SET_PATIENT), headers[0]):
        yield Problem(PATIENT, "METADATA.XML", "patientId du lot absent des documents")
    for address in recipients:
        name, _, domain = address.lower().rpartition("@")
        if domain == PATIENT_DOMAIN and name.upper() not in {value for _, value in headers[0].patient.ins}:
            yield Problem(PATIENT, "RCPT", "boîte d'un autre patient que celui du document")


def _is_of(value: str, header: CdaHeader) -> bool:
    try:
        patient = parse_cx(value)
    except ValueError:
        return False
    return (patient.oid, patient.id) in header.patient.ids
