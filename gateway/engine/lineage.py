"""Reading from the store what a corrected version follows, and refusing what cannot be corrected (DESIGN §4 rule 8)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from lxml import etree

from gateway.document.lineage import Lineage, Received
from gateway.document.model import DocumentRef
from gateway.engine import stored
from gateway.errors import NotFoundError
from gateway.findings import Finding, error
from gateway.package import xdm
from gateway.package.types import DmpUpdateContext, MailContext, context_from_json
from gateway.records.people import RecipientRole
from gateway.store.states import TRANSITIONS, Event, Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.records.level1 import AnySubmission
    from gateway.records.people import Recipient
    from gateway.store.base import DeliveryDetail, DocumentRow, Store

_PATH = "/replaces"
_HL7 = "{urn:hl7-org:v3}"
_UNSURE = frozenset({Transport.SENDING, Transport.TRANSMITTING, Transport.IN_DOUBT})
_SUPERSEDABLE = frozenset(TRANSITIONS[Event.SUPERSEDE][0])
_DOUBTFUL = frozenset({None, "in_doubt", "lost"})
"""Verdicts of an attempt whose bytes may have been taken."""


def trace(store: Store, submission: AnySubmission) -> tuple[Lineage | None, list[Finding]]:
    """The versions that a submission follows, or why it cannot replace what it names. Nothing without `replaces`."""
    if submission.replaces is None:
        return None, []
    try:
        row = store.named(submission.account, submission.replaces.removeprefix("urn:oid:"))
    except NotFoundError:
        return None, [_unknown()]
    if row.replaced_by is not None and _is(store.document(row.replaced_by), submission):
        return None, []  # taken over already: whoever hands it in again gets the same document
    findings = _refusals(store, row, submission)
    return (None, findings) if findings else (_lineage(store, row, submission), [])


def _is(row: DocumentRow, submission: AnySubmission) -> bool:
    return row.content_sha256 == stored.content_hash(submission)


def _unknown() -> Finding:
    message = "Le document à remplacer n'est pas connu de ce compte."
    advice = "Donner le document_id du fichier d'état, ou l'identifiant du CDA ; sans « replaces » il est nouveau."
    return error("DOC-RPL-UNKNOWN", _PATH, message, advice)


def _refusals(store: Store, row: DocumentRow, submission: AnySubmission) -> list[Finding]:
    if row.erased_at is not None:
        advice = "Envoyer le document corrigé sans « replaces »."
        return [error("DOC-RPL-ERASED", _PATH, "Le contenu du document à remplacer a été effacé.", advice)]
    former = stored.submission(store, row)
    found = []
    if row.id not in {one.id for one in store.documents(submission.account, stored.patient_key(submission.patient))}:
        advice = "Vérifier le patient et l'identifiant du document à remplacer."
        found.append(error("DOC-RPL-PATIENT", _PATH, "Le document à remplacer concerne un autre patient.", advice))
    if former is not None and former.author.rpps != submission.author.rpps:
        advice = "Seul l'auteur d'un document le corrige."
        found.append(error("DOC-RPL-AUTHOR", _PATH, "Le document à remplacer est d'un autre auteur.", advice))
    if row.kind != submission.document.kind:
        advice = "Un bilan ne remplace qu'un bilan, un compte rendu qu'un compte rendu."
        found.append(error("DOC-RPL-KIND", _PATH, "Le document à remplacer est d'une autre nature.", advice))
    if row.withdrawn is not None:
        advice = "Confier le bon document comme un nouveau document, sans « replaces »."
        found.append(error("DOC-RPL-WITHDRAWN", _PATH, "Le document à remplacer a été annulé.", advice))
    if row.replaced_by is not None:
        advice = "Corriger la dernière version : donner son identifiant dans « replaces »."
        message = f"Ce document a déjà été remplacé par {row.replaced_by}."
        found.append(error("DOC-RPL-AGAIN", _PATH, message, advice))
    return found


def _lineage(store: Store, row: DocumentRow, submission: AnySubmission) -> Lineage:
    chain = _chain(store, row)
    last = _Version(store, row)
    received: dict[str, Received] = {}
    refs: dict[str, DocumentRef] = {}
    supersedes: list[str] = []
    for version in (_Version(store, one) for one in chain):
        for detail in version.deliveries():
            _note(version, detail, received, refs)
            if detail.row.state in _SUPERSEDABLE:
                supersedes.append(detail.row.id)
    former = _former(store, chain, set(received), submission)
    return Lineage(row.id, last.set_id, last.number + 1, received, refs, former, tuple(supersedes))


def _chain(store: Store, row: DocumentRow) -> list[DocumentRow]:
    """A version and those before it, newest first; it ends where a content was erased."""
    chain = [row]
    while (before := chain[-1].replaces) is not None and (older := store.document(before)).erased_at is None:
        chain.append(older)
    return chain


class _Version:
    """One stored version: numbers of its CDA, and the editions of it that were packaged."""

    def __init__(self, store: Store, row: DocumentRow) -> None:
        self._store = store
        self.row = row
        root = etree.fromstring(store.rendering(row.id, "cda").data, _parser())
        self.main = _value(root, "id", "root")
        self.set_id = _value(root, "setId", "root")
        self.number = int(_value(root, "versionNumber", "value"))

    def deliveries(self) -> list[DeliveryDetail]:
        """Every delivery with its attempts."""
        found = [self._store.delivery(one) for one in self.row.delivery_ids]
        return [one for one in found if one.row.purpose == "document"]

    def context(self, delivery: str) -> bytes | None:
        """The send context of a delivery."""
        return self._store.context(delivery)

    def archive_entry(self, document: str) -> str | None:
        """The entry id of an edition in its archive. Editions after the first one are numbered from 2."""
        for suffix in ("", *(f"-{number}" for number in range(2, 20))):
            try:
                cda = self._store.rendering(self.row.id, f"cda{suffix}").data
            except NotFoundError:
                return None
            if _value(etree.fromstring(cda, _parser()), "id", "root") == document:
                return xdm.entry_id(self._store.rendering(self.row.id, f"xdm{suffix}").data)
        return None


def _note(
    version: _Version, detail: DeliveryDetail, received: dict[str, Received], refs: dict[str, DocumentRef]
) -> None:
    """Remember what a delivery took somewhere; a newer version that arrived there hides the older ones."""
    data = version.context(detail.row.id) if _may_have_arrived(detail) else None
    if data is None:
        return
    context = context_from_json(data)
    if isinstance(context, DmpUpdateContext):
        return  # it changed what is there, and brought nothing
    mail = isinstance(context, MailContext)
    place = context.envelope_to.lower() if isinstance(context, MailContext) else "dmp"
    document = context.document_id or version.main
    if place in received:
        return
    received[place] = Received(document, detail.row.id, detail.row.state not in _UNSURE)
    ref = refs.get(document) or DocumentRef(document, version.number, version.archive_entry(document))
    if mail and isinstance(context, MailContext):
        refs[document] = replace(ref, messages=(*ref.messages, (place, context.message_id)))
    elif not isinstance(context, MailContext):
        refs[document] = replace(ref, registry_entry=context.document_entry)


def _may_have_arrived(detail: DeliveryDetail) -> bool:
    """Sent, under way, in doubt, or back in the schedule after an attempt whose bytes may have been taken."""
    if detail.row.state is Transport.SENT or detail.row.state in _UNSURE:
        return True
    doubtful = False
    for one in detail.attempts:
        if one.kind == "resolve" and one.verdict == "transient":
            doubtful = False  # the other side was asked and had nothing (DMP-NOT-THERE)
        elif one.transmitting_at is not None and one.verdict in _DOUBTFUL:
            doubtful = True
    return doubtful


def _former(
    store: Store, chain: list[DocumentRow], places: set[str], submission: AnySubmission
) -> tuple[Recipient, ...]:
    """Professionals who hold an earlier version and whom the new submission does not name any more."""
    missing = places - {(one.mssante or "").lower() for one in submission.recipients}
    found: dict[str, Recipient] = {}
    for row in chain:
        for one in _recipients(store, row):
            address = (one.mssante or "").lower()
            if address in missing:
                # Not as médecin traitant: the new submission says who that is.
                found.setdefault(address, one.model_copy(update={"role": RecipientRole.AUTRE}))
    return tuple(found.values())


def _recipients(store: Store, row: DocumentRow) -> Iterator[Recipient]:
    """The professionals of a version as it names them, then at the boxes that it was readdressed to."""
    earlier = stored.submission(store, row)
    if earlier is None:
        return
    yield from earlier.recipients
    counted: Counter[str] = Counter()
    roles = {}
    for one in earlier.recipients:  # as the routes name them: a number tells two of one role apart
        counted[one.role] += 1
        roles[one.role.value + (f"_{counted[one.role]}" if counted[one.role] > 1 else "")] = one
    for delivery in row.delivery_ids:
        detail = store.delivery(delivery).row
        known = roles.get(detail.role)
        data = store.context(delivery) if detail.succeeds is not None and known is not None else None
        context = context_from_json(data) if data is not None else None
        if known is not None and isinstance(context, MailContext):
            yield known.model_copy(update={"mssante": context.envelope_to})


def _value(root: etree._Element, name: str, attribute: str) -> str:
    element = root.find(f"{_HL7}{name}")
    return "" if element is None else str(element.get(attribute, ""))


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
