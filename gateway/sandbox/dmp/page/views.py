"""Pages of what the DMP holds: patients, documents and their versions, submission sets."""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from gateway.sandbox.dmp.entries import read_back
from gateway.sandbox.dmp.page import narrative
from gateway.sandbox.dmp.page.html import Child, facts, h, hl7_time, link, moment, page, table, words
from gateway.sandbox.dmp.records import DmpAssociation, DmpDocument, DmpPatient, DmpSubmission
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.hl7 import parse_xcn
from gateway.sandbox.xml import Element, XmlError, parse


def patients(store: DmpStore) -> bytes:
    """Every patient of the DMP."""
    rows = [_patient_row(store, patient) for patient in store.patients()]
    heads = ("INS", "Nom de naissance", "DMP", "Autorisation", "Documents", "Dernier dépôt")
    return page("Patients", table("Tous les patients", heads, rows))


def _patient_row(store: DmpStore, patient: DmpPatient) -> tuple[Child, ...]:
    documents = _documents(store, patient)
    sets = _sets(store, patient)
    return (
        link(patient.matricule, "patient", patient.matricule, patient.oid),
        _birth_name(documents),
        words()["patient"][patient.status],
        patient.authorisation,
        str(len(documents)),
        moment(sets[-1].received_at) if sets else "",
    )


def _documents(store: DmpStore, patient: DmpPatient) -> list[DmpDocument]:
    return [one for one in store.documents(patient.matricule) if one.oid == patient.oid]


def _sets(store: DmpStore, patient: DmpPatient) -> list[DmpSubmission]:
    return [one for one in store.submissions(patient.matricule) if one.oid == patient.oid]


def _birth_name(documents: Sequence[DmpDocument]) -> str:
    for document in reversed(documents):
        for value in read_back(document).slots.get("sourcePatientInfo", ()):
            if value.startswith("PID-5|") and value.endswith("^L"):
                return " ".join(filter(None, value.removeprefix("PID-5|").split("^")[:2]))
    return ""


def patient(store: DmpStore, matricule: str, oid: str) -> bytes | None:
    """One DMP: its documents and its submission sets; None when nobody is known by these."""
    found = [one for one in store.patients() if (one.matricule, one.oid) == (matricule, oid)]
    if not found:
        return None
    documents = _documents(store, found[0])
    about = facts(
        [
            ("INS", matricule),
            ("OID de l'INS", oid),
            ("DMP", words()["patient"][found[0].status]),
            ("Autorisation", found[0].authorisation),
        ]
    )
    return page(
        f"Patient {_birth_name(documents) or matricule}",
        about,
        table("Documents", _DOCUMENT_HEADS, map(_document_row, documents)),
        table("Lots de soumission", _SET_HEADS, map(_set_row, _sets(store, found[0]))),
    )


_DOCUMENT_HEADS = ("Titre", "Date", "Auteur", "État", "Visibilité", "Version")
_SET_HEADS = ("Reçu le", "Sorte", "Documents", "Auteur", "Lot")


def _document_row(document: DmpDocument) -> tuple[Child, ...]:
    return (
        link(document.title or document.unique_id, "document", document.unique_id),
        _utc(document.creation_time),
        _author(document),
        words()["status"][document.status],
        visibility(document),
        str(document.version),
    )


def _set_row(submission: DmpSubmission) -> tuple[Child, ...]:
    return (
        moment(submission.received_at),
        words()["kind"][submission.kind],
        str(submission.documents),
        submission.author_id or submission.structure,
        link(submission.unique_id, "lot", submission.unique_id),
    )


def _utc(value: str) -> str:
    """A metadata time (digits, UTC) as people read it."""
    return f"{hl7_time(value)} UTC" if len(value) >= 12 else hl7_time(value)


def _author(document: DmpDocument) -> str:
    for author in read_back(document).authors[:1]:
        for value in author.person[:1]:
            try:
                person = parse_xcn(value)
            except ValueError:
                return value
            return f"{person.given} {person.family} ({person.id})"
    return document.author_id


def visibility(document: DmpDocument) -> str:
    """The visibility of a document in words."""
    known: dict[str, str] = words()["visibility"]
    return ", ".join(known[code] for code in document.confidentiality if code in known) or words()["visible"]


def document(store: DmpStore, unique_id: str) -> bytes | None:
    """One document: what is known of it, its metadata versions, its links; None when there is none."""
    found = store.by_unique_id(unique_id)
    if not found:
        return None
    latest = found[0]
    versions = store.versions(latest.logical_id)
    uuids = [one.entry_uuid for one in versions]
    return page(
        latest.title or unique_id,
        _actions(latest),
        _about(latest),
        table("Versions des métadonnées", ("Version", "État", "Visibilité", "entryUUID"), map(_version_row, versions)),
        table("Liens", ("De", "Lien", "Vers"), (_link_row(store, one) for one in store.associations(uuids))),
        _metadata(latest),
    )


