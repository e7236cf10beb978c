"""ITI-18 Registry Stored Query (TD3.1): FindDocuments, GetDocuments, FindSubmissionSets, GetAssociations.

A query sees the latest metadata version of each document; a former one is had by its own entryUUID only.
Rights: spec dmp §1.5; parameters and quoting: ITI TF-2 §3.18 and spec dmp §1.6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from lxml import etree

from gateway.sandbox.dmp.adhoc import QUERY, Query, QueryError, query_id, read_query, require
from gateway.sandbox.dmp.entries import STATUS_NAMES, STATUSES, Held, write_leaves, write_references
from gateway.sandbox.dmp.filters import (
    ENTRY_UUID,
    FIND_DOCUMENTS,
    FIND_SETS,
    GET_ASSOCIATIONS,
    GET_DOCUMENTS,
    KNOWN,
    PATIENT,
    SET_PATIENT,
    SET_STATUS,
    STATUS,
    UNIQUE_ID,
    UUID,
    matches_document,
    matches_set,
)
from gateway.sandbox.dmp.patients import check_patient
from gateway.sandbox.dmp.records import APPROVED, DmpAssociation, DmpDocument, DmpSubmission
from gateway.sandbox.dmp.registry import write_status
from gateway.sandbox.dmp.rights import owns, sees
from gateway.sandbox.dmp.soap import SoapFault
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.dmp.transactions import Answer, Call, codes_of
from gateway.sandbox.dmp.vihf_content import Vihf
from gateway.sandbox.ebrim import RIM
from gateway.sandbox.hl7 import parse_cx
from gateway.sandbox.problems import (
    MISSING_PARAMETER,
    NOT_SINGLE_PATIENT,
    OTHER_PATIENT,
    PARAMETER_NUMBER,
    POLICY,
    REGISTRY,
    TOO_MANY_RESULTS,
    Problem,
)
from gateway.sandbox.xml import Element

ACTION = "urn:ihe:iti:2007:RegistryStoredQuery"
_Found = Sequence[Held]


class StoredQuery:
    """Searches of the registry, for the patient that the VIHF names and by the rights of who asks."""

    name = "TD3.1"
    path = "registry"
    action = ACTION
    stores = False
    multipart = False

    def __init__(self, store: DmpStore, unknown_patient: str, most_leaves: int = 0) -> None:
        self._store = store
        self._unknown_patient = unknown_patient
        self._most_leaves = most_leaves
        self._ways: dict[str, Callable[[Query, Vihf], _Found]] = {
            FIND_DOCUMENTS: self._find_documents,
            GET_DOCUMENTS: self._get_documents,
            FIND_SETS: self._find_sets,
            GET_ASSOCIATIONS: self._get_associations,
        }

    def answer(self, call: Call) -> Answer:
        """Answer a query. Raises SoapFault when it is about another patient than the VIHF."""
        asked = query_id(call.request.payload)
        try:
            query = read_query(call.request.payload, KNOWN)
            found = self._ways[query.id](query, call.vihf)
            self._check_access(query, call.vihf)
            self._check_number(query, found)
        except QueryError as refused:
            self._store.add_question(asked, 0, [refused.problem.code])
            return self.refuse(call, [refused.problem])
        self._store.add_question(asked, len(found), [])
        write = write_leaves if query.leaves else write_references
        subjects = tuple(value for name in (UNIQUE_ID, ENTRY_UUID, UUID) for value in query.values(name))
        return Answer(ACTION + "Response", lambda body: write(_response(body, []), found), (), subjects)

    def refuse(self, call: Call, problems: Sequence[Problem]) -> Answer:  # noqa: ARG002 the protocol's
        """Failure, with an empty list of objects."""
        return Answer(ACTION + "Response", lambda body: _fail(body, problems), codes_of(problems))

    def _check_access(self, query: Query, vihf: Vihf) -> None:
        for problem in check_patient(self._store, vihf.patient, self._unknown_patient):
            raise QueryError(problem.code, problem.location, problem.message)
        if query.leaves and not vihf.direct:
            message = "authentification indirecte : références seulement (ObjectRef)"
            raise QueryError(POLICY, "ResponseOption/@returnType", message)

    def _check_number(self, query: Query, found: _Found) -> None:
        if query.leaves and 0 < self._most_leaves < len(found):
            message = f"{len(found)} résultats, {self._most_leaves} au plus : demander des références (ObjectRef)"
            raise QueryError(TOO_MANY_RESULTS, "ResponseOption/@returnType", message)

    # -- documents

    def _find_documents(self, query: Query, vihf: Vihf) -> _Found:
        _check_patient_and_status(query, vihf, PATIENT, STATUS)
        held = self._store.documents(vihf.patient.id, signatures=True)
        return [one for one in held if _of(one, vihf) and sees(one, vihf) and matches_document(one, query)]

    def _get_documents(self, query: Query, vihf: Vihf) -> _Found:
        given = [name for name in (ENTRY_UUID, UNIQUE_ID) if name in query.parameters]
        if len(given) != 1:
            code = PARAMETER_NUMBER if given else MISSING_PARAMETER
            raise QueryError(code, UNIQUE_ID, f"un et un seul de {ENTRY_UUID} et {UNIQUE_ID} attendu")
        found: dict[str, DmpDocument] = {}
        for value in query.values(given[0]):
            for document in self._named(given[0], value):
                found[document.entry_uuid] = document
        _check_one_patient(found.values(), query, vihf)
        return [document for document in found.values() if sees(document, vihf)]

    def _named(self, name: str, value: str) -> list[DmpDocument]:
        if name == UNIQUE_ID:
            return self._store.by_unique_id(value)
        one = self._store.by_entry_uuid(value)
        return [one] if one is not None else []

    # -- sets and associations

    def _find_sets(self, query: Query, vihf: Vihf) -> _Found:
        _check_patient_and_status(query, vihf, SET_PATIENT, SET_STATUS)
        if APPROVED not in {STATUS_NAMES[urn] for urn in query.values(SET_STATUS)}:
            return []
        visible = {one.set_unique_id for one in self._store.documents(vihf.patient.id) if sees(one, vihf)}
        return [
            one
            for one in self._store.submissions(vihf.patient.id)
            if _of(one, vihf) and (one.unique_id in visible or owns(one, vihf)) and matches_set(one, query)
        ]

    def _get_associations(self, query: Query, vihf: Vihf) -> _Found:
        require(query, UUID)
        found = self._store.associations(query.values(UUID))
        _check_one_patient(found, query, vihf)
        return [link for link in found if self._sees_ends(link, vihf)]

    def _sees_ends(self, link: DmpAssociation, vihf: Vihf) -> bool:
        """A link to a document that may not be found is not shown: it would tell that the document is there."""
        ends = [self._store.by_entry_uuid(uuid) for uuid in (link.source, link.target)]
        return all(sees(document, vihf) for document in ends if document is not None)


def _of(one: DmpDocument | DmpSubmission, vihf: Vihf) -> bool:
    return one.oid == vihf.patient.oid


def _check_patient_and_status(query: Query, vihf: Vihf, patient: str, status: str) -> None:
    require(query, patient)
    require(query, status)
    _check_patient_id(query.values(patient)[0], patient, vihf)
    unknown = [one for one in query.values(status) if one not in STATUSES]
    if unknown:
        raise QueryError(REGISTRY, status, f"statut « {unknown[0]} » inconnu")


def _check_patient_id(value: str, name: str, vihf: Vihf) -> None:
    try:
        patient = parse_cx(value)
    except ValueError as fault:
        raise QueryError(REGISTRY, name, str(fault)) from fault
    if (patient.id, patient.oid) != (vihf.patient.id, vihf.patient.oid):
        raise SoapFault("VIHF : resource-id diffère du patient de la requête", "wsse:FailedCheck")


def _check_one_patient(found: Iterable[DmpDocument | DmpAssociation], query: Query, vihf: Vihf) -> None:
    patients = {(one.matricule, one.oid) for one in found}
    if query.leaves and len(patients) > 1:
        raise QueryError(NOT_SINGLE_PATIENT, query.id, "objets de plusieurs patients")
    if patients - {(vihf.patient.id, vihf.patient.oid)}:
        raise QueryError(OTHER_PATIENT, query.id, "objet d'un autre patient que celui du VIHF")


def _response(body: Element, problems: Sequence[Problem]) -> Element:
    """The response with its status; returns the list that objects go into."""
    root = etree.SubElement(body, f"{{{QUERY}}}AdhocQueryResponse", nsmap={"query": QUERY, "rim": RIM})
    write_status(root, problems)
    return etree.SubElement(root, f"{{{RIM}}}RegistryObjectList")


def _fail(body: Element, problems: Sequence[Problem]) -> None:
    _response(body, problems)
