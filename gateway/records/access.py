"""Conditions of the access to care: mode, practitioner's declarations, prior diagnosis, episode."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.records.base import Count, Date, Flag, Line, Record

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Department = Annotated[str, StringConstraints(pattern=r"^(0[1-9]|[1-8][0-9]|9[0-5]|2[AB]|97[1-8])$")]


class AccessMode(StrEnum):
    """How the patient came (spec of the direct-access experiment and convention, avenant 7)."""

    DIRECT_CPTS = "direct_cpts"
    DIRECT_STRUCTURE = "direct_structure"
    PRESCRIPTION = "prescription"
    RENEWAL = "renewal"
    URGENCE = "urgence"
    PROTOCOLE = "protocole"
    HORS_NOMENCLATURE = "hors_nomenclature"


DIRECT_MODES = frozenset({AccessMode.DIRECT_CPTS, AccessMode.DIRECT_STRUCTURE})
"""Direct access: of the experiment (CPTS), and of the convention (structures)."""


class PractitionerStatus(StrEnum):
    """Status of the author in the practice at the date of the act."""

    TITULAIRE = "titulaire"
    COLLABORATEUR = "collaborateur"
    ASSISTANT = "assistant"
    REMPLACANT = "remplacant"


class ProofType(StrEnum):
    """What establishes the prior diagnosis."""

    ALD = "ald"
    CR_OPERATOIRE = "cr_operatoire"
    CR_HOSPITALISATION = "cr_hospitalisation"
    CR_MEDICAL = "cr_medical"
    CR_URGENCES = "cr_urgences"
    INFORMATION_MEDECIN = "information_medecin"
    PRESCRIPTION_ANTERIEURE = "prescription_anterieure"
    DUI = "dui"
    OTHER = "other"


class Proof(Record):
    """Proof of the prior diagnosis: kept in the record, only its type and date are carried.

    The proof itself never comes here: its hash ties what the practice kept to this submission.
    """

    type: ProofType
    date: Date
    issuer: Line | None = None
    kept_in_record: Flag = True
    note: Line | None = None
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the file that the practice keeps, in hex.")
    reference: Line | None = Field(default=None, description="Where the practice keeps it; never sent.")


class Cpts(Record):
    """Membership of a territorial professional community."""

    name: Line
    department: Department
    active_member: Flag = True
    proof_valid_until: Date | None = None


class Episode(Record):
    """The care episode: the eight-session rule counts inside it."""

    id: Line
    start: Date
    sessions_already_done: Count = Field(default=0, ge=0, le=500)


class Access(Record):
    """Everything the direct-access rules look at."""

    mode: AccessMode
    department: Department
    practitioner_status: PractitionerStatus = PractitionerStatus.TITULAIRE
    declared_to_ars_on: Date | None = None
    withdrawn_on: Date | None = None
    cpts: Cpts | None = None
    prior_diagnosis: Flag = False
    proof: Proof | None = None
    prescription_date: Date | None = None
    protocol: Line | None = None
    episode: Episode
