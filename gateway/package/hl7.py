"""HL7 v2 values inside XDS metadata: escaping, CX, XCN, XON, and times in UTC.

Syntax: IHE ITI TF-3 §4.2.3.1.7; French components: CI-SIS volet partage (spec dmp §3.3).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from gateway.document.model import Id, PatientIdentity, Professional, StructureRef

INS_OIDS = frozenset(f"1.2.250.1.213.1.4.{last}" for last in (8, 9, 10, 11))
"""NIR, NIA, NIR of test, NIR of demonstration. The dead INS-C (`.2`) is never written."""

MAX_SLOT = 256
"""Most characters of a slot's value (ebRIM 3.0 §2.8)."""
_ESCAPES = str.maketrans({"\\": "\\E\\", "^": "\\S\\", "&": "\\T\\", "|": "\\F\\", "~": "\\R\\"})


def escape(text: str) -> str:
    """A text with the HL7 v2 delimiters escaped (HL7 v2.5 §2.7), so that a name cannot forge a component."""
    return text.translate(_ESCAPES)


def utc(moment: datetime) -> str:
    """`yyyyMMddHHmmss` in UTC without offset, as every XDS time is written.

    Raises ValueError on a naive time: its date in UTC would be a guess.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without offset has no UTC value")
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S")


def fitted(make: Callable[..., str], *texts: str) -> str:
    """`make(*texts)`, the longest text made shorter until the whole has MAX_SLOT characters.

    Only names are long enough for that; the document beside carries them whole.
    """
    shown = list(texts)
    while len(made := make(*shown)) > MAX_SLOT and any(shown):
        longest = max(range(len(shown)), key=lambda place: len(shown[place]))
        shown[longest] = shown[longest][:-1]
    return made


def cx(identifier: Id, kind: str) -> str:
    """Patient identifier `id^^^&oid&ISO^kind`, kind `NH` (INS) or `PI` (local)."""
    return f"{escape(identifier.extension)}^^^&{identifier.root}&ISO^{kind}"


def patient_cx(patient: PatientIdentity) -> str | None:
    """The identifier that stands for the patient: the INS where it may leave, else the first local one."""
    if patient.ins is not None:
        return cx(patient.ins, "NH")
    return source_cx(patient)


def source_cx(patient: PatientIdentity) -> str | None:
    """`sourcePatientId`: the first identifier that is no INS, else the INS."""
    for identifier in patient.local_ids:
        if identifier.root not in INS_OIDS:
            return cx(identifier, "PI")
    return cx(patient.ins, "NH") if patient.ins is not None else None


def xcn(professional: Professional) -> str:
    """Author or legal authenticator: 13 components, national identifier (`IDNPS`)."""
    identifier, name = professional.id, professional.name

    def make(family: str, given: str) -> str:
        named = f"{escape(identifier.extension)}^{escape(family)}^{escape(given)}"
        return f"{named}^^^^^^&{identifier.root}&ISO^D^^^IDNPS"

    return fitted(make, name.family, name.given)


def xon(structure: StructureRef) -> str:
    """Institution: name, assigning authority, and Struct_IdNat with its prefix in component 10."""
    end = f"^^^^^&{structure.id.root}&ISO^IDNST^^^{escape(structure.id.extension)}"
    return fitted(lambda name: escape(name) + end, structure.name)


def patient_info(patient: PatientIdentity) -> tuple[str, ...]:
    """`sourcePatientInfo`: one value per PID field (spec mssante §2.3).

    Never used by a receiver to compute an identifier.
    """
    others = " ".join(patient.birth_given[1:])
    values = [
        fitted(
            lambda family, first, more: f"PID-5|{escape(family)}^{escape(first)}^{escape(more)}^^^^L",
            patient.birth_family,
            patient.first_given,
            others,
        )
    ]
    if patient.used_family or patient.used_given:
        used = (patient.used_family or "", patient.used_given or "")
        values.append(fitted(lambda family, given: f"PID-5|{escape(family)}^{escape(given)}^^^^^D", *used))
    values.append(f"PID-7|{patient.birth_date:%Y%m%d}")
    values.append(f"PID-8|{escape(patient.sex.code)}")
    if patient.birth_place_cog:
        values.append(f"PID-11|^^^^^^BDL^^{escape(patient.birth_place_cog)}")
    return tuple(values)
