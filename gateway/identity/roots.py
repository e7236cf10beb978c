"""The OIDs under which an INS can stand, the ones that look like it, and the world each belongs to.

Sources: FRCorePatientINSProfile and CI-SIS structuration minimale (spec kine §0.4, cda §3, dmp §5).
There is no test OID for a NIA: a matricule of that form stands under a test NIR root in test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.records.people import Ins
from gateway.settings import Environment


class InsKind(StrEnum):
    """What the matricule is. A NIA is built like a NIR: the OID alone tells them apart."""

    NIR = "NIR"
    NIA = "NIA"


@dataclass(frozen=True, slots=True)
class InsRoot:
    """An OID of the INS."""

    oid: str
    kind: InsKind
    environment: Environment
    demonstration: bool = False


_ROOTS = (
    InsRoot("1.2.250.1.213.1.4.8", InsKind.NIR, Environment.PRODUCTION),
    InsRoot("1.2.250.1.213.1.4.9", InsKind.NIA, Environment.PRODUCTION),
    InsRoot("1.2.250.1.213.1.4.10", InsKind.NIR, Environment.TEST),
    InsRoot("1.2.250.1.213.1.4.11", InsKind.NIR, Environment.TEST, demonstration=True),
)
INS_ROOTS: Mapping[str, InsRoot] = {root.oid: root for root in _ROOTS}
"""The four OIDs that designate an INS today."""


def environment_of(ins: Ins | None) -> Environment:
    """The world that an INS belongs to; test when there is none or its OID is not one of the four."""
    root = INS_ROOTS.get(ins.oid) if ins else None
    return root.environment if root else Environment.TEST


INS_C_OID = "1.2.250.1.213.1.4.2"
"""The computed INS-C of before 2021: no longer an identity."""

NSS_OIDS = frozenset({"1.2.250.1.213.1.4.13", "1.2.250.1.213.1.4.14"})
"""NIR and NIA as social security numbers: the insured person's, perhaps not the patient's."""
