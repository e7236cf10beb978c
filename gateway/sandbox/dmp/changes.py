"""What an ITI-57 request asks to change, read from its associations and entries (ITI TF-2 §3.57.4.1.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.sandbox import ebrim
from gateway.sandbox.dmp.entries import STATUS_NAMES
from gateway.sandbox.ebrim import Association, RegistryObject, Submission
from gateway.sandbox.problems import REGISTRY_METADATA, UNRESOLVED, UPDATE, UPDATE_OPERATION, UPDATE_VERSION, Problem


@dataclass(frozen=True, slots=True)
class StatusChange:
    """availabilityStatus of one entry, from one value to another (the short names of records.py)."""

    target: str
    original: str
    new: str


@dataclass(frozen=True, slots=True)
class NewMetadata:
    """A whole entry sent again: `logical_id` says of which document, `previous` which version it follows."""

    entry: RegistryObject
    logical_id: str
    previous: int


@dataclass(slots=True)
class Changes:
    """The operations of one request, and what their form breaks."""

    statuses: list[StatusChange] = field(default_factory=list)
    metadata: list[NewMetadata] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_changes(submission: Submission, submission_set: RegistryObject) -> Changes:
    """The operations of a submission; every defect of their form is in `problems`."""
    changes = Changes()
    links = submission.associations
    entries = {entry.id: entry for entry in submission.entries}
    members: dict[str, list[Association]] = {}
    for link in links:
        if link.type == ebrim.UPDATE_STATUS:
            changes.problems += _read_status(link, submission_set, changes)
        elif link.type == ebrim.HAS_MEMBER:
            members.setdefault(link.target, []).append(link)
        else:
            changes.problems.append(_operation(link, "opération inconnue pour une mise à jour"))
    changes.problems += _strays(members, entries)
    for entry in submission.entries:
        changes.problems += _read_entry(entry, members.get(entry.id, []), submission_set, changes)
    if not changes.problems and not changes.statuses and not changes.metadata:
        changes.problems.append(Problem(UPDATE, "RegistryObjectList", "aucune mise à jour demandée"))
    changes.problems += _repeated(changes)
    return changes


def _operation(link: Association, message: str) -> Problem:
    return Problem(UPDATE_OPERATION, f"Association[{link.type.rpartition(':')[2]}]", message)


def _form(where: str, message: str) -> Problem:
    return Problem(REGISTRY_METADATA, where, message)


def _read_status(link: Association, submission_set: RegistryObject, changes: Changes) -> Iterator[Problem]:
    where = "Association[UpdateAvailabilityStatus]"
    if link.object_type not in {"", ebrim.ASSOCIATION_OBJECT}:
        yield _form(f"{where}/@objectType", f"{ebrim.ASSOCIATION_OBJECT} attendu")
    if link.source != submission_set.id:
        yield _form(where, "sourceObject : le lot de soumission attendu")
    statuses: dict[str, str] = {}
    for name in ("OriginalStatus", "NewStatus"):
        values = link.slots.get(name, ())
        if len(values) != 1 or values[0] not in STATUS_NAMES:
            yield _form(f"{where}/{name}", f"slot {name} : un statut (URN) attendu")
            return
        statuses[name] = STATUS_NAMES[values[0]]
    if not link.target.startswith("urn:uuid:"):
        yield Problem(UNRESOLVED, where, "targetObject : entryUUID d'un document du DMP attendu")
        return
    changes.statuses.append(StatusChange(link.target, statuses["OriginalStatus"], statuses["NewStatus"]))


def _strays(members: dict[str, list[Association]], entries: dict[str, RegistryObject]) -> Iterator[Problem]:
    for target in members.keys() - entries.keys():
        yield Problem(UNRESOLVED, "Association[HasMember]", f"cible {target} absente de la soumission")


def _read_entry(
    entry: RegistryObject, links: list[Association], submission_set: RegistryObject, changes: Changes
) -> Iterator[Problem]:
    logical_id = entry.element.get("lid", "")
    if not logical_id.startswith("urn:uuid:"):
        yield Problem(UPDATE, f"{entry.label}/@lid", "lid (logicalID) attendu : urn:uuid du document à modifier")
        return
    if len(links) != 1:
        yield _form(entry.label, f"une association HasMember attendue, {len(links)} trouvée(s)")
        return
    link = links[0]
    if link.source != submission_set.id:
        yield _form("Association[HasMember]", "la source doit être le lot de soumission")
    if link.slots.get("SubmissionSetStatus") != ("Original",):
        yield _form("Association[HasMember]", "slot SubmissionSetStatus=Original attendu")
    previous = link.slots.get("PreviousVersion", ())
    if len(previous) != 1 or not previous[0].isascii() or not previous[0].isdigit():
        yield Problem(
            UPDATE_VERSION, "Association[HasMember]/PreviousVersion", "numéro de la version à modifier attendu"
        )
        return
    changes.metadata.append(NewMetadata(entry, logical_id, int(previous[0][:9])))


def _repeated(changes: Changes) -> Iterator[Problem]:
    """One operation on one document: which would come first is not said."""
    targets = [one.target for one in changes.statuses] + [one.logical_id for one in changes.metadata]
    for target, count in Counter(targets).items():
        if count > 1:
            yield Problem(UPDATE, target, "deux mises à jour du même document dans un seul lot")
