"""Rules of a whole submission: coherence with the VIHF, associations, the signature's entry, uniqueness.

IHE ITI TF-3 §4.2; spec dmp §1.4, §1.6, §2.2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from gateway.sandbox import ebrim
from gateway.sandbox.dmp.soap import SoapFault
from gateway.sandbox.dmp.vihf_content import Vihf
from gateway.sandbox.ebrim import Association, RegistryObject, Submission
from gateway.sandbox.hl7 import Cx, parse_cx, parse_xcn, parse_xon
from gateway.sandbox.metadata import is_signature
from gateway.sandbox.problems import (
    DUPLICATE_IN_MESSAGE,
    OTHER_PATIENT,
    REGISTRY_METADATA,
    UNRESOLVED,
    Problem,
)

_MISMATCH = "wsse:FailedCheck"


def patient_of(owner: RegistryObject, scheme: str) -> Cx | None:
    """The patient of a set or entry, None when the value cannot be read (reported elsewhere)."""
    try:
        return parse_cx(owner.identifier(scheme))
    except ValueError:
        return None


def author_of(owner: RegistryObject) -> str:
    """PS_IdNat of the first author, empty when it cannot be read."""
    for author in owner.authors[:1]:
        for value in author.person[:1]:
            try:
                return parse_xcn(value).id
            except ValueError:
                return ""
    return ""


def structure_of_author(owner: RegistryObject) -> str:
    """Struct_IdNat of the first author, empty when absent or unreadable."""
    for author in owner.authors[:1]:
        for value in author.institution[:1]:
            try:
                return parse_xon(value).id
            except ValueError:
                return ""
    return ""


def check_coherence(vihf: Vihf, submission_set: RegistryObject) -> None:
    """Who signed the VIHF is who submits, for the patient it names. Raises SoapFault."""
    patient = patient_of(submission_set, ebrim.SET_PATIENT)
    if patient is not None and (patient.id, patient.oid) != (vihf.patient.id, vihf.patient.oid):
        raise SoapFault("VIHF : resource-id diffère du patientId de la soumission", _MISMATCH)
    if not submission_set.authors:
        return  # reported with the metadata
    structure = structure_of_author(submission_set)
    if vihf.direct:
        if author_of(submission_set) != vihf.name_id:
            raise SoapFault("VIHF : NameID diffère de l'auteur du lot de soumission", _MISMATCH)
        if structure not in {"", vihf.structure}:
            raise SoapFault("VIHF : Identifiant_Structure diffère de la structure de l'auteur", _MISMATCH)
    elif structure != vihf.structure:
        raise SoapFault("Aucun AuthorInstitution ne correspond à l'utilisateur du VIHF", _MISMATCH)


def check_submission(submission: Submission, submission_set: RegistryObject) -> list[Problem]:
    """Defects between the objects of one submission, its signature's entry included."""
    return [*check_objects(submission, submission_set), *_signature_entry(submission, submission_set)]


def check_objects(submission: Submission, submission_set: RegistryObject) -> list[Problem]:
    """Defects between the objects of one submission, signed or not."""
    return [
        *_patients(submission, submission_set),
        *_unique_ids(submission, submission_set),
        *_associations(submission, submission_set),
    ]


def _patients(submission: Submission, submission_set: RegistryObject) -> Iterator[Problem]:
    wanted = patient_of(submission_set, ebrim.SET_PATIENT)
    for entry in submission.entries:
        found = patient_of(entry, ebrim.ENTRY_PATIENT)
        if wanted and found and (found.id, found.oid) != (wanted.id, wanted.oid):
            yield Problem(OTHER_PATIENT, entry.label, "patientId de la fiche différent de celui du lot")


def _unique_ids(submission: Submission, submission_set: RegistryObject) -> Iterator[Problem]:
    ids = [entry.identifier(ebrim.ENTRY_UNIQUE) for entry in submission.entries]
    counts = Counter([*ids, submission_set.identifier(ebrim.SET_UNIQUE)])
    for unique_id, count in counts.items():
        if unique_id and count > 1:
            yield Problem(DUPLICATE_IN_MESSAGE, unique_id, f"uniqueId {unique_id} utilisé {count} fois")


