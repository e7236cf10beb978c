"""What `inspect` prints, in French: header, narrative, entries, metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from gateway.document import model as m

if TYPE_CHECKING:
    from gateway.read.ebrim import DocumentMetadata

Row = tuple[str, str, str, str, str]
_URGENCY = {"programmee": "programmée", "24h": "sous 24 heures", "urgence": "en urgence"}
_SEVERITY = {"legere": "légère", "moderee": "modérée", "grave": "grave"}
_MEASURES = {"pain": "douleur", "vital": "constante", "survey": "score", "result": "mesure"}
_REACHED = {None: "", True: "atteint", False: "non atteint"}


def day(value: date | None) -> str:
    """A date or a time as a French reader writes it, empty where the document said none."""
    if value is None or value.year == 1:
        return ""
    return f"{value:%d/%m/%Y %H:%M}" if isinstance(value, datetime) else f"{value:%d/%m/%Y}"


def number(value: Decimal) -> str:
    """An exact number with a decimal comma."""
    return format(value, "f").replace(".", ",")


def _joined(*parts: str | None) -> str:
    return " ; ".join(part for part in parts if part)


def _code(code: m.Code | None) -> str:
    """A code with its display; empty when nothing was said."""
    if code is None or not code.code:
        return ""
    return f"{code.display} ({code.code})" if code.display else code.code


def _id(identifier: m.Id | None) -> str:
    return "" if identifier is None else _joined(identifier.extension, identifier.root)


def _person(person: m.Professional | None) -> str:
    if person is None:
        return ""
    name = " ".join(part for part in (person.name.prefix, person.name.given, person.name.family) if part)
    mailbox = next((telecom.value.partition(":")[2] for telecom in person.telecoms if telecom.mssante), None)
    return _joined(name, person.rpps and f"RPPS {person.rpps}", person.specialty or _code(person.profession), mailbox)


def header(document: m.ClinicalDocument) -> Iterator[tuple[str, str]]:
    """Label and value of what the header says; what it does not say is left out."""
    return ((label, value) for label, value in _header(document.header) if value)


def _header(head: m.Header) -> Iterator[tuple[str, str]]:
    yield "Titre", head.title
    yield "Type", _code(head.type)
    yield "Date", day(head.effective_time)
    yield "Document", head.id
    yield "Version", f"{head.version} de {head.set_id}" if head.set_id else str(head.version)
    yield from _patient(head.patient)
    yield "Auteur", _person(head.author)
    yield "Structure", _joined(head.custodian.name, head.custodian.id.extension)
    yield "Médecin traitant", _person(head.medecin_traitant)
    for one in head.addressees:
        yield "Destinataire", _person(one.professional)
    yield "Soins", _joined(day(head.service_start), day(head.service_stop))
    yield "Cadre", _joined(_code(head.practice_setting), _code(head.facility_type), _code(head.encounter))
    yield "Confidentialité", _joined(_code(head.confidentiality), *map(_code, head.visibility))
    yield "Numéro chez l'auteur", head.author_document_id
    if head.episode is not None:
        yield "Épisode", _joined(head.episode.id, f"commencé le {day(head.episode.start)}")
    yield "Logiciel", head.software


def _patient(patient: m.PatientIdentity) -> Iterator[tuple[str, str]]:
    yield "Patient", " ".join((patient.birth_family, *patient.birth_given))
    yield "Nom utilisé", " ".join(part for part in (patient.used_family, patient.used_given) if part)
    yield "Naissance", _joined(day(patient.birth_date), patient.birth_place_name, patient.birth_place_cog)
    yield "Sexe", _code(patient.sex)
    yield "INS", _id(patient.ins)
    for one in patient.local_ids:
        yield "Identifiant local", _id(one)


def narrative(blocks: Iterable[m.Block]) -> Iterator[str]:
    """The text of a section, one line for each line of a reader."""
    for block in blocks:
        match block:
            case m.Paragraph(span):
                yield span.text
            case m.Items(items):
                yield from (f"- {span.text}" for span in items)
            case m.Table():
                yield from _table(block)


def _table(table: m.Table) -> Iterator[str]:
    if table.caption:
        yield table.caption
    lines = [table.columns, *(tuple(cell.text for cell in row) for row in table.rows)]
    flat = [tuple(cell.replace("\n", " / ") for cell in line) for line in lines]
    widths = [max(len(line[place]) for line in flat) for place in range(len(table.columns))]
    for line in flat:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def entry(one: m.Entry, kind: str = "cda") -> Row:  # noqa: PLR0911 - one return for each kind of entry
    """An entry as a row: kind, label, value, date, details. `kind` of the file says which codes it held."""
    match one:
        case m.MeasureEntry():
            return _measure(one, kind)
        case m.ProblemEntry():
            status = "actif" if one.status == "active" else "terminé"
            details = _joined(_side(one.side), one.note)
            return ("problème", _concept(one.concept, kind), status, day(one.onset), details)
        case m.FunctionEntry():
            return ("fonctionnement", _concept(one.concept, kind), "", day(one.effective), "")
        case m.GoalEntry():
            due = f"échéance {day(one.due)}" if one.due else None
            return ("objectif", one.text, _REACHED[one.reached], day(one.start), _joined(_aim(one, kind), due))
        case m.ActEntry():
            until = f"jusqu'au {day(one.stop)}" if one.stop else ""
            name = "acte prévu" if one.mood == "INT" else "acte"
            return (name, _concept(one.concept, kind), "", day(one.start), until)
        case m.SessionEntry():
            return ("séance", f"n° {one.number}" if one.number else "", "", day(one.day), "")
        case m.StatementEntry():
            return ("constat", _concept(one.concept, kind), _concept(one.value, kind), day(one.effective), "")
        case m.ReferralEntry():
            return ("réorientation", one.to, _URGENCY[one.urgency], day(one.day), one.reason)
        case m.AdverseEventEntry():
            return ("événement", one.kind, _SEVERITY[one.severity], day(one.day), _joined(one.identifier, one.detail))


def _aim(one: m.GoalEntry, kind: str) -> str | None:
    """The value that a goal aims at."""
    if one.target is None:
        return None
    unit = one.target.unit if one.target.unit and not one.target.unit.startswith("{") else ""
    value = f"{one.target.comparator} {number(one.target.value)} {unit}".rstrip()
    return f"cible : {_concept(one.target.concept, kind)} {value}"


def _measure(one: m.MeasureEntry, kind: str) -> Row:
    value = number(one.value) if one.value is not None else ""
    unit = one.unit if one.unit and not one.unit.startswith("{") else ""
    said = _code(one.answer) if one.answer is not None else " ".join(part for part in (value, unit) if part)
    details = _joined(
        one.site.text if one.site is not None else None,
        _side(one.side),
        one.context,
        one.aid and f"aide : {one.aid}",
        one.raw and f"noté : {one.raw}",
        one.not_done and f"non mesuré : {one.not_done}",
        "mesure initiale" if one.reference == "initial" else None,
    )
    return (_MEASURES[one.category], _concept(one.concept, kind), said, day(one.effective), details)


def _side(side: m.Code | None) -> str:
    return side.display if side is not None else ""


def _concept(concept: m.Concept, kind: str) -> str:
    """Words and, where the file held one, the code of a terminology."""
    held = concept.fhir[0] if kind == "fhir" and concept.fhir else concept.cda if kind != "fhir" else None
    return f"{concept.text} ({held.code})" if held is not None else concept.text


def metadata(meta: DocumentMetadata) -> Iterator[tuple[str, str]]:
    """Label and value of what XDS metadata say of a document."""
    rows = (
        ("Titre", meta.title),
        ("Type", _code(meta.type)),
        ("Classe", _code(meta.class_code)),
        ("Format", _code(meta.format_code)),
        ("Document", meta.unique_id),
        ("Patient", _id(meta.patient_id)),
        ("Auteur", _joined(meta.author, meta.institution)),
        ("Date (UTC)", day(meta.creation_time)),
        ("Confidentialité", _joined(*map(_code, meta.confidentiality))),
        ("Empreinte SHA-1", meta.hash),
        ("Taille", "" if meta.size is None else f"{meta.size} octets"),
    )
    return ((label, value) for label, value in rows if value)
