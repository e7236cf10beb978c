"""ITI-57 Update Document Set (TD3.3): status and visibility of documents already there (spec dmp §1.6).

A change of availabilityStatus makes no new version; a change of visibility makes one, and nothing else of the
metadata may differ from what is held. All the operations of a request hold, or none is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lxml import etree

from gateway.clock import Randomness
from gateway.sandbox import ebrim
from gateway.sandbox.dmp.changes import Changes, NewMetadata, StatusChange, read_changes
from gateway.sandbox.dmp.patients import check_patient
from gateway.sandbox.dmp.records import (
    APPROVED,
    ARCHIVED,
    DELETED,
    DEPRECATED,
    DmpDocument,
    Outcome,
)
from gateway.sandbox.dmp.registry import write_response
from gateway.sandbox.dmp.rights import check_status_change, check_visibility_change, sees
from gateway.sandbox.dmp.rules import check_coherence
from gateway.sandbox.dmp.sets import Naming, record_of
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.dmp.transactions import Answer, Call, codes_of
from gateway.sandbox.dmp.unmodified import differences, visibility
from gateway.sandbox.dmp.vihf_content import Vihf
from gateway.sandbox.ebrim import RegistryObject, Submission, read_submission
from gateway.sandbox.metadata import check_entry, check_set
from gateway.sandbox.problems import (
    DUPLICATE_IN_REGISTRY,
    OTHER_PATIENT,
    REGISTRY,
    UNMODIFIABLE,
    UNRESOLVED,
    UPDATE,
    UPDATE_OPERATION,
    UPDATE_VERSION,
    Problem,
)
from gateway.sandbox.xml import Element, XmlError

ACTION = "urn:ihe:iti:2010:UpdateDocumentSet"

# From a status to those it may become. A deleted document stays so; a replaced one may only be deleted.
MAY_BECOME = {
    APPROVED: {ARCHIVED, DEPRECATED, DELETED},
    ARCHIVED: {APPROVED, DELETED},
    DEPRECATED: {APPROVED, DELETED},
    DELETED: set(),
}


class Update:
    """Mask, show, archive, restore, delete."""

    name = "TD3.3"
    path = "registry"
    action = ACTION
    stores = True
    multipart = False

    def __init__(self, store: DmpStore, randomness: Randomness, unknown_patient: str) -> None:
        self._store = store
        self._randomness = randomness
        self._unknown_patient = unknown_patient

    def answer(self, call: Call) -> Answer:
        """Check the operations and do them all, or none. Raises SoapFault (VIHF coherence)."""
        try:
            submission = read_submission(call.request.payload)
        except XmlError as fault:
            return _answer([Problem(REGISTRY, "Body", str(fault))], ())
        submission_set = submission.set
        if submission_set is None or submission.problems:
            return self._finish(call, submission, submission.problems)
        check_coherence(call.vihf, submission_set)
        changes = read_changes(submission, submission_set)
        problems = [*check_set(submission_set), *changes.problems, *_attached(call)]
        for entry in submission.entries:
            problems += _entry_problems(entry)
        with self._store.transaction():
            problems += self._check_registry(submission_set, changes, call.vihf)
            if not problems:
                self._keep(submission, submission_set, changes)
            return self._finish(call, submission, problems)

    def refuse(self, call: Call, problems: Sequence[Problem]) -> Answer:
        """Answer these problems, counting the arrival when its set can be read."""
        try:
            submission = read_submission(call.request.payload)
        except XmlError:
            return _answer(problems, ())
        return self._finish(call, submission, problems, "fault")

    def _finish(
        self, call: Call, submission: Submission, problems: Sequence[Problem], outcome: Outcome | None = None
    ) -> Answer:
        found = submission.set
        unique_id = found.identifier(ebrim.SET_UNIQUE) if found is not None else ""
        kind: Outcome = outcome or ("refused" if problems else "accepted")
        self._store.add_reception(unique_id, kind, codes_of(problems), call.sha256)
        return _answer(problems, (unique_id, *self._subjects(submission)))

    def _subjects(self, submission: Submission) -> Iterator[str]:
        """Identifiers that the request is about, and the uniqueIds they stand for."""
        targets = [link.target for link in submission.associations if link.type == ebrim.UPDATE_STATUS]
        for target in targets:
            yield target
            document = self._store.by_entry_uuid(target)
            if document is not None:
                yield document.unique_id
        for entry in submission.entries:
            yield entry.element.get("lid", "")
            yield entry.identifier(ebrim.ENTRY_UNIQUE)

    # -- what depends on what the DMP holds

    def _check_registry(self, submission_set: RegistryObject, changes: Changes, vihf: Vihf) -> list[Problem]:
        problems = check_patient(self._store, vihf.patient, self._unknown_patient)
        unique_id = submission_set.identifier(ebrim.SET_UNIQUE)
        if self._store.has_submission(unique_id):
            problems.append(Problem(DUPLICATE_IN_REGISTRY, "SubmissionSet/uniqueId", f"lot {unique_id} déjà accepté"))
        for status in changes.statuses:
            problems += self._check_status(status, vihf)
        for metadata in changes.metadata:
            problems += self._check_metadata(metadata, vihf)
        return problems

    def _check_target(self, document: DmpDocument | None, where: str, vihf: Vihf) -> list[Problem]:
        if document is None:
            return [Problem(UNRESOLVED, where, "document inconnu au DMP")]
        if (document.matricule, document.oid) != (vihf.patient.id, vihf.patient.oid):
            return [Problem(OTHER_PATIENT, where, "document d'un autre patient que celui du lot")]
        if document.is_signature:
            return [Problem(UPDATE_OPERATION, where, "la signature d'un lot ne se modifie pas")]
        return []

    def _check_status(self, change: StatusChange, vihf: Vihf) -> list[Problem]:
        where = f"DocumentEntry[{change.target}]"
        document = self._store.by_entry_uuid(change.target)
        problems = self._check_target(document, where, vihf)
        if problems or document is None:
            return problems
        if not document.latest:
            return [Problem(UPDATE_VERSION, where, "entryUUID d'une ancienne version : viser la dernière")]
        if change.original != document.status:
            return [Problem(UPDATE, where, f"OriginalStatus différent du statut actuel ({document.status})")]
        if change.new not in MAY_BECOME[document.status]:
            return [Problem(UPDATE, where, f"{document.status} ne peut pas devenir {change.new}")]
        if change.new == APPROVED and is_replaced(self._store, document):
            return [Problem(UPDATE, where, "document remplacé : sa dernière version est celle qui vaut")]
        return check_status_change(document, change.new, vihf)

    def _check_metadata(self, change: NewMetadata, vihf: Vihf) -> list[Problem]:
        where = f"{change.entry.label}/@lid"
        versions = self._store.versions(change.logical_id)
        document = versions[-1] if versions else None
        problems = self._check_target(document, where, vihf)
        if problems or document is None:
            return problems
        if change.previous != document.version:
            message = f"PreviousVersion {change.previous} : la version actuelle est {document.version}"
            return [Problem(UPDATE_VERSION, "Association[HasMember]/PreviousVersion", message)]
        if self._store.by_entry_uuid(change.entry.id) is not None:
            return [Problem(UPDATE, f"{change.entry.label}/@id", "une nouvelle version prend un nouvel entryUUID")]
        if document.status not in {APPROVED, ARCHIVED}:
            return [Problem(UPDATE, where, f"document {document.status} : sa visibilité ne change plus")]
        return [*self._unmodifiable(change.entry, document), *self._visibility_rights(change.entry, document, vihf)]

    def _unmodifiable(self, entry: RegistryObject, document: DmpDocument) -> Iterator[Problem]:
        for attribute in differences(document, entry):
            where = f"{entry.label}/{attribute}"
            yield Problem(UNMODIFIABLE, where, f"{attribute} ne peut pas être modifié : seule la visibilité le peut")

    def _visibility_rights(self, entry: RegistryObject, document: DmpDocument, vihf: Vihf) -> list[Problem]:
        held, wanted = visibility(document.confidentiality), visibility(_codes(entry))
        if held == wanted and sees(document, vihf) and vihf.direct:
            return []
        return check_visibility_change(document, wanted - held, held - wanted, vihf)

    # -- storing

    def _keep(self, submission: Submission, submission_set: RegistryObject, changes: Changes) -> None:
        naming = Naming(self._randomness, [submission_set, *submission.entries])
        for status in changes.statuses:
            self._store.set_status(status.target, status.new)
        for change in changes.metadata:
            old = self._store.versions(change.logical_id)[-1]
            metadata = etree.tostring(change.entry.element, encoding="unicode", with_tail=False)
            self._store.add_version(old, naming[change.entry.id], _codes(change.entry), metadata)
        self._store.add_submission(record_of(submission, submission_set, naming, (), "update"))


def is_replaced(store: DmpStore, document: DmpDocument) -> bool:
    """Whether another document took its place, under any of its entryUUIDs."""
    uuids = {one.entry_uuid for one in store.versions(document.logical_id)}
    links = store.associations(sorted(uuids))
    return any(link.type == ebrim.REPLACES and link.target in uuids for link in links)


def _codes(entry: RegistryObject) -> tuple[str, ...]:
    return tuple(code.code for code in entry.codes.get(ebrim.CONFIDENTIALITY, []))


def _attached(call: Call) -> list[Problem]:
    if call.mtom.attachments:
        return [Problem(REGISTRY, "Body", "aucun document attendu dans une mise à jour")]
    return []


def _entry_problems(entry: RegistryObject) -> list[Problem]:
    """The rules of a fed entry, but for its status: an archived document keeps its own (see `differences`)."""
    return [one for one in check_entry(entry) if not one.location.endswith("/availabilityStatus")]


def _answer(problems: Sequence[Problem], subjects: tuple[str, ...]) -> Answer:
    def fill(body: Element) -> None:
        write_response(body, problems)

    return Answer(ACTION + "Response", fill, codes_of(problems), subjects)