def _actions(document: DmpDocument) -> Element:
    items = [
        link("Lire le document", "document", document.unique_id, "contenu"),
        link("XML", "document", document.unique_id, "xml"),
        link("Échanges", "echanges", document.unique_id),
    ]
    if _pdf(document):
        items.insert(1, link("PDF", "document", document.unique_id, "pdf"))
    return h("ul", *(h("li", item) for item in items), class_="actions")


def _pdf(document: DmpDocument) -> bytes:
    try:
        return narrative.pdf_of(document.content) if not document.is_signature else b""
    except XmlError:
        return b""


def _about(document: DmpDocument) -> Element:
    return facts(
        [
            ("Patient", link(document.matricule, "patient", document.matricule, document.oid)),
            ("État", words()["status"][document.status]),
            ("Visibilité", visibility(document)),
            ("Date", _utc(document.creation_time)),
            ("Auteur", _author(document)),
            ("Type, classe", f"{document.type_code}, {document.class_code}"),
            ("uniqueId", document.unique_id),
            ("logicalId", document.logical_id),
            ("Taille", f"{document.size} octets"),
            ("SHA-1", document.hash),
            ("Lot", link(document.set_unique_id, "lot", document.set_unique_id)),
        ]
    )


def _version_row(document: DmpDocument) -> tuple[Child, ...]:
    status = words()["status"][document.status] if document.latest else words()["former"]
    return (str(document.version), status, visibility(document), document.entry_uuid)


def _link_row(store: DmpStore, item: DmpAssociation) -> tuple[Child, ...]:
    kind = item.type.rpartition(":")[2]
    return (_end(store, item.source), words()["association"].get(kind, kind), _end(store, item.target))


def _end(store: DmpStore, entry_uuid: str) -> Child:
    """What stands at one end of a link, by its title."""
    found = store.by_entry_uuid(entry_uuid)
    if found is not None:
        return link(f"{found.title or found.unique_id} (v{found.version})", "document", found.unique_id)
    submission = store.submission(entry_uuid)
    if submission is not None:
        return link(f"lot {submission.unique_id}", "lot", submission.unique_id)
    return entry_uuid


def _metadata(document: DmpDocument) -> Element:
    return h("details", h("summary", "Métadonnées (ebRIM)"), h("pre", pretty(document.metadata.encode()), tabindex="0"))


def pretty(data: bytes) -> str:
    """XML indented for reading; raises XmlError."""
    root = parse(data)
    etree.indent(root)
    return etree.tostring(root, encoding="unicode")


def content(store: DmpStore, unique_id: str) -> bytes | None:
    """The document as a reader sees it."""
    found = store.by_unique_id(unique_id)
    if not found:
        return None
    try:
        inside = narrative.render(found[0].content)
    except XmlError:
        inside = [h("p", "Ce document n'est pas un CDA : voir son XML.")]
    return page(found[0].title or unique_id, _actions(found[0]), *inside)


def source(store: DmpStore, unique_id: str) -> bytes | None:
    """The XML of the document, indented."""
    found = store.by_unique_id(unique_id)
    if not found:
        return None
    return page(f"XML : {found[0].title}", _actions(found[0]), h("pre", pretty(found[0].content), tabindex="0"))


def pdf(store: DmpStore, unique_id: str) -> bytes | None:
    """The PDF of the document, None when it has none."""
    found = store.by_unique_id(unique_id)
    return (_pdf(found[0]) or None) if found else None


def submission(store: DmpStore, unique_id: str) -> bytes | None:
    """One submission set: who sent it, what it brought, its links."""
    found = store.submission(unique_id)
    if found is None:
        return None
    brought = [one for one in store.documents(found.matricule, signatures=True) if one.set_unique_id == unique_id]
    about = facts(
        [
            ("Sorte", words()["kind"][found.kind]),
            ("Reçu le", moment(found.received_at)),
            ("Patient", link(found.matricule, "patient", found.matricule, found.oid)),
            ("Auteur", found.author_id),
            ("Structure", found.structure),
            ("Système émetteur", found.source_id),
            ("uniqueId", found.unique_id),
            ("entryUUID", found.entry_uuid),
        ]
    )
    return page(
        "Lot de soumission",
        about,
        h("ul", h("li", link("Échanges", "echanges", unique_id)), class_="actions"),
        table("Documents et signature", _DOCUMENT_HEADS, map(_document_row, brought)),
        table(
            "Liens", ("De", "Lien", "Vers"), (_link_row(store, one) for one in store.associations([found.entry_uuid]))
        ),
        h("details", h("summary", "Métadonnées (ebRIM)"), h("pre", pretty(found.metadata.encode()), tabindex="0")),
    )