def _associations(submission: Submission, submission_set: RegistryObject) -> Iterator[Problem]:
    entries = {entry.id: entry for entry in submission.entries}
    members: Counter[str] = Counter()
    for link in submission.associations:
        if link.type == ebrim.HAS_MEMBER:
            members[link.target] += 1
            yield from _has_member(link, submission_set, entries)
        elif link.type == ebrim.REPLACES:
            yield from _replaces(link, entries)
        elif link.type == ebrim.SIGNS:
            yield from _signs(link, submission_set, entries)
        else:
            yield _link(link, "type d'association inattendu dans une soumission")
    for entry in submission.entries:
        if members[entry.id] != 1:
            message = f"une association HasMember attendue, {members[entry.id]} trouvée(s)"
            yield Problem(REGISTRY_METADATA, entry.label, message)


def _link(link: Association, message: str) -> Problem:
    return Problem(REGISTRY_METADATA, f"Association[{link.type.rpartition(':')[2]}]", message)


def _has_member(
    link: Association, submission_set: RegistryObject, entries: dict[str, RegistryObject]
) -> Iterator[Problem]:
    if link.source != submission_set.id:
        yield _link(link, "HasMember : la source doit être le lot de soumission")
    if link.target not in entries:
        yield Problem(UNRESOLVED, "Association[HasMember]", f"cible {link.target} absente de la soumission")
    if link.slots.get("SubmissionSetStatus") != ("Original",):
        yield _link(link, "HasMember : slot SubmissionSetStatus=Original attendu")


def _replaces(link: Association, entries: dict[str, RegistryObject]) -> Iterator[Problem]:
    if link.source not in entries:
        yield _link(link, "RPLC : la source doit être une fiche de la soumission")
    if link.target in entries or not link.target.startswith("urn:uuid:"):
        yield _link(link, "RPLC : la cible doit être l'entryUUID d'un document déjà présent au DMP")


def _signs(link: Association, submission_set: RegistryObject, entries: dict[str, RegistryObject]) -> Iterator[Problem]:
    signature = entries.get(link.source)
    if signature is None or not is_signature(signature) or link.target != submission_set.id:
        yield _link(link, "signs : de la fiche de signature vers le lot de soumission")


def _signature_entry(submission: Submission, submission_set: RegistryObject) -> Iterator[Problem]:
    """Exactly one signature per set, signed and described by the submitter (spec dmp §2.2)."""
    found = [entry for entry in submission.entries if is_signature(entry)]
    documents = [entry for entry in submission.entries if not is_signature(entry)]
    if len(found) != 1:
        message = f"une fiche de signature par lot attendue, {len(found)} trouvée(s)"
        yield Problem(REGISTRY_METADATA, "Signature", message)
        return
    if not documents:
        yield Problem(REGISTRY_METADATA, submission_set.label, "aucun document dans le lot")
        return
    if sum(1 for link in submission.associations if link.type == ebrim.SIGNS) != 1:
        yield Problem(REGISTRY_METADATA, "Signature", "une association signs attendue")
    for attribute, expected, same in _signature_facts(found[0], documents[0], submission_set):
        if not same:
            message = f"{attribute} de la signature : {expected} attendu"
            yield Problem(REGISTRY_METADATA, f"{found[0].label}/{attribute}", message)


def _signature_facts(
    signature: RegistryObject, document: RegistryObject, submission_set: RegistryObject
) -> Iterator[tuple[str, str, bool]]:
    """(attribute, what it should hold, whether it does)."""
    author = author_of(submission_set)
    if author:
        yield "author", "le soumetteur", author_of(signature) == author
        yield "legalAuthenticator", "le soumetteur", _person(signature) == author
    patient = patient_of(submission_set, ebrim.SET_PATIENT)
    if patient is not None:
        source = _read_cx(signature.slot("sourcePatientId"))
        yield "sourcePatientId", "l'INS", source is not None and source.id == patient.id
    for name, scheme in (("healthcareFacilityTypeCode", ebrim.FACILITY), ("practiceSettingCode", ebrim.PRACTICE)):
        yield name, "le code des documents", _plain(signature, scheme) == _plain(document, scheme)
    times = {signature.slot(name) for name in ("creationTime", "serviceStartTime", "serviceStopTime")}
    yield "creationTime, serviceStartTime, serviceStopTime", "l'heure de signature", len(times) == 1


def _plain(entry: RegistryObject, scheme: str) -> tuple[str, str] | None:
    code = entry.code(scheme)
    return (code.code, code.scheme) if code is not None else None


def _person(entry: RegistryObject) -> str:
    try:
        return parse_xcn(entry.slot("legalAuthenticator")).id
    except ValueError:
        return ""


def _read_cx(value: str) -> Cx | None:
    try:
        return parse_cx(value)
    except ValueError:
        return None
