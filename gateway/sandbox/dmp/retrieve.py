"""ITI-43 Retrieve Document Set (TD3.2): documents by repositoryUniqueId and uniqueId (ITI TF-2 §3.43).

A document that the one who asks may not see, that was deleted, or that is another patient's is answered as
one that is not there: the error must not tell that it exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from gateway.clock import Randomness
from gateway.sandbox.dmp.entries import REPOSITORY_ID
from gateway.sandbox.dmp.mtom import XOP
from gateway.sandbox.dmp.package import XDSB
from gateway.sandbox.dmp.patients import check_patient
from gateway.sandbox.dmp.records import DELETED, DmpDocument
from gateway.sandbox.dmp.registry import RS, write_status
from gateway.sandbox.dmp.rights import check_retrieve, sees
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.dmp.transactions import Answer, Call, codes_of
from gateway.sandbox.dmp.vihf_content import Vihf
from gateway.sandbox.problems import DOCUMENT_UNIQUE_ID, REPOSITORY, UNKNOWN_REPOSITORY, Problem
from gateway.sandbox.xml import Element, children, local, text

ACTION = "urn:ihe:iti:2007:RetrieveDocumentSet"
_NS = {"xds": XDSB}
# The schema's sequence: an optional community, then both mandatory ids.
_SHAPES = (["RepositoryUniqueId", "DocumentUniqueId"], ["HomeCommunityId", "RepositoryUniqueId", "DocumentUniqueId"])


@dataclass(frozen=True, slots=True)
class _Wanted:
    repository: str
    document: str


class Retrieve:
    """The consultation of documents; the answer is multipart even when it is a refusal."""

    name = "TD3.2"
    path = "repository"
    action = ACTION
    stores = False
    multipart = True

    def __init__(self, store: DmpStore, randomness: Randomness, unknown_patient: str) -> None:
        self._store = store
        self._randomness = randomness
        self._unknown_patient = unknown_patient

    def answer(self, call: Call) -> Answer:
        """Every document that may be had, and an error for each of the others."""
        wanted, problems = _read(call)
        problems += check_retrieve(call.vihf)
        if not problems:
            problems += check_patient(self._store, call.vihf.patient, self._unknown_patient)
        subjects = tuple(one.document for one in wanted)
        if problems:
            return self._write([], problems, subjects)
        found: list[DmpDocument] = []
        for one in wanted:
            document, refusal = self._find(one, call.vihf)
            found += [document] if document is not None else []
            problems += refusal
        return self._write(found, problems, subjects)

    def refuse(self, call: Call, problems: Sequence[Problem]) -> Answer:  # noqa: ARG002 the protocol's
        """Failure, with no document."""
        return self._write([], problems, ())

    def _find(self, wanted: _Wanted, vihf: Vihf) -> tuple[DmpDocument | None, list[Problem]]:
        where = f"DocumentRequest[{wanted.document}]"
        if wanted.repository != REPOSITORY_ID:
            message = f"RepositoryUniqueId « {wanted.repository} » inconnu, {REPOSITORY_ID} attendu"
            return None, [Problem(UNKNOWN_REPOSITORY, where, message)]
        for document in self._store.by_unique_id(wanted.document):
            mine = (document.matricule, document.oid) == (vihf.patient.id, vihf.patient.oid)
            if mine and document.status != DELETED and sees(document, vihf):
                return document, []
        hint = " : entryUUID donné, uniqueId (OID) attendu" if wanted.document.startswith("urn:uuid:") else ""
        return None, [Problem(DOCUMENT_UNIQUE_ID, where, f"aucun document de cet uniqueId pour ce patient{hint}")]

    def _write(self, found: Sequence[DmpDocument], problems: Sequence[Problem], subjects: tuple[str, ...]) -> Answer:
        names = {f"{self._randomness.uuid()}@dmp.sandbox": document for document in found}

        def fill(body: Element) -> None:
            nsmap = {"xds": XDSB, "rs": RS, "xop": XOP}
            root = etree.SubElement(body, f"{{{XDSB}}}RetrieveDocumentSetResponse", nsmap=nsmap)
            response = etree.SubElement(root, f"{{{RS}}}RegistryResponse")
            write_status(response, problems, partial=bool(found))
            for name, document in names.items():
                _write_document(root, name, document)

        attachments = {name: (document.mime, document.content) for name, document in names.items()}
        return Answer(ACTION + "Response", fill, codes_of(problems), subjects, attachments)


def _read(call: Call) -> tuple[list[_Wanted], list[Problem]]:
    payload = call.request.payload
    if payload.tag != f"{{{XDSB}}}RetrieveDocumentSetRequest":
        return [], [Problem(REPOSITORY, "Body", "RetrieveDocumentSetRequest attendu dans le Body")]
    requests = children(payload)
    if not requests:
        return [], [Problem(REPOSITORY, "Body", "au moins un DocumentRequest attendu")]
    if call.mtom.attachments:
        return [], [Problem(REPOSITORY, "Body", "aucune pièce jointe attendue dans une demande")]
    wanted = [_wanted(item) for item in requests]
    known = [one for one in wanted if one is not None]
    if len(known) != len(wanted) or len({one.document for one in known}) != len(known):
        message = "DocumentRequest : RepositoryUniqueId puis DocumentUniqueId attendus, chaque document une fois"
        return known, [Problem(REPOSITORY, "DocumentRequest", message)]
    return known, []


def _wanted(item: Element) -> _Wanted | None:
    """One DocumentRequest of the schema's shape; None for anything else."""
    inside = children(item)
    shape = [local(child) for child in inside]
    well_named = all(one.tag == f"{{{XDSB}}}{local(one)}" for one in [item, *inside])
    if local(item) != "DocumentRequest" or shape not in _SHAPES or not well_named:
        return None
    values = {local(child): text(child) for child in inside}
    if not all(values.values()):
        return None
    return _Wanted(values["RepositoryUniqueId"], values["DocumentUniqueId"])


def _write_document(root: Element, name: str, document: DmpDocument) -> None:
    answer = etree.SubElement(root, f"{{{XDSB}}}DocumentResponse")
    for tag, value in (
        ("RepositoryUniqueId", REPOSITORY_ID),
        ("DocumentUniqueId", document.unique_id),
        ("mimeType", document.mime),
    ):
        etree.SubElement(answer, f"{{{XDSB}}}{tag}").text = value
    content = etree.SubElement(answer, f"{{{XDSB}}}Document")
    etree.SubElement(content, f"{{{XOP}}}Include", href=f"cid:{name.replace('@', '%40')}")
