"""Whether the DMP of a patient is there and open to the one who asks."""

from __future__ import annotations

from gateway.sandbox.dmp.records import VALID
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.hl7 import Cx
from gateway.sandbox.problems import POLICY, UNKNOWN_PATIENT, Problem


def check_patient(store: DmpStore, patient: Cx, unknown_patient: str) -> list[Problem]:
    """`unknown_patient`: what an INS never heard of means, `exists` or `absent`."""
    known = store.patient(patient.id, patient.oid)
    if known is None:
        exists = unknown_patient == "exists"
        return [] if exists else [Problem(UNKNOWN_PATIENT, "patientId", "aucun DMP pour cet INS")]
    if known.status != "active":
        what = "DMP fermé" if known.status == "closed" else "aucun DMP pour cet INS"
        return [Problem(UNKNOWN_PATIENT, "patientId", what)]
    if known.authorisation != VALID:
        return [Problem(POLICY, "patientId", "opposition du patient : autorisation non valide")]
    return []
