"""ITI-41 Provide and Register Document Set-b (TD2.1): check everything, then store it all or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from gateway.clock import Randomness
from gateway.sandbox import ebrim
from gateway.sandbox.cda import CdaHeader, read_header
from gateway.sandbox.crosscheck import cross_check
from gateway.sandbox.dmp.package import Package, read_package, sha1
from gateway.sandbox.dmp.patients import check_patient
from gateway.sandbox.dmp.records import DEPRECATED, NewDocument, Outcome
from gateway.sandbox.dmp.registry import write_response
from gateway.sandbox.dmp.rules import (
    author_of,
    check_coherence,
    check_submission,
    patient_of,
    structure_of_author,
)
from gateway.sandbox.dmp.sets import Naming, record_of
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.dmp.transactions import Answer, Call, codes_of
from gateway.sandbox.dmp.versions import check_unique, check_versions
from gateway.sandbox.dmp.vihf_content import Vihf
from gateway.sandbox.dmp.xades import SignaturePolicy, SignedSet, check_signature
from gateway.sandbox.ebrim import RegistryObject
from gateway.sandbox.metadata import check_entry, check_set, is_signature
from gateway.sandbox.problems import CONTENT, REPOSITORY, Problem
from gateway.sandbox.xml import Element, XmlError

ACTION = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"


@dataclass(frozen=True, slots=True)
class SubmitPolicy:
    """Settings of the transaction. `unknown_patient`: what an INS never heard of means."""

    signature: SignaturePolicy
    unknown_patient: str = "exists"


class Submit:
    """The feed of a DMP."""

    name = "TD2.1"
    path = "repository"
    action = ACTION
    stores = True
    multipart = False

    def __init__(self, store: DmpStore, policy: SubmitPolicy, randomness: Randomness) -> None:
        self._store = store
        self._policy = policy
        self._randomness = randomness

    def answer(self, call: Call) -> Answer:
        """Check the submission and store it when nothing is wrong. Raises SoapFault (VIHF coherence)."""
        try:
            package = read_package(call.request.payload, call.mtom)
        except XmlError as fault:
            return _answer([Problem(REPOSITORY, "Body", str(fault))])
        submission_set = package.submission.set
        if submission_set is not None:
            check_coherence(call.vihf, submission_set)
        problems, headers = self._check(package, call.vihf)
        with self._store.transaction():
            problems += self._check_registry(package, headers)
            if not problems:
                keep(self._store, self._randomness, package, headers)
            self._count(package, "refused" if problems else "accepted", problems, call)
        return _answer(problems, package)

    def refuse(self, call: Call, problems: Sequence[Problem]) -> Answer:
        """Answer these problems, counting the arrival when its set can be read."""
        try:
            package = read_package(call.request.payload, call.mtom)
        except XmlError:
            return _answer(problems)
        self._count(package, "fault", problems, call)
        return _answer(problems, package)

    def _count(self, package: Package, outcome: Outcome, problems: Sequence[Problem], call: Call) -> None:
        self._store.add_reception(package.set_unique_id, outcome, codes_of(problems), call.sha256)

    def _check(self, package: Package, vihf: Vihf) -> tuple[list[Problem], dict[str, CdaHeader]]:
        """Everything that the request alone tells; also the headers of its CDA documents."""
        submission = package.submission
        problems = [*package.problems, *submission.problems]
        headers: dict[str, CdaHeader] = {}
        for entry in submission.entries:
            problems += check_entry(entry)
        if submission.set is None:
            return problems, headers
        problems += check_set(submission.set)
        problems += check_submission(submission, submission.set)
        for entry in submission.entries:
            if entry.id in package.contents and not is_signature(entry):
                problems += check_content(entry, package.contents[entry.id], headers)
        problems += self._check_signature(package, submission.set, vihf)
        return problems, headers

    def _check_signature(self, package: Package, submission_set: RegistryObject, vihf: Vihf) -> list[Problem]:
        entries = package.submission.entries
        signatures = [entry for entry in entries if is_signature(entry)]
        if len(signatures) != 1 or any(entry.id not in package.contents for entry in entries):
            return []  # reported with the metadata or the packaging
        documents = {
            entry.identifier(ebrim.ENTRY_UNIQUE): (package.contents[entry.id], entry.mime_type)
            for entry in entries
            if not is_signature(entry)
        }
        signer = author_of(submission_set) if vihf.direct else structure_of_author(submission_set)
        expected = SignedSet(package.set_unique_id, documents, signer, vihf.direct, signatures[0].slot("creationTime"))
        return check_signature(package.contents[signatures[0].id], expected, self._policy.signature)

    def _check_registry(self, package: Package, headers: dict[str, CdaHeader]) -> list[Problem]:
        """What depends on what the DMP already holds."""
        return [
            *self._check_patient(package),
            *check_unique(package, self._store),
            *check_versions(package, headers, self._store),
        ]

    def _check_patient(self, package: Package) -> list[Problem]:
        found = package.submission.set
        patient = patient_of(found, ebrim.SET_PATIENT) if found is not None else None
        return check_patient(self._store, patient, self._policy.unknown_patient) if patient is not None else []


def check_content(entry: RegistryObject, content: bytes, headers: dict[str, CdaHeader]) -> list[Problem]:
    """The CDA of an entry against its metadata; its header is added to `headers`."""
    try:
        header = read_header(content)
    except XmlError as fault:
        return [Problem(CONTENT, entry.label, f"document illisible : {fault}")]
    headers[entry.id] = header
    return cross_check(entry, header)


def keep(store: DmpStore, randomness: Randomness, package: Package, headers: dict[str, CdaHeader]) -> Naming:
    """Store a checked feed; what it replaces becomes Deprecated. Returns the entryUUIDs that were given."""
    submission_set = package.submission.set
    assert submission_set is not None  # its absence is a problem
    naming = Naming(randomness, [submission_set, *package.submission.entries])
    documents = tuple(
        _document_row(entry, package, headers.get(entry.id), naming[entry.id]) for entry in package.submission.entries
    )
    new = record_of(package.submission, submission_set, naming, documents, "feed")
    store.add_submission(new)
    for link in new.associations:
        if link.type == ebrim.REPLACES:
            store.set_status(link.target, DEPRECATED)
    return naming


def _document_row(entry: RegistryObject, package: Package, header: CdaHeader | None, entry_uuid: str) -> NewDocument:
    """The row of a document that was accepted."""
    content = package.contents[entry.id]
    kind, group = entry.code(ebrim.TYPE_CODE), entry.code(ebrim.CLASS_CODE)
    version = header.version if header is not None else ""
    return NewDocument(
        entry_uuid,
        entry.identifier(ebrim.ENTRY_UNIQUE),
        sha1(content),
        len(content),
        entry.mime_type,
        is_signature(entry),
        entry.title,
        kind.code if kind is not None else "",
        group.code if group is not None else "",
        entry.slot("creationTime"),
        tuple(code.code for code in entry.codes.get(ebrim.CONFIDENTIALITY, [])),
        header.set_id if header is not None else "",
        int(version) if version.isdigit() else 0,
        etree.tostring(entry.element, encoding="unicode", with_tail=False),
        content,
    )


def _answer(problems: Sequence[Problem], package: Package | None = None) -> Answer:
    def fill(body: Element) -> None:
        write_response(body, problems)

    return Answer(ACTION + "Response", fill, codes_of(problems), _subjects(package) if package is not None else ())


def _subjects(package: Package) -> tuple[str, ...]:
    """Every uniqueId that the request names, that of the set first."""
    return (package.set_unique_id, *(entry.identifier(ebrim.ENTRY_UNIQUE) for entry in package.submission.entries))
