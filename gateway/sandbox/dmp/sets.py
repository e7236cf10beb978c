"""From a checked submission to what the store keeps: entryUUIDs given, set and links as rows."""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from gateway.clock import Randomness
from gateway.sandbox import ebrim
from gateway.sandbox.dmp.records import NewAssociation, NewDocument, NewSubmission
from gateway.sandbox.dmp.rules import author_of, patient_of, structure_of_author
from gateway.sandbox.ebrim import RegistryObject, Submission


class Naming:
    """The entryUUID of each object of a submission.

    The registry gives a UUID in place of a symbolic id (ITI TF-3 §4.2.1.4); any other id is left as it is.
    """

    def __init__(self, randomness: Randomness, objects: Sequence[RegistryObject]) -> None:
        self._randomness = randomness
        self._known = {item.id: self.fresh(item.id) for item in objects}

    def fresh(self, identifier: str) -> str:
        """The identifier when it is a UUID, else a new one."""
        return identifier if identifier.startswith("urn:uuid:") else f"urn:uuid:{self._randomness.uuid()}"

    def __getitem__(self, identifier: str) -> str:
        return self._known.get(identifier, identifier)


def record_of(
    submission: Submission,
    submission_set: RegistryObject,
    naming: Naming,
    documents: tuple[NewDocument, ...],
    kind: str,
) -> NewSubmission:
    """The row of a set and its links. `kind`: `feed` or `update`."""
    patient = patient_of(submission_set, ebrim.SET_PATIENT)
    assert patient is not None  # checked with the metadata
    links = tuple(
        NewAssociation(
            link.type,
            naming[link.source],
            naming[link.target],
            naming.fresh(link.id),
            tuple(link.slots.items()),
        )
        for link in submission.associations
    )
    return NewSubmission(
        submission_set.identifier(ebrim.SET_UNIQUE),
        naming[submission_set.id],
        patient.id,
        patient.oid,
        submission_set.identifier(ebrim.SET_SOURCE),
        author_of(submission_set),
        structure_of_author(submission_set),
        etree.tostring(submission_set.element, encoding="unicode", with_tail=False),
        documents,
        links,
        kind,
    )
