"""Uniqueness and replacement: what a submission may be, given what the DMP already holds (spec dmp §1.6, §3)."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.sandbox import ebrim
from gateway.sandbox.cda import CdaHeader
from gateway.sandbox.dmp.package import Package, sha1
from gateway.sandbox.dmp.records import APPROVED, DmpDocument
from gateway.sandbox.dmp.rules import patient_of
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.ebrim import Association, RegistryObject
from gateway.sandbox.metadata import is_signature
from gateway.sandbox.problems import (
    DEPRECATED,
    DUPLICATE_IN_REGISTRY,
    OTHER_HASH,
    OTHER_PATIENT,
    REGISTRY_METADATA,
    REPOSITORY_METADATA,
    UNRESOLVED,
    Problem,
)


def check_unique(package: Package, store: DmpStore) -> list[Problem]:
    """A set is accepted once; a document too, and never with other bytes under the same uniqueId."""
    if package.set_unique_id and store.has_submission(package.set_unique_id):
        message = f"lot {package.set_unique_id} déjà accepté : un renvoi après réponse perdue est un succès"
        return [Problem(DUPLICATE_IN_REGISTRY, "SubmissionSet/uniqueId", message)]
    return [p for entry in package.submission.entries for p in _entry(entry, package, store)]


def _entry(entry: RegistryObject, package: Package, store: DmpStore) -> Iterator[Problem]:
    if entry.id.startswith("urn:uuid:") and store.by_entry_uuid(entry.id) is not None:
        yield Problem(REGISTRY_METADATA, entry.label, "entryUUID déjà utilisé au DMP")
    held = store.by_unique_id(entry.identifier(ebrim.ENTRY_UNIQUE))
    content = package.contents.get(entry.id)
    if not held or content is None:
        return
    if any(document.hash != sha1(content) for document in held):
        yield Problem(OTHER_HASH, f"{entry.label}/uniqueId", "uniqueId déjà présent avec un autre contenu")
    else:
        yield Problem(DUPLICATE_IN_REGISTRY, f"{entry.label}/uniqueId", "document déjà présent au DMP")


def check_versions(package: Package, headers: dict[str, CdaHeader], store: DmpStore) -> list[Problem]:
    """RPLC rules; a CDA that says it replaces another must come with the association, and the reverse."""
    links = {link.source: link for link in package.submission.associations if link.type == ebrim.REPLACES}
    problems: list[Problem] = []
    for entry in package.submission.entries:
        header = headers.get(entry.id)
        link = links.get(entry.id)
        if link is not None:
            problems += _replacement(entry, link, header, store)
        elif header is not None and header.replaced:
            message = "relatedDocument RPLC dans le CDA sans association RPLC"
            problems.append(Problem(REPOSITORY_METADATA, entry.label, message))
    return problems


def _replacement(
    entry: RegistryObject, link: Association, header: CdaHeader | None, store: DmpStore
) -> Iterator[Problem]:
    where = "Association[RPLC]"
    if not link.target.startswith("urn:uuid:"):
        return  # reported with the associations
    old = store.by_entry_uuid(link.target)
    if old is None:
        yield Problem(UNRESOLVED, where, f"entryUUID {link.target} inconnu au DMP")
        return
    if old.status != APPROVED or not old.latest:
        yield Problem(DEPRECATED, where, "le document à remplacer n'est plus Approved")
    patient = patient_of(entry, ebrim.ENTRY_PATIENT)
    if patient is None or (patient.id, patient.oid) != (old.matricule, old.oid):
        yield Problem(OTHER_PATIENT, where, "le document à remplacer est celui d'un autre patient")
    if old.is_signature or is_signature(entry):
        yield Problem(REGISTRY_METADATA, where, "une signature ne se remplace pas")
    elif header is not None:
        yield from _coherent(old, header)


def _coherent(old: DmpDocument, header: CdaHeader) -> Iterator[Problem]:
    """CDA relatedDocument, setId and versionNumber say the same as the association."""
    if old.unique_id not in header.replaced:
        message = "relatedDocument RPLC du CDA : uniqueId du document remplacé attendu"
        yield Problem(REPOSITORY_METADATA, "relatedDocument", message)
    if header.set_id != old.cda_set_id:
        yield Problem(REPOSITORY_METADATA, "setId", "setId différent de celui du document remplacé")
    if not header.version.isdigit() or int(header.version) <= old.cda_version:
        yield Problem(REPOSITORY_METADATA, "versionNumber", "versionNumber supérieur au précédent attendu")
