"""A document on paper: the frozen PDF behind a page for date, name and signature (issue "remettre en main propre")."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from gateway import wording
from gateway.engine import remake, stored
from gateway.errors import InputError
from gateway.findings import Finding, error
from gateway.render.pdf import handout
from gateway.validate import pdf as pdf_check

if TYPE_CHECKING:
    from gateway.document.model import Header
    from gateway.engine.linked import Office
    from gateway.records.people import Visibility
    from gateway.store.base import DeliveryRow

_HIDDEN = "INVISIBLE_PATIENT"
_HIDDEN_REPRESENTATIVES = "INVISIBLE_REPRESENTANTS_LEGAUX"


def make(office: Office, delivery_id: str) -> bytes:
    """The file to print, PDF/A-1 as far as can be checked. Changes nothing in the store.

    Raises InputError with the findings: `PRT-001` hidden from the patient, `PRT-002` the patient objects to that
    reader, `PRT-003` withdrawn, `PRT-004` nothing to hand over; NotFoundError (DOC-410) once erased.
    """
    row = office.store.delivery(delivery_id).row
    document = office.store.document(row.document_id)
    context = remake.context_of(office.store, delivery_id)
    edition = remake.edition_of(office.store, row.document_id, office.world.terminology, context)
    if edition is None:
        edition = next(remake.editions(office.store, row.document_id, office.world.terminology))
    header = edition.document.header
    submission = stored.submission(office.store, document)
    visibility = None if submission is None else submission.visibility
    found = _refusals(row, header, visibility, withdrawn=document.withdrawn is not None)
    if found:
        raise InputError(found, "Ce document ne se remet pas sur papier.")
    handing = handout.Handing(delivery_id, _reason(row), _reader(row), minor=_hidden(header, visibility)[1])
    return _joined(handout.cover(header, handing, document.accepted_at.replace(microsecond=0)), edition.pdf)


def _hidden(header: Header, visibility: Visibility | None) -> tuple[bool, bool]:
    """Hidden from the patient, from the legal representatives: by what was submitted, or by the metadata."""
    codes = {code.code for code in header.visibility}
    said = (visibility.hidden_from_patient, visibility.hidden_from_representatives) if visibility else (False, False)
    return _HIDDEN in codes or said[0], _HIDDEN_REPRESENTATIVES in codes or said[1]


def _refusals(row: DeliveryRow, header: Header, visibility: Visibility | None, *, withdrawn: bool) -> list[Finding]:
    if withdrawn:
        return [_no("PRT-003", "Ce document a été annulé.", "Ne pas le remettre.")]
    if row.purpose != "document":
        return [_no("PRT-004", "Une annulation ne se remet pas : prévenir par téléphone.", "Puis queue handed.")]
    if _hidden(header, visibility)[0] and _reader(row) is None:
        advice = "Le lui annoncer de vive voix, puis lever le masquage."
        return [_no("PRT-001", "Ce document est caché au patient.", advice)]
    if row.reason == "DST-OPPOSITION" and row.destination in {"medecin_traitant", "professional"}:
        return [
            _no("PRT-002", "Le patient s'oppose à ce que ce professionnel reçoive ce document.", "Respecter ce choix.")
        ]
    return []


def _no(code: str, message: str, advice: str) -> Finding:
    return error(code, "/delivery", message, advice)


def _reader(row: DeliveryRow) -> str | None:
    """The professional that it was meant for; None: the patient gets it."""
    named = row.destination in {"medecin_traitant", "professional"} and row.reason != "DST-NO-MT"
    return wording.destination(row.destination) if named else None


def _reason(row: DeliveryRow) -> str:
    if wording.returned(row.receipt_reason):
        return "returned"
    if row.reason is not None and handout.knows(row.reason):
        return row.reason
    return "refused" if row.state == "dead" else "other"


def _joined(cover: bytes, document: bytes) -> bytes:
    """The cover before the document, whose own pages and metadata stay as they are. Raises InputError (PDF-...) where
    the result would not pass the checks that any PDF passes here.
    """
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import NameObject

    writer = PdfWriter(clone_from=io.BytesIO(document))
    [page] = PdfReader(io.BytesIO(cover)).pages
    page = writer.insert_page(page, 0)
    page.pop(NameObject("/StructParents"), None)  # numbers of another tree
    out = io.BytesIO()
    writer.write(out)
    joined = out.getvalue()
    found = pdf_check.check(joined)
    if found:
        raise InputError(found, "Le fichier à imprimer n'est pas conforme.")
    return joined
