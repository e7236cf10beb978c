"""The header in full, label and value: what the first page may have shortened stands here whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.render.pdf import people
from gateway.render.pdf.legible import long_date, moment, wording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.document.model import Header
    from gateway.terminology import Terminology


def facts(header: Header, terminology: Terminology) -> list[list[str]]:
    """Label and value of each fact that is known."""
    names = wording()["facts"]
    return [[names[key], text] for key, text in (*_document(header), *_people(header, terminology)) if text]


def _document(header: Header) -> Iterator[tuple[str, str]]:
    start, stop = long_date(header.service_start.date()), header.service_stop
    marks = [header.confidentiality, *header.visibility]
    yield "title", header.title
    yield "type", header.type.display
    yield "date", moment(header.effective_time)
    yield "service", start if stop is None else f"{start} – {long_date(stop.date())}"
    yield "confidentiality", ", ".join(code.display for code in marks)
    yield "document_id", header.id
    yield "set_id", f"{header.set_id}, {wording()['words']['version']} {header.version}"
    if header.replaces is not None:
        words = wording()["words"]
        yield "replaces", f"{header.replaces.id}, {words['version']} {header.replaces.version}"
    yield "own_id", header.author_document_id
    yield "software", header.software


def _people(header: Header, terminology: Terminology) -> Iterator[tuple[str, str]]:
    patient, author = header.patient, header.author
    yield "patient", " · ".join([people.usual_name(patient), *people.patient_lines(header)])
    yield "local_ids", " · ".join(f"{number.extension} ({number.root})" for number in patient.local_ids)
    yield "address", people.postal(patient.address)
    yield "contact", " · ".join(people.contact(point) for point in patient.telecoms)
    yield "author", " · ".join([people.full_name(author.name), *people.author_lines(header)])
    yield "author_id", f"{author.id.extension} ({author.id.root})" if author.id.extension else ""
    yield "organization", header.custodian.name
    number = header.custodian.id
    yield "organization_id", f"{number.extension} ({number.root})" if number.extension else ""
    for addressee in header.addressees:
        contacts = [people.contact(point) for point in addressee.professional.telecoms]
        yield "recipient", " · ".join([people.recipient(addressee, terminology), *contacts])
    if header.medecin_traitant:
        yield "doctor", people.full_name(header.medecin_traitant.name)
